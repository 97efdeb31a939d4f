// Writes the manifests of the clients whose build cannot run here: clients/kotlin and clients/ios. With --check
// it fails where one is out of date.
import { createHash } from 'node:crypto';
import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Kind, parse, print, visit } from 'graphql';

const clients = new URL('../../clients', import.meta.url).pathname;
const sources = { kotlin: 'kotlin/src/main/graphql', ios: 'ios/graphql' };
const typename = { kind: Kind.FIELD, name: { kind: Kind.NAME, value: '__typename' } };

// Apollo's compilers ask for the type of every object but the root.
const withTypes = (document) => visit(document, {
  SelectionSet(node, _, parent) {
    if (parent.kind === Kind.OPERATION_DEFINITION || parent.kind === Kind.INLINE_FRAGMENT) return undefined;
    return { ...node, selections: [typename, ...node.selections] };
  },
});

function manifest(dir) {
  const definitions = readdirSync(dir).filter((f) => f.endsWith('.graphql')).sort()
    .flatMap((f) => parse(readFileSync(join(dir, f), 'utf8'), { noLocation: true }).definitions);
  const fragments = new Map(definitions.filter((d) => d.kind === Kind.FRAGMENT_DEFINITION).map((d) => [d.name.value, d]));
  const used = (node, found = new Set()) => {
    visit(node, {
      FragmentSpread({ name: { value } }) {
        if (found.has(value)) return;
        if (!fragments.has(value)) throw new Error(`${dir}: there is no fragment ${value}`);
        found.add(value);
        used(fragments.get(value), found);
      },
    });
    return found;
  };
  const operations = definitions.filter((d) => d.kind === Kind.OPERATION_DEFINITION).map((operation) => {
    const body = print(withTypes({ kind: Kind.DOCUMENT, definitions: [operation, ...[...used(operation)].sort().map((n) => fragments.get(n))] }));
    return { id: createHash('sha256').update(body).digest('hex'), name: operation.name.value, type: operation.operation, body };
  });
  operations.sort((a, b) => a.name.localeCompare(b.name));
  return `${JSON.stringify({ format: 'apollo-persisted-query-manifest', version: 1, operations }, null, 2)}\n`;
}

const stale = Object.entries(sources).filter(([client, dir]) => {
  const file = join(clients, client, 'manifest.json');
  const text = manifest(join(clients, dir));
  let before = '';
  try {
    before = readFileSync(file, 'utf8');
  } catch (e) {
    if (e.code !== 'ENOENT') throw e;
  }
  if (before !== text) writeFileSync(file, text);
  return before !== text;
});
if (stale.length > 0 && process.argv.includes('--check')) {
  console.error(`out of date, and written anew; review and commit: ${stale.map(([client]) => `clients/${client}/manifest.json`).join(', ')}`);
  process.exit(1);
}
