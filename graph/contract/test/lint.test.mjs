// Sample schemas for the lint: one that is right, and what is said of others.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { config } from '../eslint.config.mjs';
import { lint } from '../lib/lint.mjs';

const right = `
"Reading."
type Query {
  "One thing."
  node("Which." id: ID!): Node
  "Products."
  products("How many." first: Int, "From where." after: String): ProductConnection!
}
"Things with an id."
interface Node {
  "The id."
  id: ID!
}
"A page."
type ProductConnection {
  "Its edges."
  edges: [ProductEdge!]!
  "Where it stands."
  pageInfo: PageInfo!
}
"A place in a page."
type ProductEdge {
  "The place."
  cursor: String!
  "What is there."
  node: Product!
}
"Where a page stands."
type PageInfo {
  "Whether more follow."
  hasNextPage: Boolean!
  "Whether more precede."
  hasPreviousPage: Boolean!
  "The first."
  startCursor: String
  "The last."
  endCursor: String
}
"Something to buy."
type Product implements Node {
  "The id."
  id: ID!
  "Where it stands."
  status: Status
}
"Where a product stands."
enum Status {
  "For sale."
  ACTIVE
}
`;

async function faults(from, to, exceptions = {}) {
  const dir = mkdtempSync(join(tmpdir(), 'lint-'));
  try {
    const file = join(dir, 'schema.graphql');
    assert.ok(right.includes(from), `${from} is in the sample`);
    writeFileSync(file, right.replace(from, to));
    return await lint(file, config(file), exceptions);
  } finally {
    rmSync(dir, { recursive: true });
  }
}

test('a schema that is right', async () => assert.deepEqual(await faults('', ''), []));

const wrong = [
  ['a type without a description', '"Something to buy."', '', /^Product: .*require-description/],
  ['a field without one', '"One thing."', '', /^Query.node: .*require-description/],
  ['an argument without one', '"Which." id', 'id', /^Query.node: .*"id".*require-description/],
  ['a value without one', '"For sale."', '', /^Status.ACTIVE: .*require-description/],
  ['a page without its place', '"Where it stands."\n  pageInfo: PageInfo!', '', /^ProductConnection: .*relay-connection-types/],
  ['a page that cannot be turned', ', "From where." after: String', '', /^Query.products: .*relay-arguments/],
  ['an edge without a cursor', '"The place."\n  cursor: String!', '', /^ProductEdge: .*relay-edge-types/],
  ['a PageInfo without an end', '"The last."\n  endCursor: String', '', /^PageInfo: .*relay-page-info/],
  ['a node that may not be missing', '): Node\n', '): Node!\n', /^Query.node: .*global-node/],
  ['an id that may be null', 'interface Node {\n  "The id."\n  id: ID!', 'interface Node {\n  "The id."\n  id: ID', /^Node: .*global-node/],
  ['an id that is no Node\'s', 'Product implements Node', 'Product', /^Product: .*node-types/],
];
for (const [name, from, to, want] of wrong) {
  test(name, async () => {
    const found = await faults(from, to);
    assert.ok(found.some((f) => want.test(f)), `${want} is among ${JSON.stringify(found)}`);
  });
}

test('an exception holds at its place, and is a fault where nothing needs it', async () => {
  assert.deepEqual(await faults('"Something to buy."', '', { '@graphql-eslint/require-description Product': 'it speaks for itself' }), []);
  assert.equal((await faults('', '', { '@graphql-eslint/require-description Product': 'it speaks for itself' })).length, 1);
});
