import { skipToken, useApolloClient, useMutation, useQuery } from '@apollo/client/react';
import { graphql } from '@gql';
import type { CheckoutQuery } from '@gql/graphql';
import { useCallback, useEffect, useRef, useState } from 'react';
import { Link, Redirect, useLocation } from 'wouter';
import { AddressFields, addressInput, emptyAddress } from '../components/AddressFields';
import { AddressText } from '../components/AddressText';
import { Empty, Failure, Notice, Price, Skeleton, Submit } from '../components/basics';
import { CartTotals } from '../components/CartTotals';
import { useSignedIn } from '../lib/account';
import { CART, newKey, useCart } from '../lib/cart';
import { explain, type UserError } from '../lib/errors';
import { count, isZero, money } from '../lib/format';
import { useForm } from '../lib/form';
import { useTitle } from '../lib/title';

const CHECKOUT = graphql(`
  query Checkout {
    me {
      id
      emailVerified
      addresses {
        id
        recipient
        line1
        line2
        postalCode
        city
        countryCode
        isDefault
      }
    }
  }
`);

const SHIPPING = graphql(`
  query ShippingMethods($countryCode: CountryCode!) {
    cart {
      id
      shippingMethods(countryCode: $countryCode) {
        code
        title
        price {
          amount
          currencyCode
        }
      }
    }
  }
`);

const SELECT_SHIPPING = graphql(`
  mutation CartShippingMethodSelect($input: CartShippingMethodSelectInput!) {
    cartShippingMethodSelect(input: $input) {
      cart {
        ...CartContent
      }
      userErrors {
        code
        message
        field
      }
    }
  }
`);

const ADDRESS_CREATE = graphql(`
  mutation AddressCreate($input: AddressCreateInput!) {
    addressCreate(input: $input) {
      address {
        id
      }
      userErrors {
        code
        message
        field
      }
    }
  }
`);

const ORDER_PLACE = graphql(`
  mutation OrderPlace($input: OrderPlaceInput!) {
    orderPlace(input: $input) {
      order {
        id
        number
      }
      userErrors {
        code
        message
        field
        ... on InsufficientStockError {
          available
        }
      }
    }
  }
`);

/** The tokens that a payment form would give; those of the sandbox say what becomes of the payment. */
const cards = [
  { token: 'tok_visa', label: 'Visa', hint: 'test card ending in 4242, approves' },
  { token: 'tok_mastercard', label: 'Mastercard', hint: 'test card ending in 4444, approves' },
  { token: 'tok_declined', label: 'Declined card', hint: 'test card ending in 0002, the bank says no' },
  { token: 'tok_insufficient_funds', label: 'Empty card', hint: 'test card ending in 9995, has no money' },
];

type Addresses = NonNullable<CheckoutQuery['me']>['addresses'];

/** From the cart to the order. */
export function Checkout() {
  useTitle('Check out');
  const signedIn = useSignedIn();
  const { cart, loading } = useCart();
  const { data, error, refetch } = useQuery(CHECKOUT, signedIn ? { fetchPolicy: 'cache-and-network' } : skipToken);
  if (!signedIn) {
    return <Redirect to="/sign-in?next=/checkout" replace />;
  }
  if (error && !data) {
    return <Failure error={error} retry={refetch} />;
  }
  if (loading || !data?.me) {
    return <Skeleton className="block" label="Preparing the checkout" />;
  }
  if (!cart || cart.totalQuantity === 0) {
    return (
      <>
        <h1>Check out</h1>
        <Empty title="Your cart is empty">
          <Link href="/" className="button button-primary">
            Look around
          </Link>
        </Empty>
      </>
    );
  }
  return <Form addresses={data.me.addresses} verified={data.me.emailVerified} cart={cart} />;
}

interface FormProps {
  addresses: Addresses;
  verified: boolean;
  cart: NonNullable<ReturnType<typeof useCart>['cart']>;
}

function Form({ addresses, verified, cart }: FormProps) {
  const [, navigate] = useLocation();
  const apollo = useApolloClient();
  const [place] = useMutation(ORDER_PLACE);
  const [create] = useMutation(ADDRESS_CREATE);
  const [addressId, setAddressId] = useState(addresses.find((a) => a.isDefault)?.id ?? addresses[0]?.id ?? 'new');
  const [keep, setKeep] = useState(true);
  const [token, setToken] = useState('tok_visa');
  // One key for each checkout: pressing twice, or again after a lost answer, orders once.
  const [key, setKey] = useState(newKey);
  const form = useForm(emptyAddress);
  const countryCode = addresses.find((a) => a.id === addressId)?.countryCode ?? form.values.countryCode;
  const [seen, setSeen] = useState<string>();

  const send = async (): Promise<readonly UserError[]> => {
    const address = addressId === 'new' ? { shippingAddress: addressInput(form.values) } : { shippingAddressId: addressId };
    const expectedTotal = { amount: cart.total.amount, currencyCode: cart.total.currencyCode };
    const { data } = await place({ variables: { input: { idempotencyKey: key, paymentToken: token, expectedTotal, ...address } } });
    const answer = data?.orderPlace;
    if (answer?.order) {
      if (addressId === 'new' && keep) {
        // The order stands whether or not the address can be kept.
        await create({ variables: { input: { address: addressInput(form.values), isDefault: addresses.length === 0 } } }).catch(() => undefined);
      }
      navigate(`/orders/${answer.order.number}?placed`, { replace: true });
      void apollo.refetchQueries({ include: [CART] }).catch(() => undefined);
      return [];
    }
    setKey(newKey());
    if (answer?.userErrors.some((e) => e.code === 'PRICE_CHANGED' || e.code === 'INSUFFICIENT_STOCK' || e.code === 'PROMOTION_UNAVAILABLE')) {
      setSeen(money(cart.total));
      await apollo.refetchQueries({ include: [CART] });
    }
    return answer?.userErrors ?? [];
  };

  return (
    <form className="with-summary checkout" onSubmit={form.submit(send)}>
      <div>
        <h1>Check out</h1>
        {!verified && <Notice kind="warning">Please confirm your e-mail address first: we have sent you a link.</Notice>}
        <section className="step" aria-labelledby="address">
          <h2 id="address">
            <span className="step-number">1</span> Where to
          </h2>
          <fieldset className="radios">
            <legend className="sr-only">Address</legend>
            {addresses.map((a) => (
              <label key={a.id} className="radio">
                <input type="radio" name="address" checked={addressId === a.id} onChange={() => setAddressId(a.id)} />
                <AddressText address={a} />
              </label>
            ))}
            {addresses.length > 0 && (
              <label className="radio">
                <input type="radio" name="address" checked={addressId === 'new'} onChange={() => setAddressId('new')} />
                <span>Another address</span>
              </label>
            )}
          </fieldset>
          {addressId === 'new' && (
            <>
              <AddressFields input={form.input} />
              <label className="check">
                <input type="checkbox" checked={keep} onChange={(e) => setKeep(e.target.checked)} />
                <span>Keep it in my address book</span>
              </label>
            </>
          )}
        </section>
        <section className="step" aria-labelledby="shipping">
          <h2 id="shipping">
            <span className="step-number">2</span> How
          </h2>
          <Shipping countryCode={countryCode} chosen={cart.shippingMethod?.code} country={cart.shippingCountry} />
        </section>
        <section className="step" aria-labelledby="payment">
          <h2 id="payment">
            <span className="step-number">3</span> Paid by
          </h2>
          <p className="soft small">This shop runs in its payment provider’s sandbox: no money moves. Pick what the bank shall say.</p>
          <fieldset className="radios radios-pairs">
            <legend className="sr-only">Card</legend>
            {cards.map((c) => (
              <label key={c.token} className="radio">
                <input type="radio" name="card" checked={token === c.token} onChange={() => setToken(c.token)} />
                <span>
                  {c.label}
                  <span className="soft small block-text">{c.hint}</span>
                </span>
              </label>
            ))}
          </fieldset>
        </section>
      </div>
      <aside className="summary" aria-label="Summary">
        <p className="summary-head">
          {count(cart.totalQuantity, 'item')} · <Link href="/cart">change</Link>
        </p>
        <CartTotals cart={cart} />
        {form.errors.summary && (
          <Notice kind="error">
            {form.errors.summary}
            {seen !== undefined && seen !== money(cart.total) && ` The total was ${seen}.`}
          </Notice>
        )}
        <Submit busy={form.busy} className="button button-primary button-large button-wide">
          Order and pay <Price value={cart.total} />
        </Submit>
        <p className="soft small">Your order is safe as soon as we show you its number.</p>
      </aside>
    </form>
  );
}

function Shipping({ countryCode, chosen, country }: { countryCode: string; chosen: string | undefined; country: string | null }) {
  const { data, previousData, error, refetch } = useQuery(SHIPPING, { variables: { countryCode }, fetchPolicy: 'cache-and-network' });
  const [select, { loading }] = useMutation(SELECT_SHIPPING);
  const [fault, setFault] = useState<string>();
  const [wanted, setWanted] = useState<string>();
  const methods = (data ?? previousData)?.cart?.shippingMethods ?? [];
  const choose = useCallback(
    async (method: string | null) => {
      setWanted(method ?? undefined);
      try {
        const { data: answer } = await select({ variables: { input: { method, countryCode } } });
        setFault(answer?.cartShippingMethodSelect.userErrors[0]?.message);
      } catch (e) {
        setFault(explain(e));
      }
    },
    [select, countryCode],
  );
  // The cart's tax and shipping are those of the country that it goes to.
  const told = useRef(country);
  useEffect(() => {
    if (told.current !== countryCode) {
      told.current = countryCode;
      void choose(null);
    }
  }, [choose, countryCode]);
  if (error && methods.length === 0) {
    return <Failure error={error} retry={refetch} />;
  }
  return (
    <>
      <fieldset className="radios radios-pairs" aria-busy={loading}>
        <legend className="sr-only">Shipping</legend>
        {methods.map((m) => (
          <label key={m.code} className="radio">
            <input type="radio" name="shipping" checked={m.code === (loading ? (wanted ?? chosen) : chosen)} onChange={() => void choose(m.code)} />
            <span>
              {m.title}
              <span className="soft small block-text">{isZero(m.price) ? 'Free' : <Price value={m.price} />}</span>
            </span>
          </label>
        ))}
      </fieldset>
      {fault && <Notice kind="error">{fault}</Notice>}
    </>
  );
}
