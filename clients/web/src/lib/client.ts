import { ApolloClient, ApolloLink, CombinedGraphQLErrors, HttpLink, Observable } from '@apollo/client';
import { SetContextLink } from '@apollo/client/link/context';
import { ErrorLink } from '@apollo/client/link/error';
import { OperationTypeNode, print } from 'graphql';
import { createClient } from 'graphql-ws';
import { from, switchMap, throwError } from 'rxjs';
import { newCache } from './cache';
import { codeOf } from './errors';
import { persisted } from './operations';
import { renewTokens } from './renew';
import { Session } from './session';

const endpoint = '/graphql';

/** The key that says which program calls. The server writes it into the page; Vite's server has none. */
export const apiKey = document.querySelector<HTMLMetaElement>('meta[name="api-key"]')?.content ?? '';

const keyHeader: Record<string, string> = apiKey ? { 'X-API-Key': apiKey } : {};

export const session = new Session((refreshToken) => renewTokens(endpoint, keyHeader, refreshToken));

/*
 * While the documents change under the hands of a developer they are sent in full, without a key. What was built
 * sends ids alone.
 */
const inFull = import.meta.env.DEV;

const identified = new ApolloLink((operation, forward) => {
  if (!inFull) {
    Object.assign(operation.extensions, persisted(operation.operationName));
    operation.setContext({ http: { includeQuery: false, includeExtensions: true } });
  }
  return forward(operation);
});

const authorized = new SetContextLink(async (context) => {
  const headers = context['headers'] as Record<string, string> | undefined;
  const token = await session.accessToken();
  return { headers: { ...headers, ...(token ? { Authorization: `Bearer ${token}` } : {}) } };
});

/** A token that was refused is renewed once; whoever cannot renew it goes on as a guest. */
const renewing = new ErrorLink(({ error, operation, forward }) => {
  const { headers, renewed } = operation.getContext() as { headers?: Record<string, string>; renewed?: boolean };
  const refused = headers?.['Authorization']?.replace('Bearer ', '');
  if (codeOf(error) !== 'UNAUTHENTICATED' || renewed || !refused) {
    return undefined;
  }
  return from(session.renewed(refused)).pipe(
    switchMap((token) => {
      if (!token) {
        return throwError(() => error);
      }
      operation.setContext({ renewed: true });
      return forward(operation);
    }),
  );
});

const socket = createClient({
  url: () => new URL(endpoint, location.href.replace(/^http/, 'ws')).href,
  connectionParams: async () => {
    const token = await session.accessToken();
    return { ...(apiKey ? { apiKey } : {}), ...(token ? { authorization: `Bearer ${token}` } : {}) };
  },
  shouldRetry: () => true,
  retryAttempts: Number.POSITIVE_INFINITY,
  lazyCloseTimeout: 3_000,
});

const live = new ApolloLink(
  (operation) =>
    new Observable((observer) =>
      socket.subscribe(
        {
          operationName: operation.operationName ?? null,
          variables: operation.variables,
          query: inFull ? print(operation.query) : '',
          ...(inFull ? {} : { extensions: persisted(operation.operationName) }),
        },
        {
          next: (result) => observer.next(result as ApolloLink.Result),
          error: (error) => observer.error(Array.isArray(error) ? new CombinedGraphQLErrors({ errors: error }) : error),
          complete: () => observer.complete(),
        },
      ),
    ),
);

export const client = new ApolloClient({
  cache: newCache(),
  link: ApolloLink.split(
    ({ operationType }) => operationType === OperationTypeNode.SUBSCRIPTION,
    live,
    ApolloLink.from([renewing, authorized, identified, new HttpLink({ uri: endpoint, headers: keyHeader })]),
  ),
  clientAwareness: { name: 'web-shop' },
});

/** Opens the WebSocket anew, as who is signed in now. */
export const reconnect = (): void => socket.terminate();
