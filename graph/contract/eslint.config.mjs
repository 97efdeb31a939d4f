// The lint of the schema: the recommended rules of graphql-eslint and its rules of Relay, a description for
// everything, and what Relay asks of Node.
import graphql from '@graphql-eslint/eslint-plugin';
import { globalNode, nodeTypes } from './lib/rules.mjs';

const { 'schema-recommended': recommended, 'schema-relay': relay } = graphql.configs;

/** The configuration for a schema file. */
export const config = (schema) => [
  {
    files: ['**/*.graphql'],
    languageOptions: { parser: graphql.parser, parserOptions: { graphQLConfig: { schema } } },
    plugins: { '@graphql-eslint': graphql, relay: { rules: { 'global-node': globalNode, 'node-types': nodeTypes } } },
    rules: {
      ...recommended.rules,
      ...relay.rules,
      '@graphql-eslint/require-description': ['error', {
        types: true, rootField: true, FieldDefinition: true, InputValueDefinition: true, EnumValueDefinition: true, DirectiveDefinition: true,
      }],
      // The sources have short descriptions in one line, what is generated of them has blocks.
      '@graphql-eslint/description-style': 'off',
      // A page, a payload or an amount has no id; what has one is a Node, says node-types.
      '@graphql-eslint/strict-id-in-types': 'off',
      // Lists that are short by nature are plain ones, bounded by @listSize.
      '@graphql-eslint/relay-edge-types': ['error', { withEdgeSuffix: true, shouldImplementNode: true, listTypeCanWrapOnlyEdgeType: false }],
      // By the specification a connection may be read in one direction alone.
      '@graphql-eslint/relay-arguments': ['error', { includeBoth: false }],
      'relay/global-node': 'error',
      'relay/node-types': 'error',
    },
  },
];

/** Where a rule does not hold, by rule and place, and why. One that nothing needs is a fault. */
export const exceptions = {
  'relay/node-types CartLine': 'a part of its cart, which is the entity',
  'relay/node-types OrderLine': 'a part of its order, which is the entity',
  'relay/node-types OrderEvent': 'a part of its order, which is the entity',
  '@graphql-eslint/relay-edge-types OrderEventEdge': 'see OrderEvent',
  '@graphql-eslint/relay-edge-types WebhookAttemptEdge': 'an attempt is a part of its delivery, which is the entity',
  '@graphql-eslint/relay-arguments SearchResult.products': 'the arguments are those of Query.search: facets and page are of one search',
  '@graphql-eslint/naming-convention Query.queryCost': 'the cost of a query: no prefix',
  '@graphql-eslint/no-typename-prefix Query.queryCost': 'the cost of a query: no prefix',
};

export default config(new URL('../schema.graphql', import.meta.url).pathname);
