import { useQuery } from '@apollo/client/react';
import { graphql } from '@gql';
import { Link } from 'wouter';
import { Failure, Picture, Skeleton } from '../components/basics';
import { ArrowIcon, BoltIcon, ShieldIcon, TruckIcon } from '../components/icons';
import { ProductGrid } from '../components/ProductCard';
import { useTitle } from '../lib/title';

const HOME = graphql(`
  query Home {
    categories {
      id
      slug
      name
      description
      products(first: 1, sortBy: { field: BEST_SELLING, direction: DESC }) {
        nodes {
          id
          media(first: 1) {
            url
            alt
          }
        }
      }
    }
    bestSelling: products(first: 8, where: { available: true }, sortBy: { field: BEST_SELLING, direction: DESC }) {
      nodes {
        id
        ...ProductCard
      }
    }
    newest: products(first: 4, where: { available: true }, sortBy: { field: PUBLISHED_AT, direction: DESC }) {
      nodes {
        id
        ...ProductCard
      }
    }
  }
`);

/** The first page. */
export function Home() {
  useTitle(undefined);
  const { data, error, refetch } = useQuery(HOME);
  return (
    <>
      <section className="hero">
        <div className="hero-text">
          <p className="eyebrow">New this week</p>
          <h1>
            Technology you’ll still
            <br /> like next year.
          </h1>
          <p className="lead">Two thousand computers, cameras, speakers and small wonders: in stock when we say so, on their way when you order.</p>
          <p className="hero-actions">
            <Link href="/c/computers" className="button button-primary button-large">
              Browse computers <ArrowIcon />
            </Link>
            <Link href="/c/audio" className="button button-large button-ghost">
              Hear the audio range
            </Link>
          </p>
        </div>
        <div className="hero-art" aria-hidden="true">
          {[3, 0, 5].map((n, i) => (
            <div key={n} className={`hero-tile hero-tile-${i}`}>
              <Picture image={data?.categories[n]?.products.nodes[0]?.media[0]} eager />
            </div>
          ))}
        </div>
      </section>
      <ul className="promises">
        <li>
          <TruckIcon />
          <span>
            <strong>Sent today</strong>, express if you like
          </span>
        </li>
        <li>
          <BoltIcon />
          <span>
            <strong>Live stock</strong>, to the piece
          </span>
        </li>
        <li>
          <ShieldIcon />
          <span>
            <strong>Never charged twice</strong>, by design
          </span>
        </li>
      </ul>
      {error && !data && <Failure error={error} retry={refetch} />}
      <section aria-labelledby="departments">
        <div className="section-head">
          <h2 id="departments">Departments</h2>
        </div>
        <ul className="departments">
          {data?.categories.map((c) => (
            <li key={c.id} className="department">
              <Picture image={c.products.nodes[0]?.media[0] && { ...c.products.nodes[0].media[0], alt: '' }} />
              <h3>
                <Link href={`/c/${c.slug}`}>{c.name}</Link>
              </h3>
              <p className="soft small">{c.description}</p>
            </li>
          ))}
          {!data && !error && Array.from({ length: 10 }, (_, i) => <Skeleton key={i} className="department" />)}
        </ul>
      </section>
      <section aria-labelledby="best">
        <div className="section-head">
          <h2 id="best">What others buy</h2>
        </div>
        <ProductGrid products={data?.bestSelling.nodes ?? []} loading={data || error ? 0 : 8} />
      </section>
      <section aria-labelledby="newest">
        <div className="section-head">
          <h2 id="newest">Just arrived</h2>
        </div>
        <ProductGrid products={data?.newest.nodes ?? []} loading={data || error ? 0 : 4} rows={0} />
      </section>
    </>
  );
}
