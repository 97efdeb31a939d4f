// Trusted documents: front ends that have published theirs, as Apollo's generator and Relay's compiler
// write them, and that may run nothing else.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ApolloClient, ApolloLink, HttpLink, InMemoryCache, gql } from '@apollo/client';
import { PersistedQueryLink } from '@apollo/client/link/persisted-queries';
import { generatePersistedQueryIdsFromManifest } from '@apollo/persisted-query-lists';
import { Client, fetchExchange } from '@urql/core';
import { persistedExchange } from '@urql/exchange-persisted';
import { createClient as createEventsClient } from 'graphql-sse';
import { createClient as createSocketClient } from 'graphql-ws';
import { WebSocket } from 'ws';
import { apollo, relay } from './manifest.mjs';
import { authorization, codes, iterate, shop, socketURL, walk } from './shop.mjs';

const { apollo: apolloKey, relay: relayKey } = shop.keys;

/** The name of a text's operation. */
const nameOf = (text) => /\b(?:query|mutation|subscription)\s+(\w+)/.exec(text)[1];

/** The id of a text in Apollo's manifest. */
const apolloID = (text) => apollo.operations.find((o) => o.name === nameOf(text)).id;

/** The id of a text in Relay's map. */
const relayID = (text) => Object.entries(relay).find(([, body]) => nameOf(body) === nameOf(text))[0];

/** The headers of a front end, and of its customer. */
const headers = (key, token) => ({ 'X-API-Key': key, ...authorization(token) });

/** Data or errors, as they come. */
function follow(client, payload) {
  return iterate((push, fail, end) => client.subscribe(payload, {
    next: ({ data, errors }) => (errors ? fail(errors) : push(data)), error: fail, complete: end,
  }));
}

/** Sends a request as it is, and gives the answer. */
async function post(body, key, token) {
  const response = await fetch(shop.url, {
    method: 'POST', headers: { 'Content-Type': 'application/json', ...headers(key, token) }, body: JSON.stringify(body),
  });
  return response.json();
}

/** What a promise fails with. */
const failure = (promise) => promise.then(() => assert.fail('it runs'), (e) => e);

/** A subscription by id over a WebSocket. */
function overSocket(t, key, token, id) {
  const socket = createSocketClient({
    url: socketURL, webSocketImpl: WebSocket, retryAttempts: 0, connectionParams: { apiKey: key, ...authorization(token) },
  });
  t.after(() => socket.dispose());
  return (text, variables) => follow(socket, { query: '', variables, extensions: { persistedQuery: { version: 1, sha256Hash: id(text) } } });
}

test('Apollo Client with its manifest', async (t) => {
  let sent = 0;
  const watched = (url, init) => {
    sent++;
    assert.equal(new URL(url).searchParams.has('query') || 'query' in JSON.parse(init.body ?? '{}'), false);
    return fetch(url, init);
  };
  const connect = (token) => {
    const client = new ApolloClient({
      cache: new InMemoryCache(),
      link: ApolloLink.from([
        new PersistedQueryLink({ ...generatePersistedQueryIdsFromManifest({ loadManifest: () => apollo }), useGETForHashedQueries: true }),
        new HttpLink({ uri: shop.url, fetch: watched, headers: headers(apolloKey, token) }),
      ]),
    });
    t.after(() => client.stop());
    return {
      run: async (text, variables) => (await (/^\s*mutation/.test(text)
        ? client.mutate({ mutation: gql(text), variables })
        : client.query({ query: gql(text), variables, fetchPolicy: 'network-only' }))).data,
      follow: overSocket(t, apolloKey, token, apolloID),
      signedIn: connect,
    };
  };
  await walk(connect());
  assert.ok(sent > 8);
});

test('urql that sends ids only', async (t) => {
  const connect = (token) => {
    const client = new Client({
      url: shop.url, requestPolicy: 'network-only', preferGetMethod: false, fetchOptions: { headers: headers(apolloKey, token) },
      exchanges: [
        persistedExchange({ enforcePersistedQueries: true, enableForMutation: true, generateHash: async (text) => apolloID(text) }),
        fetchExchange,
      ],
    });
    return {
      run: async (text, variables) => {
        const { data, error } = await (/^\s*mutation/.test(text) ? client.mutation(text, variables) : client.query(text, variables)).toPromise();
        if (error) throw error;
        return data;
      },
      follow: overSocket(t, apolloKey, token, apolloID),
      signedIn: connect,
    };
  };
  await walk(connect());
});

test('a network layer of Relay, with documentId', async (t) => {
  const connect = (token) => {
    const events = createEventsClient({ url: shop.url, retryAttempts: 0, headers: headers(relayKey, token) });
    t.after(() => events.dispose());
    return {
      run: async (text, variables) => {
        const { data, errors } = await post({ documentId: relayID(text), variables }, relayKey, token);
        assert.equal(errors, undefined);
        return data;
      },
      follow: (text, variables) => follow(events, { documentId: relayID(text), variables }),
      signedIn: connect,
    };
  };
  await walk(connect());
});

test('what is not published is refused, whatever way it comes', async (t) => {
  const [foreign, known] = ['query Foreign { me { id } }', apollo.operations[0].body];
  const { errors: byText } = await post({ query: foreign }, apolloKey);
  assert.deepEqual(codes(byText), ['DOCUMENT_NOT_TRUSTED']);
  const { errors: guessed } = await post({ query: '{ pasword }' }, apolloKey);
  assert.deepEqual(guessed.map(({ message, extensions: { code } }) => ({ message, code })), byText.map(({ message, extensions: { code } }) => ({ message, code })));
  const { errors: byID } = await post({ documentId: relayID(known) }, apolloKey); // another front end's
  assert.deepEqual(codes(byID), ['PERSISTED_QUERY_NOT_FOUND']);

  const socket = createSocketClient({ url: socketURL, webSocketImpl: WebSocket, retryAttempts: 0, connectionParams: { apiKey: apolloKey } });
  t.after(() => socket.dispose());
  assert.deepEqual(codes(await failure(follow(socket, { query: foreign }).next())), ['DOCUMENT_NOT_TRUSTED']);
  const events = createEventsClient({ url: shop.url, retryAttempts: 0, headers: headers(apolloKey) });
  t.after(() => events.dispose());
  assert.deepEqual(codes(await failure(follow(events, { query: foreign }).next())), ['DOCUMENT_NOT_TRUSTED']);
});

test('a published document may also come as text', async () => {
  const { data } = await post({ query: apollo.operations.find((o) => o.name === 'Me').body }, apolloKey);
  assert.deepEqual(data, { me: null });
});
