import { graphql, readFragment, type FragmentType } from '@gql';
import { Link } from 'wouter';
import { Picture, Price, Skeleton, Stars } from './basics';

const PRODUCT_CARD = graphql(`
  fragment ProductCard on Product {
    id
    slug
    title
    vendor
    available
    rating {
      average
      count
    }
    priceRange {
      min {
        amount
        currencyCode
      }
      max {
        amount
        currencyCode
      }
    }
    media(first: 1) {
      url
      alt
    }
  }
`);

/** A product in a list. The whole card leads to it; its name is the link. */
export function ProductCard({ product, eager }: { product: FragmentType<typeof PRODUCT_CARD>; eager?: boolean }) {
  const { slug, title, vendor, available, rating, priceRange, media } = readFragment(PRODUCT_CARD, product);
  const image = media[0];
  return (
    <li className="card">
      <Picture image={image && { ...image, alt: '' }} eager={eager ?? false} />
      <div className="card-text">
        <p className="card-vendor">{vendor}</p>
        <h3 className="card-title">
          <Link href={`/p/${slug}`}>{title}</Link>
        </h3>
        {rating.average !== null ? <Stars average={rating.average} count={rating.count} /> : <span className="soft small">No reviews yet</span>}
        <p className="card-foot">
          <span>
            {priceRange.min.amount !== priceRange.max.amount && <span className="soft small">from </span>}
            <Price value={priceRange.min} />
          </span>
          {!available && <span className="tag">Sold out</span>}
        </p>
      </div>
    </li>
  );
}

/** A list of products, or the places of as many that are being loaded. */
export function ProductGrid({ products, loading = 0, rows }: { products: readonly ({ id: string } & FragmentType<typeof PRODUCT_CARD>)[]; loading?: number; rows?: number }) {
  return (
    <>
      <ul className="grid">
        {products.map((product, i) => (
          <ProductCard key={product.id} product={product} eager={i < (rows ?? 4)} />
        ))}
        {Array.from({ length: loading }, (_, i) => (
          <li className="card" key={`loading-${i}`} aria-hidden="true">
            <Skeleton className="picture" />
            <div className="card-text">
              <Skeleton className="line short" />
              <Skeleton className="line" />
              <Skeleton className="line short" />
            </div>
          </li>
        ))}
      </ul>
      {loading > 0 && (
        <p className="sr-only" role="status">
          Loading products
        </p>
      )}
    </>
  );
}
