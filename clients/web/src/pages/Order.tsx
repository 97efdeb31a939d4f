import { skipToken, useQuery, useSubscription } from '@apollo/client/react';
import { graphql } from '@gql';
import { Redirect, useParams, useSearchParams } from 'wouter';
import { Failure, Notice, Skeleton } from '../components/basics';
import { OrderDetails } from '../components/OrderDetails';
import { useSignedIn } from '../lib/account';
import { useTitle } from '../lib/title';
import { NotFound } from './NotFound';

const ORDER = graphql(`
  query Order($number: String!) {
    order(number: $number) {
      id
      ...OrderDetails
    }
  }
`);

const ORDER_UPDATED = graphql(`
  subscription OrderUpdated($id: ID!) {
    orderUpdated(id: $id) {
      id
      ...OrderDetails
    }
  }
`);

/** One order, as it goes on. */
export function Order() {
  const { number = '' } = useParams();
  const [params] = useSearchParams();
  useTitle(`Order ${number}`);
  const signedIn = useSignedIn();
  const { data, error, refetch } = useQuery(
    ORDER,
    signedIn ? { variables: { number }, fetchPolicy: 'cache-and-network', nextFetchPolicy: 'cache-first' } : skipToken,
  );
  const id = data?.order?.id;
  // Each change arrives whole, and the cache takes it over.
  useSubscription(ORDER_UPDATED, id ? { variables: { id } } : skipToken);
  if (!signedIn) {
    return <Redirect to={`/sign-in?next=${encodeURIComponent(`/orders/${number}`)}`} replace />;
  }
  if (error && !data) {
    return <Failure error={error} retry={refetch} />;
  }
  if (!data) {
    return <Skeleton className="block" label="Loading your order" />;
  }
  if (!data.order) {
    return <NotFound />;
  }
  return (
    <>
      {params.has('placed') && <Notice kind="success">Thank you! Your order is safe with us; a confirmation comes by e-mail.</Notice>}
      <OrderDetails order={data.order} />
    </>
  );
}
