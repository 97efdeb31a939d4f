import { InMemoryCache, type FieldPolicy } from '@apollo/client';

interface Page {
  nodes: readonly unknown[];
}

/** A list that is read on: each page is put behind those that are there. */
const list = (...keyArgs: string[]): FieldPolicy<Page> => ({
  keyArgs,
  merge(existing, incoming, { args }) {
    return args?.after && existing ? { ...incoming, nodes: [...existing.nodes, ...incoming.nodes] } : incoming;
  },
});

/** A search, whose products are a list; its facets are those of the first page. */
const search: FieldPolicy<{ products: Page }> = {
  keyArgs: ['query', 'where'],
  merge(existing, incoming, { args }) {
    if (!args?.after || !existing) {
      return incoming;
    }
    return { ...existing, products: { ...incoming.products, nodes: [...existing.products.nodes, ...incoming.products.nodes] } };
  },
};

/** Makes an empty cache. */
export const newCache = (): InMemoryCache =>
  new InMemoryCache({
    typePolicies: {
      Query: { fields: { products: list('where', 'sortBy'), search } },
      Product: { fields: { reviews: list() } },
      User: { fields: { orders: list('where') } },
      SelectedOption: { keyFields: false },
    },
  });
