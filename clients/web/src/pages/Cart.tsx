import { Link } from 'wouter';
import { Empty, Failure, Skeleton } from '../components/basics';
import { CartLines } from '../components/CartLines';
import { CartTotals } from '../components/CartTotals';
import { DiscountCodes } from '../components/DiscountCodes';
import { ArrowIcon, ShieldIcon } from '../components/icons';
import { useSignedIn } from '../lib/account';
import { useCart } from '../lib/cart';
import { count } from '../lib/format';
import { useTitle } from '../lib/title';

/** The cart. */
export function Cart() {
  useTitle('Your cart');
  const { cart, loading, error, refetch } = useCart();
  const signedIn = useSignedIn();
  if (error && !cart) {
    return <Failure error={error} retry={refetch} />;
  }
  if (loading) {
    return <Skeleton className="block" label="Loading your cart" />;
  }
  if (!cart || cart.totalQuantity === 0) {
    return (
      <>
        <h1>Your cart</h1>
        <Empty title="It is empty">
          <p>
            <Link href="/" className="button button-primary">
              Look around
            </Link>
          </p>
        </Empty>
      </>
    );
  }
  return (
    <>
      <div className="list-head">
        <h1>Your cart</h1>
        <p className="soft">{count(cart.totalQuantity, 'item')}</p>
      </div>
      <div className="with-summary">
        <CartLines cart={cart} />
        <aside className="summary" aria-label="Summary">
          <CartTotals cart={cart} />
          <DiscountCodes codes={cart.discountCodes} />
          <Link href={signedIn ? '/checkout' : '/sign-in?next=/checkout'} className="button button-primary button-large button-wide">
            Check out <ArrowIcon />
          </Link>
          <p className="soft small summary-note">
            <ShieldIcon /> You see the final price before you order.
          </p>
        </aside>
      </div>
    </>
  );
}
