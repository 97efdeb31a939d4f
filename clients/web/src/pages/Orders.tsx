import { skipToken, useQuery } from '@apollo/client/react';
import { graphql } from '@gql';
import { Link, Redirect } from 'wouter';
import { Empty, Failure, Picture, Price, Skeleton } from '../components/basics';
import { More } from '../components/More';
import { StatusTag } from '../components/OrderProgress';
import { useSignedIn } from '../lib/account';
import { count, day } from '../lib/format';
import { useTitle } from '../lib/title';

const ORDERS = graphql(`
  query Orders($after: String) {
    me {
      id
      orders(first: 10, after: $after) {
        nodes {
          id
          number
          status
          placedAt
          total {
            amount
            currencyCode
          }
          lines {
            id
            title
            quantity
            variant {
              id
              image {
                url
                alt
              }
            }
          }
        }
        pageInfo {
          hasNextPage
          endCursor
        }
      }
    }
  }
`);

/** What the customer has ordered, newest first. */
export function Orders() {
  useTitle('Your orders');
  const signedIn = useSignedIn();
  const { data, error, loading, fetchMore, refetch } = useQuery(
    ORDERS,
    signedIn ? { fetchPolicy: 'cache-and-network', nextFetchPolicy: 'cache-first', notifyOnNetworkStatusChange: true } : skipToken,
  );
  if (!signedIn) {
    return <Redirect to="/sign-in?next=/orders" replace />;
  }
  const orders = data?.me?.orders;
  return (
    <>
      <h1>Your orders</h1>
      {error && !orders && <Failure error={error} retry={refetch} />}
      {!orders && !error && <Skeleton className="block" label="Loading your orders" />}
      {orders?.nodes.length === 0 && (
        <Empty title="Nothing yet">
          <Link href="/" className="button button-primary">
            Look around
          </Link>
        </Empty>
      )}
      <ul className="orders">
        {orders?.nodes.map((order) => (
          <li key={order.id} className="order-row">
            <ul className="order-pictures" aria-hidden="true">
              {order.lines.slice(0, 3).map((line) => (
                <li key={line.id}>
                  <Picture image={line.variant?.image} />
                </li>
              ))}
            </ul>
            <div className="order-text">
              <h2>
                <Link href={`/orders/${order.number}`}>{order.number}</Link>
              </h2>
              <p className="soft small">
                <time dateTime={order.placedAt}>{day(order.placedAt)}</time> ·{' '}
                {count(
                  order.lines.reduce((n, l) => n + l.quantity, 0),
                  'item',
                )}
              </p>
            </div>
            <StatusTag status={order.status} />
            <Price value={order.total} className="order-total" />
          </li>
        ))}
      </ul>
      {orders && <More page={orders} loading={loading} more={(after) => fetchMore({ variables: { after } })} />}
    </>
  );
}
