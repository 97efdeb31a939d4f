// urql: persisted queries by GET, subscriptions over server-sent events and WebSocket, and @defer.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { Client, fetchExchange, subscriptionExchange } from '@urql/core';
import { persistedExchange } from '@urql/exchange-persisted';
import { createClient as createEventsClient } from 'graphql-sse';
import { createClient as createSocketClient } from 'graphql-ws';
import { WebSocket } from 'ws';
import { DEFERRED, ME, ORDER_UPDATED, PRODUCT, authorization, codes, inParts, iterate, shop, socketURL, walk } from './shop.mjs';

/** A fetch that notes what passes. */
function recorder() {
  const calls = [];
  const record = async (url, init) => {
    const response = await fetch(url, init);
    calls.push({ method: init.method ?? 'GET', url: new URL(url), body: init.body && JSON.parse(init.body), response: response.clone() });
    return response;
  };
  return { calls, fetch: record };
}

const persisted = () => persistedExchange({
  preferGetForPersistedQueries: true,
  enableForMutation: true,
  generateHash: async (text) => createHash('sha256').update(text).digest('hex'),
});

/** Hands subscriptions over to a client that is made for them. */
const handOver = (client) => subscriptionExchange({
  forwardSubscription: ({ query, variables }) => ({ subscribe: (sink) => ({ unsubscribe: client.subscribe({ query, variables }, sink) }) }),
});

/** The ways in which urql subscribes: each gives a client for a token. */
const subscribers = {
  'server-sent events of its own': (t, token) => connect({ token, fetchSubscriptions: true }),
  'graphql-sse': (t, token) => {
    const events = createEventsClient({ url: shop.url, headers: authorization(token), retryAttempts: 0 });
    t.after(() => events.dispose());
    return connect({ token, exchanges: [handOver(events), fetchExchange] });
  },
  'graphql-sse on a single connection': (t, token) => {
    const events = createEventsClient({ url: shop.url, headers: authorization(token), retryAttempts: 0, singleConnection: true });
    t.after(() => events.dispose());
    return connect({ token, exchanges: [handOver(events), persisted(), fetchExchange] });
  },
  'graphql-ws': (t, token) => {
    const socket = createSocketClient({ url: socketURL, webSocketImpl: WebSocket, retryAttempts: 0, connectionParams: authorization(token) });
    t.after(() => socket.dispose());
    return connect({ token, exchanges: [persisted(), fetchExchange, handOver(socket)] });
  },
};

function connect({ token, exchanges = [fetchExchange], ...options } = {}) {
  return new Client({
    url: shop.url, exchanges, fetchOptions: { headers: authorization(token) }, preferGetMethod: false,
    requestPolicy: 'network-only', ...options,
  });
}

/** The client as the walk wants it. */
function walker(client, signedIn) {
  return {
    run: async (text, variables) => {
      const { data, error } = await (/^\s*mutation/.test(text) ? client.mutation(text, variables) : client.query(text, variables)).toPromise();
      if (error) throw error;
      return data;
    },
    follow: (text, variables) => iterate((push, fail, end) => {
      const { unsubscribe } = client.subscription(text, variables).subscribe(({ data, error, hasNext }) => {
        if (error) fail(error);
        else if (data) push(data);
        if (!hasNext) end();
      });
      return unsubscribe;
    }),
    signedIn,
  };
}

/** What a promise fails with. */
const failure = (promise) => promise.then(() => assert.fail('it runs'), (e) => e);

for (const [name, subscriber] of Object.entries(subscribers)) {
  test(`a walk through the shop, subscriptions by ${name}`, async (t) => {
    await walk(walker(subscriber(t), (token) => walker(subscriber(t, token))));
  });

  test(`a subscription that is refused, by ${name}`, async (t) => {
    const error = await failure(walker(subscriber(t)).follow(ORDER_UPDATED, { id: 'ord_01h455vb4pex5vsknk084sn02q' }).next());
    assert.deepEqual(codes(error.graphQLErrors), ['UNAUTHENTICATED'], `${error}`);
  });
}

test('a query goes by its hash, and in full only when that is not known', async () => {
  const { calls, fetch } = recorder();
  const { run } = walker(connect({ exchanges: [persisted(), fetchExchange], fetch }));
  const text = `query Fresh${Date.now()}($slug: String!) { product(slug: $slug) { id } }`;
  for (let i = 0; i < 2; i++) {
    assert.equal((await run(text, { slug: shop.product.slug })).product.id, shop.product.id);
  }
  assert.deepEqual(calls.map((c) => c.method), ['GET', 'GET', 'GET']);
  assert.deepEqual(calls.map((c) => c.url.searchParams.has('query')), [false, true, false]);
});

test('queries by GET', async () => {
  const { calls, fetch } = recorder();
  const { run } = walker(connect({ preferGetMethod: 'force', fetch }));
  assert.equal((await run(PRODUCT, { slug: shop.product.slug })).product.id, shop.product.id);
  assert.equal((await run(ME, {})).me, null);
  assert.deepEqual(calls.map((c) => c.method), ['GET', 'GET']);
});

test('errors reach the client with their codes', async () => {
  const { run } = walker(connect());
  for (const [text, code, variables] of [
    ['query { nonsense }', 'GRAPHQL_VALIDATION_FAILED'],
    [PRODUCT, 'GRAPHQL_VALIDATION_FAILED', { slug: ['a'] }],
    ['query { orders { totalCount } }', 'UNAUTHENTICATED'],
  ]) {
    assert.deepEqual(codes((await failure(run(text, variables))).graphQLErrors), [code], text);
  }
  const { run: strange } = walker(connect({ token: 'nonsense' }));
  assert.deepEqual(codes((await failure(strange(ME, {}))).graphQLErrors), ['UNAUTHENTICATED']);
});

test('what is deferred comes later, in the same response', async () => {
  const { calls, fetch } = recorder();
  const last = await new Promise((resolve, reject) => {
    connect({ fetch }).query(DEFERRED, { slug: shop.product.slug }).subscribe(({ data, error, hasNext }) => {
      if (error) reject(error);
      else if (!hasNext) resolve(data);
    });
  });
  assert.equal(last.product.title, 'Fjord Camera');
  assert.equal(last.product.reviews.totalCount, 0);
  await inParts(calls[0].response);
});
