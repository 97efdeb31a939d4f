// What the clients of this repository have published, and what of the schema each of their documents uses.
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import {
  TypeInfo, getNamedType, getNullableType, isAbstractType, isEnumType, isInputObjectType, parse, typeFromAST, validate, visit, visitWithTypeInfo,
} from 'graphql';

/** Reads the manifests beneath clients/: Apollo's, Apollo Kotlin's and Relay's maps, and genqlient's list. */
export function readManifests(clients) {
  const documents = [];
  for (const client of readdirSync(clients, { withFileTypes: true }).filter((e) => e.isDirectory()).map((e) => e.name).sort()) {
    const files = manifests(join(clients, client));
    if (files.length === 0) throw new Error(`clients/${client} has no manifest: a file *manifest*.json with what it publishes`);
    for (const file of files) {
      for (const { name, body } of operations(JSON.parse(readFileSync(file, 'utf8')))) documents.push({ client, name, body });
    }
  }
  return documents;
}

function manifests(dir) {
  return readdirSync(dir, { withFileTypes: true })
    .filter((e) => !['node_modules', 'dist', 'build'].includes(e.name))
    .flatMap((e) => {
      if (e.isDirectory()) return manifests(join(dir, e.name));
      return /manifest.*\.json$/i.test(e.name) ? [join(dir, e.name)] : [];
    })
    .sort();
}

function operations(manifest) {
  if (Array.isArray(manifest.operations)) {
    return manifest.operations.map((o) => ({ name: o.name ?? o.operationName, body: o.body ?? o.query }));
  }
  return Object.values(manifest)
    .filter((body) => typeof body === 'string')
    .map((body) => ({ name: parse(body).definitions.find((d) => d.kind === 'OperationDefinition')?.name?.value, body }));
}

/** Faults of documents against a schema, each with the client and the document. */
export function checkDocuments(schema, documents) {
  return documents.flatMap(({ client, name, body }) =>
    validate(schema, parse(body)).map((fault) => `${client}: ${name}: ${fault.message}`));
}

/** The coordinates of all that a document uses of a schema, or may use by what its variables can hold. */
export function uses(schema, body) {
  const used = new Set();
  const output = (type) => {
    used.add(type.name);
    if (isEnumType(type)) type.getValues().forEach((value) => used.add(`${type.name}.${value.name}`));
  };
  const input = (type) => {
    if (used.has(type.name)) return;
    output(type);
    if (!isInputObjectType(type)) return;
    for (const field of Object.values(type.getFields())) {
      used.add(`${type.name}.${field.name}`);
      input(getNamedType(field.type));
    }
  };
  const info = new TypeInfo(schema);
  visit(parse(body), visitWithTypeInfo(info, {
    Field(node) {
      const parent = info.getParentType();
      if (!parent || !info.getFieldDef()) return;
      output(parent);
      output(getNamedType(info.getType()));
      const owners = isAbstractType(parent) ? [parent, ...schema.getPossibleTypes(parent)] : [parent];
      for (const owner of owners) {
        used.add(`${owner.name}.${node.name.value}`);
        for (const arg of node.arguments) used.add(`${owner.name}.${node.name.value}.${arg.name.value}`);
      }
    },
    Directive: (node) => void used.add(`@${node.name.value}`),
    ObjectField(node) {
      const parent = getNullableType(info.getParentInputType());
      if (parent) used.add(`${getNamedType(parent).name}.${node.name.value}`);
    },
    EnumValue(node) {
      const type = getNamedType(info.getInputType());
      if (type) used.add(`${type.name}.${node.value}`);
    },
    VariableDefinition(node) {
      const type = typeFromAST(schema, node.type);
      if (type) input(getNamedType(type));
    },
  }));
  return used;
}
