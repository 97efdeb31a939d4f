import { graphql, readFragment, type FragmentType } from '@gql';
import { Link } from 'wouter';

const CATEGORY_PATH = graphql(`
  fragment CategoryPath on Category {
    slug
    name
    ancestors {
      id
      slug
      name
    }
  }
`);

/** The way to a category from the top. It ends with the category itself, or with a thing in it. */
export function Breadcrumbs({ of, leaf }: { of: FragmentType<typeof CATEGORY_PATH>; leaf?: string }) {
  const { slug, name, ancestors } = readFragment(CATEGORY_PATH, of);
  const last = leaf ?? name;
  const way = leaf ? [...ancestors, { id: slug, slug, name }] : ancestors;
  return (
    <nav className="breadcrumbs" aria-label="Breadcrumbs">
      <ol>
        <li>
          <Link href="/">Shop</Link>
        </li>
        {way.map((c) => (
          <li key={c.slug}>
            <Link href={`/c/${c.slug}`}>{c.name}</Link>
          </li>
        ))}
        <li aria-current="page">{last}</li>
      </ol>
    </nav>
  );
}
