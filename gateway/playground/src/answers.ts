// What the last answer said of its cost and its time, for the footer and the trace.

/** Cost is extensions.cost of an answer. */
export interface Cost {
  requestedQueryCost: number;
  actualQueryCost: number | null;
  throttleStatus: { maximumAvailable: number; currentlyAvailable: number; restoreRate: number };
}

/** Span is one thing that took time; milliseconds since the operation began. */
export interface Span {
  path?: string;
  backend?: string;
  operation?: string;
  start: number;
  duration: number;
}

/** Trace is extensions.trace of an answer. */
export interface Trace {
  duration: number;
  resolvers: Span[];
  calls: Span[];
}

/** Answer is one answer of the shop. */
export interface Answer {
  operation: string;
  took: number; // milliseconds until it was here
  bytes: number | null; // null where it came in parts or over a stream
  events: number; // of a subscription
  errors: number;
  cost?: Cost;
  trace?: Trace;
}

type Listener = () => void;

let last: Answer | null = null;
const listeners = new Set<Listener>();

/** answered shows an answer. */
export function answered(answer: Answer): void {
  last = answer;
  listeners.forEach((listener) => listener());
}

/** subscribe calls listener for each answer, until the function that it gives is called. */
export function subscribe(listener: Listener): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** lastAnswer gives the last answer; null before the first one. */
export function lastAnswer(): Answer | null {
  return last;
}
