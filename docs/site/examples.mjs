// Reads the examples: documents in docs/examples, with who asks and with what variables, and the answers that
// e2e/examples_test.go has seen.
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'graphql';

const ROOTS = { query: 'Query', mutation: 'Mutation', subscription: 'Subscription' };

/** Who asks, for people. */
export const accounts = {
  anyone: 'anyone', customer: 'a customer', support: 'support', catalog: 'a catalogue manager', admin: 'an administrator',
};

/** The groups of examples, each with its title and, in order, its examples. */
export function readExamples(dir) {
  return readdirSync(dir, { withFileTypes: true }).filter((e) => e.isDirectory()).map((e) => e.name).sort().map((group) => ({
    group: group.replace(/^\d+-/, ''),
    title: readFileSync(join(dir, group, 'title.txt'), 'utf8').trim(),
    examples: readdirSync(join(dir, group)).filter((f) => f.endsWith('.graphql')).sort().map((file) => read(join(dir, group), file, group.replace(/^\d+-/, ''))),
  }));
}

function read(dir, file, group) {
  const lines = readFileSync(join(dir, file), 'utf8').split('\n');
  const end = lines.findIndex((l) => !l.startsWith('#'));
  const [title, ...rest] = lines.slice(0, end).map((l) => l.replace(/^#\s?/, ''));
  const meta = Object.fromEntries(rest.filter((l) => /^(as|variables): /.test(l)).map((l) => [l.split(': ')[0], l.slice(l.indexOf(': ') + 2)]));
  const { variables, answer } = JSON.parse(readFileSync(join(dir, file.replace('.graphql', '.json')), 'utf8'));
  const text = lines.slice(end).join('\n').trim();
  const operation = parse(text).definitions.find((d) => d.kind === 'OperationDefinition');
  return {
    group, title, text, variables, answer, as: meta.as,
    name: file.replace('.graphql', '').replace(/^\d+-/, ''),
    about: rest.filter((l) => !/^(as|variables): /.test(l)).join(' ').trim(),
    roots: operation.selectionSet.selections.filter((s) => s.kind === 'Field').map((s) => `${ROOTS[operation.operation]}.${s.name.value}`),
  };
}

/** Examples by the root fields that they use. */
export function byRoot(groups) {
  const found = new Map();
  for (const { examples } of groups) for (const e of examples) for (const root of e.roots) found.set(root, [...(found.get(root) ?? []), e]);
  return found;
}

/** A group's page as Markdown. */
export function writeExamples({ title, examples }) {
  const json = (value) => `\`\`\`json\n${JSON.stringify(value, null, 2)}\n\`\`\``;
  return [
    `# ${title}\n`,
    'A test runs each of these against the demo shop, and compares the answer.\n',
    ...examples.map((e) => [
      `## ${e.title} {#${e.name}}\n`,
      `${e.about ? `${e.about} ` : ''}Asked by ${accounts[e.as]}.\n`,
      `\`\`\`graphql\n${e.text}\n\`\`\`\n`,
      Object.keys(e.variables).length > 0 ? `Variables:\n\n${json(e.variables)}\n` : '',
      `Answer:\n\n${json(e.answer)}\n`,
    ].join('\n')),
  ].join('\n');
}
