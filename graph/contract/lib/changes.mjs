// Compares the schema with the released one, by the rules of graphql-inspector.
import { CriticalityLevel, diff } from '@graphql-inspector/core';
import { getNamedType, isInputObjectType, isInterfaceType, isObjectType, specifiedDirectives } from 'graphql';
import { deprecations, until } from './deprecations.mjs';
import { uses } from './documents.mjs';

// What the type system's directives are, is for readers of the SDL; an operation can only have these.
const executable = (schema) => new Set([...specifiedDirectives, ...schema.getDirectives()]
  .filter((d) => d.locations.some((l) => /^(QUERY|MUTATION|SUBSCRIPTION|FIELD|FRAGMENT_DEFINITION|FRAGMENT_SPREAD|INLINE_FRAGMENT|VARIABLE_DEFINITION)$/.test(l)))
  .map((d) => d.name));

/**
 * Every breaking change that is not allowed, with the published documents that use what it breaks.
 * One is allowed where the released schema has what it breaks as deprecated, until a day that is over.
 */
export async function breaking(released, current, documents, today) {
  const due = new Set([...deprecations(released)].filter(([, reason]) => until(reason) < today).map(([coordinate]) => coordinate));
  const directives = executable(released);
  const changes = (await diff(released, current)).filter(({ criticality, path }) =>
    criticality.level === CriticalityLevel.Breaking && (!path?.startsWith('@') || directives.has(path.slice(1).split('.')[0])));
  const used = documents.map((d) => ({ ...d, uses: uses(released, d.body) }));
  return changes
    .filter(({ path }) => !path || !allowed(released, due, path))
    .map(({ message, path = 'schema' }) => ({ message, path, documents: used.filter((d) => d.uses.has(path)).map((d) => `${d.client}: ${d.name}`) }))
    .sort((a, b) => a.path.localeCompare(b.path));
}

function allowed(released, due, path) {
  const parts = path.split('.');
  if (parts.some((_, i) => due.has(parts.slice(0, i + 1).join('.')))) return true;
  // A type cannot be deprecated: it may go when all that leads to it may.
  const type = released.getType(path);
  return type !== undefined && references(released, type.name).length > 0 && references(released, type.name).every((at) => allowed(released, due, at));
}

function references(schema, name) {
  const found = [];
  for (const type of Object.values(schema.getTypeMap())) {
    if (type.name.startsWith('__') || type.name === name || (!isObjectType(type) && !isInterfaceType(type) && !isInputObjectType(type))) continue;
    for (const field of Object.values(type.getFields())) {
      if (getNamedType(field.type).name === name) found.push(`${type.name}.${field.name}`);
      for (const arg of field.args ?? []) if (getNamedType(arg.type).name === name) found.push(`${type.name}.${field.name}.${arg.name}`);
    }
  }
  return found;
}
