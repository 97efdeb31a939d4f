// Writes what the bundle needs of the manifest: the id of each operation by its name. The texts stay out.
import { readFileSync, writeFileSync } from 'node:fs';

const { operations } = JSON.parse(readFileSync('persisted-query-manifest.json', 'utf8'));
const ids = Object.fromEntries(operations.map(({ name, id }) => [name, id]).sort());
writeFileSync('src/gql/ids.json', `${JSON.stringify(ids, null, 1)}\n`);
