import { skipToken, useMutation, useQuery } from '@apollo/client/react';
import { graphql } from '@gql';
import { Link, Redirect, useLocation } from 'wouter';
import { AddressText } from '../components/AddressText';
import { Failure, Skeleton } from '../components/basics';
import { SecondFactor } from '../components/SecondFactor';
import { signOut, useSignedIn } from '../lib/account';
import { day } from '../lib/format';
import { useTitle } from '../lib/title';

const ACCOUNT = graphql(`
  query Account {
    me {
      id
      displayName
      email
      createdAt
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
      ...SecondFactorState
    }
  }
`);

const ADDRESS_DELETE = graphql(`
  mutation AddressDelete($input: AddressDeleteInput!) {
    addressDelete(input: $input) {
      deletedAddressId
      userErrors {
        code
        message
        field
      }
    }
  }
`);

/** The customer's account. */
export function Account() {
  useTitle('Your account');
  const signedIn = useSignedIn();
  const [, navigate] = useLocation();
  const { data, error, refetch } = useQuery(ACCOUNT, signedIn ? { fetchPolicy: 'cache-and-network' } : skipToken);
  const [remove, { loading }] = useMutation(ADDRESS_DELETE, { refetchQueries: [ACCOUNT] });
  if (!signedIn) {
    return <Redirect to="/sign-in?next=/account" replace />;
  }
  if (error && !data) {
    return <Failure error={error} retry={refetch} />;
  }
  if (!data?.me) {
    return <Skeleton className="block" label="Loading your account" />;
  }
  const { me } = data;
  return (
    <>
      <div className="list-head">
        <h1>Hello, {me.displayName}</h1>
        <p className="soft">
          {me.email}, with us since {day(me.createdAt)}
        </p>
      </div>
      <div className="tiles">
        <section className="panel" aria-labelledby="orders">
          <h2 id="orders">Orders</h2>
          <p className="soft">Where they are, and what was in them.</p>
          <Link href="/orders" className="button button-primary">
            See your orders
          </Link>
        </section>
        <section className="panel" aria-labelledby="addresses">
          <h2 id="addresses">Addresses</h2>
          {me.addresses.length === 0 && <p className="soft">You can keep one when you check out.</p>}
          <ul className="plain">
            {me.addresses.map((a) => (
              <li key={a.id} className="address-row">
                <AddressText address={a} />
                <button type="button" className="link" disabled={loading} onClick={() => void remove({ variables: { input: { id: a.id } } }).catch(() => undefined)}>
                  Remove<span className="sr-only"> {a.line1}</span>
                </button>
              </li>
            ))}
          </ul>
        </section>
        <SecondFactor user={me} />
        <section className="panel" aria-labelledby="leave">
          <h2 id="leave">This device</h2>
          <p className="soft">Sign out on a device that is not yours.</p>
          <button type="button" className="button" onClick={() => void signOut().then(() => navigate('/'))}>
            Sign out
          </button>
        </section>
      </div>
    </>
  );
}
