// The shop under test, what is done there, and a walk through it that every client takes.
import assert from 'node:assert/strict';

/** The shop as the Go test describes it: url, introspection, customer, product. */
export const shop = JSON.parse(process.env.SHOP ?? '{}');

/** The shop's address for WebSockets. */
export const socketURL = shop.url?.replace(/^http/, 'ws');

export const CATALOGUE = `
  query Catalogue($first: Int!, $after: String) {
    products(first: $first, after: $after, sortBy: {field: TITLE, direction: ASC}) {
      nodes { id title slug }
      pageInfo { hasNextPage endCursor }
    }
  }`;

export const PRODUCT = `
  query Product($slug: String!) {
    product(slug: $slug) { id title variants { id sku price { amount currencyCode } } }
  }`;

export const SIGN_IN = `
  mutation SignIn($input: SessionCreateInput!) {
    sessionCreate(input: $input) {
      tokens { accessToken refreshToken }
      user { id email }
      userErrors { code message field }
    }
  }`;

export const ME = `query Me { me { id email } }`;

export const ADD_LINES = `
  mutation AddLines($input: CartLinesAddInput!) {
    cartLinesAdd(input: $input) { cart { id totalQuantity } userErrors { code message field } }
  }`;

export const PLACE_ORDER = `
  mutation PlaceOrder($input: OrderPlaceInput!) {
    orderPlace(input: $input) { order { id status } userErrors { code message field } }
  }`;

export const CANCEL_ORDER = `
  mutation CancelOrder($input: OrderCancelInput!) {
    orderCancel(input: $input) { order { id status } userErrors { code message field } }
  }`;

export const ORDER_UPDATED = `
  subscription OrderUpdated($id: ID!) { orderUpdated(id: $id) { id status } }`;

export const STOCK_CHANGED = `
  subscription StockChanged($id: ID!) { stockChanged(variantId: $id) { id quantityAvailable } }`;

export const DEFERRED = `
  query Deferred($slug: String!) {
    product(slug: $slug) { id ...Rest @defer(label: "rest") }
  }
  fragment Rest on Product { title reviews(first: 2) { totalCount } }`;

const address = {
  recipient: 'Ada Lovelace', line1: 'Ackerstr. 1', postalCode: '10115', city: 'Berlin', countryCode: 'DE',
};

/** Runs an operation with nothing but fetch, and gives its data. */
export async function ask(query, variables, token) {
  const response = await fetch(shop.url, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', ...authorization(token) },
    body: JSON.stringify({ query, variables }),
  });
  const { data, errors } = await response.json();
  assert.equal(errors, undefined);
  return data;
}

/** The header of a token; none without one. */
export const authorization = (token) => (token ? { Authorization: `Bearer ${token}` } : {});

/** Signs the customer in and gives the access token. */
export async function signIn(run = ask) {
  const { email, password } = shop.customer;
  const { sessionCreate } = await run(SIGN_IN, { input: { email, password } });
  assert.deepEqual(sessionCreate.userErrors, []);
  assert.equal(sessionCreate.user.email, email);
  return sessionCreate.tokens.accessToken;
}

/** Puts the product into the customer's cart and orders it; gives the id of the order. */
export async function order(run) {
  const { cartLinesAdd } = await run(ADD_LINES, { input: { lines: [{ variantId: shop.product.variantId, quantity: 1 }] } });
  assert.deepEqual(cartLinesAdd.userErrors, []);
  assert.equal(cartLinesAdd.cart.totalQuantity, 1);
  const { orderPlace } = await run(PLACE_ORDER, { input: { paymentToken: 'tok_visa', shippingAddress: address } });
  assert.deepEqual(orderPlace.userErrors, []);
  return orderPlace.order.id;
}

/** Cancels an order. */
export async function cancel(run, id) {
  const { orderCancel } = await run(CANCEL_ORDER, { input: { id, reason: 'Found it in the cellar.' } });
  assert.deepEqual(orderCancel.userErrors, []);
}

/**
 * Walks through the shop: looks at the catalogue, fails to sign in, signs in, orders, follows the
 * order until it is confirmed, cancels it, and sees that too.
 *
 * @param client what the walk needs of a client:
 *   run(document, variables) gives the data of an operation, or fails;
 *   follow(document, variables) gives an async iterator over the data of a subscription;
 *   signedIn(token) gives the same for the account.
 */
export async function walk(client) {
  const seen = [];
  for (let after = null, more = true; more;) {
    const { products } = await client.run(CATALOGUE, { first: 2, after });
    seen.push(...products.nodes.map((p) => p.title));
    ({ hasNextPage: more, endCursor: after } = products.pageInfo);
  }
  assert.deepEqual(seen, ['Fjord Camera', 'Fjord Lens', 'Fjord Tripod']);
  const { product } = await client.run(PRODUCT, { slug: shop.product.slug });
  assert.equal(product.id, shop.product.id);
  assert.equal(product.variants[0].price.amount, '100.00');

  assert.equal((await client.run(ME, {})).me, null);
  const { sessionCreate } = await client.run(SIGN_IN, { input: { email: shop.customer.email, password: 'not-the-password' } });
  assert.deepEqual(sessionCreate.userErrors.map((e) => e.code), ['INVALID_CREDENTIALS']);
  assert.equal(sessionCreate.tokens, null);

  const customer = await client.signedIn(await signIn(client.run));
  assert.equal((await customer.run(ME, {})).me.email, shop.customer.email);
  await followed(customer);
}

/** Orders, and follows the order until it is confirmed and then cancelled. */
export async function followed(customer) {
  const id = await order(customer.run);
  const statuses = [];
  for await (const { orderUpdated } of customer.follow(ORDER_UPDATED, { id })) {
    assert.equal(orderUpdated.id, id);
    if (statuses.at(-1) === orderUpdated.status) continue;
    statuses.push(orderUpdated.status);
    if (orderUpdated.status === 'CONFIRMED') await cancel(customer.run, id);
    if (orderUpdated.status === 'CANCELLED') break;
  }
  assert.deepEqual(statuses.filter((s) => s !== 'PENDING'), ['CONFIRMED', 'CANCELLED']);
}

/** Makes an async iterator of what is pushed: wire(push, fail, end) connects it and gives what disconnects it. */
export async function* iterate(wire) {
  const queue = [];
  let wake = () => {};
  const put = (item) => { queue.push(item); wake(); };
  const disconnect = wire((value) => put({ value }), (error) => put({ error }), () => put({ done: true }));
  try {
    for (;;) {
      while (queue.length === 0) await new Promise((resolve) => { wake = resolve; });
      const { value, error, done } = queue.shift();
      if (error) throw error;
      if (done) return;
      yield value;
    }
  } finally {
    disconnect();
  }
}

/** The codes of GraphQL errors. */
export const codes = (errors) => errors.map((e) => e.extensions?.code);

/** Checks that an answer to DEFERRED came in parts, and what is slow in a later one. */
export async function inParts(response) {
  const type = response.headers.get('content-type');
  assert.match(type, /^multipart\/mixed;.*deferSpec=20220824/);
  const boundary = `--${/boundary="?([^";]+)/.exec(type)[1]}`;
  const parts = (await response.text()).split(boundary).slice(1, -1).map((part) => JSON.parse(part.split('\r\n\r\n')[1]));
  assert.deepEqual(parts.map((p) => p.hasNext), [true, false]);
  assert.equal(parts[0].data.product.id, shop.product.id);
  assert.equal('reviews' in parts[0].data.product, false);
  assert.deepEqual(parts[1].incremental.map(({ path, label }) => ({ path, label })), [{ path: ['product'], label: 'rest' }]);
  assert.equal(parts[1].incremental[0].data.reviews.totalCount, 0);
}
