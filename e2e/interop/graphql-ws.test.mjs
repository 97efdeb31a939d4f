// The graphql-ws client (graphql-transport-ws), which refuses every message that the protocol does not allow.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { createClient } from 'graphql-ws';
import { WebSocket } from 'ws';
import { CATALOGUE, ME, ORDER_UPDATED, PRODUCT, STOCK_CHANGED, codes, followed, order, shop, signIn, socketURL, walk } from './shop.mjs';

/** A client, and what happened to it, which ends with the test. */
function connect(t, options = {}) {
  const events = [];
  const client = createClient({
    url: socketURL, webSocketImpl: WebSocket, retryAttempts: 0, lazy: true,
    on: {
      ping: (received) => received && events.push('ping'),
      pong: (received) => received && events.push('pong'),
      connected: () => events.push('connected'),
      closed: (e) => events.push(`closed ${e.code}`),
    },
    ...options,
  });
  t.after(() => client.dispose());
  return { client, events };
}

/** The data of each response; errors are thrown. */
async function* data(results) {
  for await (const { data, errors } of results) {
    assert.equal(errors, undefined);
    yield data;
  }
}

/** The client as the walk wants it. */
function walker(client, signedIn) {
  return {
    run: async (query, variables) => {
      for await (const answer of data(client.iterate({ query, variables }))) return answer;
      throw new Error('no answer');
    },
    follow: (query, variables) => data(client.iterate({ query, variables })),
    signedIn,
  };
}

test('a walk through the shop on two connections', async (t) => {
  const { client } = connect(t);
  await walk(walker(client, (token) => {
    const own = connect(t, { connectionParams: { authorization: `Bearer ${token}` } });
    return walker(own.client);
  }));
});

test('many operations at once on one connection', async (t) => {
  const { client, events } = connect(t, { lazyCloseTimeout: 1000 });
  const { run } = walker(client);
  const answers = await Promise.all(Array.from({ length: 20 }, (_, i) => run(i % 2 ? CATALOGUE : PRODUCT, i % 2 ? { first: 1 } : { slug: shop.product.slug })));
  answers.forEach((a, i) => assert.ok(i % 2 ? a.products : a.product));
  assert.deepEqual(events, ['connected']);
});

test('errors end the operation, not the connection', async (t) => {
  const { client, events } = connect(t, { lazyCloseTimeout: 1000 });
  const { run } = walker(client);
  for (const [query, code, variables] of [
    ['{ nonsense }', 'GRAPHQL_VALIDATION_FAILED'],
    ['{ me {', 'GRAPHQL_PARSE_FAILED'],
    [PRODUCT, 'GRAPHQL_VALIDATION_FAILED', { slug: ["a"] }],
    [ORDER_UPDATED, 'UNAUTHENTICATED', { id: 'ord_01h455vb4pex5vsknk084sn02q' }],
  ]) {
    const failure = await run(query, variables).then(() => assert.fail(`it runs: ${query}`), (e) => e);
    const errors = Array.isArray(failure) ? failure : failure.actual;
    assert.equal(codes(errors)[0] ?? '', code, query);
  }
  assert.equal((await run(ME)).me, null);
  assert.deepEqual(events, ['connected']);
});

test('signs of life', async (t) => {
  const { client, events } = connect(t, { lazy: false, keepAlive: 50 });
  await new Promise((resolve) => client.on('pong', (received) => received && resolve()));
  assert.ok(events.includes('pong'));
  assert.equal((await walker(client).run(ME)).me, null);
});

test('a bad token closes with 4403', async (t) => {
  const { client } = connect(t, { connectionParams: { authorization: 'Bearer nonsense' } });
  const failure = await walker(client).run(ME).then(() => assert.fail('it runs'), (e) => e);
  assert.equal(failure.code, 4403);
});

test('a client that loses its connection comes back', async (t) => {
  const token = await signIn();
  const { client, events } = connect(t, { retryAttempts: 3, retryWait: async () => {}, connectionParams: { authorization: `Bearer ${token}` } });
  const { run, follow } = walker(client);
  const id = await order(run);
  let lost = false;
  for await (const { orderUpdated } of follow(ORDER_UPDATED, { id })) {
    if (orderUpdated.status !== 'CONFIRMED') continue;
    if (lost) break;
    lost = true;
    client.terminate();
  }
  assert.equal(events.filter((e) => e === 'connected').length >= 2, true, events.join());
});

test('what is left stops, and the connection goes on', async (t) => {
  const token = await signIn();
  const { client, events } = connect(t, { lazyCloseTimeout: 1000, connectionParams: { authorization: `Bearer ${token}` } });
  const { follow, run } = walker(client);
  const stock = follow(STOCK_CHANGED, { id: shop.product.variantId });
  const first = stock.next(); // waits for an order
  await followed({ run, follow });
  assert.equal((await first).value.stockChanged.id, shop.product.variantId);
  await stock.return();
  assert.ok((await run(ME)).me);
  assert.equal(events.filter((e) => e === 'connected').length, 1);
  await client.dispose();
});

test('another subprotocol is not spoken', async () => {
  const socket = new WebSocket(socketURL, 'graphql-ws');
  const [failure] = await once(socket, 'error');
  assert.match(failure.message, /400|subprotocol/);
});
