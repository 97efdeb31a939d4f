import { skipToken, useQuery } from '@apollo/client/react';
import { graphql } from '@gql';
import { useMemo } from 'react';
import { Link, useSearchParams } from 'wouter';
import { Empty, Failure } from '../components/basics';
import { Facets } from '../components/Facets';
import { More } from '../components/More';
import { ProductGrid } from '../components/ProductCard';
import { whereOf } from '../lib/filters';
import { count } from '../lib/format';
import { useTitle } from '../lib/title';

const SEARCH = graphql(`
  query Search($query: String!, $where: ProductWhere, $after: String) {
    search(query: $query, where: $where, first: 24, after: $after) {
      correctedQuery
      products {
        totalCount
        nodes {
          id
          ...ProductCard
        }
        pageInfo {
          hasNextPage
          endCursor
        }
      }
      ...SearchFacets
    }
  }
`);

/** What was found, and what it can be narrowed by. */
export function Search() {
  const [params, setParams] = useSearchParams();
  const query = (params.get('q') ?? '').trim().slice(0, 200);
  useTitle(query ? `“${query}”` : 'Search');
  const where = useMemo(() => whereOf(params), [params]);
  const { data, previousData, error, loading, fetchMore, refetch } = useQuery(
    SEARCH,
    query === '' ? skipToken : { variables: { query, where: where ?? null }, notifyOnNetworkStatusChange: true },
  );
  const result = (data ?? (loading ? previousData : undefined))?.search;
  const products = result?.products;
  if (query === '') {
    return (
      <Empty title="What are you looking for?">
        <p>Type it into the search above: a thing, a brand or an article number.</p>
      </Empty>
    );
  }
  return (
    <>
      <div className="list-head">
        <h1>Results for “{result?.correctedQuery ?? query}”</h1>
        <p className="soft" role="status">
          {products ? count(products.totalCount, 'product') : error ? '' : 'Searching…'}
          {result?.correctedQuery && `, instead of “${query}”`}
        </p>
      </div>
      {error && <Failure error={error} retry={refetch} />}
      <div className="with-aside">
        <Facets result={result} params={params} onChange={(next) => setParams(next)} />
        <div aria-busy={loading}>
          <h2 className="sr-only">Products</h2>
          {products && products.totalCount === 0 ? (
            <Empty title="Nothing fits">
              <p>
                Take a filter away, or look around in the <Link href="/">departments</Link>.
              </p>
            </Empty>
          ) : (
            <ProductGrid products={products?.nodes ?? []} loading={products || error ? 0 : 12} />
          )}
          {products && <More page={products} loading={loading} more={(after) => fetchMore({ variables: { after } })} />}
        </div>
      </div>
    </>
  );
}
