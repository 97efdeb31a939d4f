// Runs the lint over one schema.
import { readFileSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { ESLint } from 'eslint';
import { parse, visit } from 'graphql';

/** Faults of a schema file by a configuration, without the exceptions; an exception that nothing needs is one, too. */
export async function lint(file, config, exceptions) {
  const eslint = new ESLint({ cwd: dirname(file), overrideConfigFile: true, overrideConfig: config });
  const [{ messages }] = await eslint.lintFiles([basename(file)]);
  const at = coordinates(readFileSync(file, 'utf8'));
  const unused = new Set(Object.keys(exceptions));
  const faults = [];
  for (const { ruleId, line, message } of messages) {
    const place = at.get(line) ?? `line ${line}`;
    if (Object.hasOwn(exceptions, `${ruleId} ${place}`)) unused.delete(`${ruleId} ${place}`);
    else faults.push(`${place}: ${message.replaceAll('\n', ' ')} (${ruleId})`);
  }
  return [...faults, ...[...unused].map((name) => `${name}: the exception is not needed any more`)];
}

// What is defined in each line: a type, a field, or an argument in a line of its own.
function coordinates(text) {
  const at = new Map();
  const path = [];
  const named = {
    enter(node) {
      const name = (node.kind === 'DirectiveDefinition' ? '@' : '') + node.name.value;
      path.push(name);
      const { line } = node.name.loc.startToken;
      if (!at.has(line)) at.set(line, path.join('.'));
    },
    leave: () => void path.pop(),
  };
  const kinds = ['ObjectTypeDefinition', 'InterfaceTypeDefinition', 'InputObjectTypeDefinition', 'EnumTypeDefinition', 'UnionTypeDefinition',
    'ScalarTypeDefinition', 'DirectiveDefinition', 'FieldDefinition', 'InputValueDefinition', 'EnumValueDefinition'];
  visit(parse(text), Object.fromEntries(kinds.map((kind) => [kind, named])));
  return at;
}
