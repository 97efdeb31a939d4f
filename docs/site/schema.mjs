// Reads the SDL files: what is defined where, what is used by what.
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'graphql';
import { domains, internal } from './domains.mjs';

const ROOTS = { Query: 'queries', Mutation: 'mutations', Subscription: 'subscriptions' };
const SECTIONS = {
  ObjectTypeDefinition: 'types', InterfaceTypeDefinition: 'interfaces', UnionTypeDefinition: 'unions', InputObjectTypeDefinition: 'inputs',
  EnumTypeDefinition: 'enums', ScalarTypeDefinition: 'scalars', DirectiveDefinition: 'directives',
};

/** The name of the type that a type reference is about. */
export const named = (type) => (type.kind === 'NamedType' ? type.name.value : named(type.type));

/** Pages by domain, each type's page, and where each type is used. */
export function readSchema(dir) {
  const pages = new Map();
  const home = new Map(); // of each type: the domain
  const usedBy = new Map();
  const extensions = [];
  for (const file of readdirSync(dir).filter((f) => f.endsWith('.graphqls')).sort()) {
    const domain = file.replace('.graphqls', '');
    if (internal.includes(domain)) continue;
    if (!domains.some(([name]) => name === domain)) throw new Error(`${file} has no entry in docs/site/domains.mjs`);
    const page = { domain, queries: [], mutations: [], subscriptions: [], types: [], interfaces: [], unions: [], inputs: [], enums: [], scalars: [], directives: [] };
    pages.set(domain, page);
    for (const node of parse(readFileSync(join(dir, file), 'utf8')).definitions) {
      if (node.kind === 'SchemaExtension') continue;
      const name = node.name.value;
      if (node.kind.endsWith('Extension') || ROOTS[name]) extensions.push({ domain, name, fields: node.fields ?? [] });
      else page[SECTIONS[node.kind]].push(node);
      if (!node.kind.endsWith('Extension') && node.kind !== 'DirectiveDefinition') home.set(name, domain);
    }
  }
  const types = new Map([...pages.values()].flatMap((p) => [...p.types, ...p.interfaces].map((node) => [node.name.value, node])));
  for (const { domain, name, fields } of extensions) {
    if (ROOTS[name]) pages.get(domain)[ROOTS[name]].push(...fields);
    else types.get(name).added = [...(types.get(name).added ?? []), ...fields.map((f) => Object.assign(f, { from: domain }))];
  }
  const use = (type, owner, field) => {
    const list = usedBy.get(type) ?? usedBy.set(type, []).get(type);
    if (!list.some((u) => u.owner === owner && u.field === field)) list.push({ owner, field });
  };
  const fieldsOf = (owner, fields) => fields.forEach((f) => {
    use(named(f.type), owner, f.name.value);
    (f.arguments ?? []).forEach((a) => use(named(a.type), owner, f.name.value));
  });
  for (const page of pages.values()) {
    for (const [root, section] of Object.entries(ROOTS)) fieldsOf(root, page[section]);
    for (const node of [...page.types, ...page.interfaces, ...page.inputs]) fieldsOf(node.name.value, [...(node.fields ?? []), ...(node.added ?? [])]);
  }
  for (const [name] of Object.entries(ROOTS)) home.set(name, 'common');
  return { pages: domains.map(([name]) => pages.get(name)).filter(Boolean), home, usedBy };
}
