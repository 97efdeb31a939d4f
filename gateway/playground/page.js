"use strict";

const defaultQuery = `# Welcome to the TechMart graph.
# Ctrl-Space completes, Ctrl-Enter runs.
#
# To sign in, run SignIn, and put its accessToken
# into the Headers tab below:
#   {"Authorization": "Bearer ..."}
# Subscriptions take the same header.

query Products {
  products(first: 5, where: { available: true }) {
    nodes {
      title
      slug
      category { name }
      variants(first: 1) {
        sku
        price { amount currencyCode }
        quantityAvailable
      }
    }
    pageInfo { hasNextPage endCursor }
    totalCount
  }
}

mutation SignIn {
  sessionCreate(input: {
    email: "ada@techmart.example"
    password: "techmart-demo-2026"
  }) {
    tokens { accessToken accessTokenExpiresAt }
    user { displayName roles }
    userErrors { code message field }
  }
}

query Me {
  me {
    displayName
    email
    orders(first: 3) {
      nodes { number status total { amount currencyCode } }
    }
  }
}

subscription Orders {
  orderUpdated { number status nextStatuses }
}
`;

const socket = new URL("/graphql", location.href);
socket.protocol = location.protocol === "https:" ? "wss:" : "ws:";

// A fetcher for each set of headers, so that a WebSocket is opened with the token of the moment.
const fetchers = new Map();

function fetcher(params, options) {
  const headers = (options && options.headers) || {};
  const key = JSON.stringify(headers);
  if (!fetchers.has(key)) {
    const name = Object.keys(headers).find((h) => h.toLowerCase() === "authorization");
    fetchers.set(key, GraphiQL.createFetcher({
      url: "/graphql",
      subscriptionUrl: socket.href,
      wsConnectionParams: name ? { authorization: headers[name] } : {},
    }));
  }
  return fetchers.get(key)(params, options);
}

ReactDOM.createRoot(document.getElementById("playground")).render(
  React.createElement(GraphiQL, {
    fetcher,
    defaultQuery,
    isHeadersEditorEnabled: true,
    shouldPersistHeaders: false,
    defaultEditorToolsVisibility: "headers",
  }),
);
