import { createGraphiQLFetcher, type Fetcher, type FetcherParams, type FetcherOpts } from '@graphiql/toolkit';
import { getOperationAST, OperationTypeNode, parse, type ExecutionResult } from 'graphql';
import { createClient } from 'graphql-ws';

import { authorization } from './accounts';
import { answered, type Answer, type Cost, type Trace } from './answers';

const url = new URL('/graphql', location.href);
const socketURL = new URL(url);
socketURL.protocol = location.protocol === 'https:' ? 'wss:' : 'ws:';

/** makeFetcher asks the graph as whoever is signed in, and shows what each answer says of itself. */
export function makeFetcher(): Fetcher {
  let bytes: number | null = null;
  const fetcher = createGraphiQLFetcher({
    url: url.href,
    fetch: async (input, init) => {
      const answer = await fetch(input, { ...init, headers: { ...(await authorization()), 'X-TechMart-Trace': '1', ...(init?.headers as Record<string, string>) } });
      bytes = (await answer.clone().arrayBuffer()).byteLength;
      return answer;
    },
    wsClient: createClient({ url: socketURL.href, lazy: true, retryAttempts: 2, connectionParams: authorization }),
  });
  return async (params: FetcherParams, options?: FetcherOpts) => {
    const began = performance.now();
    bytes = null;
    // What comes in parts is fetched by a part of the toolkit that knows no function of ours.
    const headers = { ...(await authorization()), 'X-TechMart-Trace': '1', ...options?.headers };
    const result = await fetcher(params, { ...options, headers });
    if (params.operationName === 'IntrospectionQuery') {
      return result;
    }
    const streamed = getOperationAST(options?.documentAST ?? parse(params.query), params.operationName)?.operation === OperationTypeNode.SUBSCRIPTION;
    const seen = (answer: ExecutionResult, events: number): Answer => {
      const shown = {
        operation: params.operationName ?? '',
        took: performance.now() - began,
        bytes,
        events,
        errors: answer.errors?.length ?? 0,
        cost: answer.extensions?.cost as Cost | undefined,
        trace: answer.extensions?.trace as Trace | undefined,
      };
      delete answer.extensions?.trace; // it has a place of its own
      return shown;
    };
    if (Symbol.asyncIterator in result) {
      return each(result as AsyncIterable<ExecutionResult>, (answer, n) => answered(seen(answer, streamed ? n : 0)));
    }
    answered(seen(result as ExecutionResult, 0));
    return result;
  };
}

/** each tells of every answer of a stream as it passes. */
async function* each(answers: AsyncIterable<ExecutionResult>, tell: (answer: ExecutionResult, n: number) => void) {
  let n = 0;
  for await (const answer of answers) {
    n++;
    tell(Array.isArray(answer) ? (answer[0] as ExecutionResult) : answer, n);
    yield answer;
  }
}
