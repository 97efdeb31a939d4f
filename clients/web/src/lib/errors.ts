import { CombinedGraphQLErrors, ServerError } from '@apollo/client';

/** One of a payload's userErrors. */
export interface UserError {
  code: string;
  message: string;
  field: readonly string[] | null;
  retryAfter?: number;
}

/** What a form shows: a sentence above it, and sentences at its fields. */
export interface FormErrors {
  summary?: string;
  fields: Record<string, string>;
}

const sentences: Record<string, string> = {
  UNAUTHENTICATED: 'Please sign in to go on.',
  FORBIDDEN: 'You cannot see this.',
  THROTTLED: 'That was a little fast. Please wait a moment and try again.',
  TIMEOUT: 'This took too long. Please try again.',
  UNAVAILABLE: 'A part of the shop cannot be reached right now. Please try again in a moment.',
  PERSISTED_QUERY_NOT_FOUND: 'The shop has been updated. Please reload the page.',
  DOCUMENT_NOT_TRUSTED: 'The shop has been updated. Please reload the page.',
  CURSOR_MISMATCH: 'The list has changed. Please reload the page.',
};

const unexpected = 'Something went wrong on our side. Please try again.';

/** The code of the first error of an answer; undefined where there was none. */
export function codeOf(error: unknown): string | undefined {
  if (CombinedGraphQLErrors.is(error)) {
    const code = error.errors[0]?.extensions?.code;
    return typeof code === 'string' ? code : undefined;
  }
  if (ServerError.is(error)) {
    return { 401: 'UNAUTHENTICATED', 429: 'THROTTLED', 503: 'UNAVAILABLE' }[error.statusCode];
  }
  return undefined;
}

/** Says what went wrong, to a customer. */
export function explain(error: unknown): string {
  if (CombinedGraphQLErrors.is(error) || ServerError.is(error)) {
    return sentences[codeOf(error) ?? ''] ?? unexpected;
  }
  if (error instanceof TypeError) {
    return 'The shop cannot be reached. Check your connection and try again.';
  }
  return unexpected;
}

/** Divides user errors between the fields of a form, by the last element of their paths, and its summary. */
export function formErrors(errors: readonly UserError[], fields: readonly string[]): FormErrors {
  const result: FormErrors = { fields: {} };
  const rest: string[] = [];
  for (const error of errors) {
    const name = error.field?.at(-1);
    if (name !== undefined && fields.includes(name)) {
      result.fields[name] ??= error.message;
    } else {
      rest.push(error.retryAfter ? `${error.message} Try again in ${wait(error.retryAfter)}.` : error.message);
    }
  }
  if (rest.length > 0) {
    result.summary = rest.join(' ');
  }
  return result;
}

/** Says a number of seconds. */
export function wait(seconds: number): string {
  const minutes = Math.ceil(seconds / 60);
  if (seconds < 90) {
    return seconds === 1 ? '1 second' : `${seconds} seconds`;
  }
  return `${minutes} minutes`;
}
