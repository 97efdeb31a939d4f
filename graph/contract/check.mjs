// Fails where graph/schema.graphql breaks what was released, or a published document; "release" makes it
// the released one when nothing stands against that.
import { readFileSync, writeFileSync } from 'node:fs';
import { buildSchema } from 'graphql';
import { breaking } from './lib/changes.mjs';
import { checkDates, checkPeriod, day } from './lib/deprecations.mjs';
import { checkDocuments, readManifests } from './lib/documents.mjs';

const path = (name) => new URL(name, import.meta.url).pathname;
const released = path('released.graphql');
const text = readFileSync(path('../schema.graphql'), 'utf8');
const before = buildSchema(readFileSync(released, 'utf8'));
const current = buildSchema(text);
const documents = readManifests(path('../../clients'));
const today = day(new Date());
const release = process.argv[2] === 'release';

const faults = [
  ...(await breaking(before, current, documents, today)).map((change) =>
    [`${change.path}: ${change.message}`, ...change.documents.map((d) => `    published by ${d}`)].join('\n')),
  ...checkDates(before, current),
  ...(release ? checkPeriod(before, current, today) : []),
  ...checkDocuments(current, documents),
];
if (faults.length > 0) {
  console.error(`The schema breaks its contract; see docs/contract.md.\n${faults.join('\n')}`);
  process.exit(1);
}
if (release) writeFileSync(released, text);
console.log(`contract: ${release ? 'released' : 'kept'}, and ${documents.length} published documents fit it`);
