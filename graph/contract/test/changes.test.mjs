// Sample changes of a schema: which ones break the contract, and what is said of them.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { buildSchema } from 'graphql';
import { breaking } from '../lib/changes.mjs';
import { checkDates, checkPeriod } from '../lib/deprecations.mjs';
import { checkDocuments } from '../lib/documents.mjs';

const TODAY = '2026-11-22';

const released = `
  directive @cost(weight: String!) on FIELD_DEFINITION
  directive @defer(if: Boolean) on FRAGMENT_SPREAD | INLINE_FRAGMENT
  type Query { product(id: ID!, slug: String): Product search(where: Where): [Product!]! node(id: ID!): Node }
  interface Node { id: ID! }
  type Product implements Node {
    id: ID! title: String! @cost(weight: "1") status: Status
    name: String @deprecated(reason: "Use title. Removed after 2026-11-01")
    label: String @deprecated(reason: "Use title. Removed after 2027-02-01")
    badge: Badge @deprecated(reason: "Use status. Removed after 2026-11-01")
  }
  type Badge { text: String }
  enum Status { DRAFT ACTIVE GONE @deprecated(reason: "Use DRAFT. Removed after 2026-11-01") }
  input Where { text: String, tag: String }
`;

const documents = [
  { client: 'web', name: 'Product', body: 'query Product($id: ID!) { product(id: $id) { title status } }' },
  { client: 'ios', name: 'Search', body: 'query Search($where: Where) { search(where: $where) { id } }' },
  { client: 'go', name: 'Literal', body: 'query Literal { search(where: { tag: "x" }) { ...p } } fragment p on Product { title }' },
  { client: 'kotlin', name: 'Node', body: 'query Node { node(id: "1") { ... on Node @defer { id } } }' },
];

// change replaces parts of the released schema: what, by what, and so on.
function change(...pairs) {
  let text = released;
  for (let i = 0; i < pairs.length; i += 2) {
    assert.ok(text.includes(pairs[i]), `${pairs[i]} is in the sample`);
    text = text.replace(pairs[i], pairs[i + 1]);
  }
  return buildSchema(text);
}

const found = async (...pairs) => (await breaking(buildSchema(released), change(...pairs), documents, TODAY))
  .map((c) => [c.path, ...c.documents]);

const kept = {
  'nothing': [],
  'a field more': ['status: Status', 'status: Status stock: Int'],
  'a type more': ['type Badge', 'type Stock { count: Int } type Badge'],
  'an argument that may be left out': ['slug: String', 'slug: String, sku: String'],
  'an argument with a default': ['slug: String', 'slug: String, first: Int! = 20'],
  'an input field that may be left out': ['tag: String', 'tag: String, brand: String'],
  'a value more': ['DRAFT ACTIVE', 'DRAFT ACTIVE ARCHIVED'],
  'an answer that is never null any more': ['status: Status', 'status: Status!'],
  'an argument that may be left out now': ['product(id: ID!', 'product(id: ID'],
  'another description': ['type Badge', '"A badge." type Badge'],
  'a directive of the type system less': ['directive @cost(weight: String!) on FIELD_DEFINITION', '', '@cost(weight: "1")', ''],
  'a deprecation': ['status: Status', 'status: Status @deprecated(reason: "Use state. Removed after 2027-06-01")'],
  'a field whose day is over': ['name: String @deprecated(reason: "Use title. Removed after 2026-11-01")', ''],
  'a value whose day is over': ['GONE @deprecated(reason: "Use DRAFT. Removed after 2026-11-01")', ''],
  'another type of a field whose day is over': ['name: String', 'name: Int'],
  'a type to which only what is over led': ['badge: Badge @deprecated(reason: "Use status. Removed after 2026-11-01")', '', 'type Badge { text: String }', ''],
};
for (const [name, pairs] of Object.entries(kept)) {
  test(`kept: ${name}`, async () => assert.deepEqual(await found(...pairs), []));
}

const broken = [
  ['a field less', ['title: String! @cost(weight: "1")', ''], ['Product.title', 'web: Product', 'go: Literal']],
  ['a field before its day', ['label: String @deprecated(reason: "Use title. Removed after 2027-02-01")', ''], ['Product.label']],
  ['another type', ['title: String!', 'title: Int!'], ['Product.title', 'web: Product', 'go: Literal']],
  ['an answer that may be null', ['title: String!', 'title: String'], ['Product.title', 'web: Product', 'go: Literal']],
  ['an argument less', [', slug: String', ''], ['Query.product.slug']],
  ['an argument that is needed', ['slug: String', 'slug: String, sku: String!'], ['Query.product.sku']],
  ['an argument that is needed now', ['slug: String', 'slug: String!'], ['Query.product.slug']],
  ['an input field less', [', tag: String', ''], ['Where.tag', 'ios: Search', 'go: Literal']],
  ['an input field that is needed', ['tag: String', 'tag: String, brand: String!'], ['Where.brand']],
  ['a value less', ['DRAFT ', ''], ['Status.DRAFT', 'web: Product']],
  ['an interface less', ['Product implements Node', 'Product'], ['Product']],
  ['a directive of operations less', ['directive @defer(if: Boolean) on FRAGMENT_SPREAD | INLINE_FRAGMENT', ''], ['@defer', 'kotlin: Node']],
];
for (const [name, pairs, want] of broken) {
  test(`broken: ${name}`, async () => {
    const changes = await found(...pairs);
    const at = changes.find(([path]) => path === want[0]);
    assert.ok(at, `${want[0]} is named: ${JSON.stringify(changes)}`);
    for (const document of want.slice(1)) assert.ok(at.includes(document), `${document} is named: ${at}`);
  });
}

test('a document that does not fit is named', () => {
  const faults = checkDocuments(change('title: String! @cost(weight: "1")', ''), documents);
  assert.equal(faults.length, 2);
  assert.match(faults[0], /^web: Product: Cannot query field "title" on type "Product"/);
});

test('a deprecation has a date that is one, and never an earlier one than before', () => {
  const dates = (...pairs) => checkDates(buildSchema(released), change(...pairs));
  assert.deepEqual(dates(), []);
  assert.equal(dates('Removed after 2027-02-01', 'Soon').length, 1);
  assert.equal(dates('Removed after 2027-02-01', 'Removed after 2027-02-31').length, 1);
  assert.equal(dates('Removed after 2027-02-01', 'Removed after 2027-01-31').length, 1);
  assert.equal(dates('Removed after 2027-02-01', 'Removed after 2027-03-01').length, 0);
});

test('a release deprecates nothing for less than the period', () => {
  const period = (date) => checkPeriod(buildSchema(released), change('status: Status', `status: Status @deprecated(reason: "Use state. Removed after ${date}")`), TODAY);
  assert.equal(period('2027-02-19').length, 1);
  assert.equal(period('2027-02-20').length, 0);
  assert.deepEqual(checkPeriod(buildSchema(released), buildSchema(released), TODAY), []);
});
