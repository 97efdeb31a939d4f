// The public audit of GraphQL over HTTP: every MUST, SHOULD and MAY. Without introspection for the
// public three of its checks cannot be answered as they expect, as they ask for a type by name.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { serverAudits } from 'graphql-http';
import { shop } from './shop.mjs';

const needIntrospection = new Set(['28B9', 'D6D5', '6A70']);
const audits = serverAudits({ url: shop.url });

test('the suite is the one that we know', () => {
  assert.equal(audits.length, 61);
  assert.equal(audits.filter((a) => needIntrospection.has(a.id)).length, 3);
});

for (const audit of audits) {
  if (!shop.introspection && needIntrospection.has(audit.id)) continue;
  test(`${audit.id} ${audit.name}`, async () => {
    const result = await audit.fn();
    assert.equal(result.status, 'ok', result.reason);
  });
}
