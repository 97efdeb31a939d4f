// Serves an embedded MongoDB engine on a Unix socket. Arguments: the package's
// directory, the data directory, and the file that the address is written to
// once the engine answers.
import { createRequire } from 'node:module';
import { renameSync, writeFileSync } from 'node:fs';

const [pkg, data, ready] = process.argv.slice(2);
const { open } = createRequire(import.meta.url)(pkg);
const engine = await open(data);

let closing = false;
async function stop() {
  if (closing) return;
  closing = true;
  await engine.close();
  process.exit(0);
}
process.on('SIGTERM', stop);
process.on('SIGINT', stop);

writeFileSync(`${ready}.new`, engine.uri);
renameSync(`${ready}.new`, ready);
