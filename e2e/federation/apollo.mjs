// Apollo Gateway in Apollo Server over the supergraph in the file of the first argument. It prints its address
// once it serves.
import { readFileSync } from 'node:fs';
import { ApolloGateway, RemoteGraphQLDataSource } from '@apollo/gateway';
import { ApolloServer } from '@apollo/server';
import { startStandaloneServer } from '@apollo/server/standalone';

/** What a subgraph needs of the client's request. Who asks is told by the access token or API key alone. */
const forwarded = ['authorization', 'x-api-key', 'idempotency-key', 'x-request-id', 'user-agent', 'x-forwarded-for'];

class Subgraph extends RemoteGraphQLDataSource {
  willSendRequest({ request, context }) {
    for (const name of forwarded) {
      const value = context.headers?.[name];
      if (value) request.http.headers.set(name, value);
    }
  }
}

// Apollo Gateway enforces neither @authenticated nor @requiresScopes, and says so by refusing a supergraph that
// asks for it. The subgraphs do enforce them.
const supergraph = readFileSync(process.argv[2], 'utf8').replace(/^ *@link\(.*for: SECURITY\)\n/gm, '');

const gateway = new ApolloGateway({
  supergraphSdl: supergraph,
  buildService: ({ url }) => new Subgraph({ url }),
});
const server = new ApolloServer({ gateway, includeStacktraceInErrorResponses: false });
const { url } = await startStandaloneServer(server, {
  listen: { port: 0, host: '127.0.0.1' },
  context: async ({ req }) => ({ headers: req.headers }),
});
console.log(url.replace(/\/$/, ''));
