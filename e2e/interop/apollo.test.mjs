// Apollo Client: persisted queries by GET, subscriptions over WebSocket, batches, and @defer.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { ApolloClient, ApolloLink, CombinedGraphQLErrors, HttpLink, InMemoryCache, gql } from '@apollo/client';
import { Defer20220824Handler } from '@apollo/client/incremental';
import { BatchHttpLink } from '@apollo/client/link/batch-http';
import { PersistedQueryLink } from '@apollo/client/link/persisted-queries';
import { GraphQLWsLink } from '@apollo/client/link/subscriptions';
import { OperationTypeNode } from 'graphql';
import { createClient } from 'graphql-ws';
import { WebSocket } from 'ws';
import { CATALOGUE, DEFERRED, ME, ORDER_UPDATED, PRODUCT, authorization, codes, inParts, iterate, order, shop, signIn, socketURL, walk } from './shop.mjs';

// Apollo's link takes the one of browsers for granted.
globalThis.WebSocket ??= WebSocket;

const sha256 = (text) => createHash('sha256').update(text).digest('hex');

/** A fetch that notes what passes. */
function recorder() {
  const calls = [];
  const record = async (url, init) => {
    const response = await fetch(url, init);
    calls.push({ method: init.method, url: String(url), body: init.body && JSON.parse(init.body), response: response.clone() });
    return response;
  };
  return { calls, fetch: record };
}

/** A client of a fresh cache; queries and mutations take the link, subscriptions a WebSocket. */
function connect(t, { token, link } = {}) {
  const socket = createClient({
    url: socketURL, webSocketImpl: WebSocket, retryAttempts: 0, connectionParams: authorization(token),
  });
  const client = new ApolloClient({
    cache: new InMemoryCache(),
    incrementalHandler: new Defer20220824Handler(),
    link: ApolloLink.split(
      ({ operationType }) => operationType === OperationTypeNode.SUBSCRIPTION,
      new GraphQLWsLink(socket),
      link ?? new HttpLink({ uri: shop.url, headers: authorization(token) }),
    ),
  });
  t.after(() => { client.stop(); return socket.dispose(); });
  return client;
}

/** Persisted queries, by GET where possible. */
const persisted = (fetch, headers = {}) => ApolloLink.from([
  new PersistedQueryLink({ sha256, useGETForHashedQueries: true }),
  new HttpLink({ uri: shop.url, fetch, headers }),
]);

/** The client as the walk wants it. */
function walker(client, signedIn) {
  return {
    run: async (text, variables) => {
      const document = gql(text);
      const { data, error } = /^\s*mutation/.test(text)
        ? await client.mutate({ mutation: document, variables })
        : await client.query({ query: document, variables, fetchPolicy: 'network-only' });
      if (error) throw error;
      return data;
    },
    follow: (text, variables) => iterate((push, fail, complete) => {
      const subscription = client.subscribe({ query: gql(text), variables }).subscribe({
        next: ({ data, error }) => (error ? fail(error) : push(data)), error: fail, complete,
      });
      return () => subscription.unsubscribe();
    }),
    signedIn,
  };
}

/** What a promise fails with. */
const failure = (promise) => promise.then(() => assert.fail('it runs'), (e) => e);

test('a walk through the shop', async (t) => {
  await walk(walker(connect(t), (token) => walker(connect(t, { token }))));
});

test('a walk through the shop by persisted queries', async (t) => {
  await walk(walker(connect(t, { link: persisted(fetch) }), (token) =>
    walker(connect(t, { token, link: persisted(fetch, authorization(token)) }))));
});

test('a query goes by its hash, and in full only when that is not known', async (t) => {
  const { calls, fetch } = recorder();
  const { run } = walker(connect(t, { link: persisted(fetch) }));
  const text = `query Fresh${Date.now()}($slug: String!) { product(slug: $slug) { id } }`;
  for (let i = 0; i < 2; i++) {
    assert.equal((await run(text, { slug: shop.product.slug })).product.id, shop.product.id);
  }
  const [unknown, full, known, ...more] = calls;
  assert.equal(more.length, 0);
  assert.deepEqual([unknown, full, known].map((c) => c.method), ['GET', 'POST', 'GET']);
  assert.ok(full.body.query);
  assert.ok([unknown, known].every((c) => !new URL(c.url).searchParams.has('query')));
  assert.deepEqual(codes((await unknown.response.json()).errors), ['PERSISTED_QUERY_NOT_FOUND']);
  assert.match(unknown.response.headers.get('cache-control'), /no-store/);
  assert.equal(known.response.status, 200);
});

test('a mutation goes by its hash too, and by POST', async (t) => {
  const { calls, fetch } = recorder();
  await signIn(walker(connect(t, { link: persisted(fetch) })).run);
  assert.ok(calls.length > 0 && calls.every((c) => c.method === 'POST' && c.body.extensions.persistedQuery));
});

test('a wrong hash is refused', async (t) => {
  const link = ApolloLink.from([
    new PersistedQueryLink({ sha256: () => sha256('something else'), retry: () => true }),
    new HttpLink({ uri: shop.url }),
  ]);
  assert.deepEqual(codes((await failure(walker(connect(t, { link })).run(ME, {}))).errors), ['PERSISTED_QUERY_HASH_MISMATCH']);
});

test('errors reach the client with their codes', async (t) => {
  const { run, follow } = walker(connect(t));
  for (const [text, code, variables] of [
    ['query { nonsense }', 'GRAPHQL_VALIDATION_FAILED'],
    [PRODUCT, 'GRAPHQL_VALIDATION_FAILED', { slug: ['a'] }],
    ['query { orders { totalCount } }', 'UNAUTHENTICATED'],
  ]) {
    const error = await failure(run(text, variables));
    assert.ok(CombinedGraphQLErrors.is(error), `${error}`);
    assert.deepEqual(codes(error.errors), [code], text);
  }
  const id = 'ord_01h455vb4pex5vsknk084sn02q';
  const refused = await failure(follow(ORDER_UPDATED, { id }).next());
  assert.deepEqual(codes(refused.errors), ['UNAUTHENTICATED']);
});

test('a bad token is an error of the response', async (t) => {
  const error = await failure(walker(connect(t, { token: 'nonsense' })).run(ME, {}));
  assert.deepEqual(codes(error.errors ?? JSON.parse(error.bodyText).errors), ['UNAUTHENTICATED']);
});

test('an order in the cache is what the subscription said last', async (t) => {
  const token = await signIn();
  const client = connect(t, { token });
  const { run, follow } = walker(client);
  const id = await order(run);
  for await (const { orderUpdated } of follow(ORDER_UPDATED, { id })) {
    if (orderUpdated.status === 'CONFIRMED') break;
  }
  const fragment = gql`fragment Status on Order { status }`;
  assert.equal(client.cache.readFragment({ id: `Order:${id}`, fragment }).status, 'CONFIRMED');
});

test('a batch of operations in one request', async (t) => {
  const { calls, fetch } = recorder();
  const link = new BatchHttpLink({ uri: shop.url, fetch, batchMax: 3, batchInterval: 50 });
  const { run } = walker(connect(t, { link }));
  const [{ products }, { product }, { me }] = await Promise.all([
    run(CATALOGUE, { first: 1 }), run(PRODUCT, { slug: shop.product.slug }), run(ME, {}),
  ]);
  assert.equal(products.nodes.length, 1);
  assert.equal(product.id, shop.product.id);
  assert.equal(me, null);
  assert.equal(calls.length, 1);
  assert.equal(calls[0].body.length, 3);
});

test('what is deferred comes later, in the same response', async (t) => {
  const { calls, fetch } = recorder();
  const client = connect(t, { link: new HttpLink({ uri: shop.url, fetch }) });
  const last = await new Promise((resolve, reject) => {
    client.watchQuery({ query: gql(DEFERRED), variables: { slug: shop.product.slug } }).subscribe({
      next: (result) => {
        if (result.error) reject(result.error);
        if (result.dataState === 'complete') resolve(result);
      },
      error: reject,
    });
  });
  assert.equal(last.data.product.title, 'Fjord Camera');
  assert.equal(last.data.product.reviews.totalCount, 0);
  await inParts(calls[0].response);
});
