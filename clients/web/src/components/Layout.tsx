import { useQuery } from '@apollo/client/react';
import { graphql } from '@gql';
import { useEffect, useRef, useSyncExternalStore, type ReactNode } from 'react';
import { Link, useLocation } from 'wouter';
import { useMe, useSignedIn } from '../lib/account';
import { useCart } from '../lib/cart';
import { session } from '../lib/client';
import { count } from '../lib/format';
import { Notice } from './basics';
import { CartIcon, PersonIcon } from './icons';
import { SearchBox } from './SearchBox';

const NAVIGATION = graphql(`
  query Navigation {
    categories {
      id
      slug
      name
    }
  }
`);

/** What all pages have: the way to everything, and the page itself. */
export function Layout({ children }: { children: ReactNode }) {
  const main = useRef<HTMLElement>(null);
  const [location] = useLocation();
  const arrived = useRef(location);
  // Whoever follows a link starts at the top of the new page, with the keyboard and the screen reader, too.
  useEffect(() => {
    if (arrived.current !== location) {
      arrived.current = location;
      window.scrollTo(0, 0);
      main.current?.focus({ preventScroll: true });
    }
  }, [location]);
  return (
    <>
      <a className="skip" href="#main">
        Skip to the content
      </a>
      <Header />
      <main id="main" ref={main} tabIndex={-1} className="page">
        <SessionEnded />
        {children}
      </main>
      <Footer />
    </>
  );
}

function Header() {
  const { cart } = useCart();
  const signedIn = useSignedIn();
  const me = useMe();
  const quantity = cart?.totalQuantity ?? 0;
  return (
    <header className="header">
      <div className="header-row">
        <Link href="/" className="logo">
          <span className="logo-mark" aria-hidden="true" />
          TechMart
        </Link>
        <SearchBox />
        <nav className="header-links" aria-label="Yours">
          <Link href={signedIn ? '/account' : '/sign-in'} className="header-link">
            <PersonIcon />
            <span className="header-label">{signedIn ? (me?.displayName.split(' ')[0] ?? 'Account') : 'Sign in'}</span>
          </Link>
          <Link href="/cart" className="header-link">
            <CartIcon />
            <span className="sr-only">Cart, {count(quantity, 'item')}</span>
            <span className="header-label" aria-hidden="true">
              Cart
            </span>
            {quantity > 0 && (
              <span className="badge" aria-hidden="true">
                {quantity > 99 ? '99+' : quantity}
              </span>
            )}
          </Link>
        </nav>
      </div>
      <Categories />
    </header>
  );
}

function Categories() {
  const { data } = useQuery(NAVIGATION);
  const [location] = useLocation();
  return (
    <nav className="categories" aria-label="Categories">
      <ul>
        {data?.categories.map((c) => (
          <li key={c.id}>
            <Link href={`/c/${c.slug}`} aria-current={location === `/c/${c.slug}` ? 'page' : undefined}>
              {c.name}
            </Link>
          </li>
        ))}
      </ul>
    </nav>
  );
}

function SessionEnded() {
  const ended = useSyncExternalStore(session.subscribe, session.ended);
  return ended ? (
    <Notice kind="warning">
      You were signed out. <Link href="/sign-in">Sign in again</Link> to go on where you were.
    </Notice>
  ) : null;
}

function Footer() {
  return (
    <footer className="footer">
      <div className="footer-row">
        <p>
          <strong>TechMart</strong>
          <br />
          <span className="soft">Good technology, well looked after.</span>
        </p>
        <ul>
          <li>
            <Link href="/orders">Your orders</Link>
          </li>
          <li>
            <Link href="/account">Your account</Link>
          </li>
          <li>
            <Link href="/cart">Your cart</Link>
          </li>
        </ul>
        <p className="soft small">A demonstration: nothing is charged, and nothing is sent.</p>
      </div>
    </footer>
  );
}
