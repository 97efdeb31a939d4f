import type { ProductSort, ProductWhere } from '@gql/graphql';

/*
 * What a list is narrowed by stands in the address of its page, so that it can be shared, and so that the
 * browser's buttons work. Every facet has a parameter of its own name; those of attributes begin with "a.".
 */

const known = new Set(['category', 'vendor', 'price', 'rating', 'available']);
const several = new Set(['category', 'vendor']);

/** The parameter of a facet. */
export const parameter = (facet: string): string => (known.has(facet) ? facet : `a.${facet}`);

/** Whether a value of a facet is chosen. */
export const chosen = (params: URLSearchParams, facet: string, value: string): boolean => params.getAll(parameter(facet)).includes(value);

/** The parameters with a value of a facet chosen, or no longer chosen. */
export function toggle(params: URLSearchParams, facet: string, value: string): URLSearchParams {
  const name = parameter(facet);
  const next = new URLSearchParams(params);
  const values = next.getAll(name);
  next.delete(name);
  if (values.includes(value)) {
    values.filter((v) => v !== value).forEach((v) => next.append(name, v));
  } else {
    if (several.has(facet) || !known.has(facet)) {
      values.forEach((v) => next.append(name, v));
    }
    next.append(name, value);
  }
  return next;
}

/** The parameters without any filter. */
export function cleared(params: URLSearchParams): URLSearchParams {
  return new URLSearchParams([...params].filter(([name]) => !isFilter(name)));
}

/** All that is chosen, as facets and values. */
export function choices(params: URLSearchParams): { facet: string; value: string }[] {
  return [...params].filter(([name]) => isFilter(name)).map(([name, value]) => ({ facet: name.replace(/^a\./, ''), value }));
}

const isFilter = (name: string): boolean => known.has(name) || name.startsWith('a.');

/** The filter of the graph for the parameters; undefined for none. */
export function whereOf(params: URLSearchParams, slug?: string): ProductWhere | undefined {
  const where: { -readonly [K in keyof ProductWhere]: ProductWhere[K] } = {};
  if (slug) {
    where.categorySlug = slug;
  }
  if (params.has('category')) {
    where.categoryIds = params.getAll('category');
  }
  if (params.has('vendor')) {
    where.vendors = params.getAll('vendor');
  }
  const [, from, to] = /^(\d*)-(\d*)$/.exec(params.get('price') ?? '') ?? [];
  if (from || to) {
    where.price = { ...(from ? { gte: from } : {}), ...(to ? { lte: to } : {}) };
  }
  const stars = Number(params.get('rating'));
  if (stars >= 1 && stars <= 5) {
    where.ratingAtLeast = stars;
  }
  const available = params.get('available');
  if (available === 'true' || available === 'false') {
    where.available = available === 'true';
  }
  const keys = new Set([...params.keys()].filter((name) => name.startsWith('a.')));
  if (keys.size > 0) {
    where.attributes = [...keys].sort().map((name) => ({ key: name.slice(2), values: params.getAll(name) }));
  }
  return Object.keys(where).length > 0 ? where : undefined;
}

interface Sort {
  label: string;
  sort: ProductSort;
}

/** The order that a category is shown in at first. */
export const bestSelling: Sort = { label: 'Best selling', sort: { field: 'BEST_SELLING', direction: 'DESC' } };

/** The orders that a category can be shown in. */
export const sorts: Record<string, Sort> = {
  best: bestSelling,
  new: { label: 'Newest', sort: { field: 'PUBLISHED_AT', direction: 'DESC' } },
  cheap: { label: 'Price: low to high', sort: { field: 'PRICE', direction: 'ASC' } },
  dear: { label: 'Price: high to low', sort: { field: 'PRICE', direction: 'DESC' } },
  rating: { label: 'Best rated', sort: { field: 'RATING', direction: 'DESC' } },
};
