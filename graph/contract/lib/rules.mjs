// What Relay's specification of Node asks, as rules of ESLint: graphql-eslint has none for it.
const named = (type) => (type.kind === 'NamedType' ? type.name.value : undefined);
const required = (type, name) => type.kind === 'NonNullType' && named(type.type) === name;
const raw = (node) => node.rawNode();

/** There is the interface Node { id: ID! }, and Query.node(id: ID!): Node that reads one. */
export const globalNode = {
  meta: { type: 'problem', schema: [], docs: { description: 'Relay\'s Node interface and its root field have their form.' } },
  create: (context) => ({
    'InterfaceTypeDefinition[name.value=Node]'(node) {
      const { fields } = raw(node);
      if (fields.length !== 1 || fields[0].name.value !== 'id' || !required(fields[0].type, 'ID')) {
        context.report({ node: node.name, message: 'The interface Node has the one field "id: ID!".' });
      }
    },
    'FieldDefinition[name.value=node]'(node) {
      if (node.parent.name.value !== 'Query') return;
      const { arguments: args, type } = raw(node);
      if (named(type) !== 'Node' || args.length !== 1 || args[0].name.value !== 'id' || !required(args[0].type, 'ID')) {
        context.report({ node: node.name, message: 'Query.node is "node(id: ID!): Node".' });
      }
    },
  }),
};

/** What has an id can be read by it, and so is a Node. */
export const nodeTypes = {
  meta: {
    type: 'problem',
    schema: [],
    docs: { description: 'Types with the field "id: ID!" implement Node.' },
  },
  create: (context) => ({
    ObjectTypeDefinition(node) {
      const { name, fields = [], interfaces = [] } = raw(node);
      const id = fields.find((f) => f.name.value === 'id');
      if (id && !interfaces.some((i) => i.name.value === 'Node')) {
        context.report({ node: node.name, message: `${name.value} has an id: it implements Node, and Query.node reads it.` });
      }
    },
  }),
};
