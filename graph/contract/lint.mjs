// Fails where graph/schema.graphql breaks a rule of eslint.config.mjs.
import config, { exceptions } from './eslint.config.mjs';
import { lint } from './lib/lint.mjs';

const faults = await lint(new URL('../schema.graphql', import.meta.url).pathname, config, exceptions);
if (faults.length > 0) {
  console.error(`The schema breaks ${faults.length} rules of graph/contract/eslint.config.mjs.\n${faults.join('\n')}`);
  process.exit(1);
}
console.log('schema lint: ok');
