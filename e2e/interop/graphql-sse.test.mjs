// The graphql-sse client, in both modes of the protocol, and EventSource as browsers have it.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EventSource } from 'eventsource';
import { createClient } from 'graphql-sse';
import { CATALOGUE, ME, ORDER_UPDATED, PRODUCT, STOCK_CHANGED, authorization, cancel, codes, followed, iterate, order, shop, signIn, ask, walk } from './shop.mjs';

/** A client that ends with the test. */
function connect(t, options) {
  const client = createClient({ url: shop.url, retryAttempts: 0, ...options });
  t.after(() => client.dispose());
  return client;
}

/** The client as the walk wants it. */
function walker(client, signedIn) {
  const follow = (query, variables) => iterate((push, fail, end) => client.subscribe({ query, variables }, {
    next: ({ data, errors }) => (errors ? fail(errors) : push(data)), error: fail, complete: end,
  }));
  const run = async (query, variables) => {
    for await (const answer of follow(query, variables)) return answer;
    throw new Error('no answer');
  };
  return { run, follow, signedIn };
}

/** What a promise fails with. */
const failure = (promise) => promise.then(() => assert.fail('it runs'), (e) => e);

for (const singleConnection of [false, true]) {
  const mode = singleConnection ? 'single connection' : 'distinct connections';

  test(`a walk through the shop, ${mode}`, async (t) => {
    await walk(walker(connect(t, { singleConnection }), (token) =>
      walker(connect(t, { singleConnection, headers: authorization(token) }))));
  });

  test(`many operations at once, ${mode}`, async (t) => {
    const { run } = walker(connect(t, { singleConnection, lazyCloseTimeout: 1000 }));
    const answers = await Promise.all(Array.from({ length: 10 }, (_, i) =>
      (i % 2 ? run(CATALOGUE, { first: 1 }) : run(PRODUCT, { slug: shop.product.slug }))));
    answers.forEach((a, i) => assert.ok(i % 2 ? a.products : a.product));
  });

  test(`what is left stops, ${mode}`, async (t) => {
    const token = await signIn();
    const { run, follow } = walker(connect(t, { singleConnection, lazyCloseTimeout: 1000, headers: authorization(token) }));
    const stock = follow(STOCK_CHANGED, { id: shop.product.variantId });
    const first = stock.next(); // waits for an order
    await followed({ run, follow });
    assert.equal((await first).value.stockChanged.id, shop.product.variantId);
    await stock.return();
    assert.ok((await run(ME)).me);
  });
}

test('errors are events of the stream, distinct connections', async (t) => {
  const { run } = walker(connect(t));
  for (const [query, code, variables] of [
    ['{ nonsense }', 'GRAPHQL_VALIDATION_FAILED'],
    ['{ me {', 'GRAPHQL_PARSE_FAILED'],
    [PRODUCT, 'GRAPHQL_VALIDATION_FAILED', { slug: ['a'] }],
    [ORDER_UPDATED, 'UNAUTHENTICATED', { id: 'ord_01h455vb4pex5vsknk084sn02q' }],
  ]) {
    const errors = await failure(run(query, variables));
    assert.deepEqual(Array.isArray(errors) && codes(errors), [code], `${query} ${errors}`);
  }
});

test('errors before execution are answered at once, single connection', async (t) => {
  const answers = [];
  const fetchFn = async (...args) => {
    const response = await fetch(...args);
    if (!/^application\/.*json/.test(response.headers.get('content-type'))) return response;
    const text = await response.text();
    answers.push(JSON.parse(text));
    return new Response(text, response);
  };
  const { run } = walker(connect(t, { singleConnection: true, fetchFn }));
  assert.match(`${await failure(run('{ nonsense }'))}`, /NetworkError/); // all that this client tells
  assert.deepEqual(answers.map(({ errors }) => codes(errors)), [['GRAPHQL_VALIDATION_FAILED']]);
  assert.deepEqual(codes(await failure(run(ORDER_UPDATED, { id: 'ord_01h455vb4pex5vsknk084sn02q' }))), ['UNAUTHENTICATED']);
  assert.equal((await run(ME)).me, null);
});

test('a bad token is refused, in both modes', async (t) => {
  for (const singleConnection of [false, true]) {
    const { run } = walker(connect(t, { singleConnection, headers: authorization('nonsense') }));
    assert.equal((await failure(run(ME))).response.status, 401);
  }
});

/** Reads the events of an EventSource until complete; then it closes it. */
async function events(t, query, variables, headers, each = () => {}) {
  const url = new URL(shop.url);
  url.searchParams.set('query', query);
  url.searchParams.set('variables', JSON.stringify(variables));
  const source = new EventSource(url, { fetch: (input, init) => fetch(input, { ...init, headers: { ...init.headers, ...headers } }) });
  t.after(() => source.close());
  const seen = [];
  await new Promise((resolve, reject) => {
    source.addEventListener('next', ({ data }) => {
      seen.push(JSON.parse(data));
      if (each(seen.at(-1)) === 'enough') resolve();
    });
    source.addEventListener('complete', resolve);
    source.addEventListener('error', reject);
  });
  return seen;
}

test('EventSource sees the answer to a query and that it is complete', async (t) => {
  const [answer, ...more] = await events(t, PRODUCT, { slug: shop.product.slug });
  assert.equal(answer.data.product.id, shop.product.id);
  assert.equal(more.length, 0);
});

test('EventSource sees what is wrong with a query', async (t) => {
  const [answer] = await events(t, '{ nonsense }', {});
  assert.deepEqual(codes(answer.errors), ['GRAPHQL_VALIDATION_FAILED']);
  assert.equal('data' in answer, false);
});

test('EventSource follows an order', async (t) => {
  const token = await signIn();
  const run = (query, variables) => ask(query, variables, token);
  const id = await order(run);
  const seen = await events(t, ORDER_UPDATED, { id }, authorization(token), ({ data }) => {
    const { status } = data.orderUpdated;
    if (status === 'CONFIRMED') cancel(run, id);
    return status === 'CANCELLED' ? 'enough' : '';
  });
  assert.ok(seen.every(({ data }) => data.orderUpdated.id === id));
});
