import ids from '@gql/ids.json';

/** The id under which an operation was published. The build writes both; nothing else may run. */
export function operationId(name: string | undefined): string {
  const id = (ids as Record<string, string>)[name ?? ''];
  if (!id) {
    throw new Error(`The operation ${name ?? 'without a name'} is not in the manifest.`);
  }
  return id;
}

/** What a request says in the place of its text. */
export const persisted = (name: string | undefined) => ({ persistedQuery: { version: 1, sha256Hash: operationId(name) } });
