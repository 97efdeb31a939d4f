// Hive Gateway over the parts of TechMart's graph.
//
//   npx -p @graphql-hive/gateway hive-gateway supergraph supergraph.graphql
//
// in this directory; docs/federation.md tells how supergraph.graphql is made. The end-to-end tests run the
// gateway with this same file.

/** What a subgraph needs of the client's request. Who asks is told by the access token or API key alone. */
const forwarded = ['authorization', 'x-api-key', 'idempotency-key', 'x-request-id', 'user-agent'];

/** @type {import('@graphql-hive/gateway').GatewayConfig} */
export const gatewayConfig = {
  propagateHeaders: {
    fromClientToSubgraphs({ request }) {
      const headers = { 'x-forwarded-for': request.headers.get('x-forwarded-for') };
      for (const name of forwarded) headers[name] = request.headers.get(name);
      return headers;
    },
  },
  // The subgraphs' errors are made for clients: coded, and without anything internal.
  maskedErrors: false,
  // A list of 100 things is one request to each subgraph that has something of them.
  batching: { limit: 10 },
};
