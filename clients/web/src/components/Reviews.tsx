import { graphql, readFragment, type FragmentType } from '@gql';
import { day } from '../lib/format';
import { Stars } from './basics';

const PRODUCT_REVIEWS = graphql(`
  fragment ProductReviews on Product {
    rating {
      average
      count
    }
    reviews(first: 6) {
      nodes {
        id
        rating
        title
        body
        authorName
        createdAt
      }
    }
  }
`);

/** What buyers wrote. */
export function Reviews({ product }: { product: FragmentType<typeof PRODUCT_REVIEWS> }) {
  const { rating, reviews } = readFragment(PRODUCT_REVIEWS, product);
  return (
    <section id="reviews" aria-labelledby="reviews-head">
      <div className="section-head">
        <h2 id="reviews-head">Reviews</h2>
        {rating.average !== null && <Stars average={rating.average} count={rating.count} />}
      </div>
      {reviews.nodes.length === 0 ? (
        <p className="soft">Nobody has written about it yet.</p>
      ) : (
        <ul className="reviews">
          {reviews.nodes.map((r) => (
            <li key={r.id} className="review">
              <Stars average={r.rating} />
              {r.title && <h3>{r.title}</h3>}
              {r.body && <p>{r.body}</p>}
              <p className="soft small">
                {r.authorName}, <time dateTime={r.createdAt}>{day(r.createdAt)}</time>
              </p>
            </li>
          ))}
        </ul>
      )}
    </section>
  );
}
