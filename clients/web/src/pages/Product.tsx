import { skipToken, useQuery, useSubscription } from '@apollo/client/react';
import { graphql } from '@gql';
import type { ProductPageQuery } from '@gql/graphql';
import { useState } from 'react';
import { useParams, useSearchParams } from 'wouter';
import { Failure, Picture, Price, Skeleton, Stars } from '../components/basics';
import { Breadcrumbs } from '../components/Breadcrumbs';
import { BuyBox } from '../components/BuyBox';
import { ProductGrid } from '../components/ProductCard';
import { Reviews } from '../components/Reviews';
import { useTitle } from '../lib/title';
import { change, first } from '../lib/variants';
import { Options } from '../components/Options';
import { NotFound } from './NotFound';

const PRODUCT_PAGE = graphql(`
  query ProductPage($slug: String!) {
    product(slug: $slug) {
      id
      title
      vendor
      descriptionHtml
      rating {
        average
        count
      }
      category {
        id
        ...CategoryPath
      }
      media {
        url
        alt
      }
      attributes {
        key
        name
        value
        unit
      }
      ...ProductOptions
      variants {
        id
        sku
        available
        price {
          amount
          currencyCode
        }
        compareAtPrice {
          amount
          currencyCode
        }
        image {
          url
          alt
        }
        selectedOptions {
          name
          value
        }
        ...BuyBox
      }
      ...ProductReviews
      relatedProducts(first: 4) {
        id
        ...ProductCard
      }
    }
  }
`);

const STOCK_CHANGED = graphql(`
  subscription StockChanged($variantId: ID!) {
    stockChanged(variantId: $variantId) {
      id
      available
      quantityAvailable
    }
  }
`);

type Found = NonNullable<ProductPageQuery['product']>;

/** A product, with all that one may want to know before buying it. */
export function Product() {
  const { slug = '' } = useParams();
  const { data, error, refetch } = useQuery(PRODUCT_PAGE, { variables: { slug }, fetchPolicy: 'cache-and-network', nextFetchPolicy: 'cache-first' });
  const product = data?.product;
  useTitle(product?.title);
  if (error && !data) {
    return <Failure error={error} retry={refetch} />;
  }
  if (!data) {
    return <Loading />;
  }
  return product ? <Details key={product.id} product={product} /> : <NotFound />;
}

function Details({ product }: { product: Found }) {
  const [params, setParams] = useSearchParams();
  const variant = first(product.variants, params.get('variant'));
  const [picked, setPicked] = useState<string>();
  // The cache takes the numbers over; the page only has to listen.
  useSubscription(STOCK_CHANGED, variant ? { variables: { variantId: variant.id } } : skipToken);
  const image = product.media.find((m) => m.url === picked) ?? variant?.image ?? product.media[0];
  return (
    <>
      {product.category && <Breadcrumbs of={product.category} leaf={product.title} />}
      <div className="product">
        <div className="gallery">
          <Picture image={image} eager className="gallery-main" />
          {product.media.length > 1 && (
            <ul className="thumbnails" aria-label="Pictures">
              {product.media.map((m) => (
                <li key={m.url}>
                  <button type="button" aria-pressed={m.url === image?.url} aria-label={`Show: ${m.alt}`} onClick={() => setPicked(m.url)}>
                    <Picture image={{ ...m, alt: '' }} />
                  </button>
                </li>
              ))}
            </ul>
          )}
        </div>
        <div className="product-text">
          <p className="eyebrow">{product.vendor}</p>
          <h1>{product.title}</h1>
          {product.rating.average !== null && (
            <a href="#reviews" className="product-rating">
              <Stars average={product.rating.average} count={product.rating.count} />
            </a>
          )}
          {variant && (
            <>
              <p className="product-price">
                <Price value={variant.price} />
                {variant.compareAtPrice && (
                  <s className="soft">
                    <span className="sr-only">was </span>
                    <Price value={variant.compareAtPrice} />
                  </s>
                )}
                <span className="soft small">incl. VAT</span>
              </p>
              <Options
                product={product}
                variants={product.variants}
                variant={variant}
                onChange={(name, value) => {
                  setPicked(undefined);
                  setParams({ variant: change(product.variants, variant, name, value).id }, { replace: true });
                }}
              />
              <BuyBox variant={variant} title={product.title} />
              <p className="soft small">Article {variant.sku}</p>
            </>
          )}
        </div>
      </div>
      <div className="product-more">
        <section aria-labelledby="about">
          <h2 id="about">About it</h2>
          {/* The shop makes this HTML safe, and the page's policy lets no script in. */}
          <div className="prose" dangerouslySetInnerHTML={{ __html: product.descriptionHtml }} />
        </section>
        {product.attributes.length > 0 && (
          <section aria-labelledby="facts">
            <h2 id="facts">Technical facts</h2>
            <dl className="facts">
              {product.attributes.map((a) => (
                <div key={a.key}>
                  <dt>{a.name}</dt>
                  <dd>
                    {a.value} {a.unit}
                  </dd>
                </div>
              ))}
            </dl>
          </section>
        )}
      </div>
      <Reviews product={product} />
      {product.relatedProducts.length > 0 && (
        <section aria-labelledby="related">
          <div className="section-head">
            <h2 id="related">You may also like</h2>
          </div>
          <ProductGrid products={product.relatedProducts} rows={0} />
        </section>
      )}
    </>
  );
}

function Loading() {
  return (
    <div className="product">
      <Skeleton className="picture" label="Loading the product" />
      <div className="product-text">
        <Skeleton className="line short" />
        <Skeleton className="line title" />
        <Skeleton className="line" />
        <Skeleton className="block" />
      </div>
    </div>
  );
}
