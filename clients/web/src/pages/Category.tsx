import { useQuery } from '@apollo/client/react';
import { graphql } from '@gql';
import { useMemo } from 'react';
import { Link, useParams, useSearchParams } from 'wouter';
import { Empty, Failure, Skeleton } from '../components/basics';
import { Breadcrumbs } from '../components/Breadcrumbs';
import { More } from '../components/More';
import { ProductGrid } from '../components/ProductCard';
import { bestSelling, sorts, whereOf } from '../lib/filters';
import { count } from '../lib/format';
import { useTitle } from '../lib/title';
import { NotFound } from './NotFound';

const CATEGORY = graphql(`
  query Category($slug: String!) {
    category(slug: $slug) {
      id
      name
      description
      children {
        id
        slug
        name
      }
      ...CategoryPath
    }
  }
`);

const CATEGORY_PRODUCTS = graphql(`
  query CategoryProducts($where: ProductWhere!, $sortBy: ProductSort!, $after: String) {
    products(first: 24, after: $after, where: $where, sortBy: $sortBy) {
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
  }
`);

const prices = [
  { value: '', label: 'Any price' },
  { value: '-50', label: 'Up to 50' },
  { value: '50-150', label: '50 to 150' },
  { value: '150-500', label: '150 to 500' },
  { value: '500-1000', label: '500 to 1,000' },
  { value: '1000-', label: 'From 1,000' },
];

const ratings = [
  { value: '', label: 'Any rating' },
  { value: '3', label: '3 stars and more' },
  { value: '4', label: '4 stars and more' },
];

/** A department, or a part of one. */
export function Category() {
  const { slug = '' } = useParams();
  const [params, setParams] = useSearchParams();
  const { data: about, error: lost } = useQuery(CATEGORY, { variables: { slug } });
  const category = about?.category;
  useTitle(category?.name);
  const order = params.get('sort') ?? 'best';
  const where = useMemo(() => whereOf(params, slug) ?? {}, [params, slug]);
  const { data, previousData, error, loading, fetchMore, refetch } = useQuery(CATEGORY_PRODUCTS, {
    variables: { where, sortBy: (sorts[order] ?? bestSelling).sort },
    notifyOnNetworkStatusChange: true,
  });
  if (about && !category) {
    return <NotFound />;
  }
  const products = (data ?? (loading && about ? previousData : undefined))?.products;
  const set = (name: string, value: string) => {
    const next = new URLSearchParams(params);
    next.delete(name);
    if (value) {
      next.set(name, value);
    }
    setParams(next, { replace: true });
  };
  return (
    <>
      {category ? <Breadcrumbs of={category} /> : <Skeleton className="line short" />}
      <div className="list-head">
        <h1>{category?.name ?? <Skeleton className="line title" label="Loading" />}</h1>
        <p className="soft">{category?.description}</p>
      </div>
      {category && category.children.length > 0 && (
        <ul className="chips" aria-label="Parts">
          {category.children.map((c) => (
            <li key={c.id}>
              <Link className="chip" href={`/c/${c.slug}`}>
                {c.name}
              </Link>
            </li>
          ))}
        </ul>
      )}
      <div className="toolbar">
        <p className="soft" role="status">
          {products ? count(products.totalCount, 'product') : ''}
        </p>
        <label className="check toolbar-check">
          <input type="checkbox" checked={params.get('available') === 'true'} onChange={(e) => set('available', e.target.checked ? 'true' : '')} />
          <span>In stock</span>
        </label>
        <Choice label="Price" options={prices} value={params.get('price') ?? ''} onChange={(v) => set('price', v)} />
        <Choice label="Rating" options={ratings} value={params.get('rating') ?? ''} onChange={(v) => set('rating', v)} />
        <Choice label="Sort by" options={Object.entries(sorts).map(([value, { label }]) => ({ value, label }))} value={order} onChange={(v) => set('sort', v)} />
      </div>
      {(error ?? lost) && <Failure error={error ?? lost} retry={refetch} />}
      <div aria-busy={loading}>
        <h2 className="sr-only">Products</h2>
        {products?.totalCount === 0 ? (
          <Empty title="Nothing fits">
            <p>Ask for a little less above.</p>
          </Empty>
        ) : (
          <ProductGrid products={products?.nodes ?? []} loading={products || error ? 0 : 12} />
        )}
        {products && <More page={products} loading={loading} more={(after) => fetchMore({ variables: { after } })} />}
      </div>
    </>
  );
}

interface ChoiceProps {
  label: string;
  options: { value: string; label: string }[];
  value: string;
  onChange: (value: string) => void;
}

function Choice({ label, options, value, onChange }: ChoiceProps) {
  return (
    <label className="choice">
      <span className="sr-only">{label}</span>
      <select value={value} onChange={(e) => onChange(e.target.value)}>
        {options.map((o) => (
          <option key={o.value} value={o.value}>
            {o.label}
          </option>
        ))}
      </select>
    </label>
  );
}
