import { graphql, readFragment, type FragmentType } from '@gql';
import { Link } from 'wouter';
import { clock, day, isZero, moment } from '../lib/format';
import { AddressText } from './AddressText';
import { Picture, Price } from './basics';
import { OrderCancel } from './OrderCancel';
import { OrderProgress } from './OrderProgress';

const ORDER_DETAILS = graphql(`
  fragment OrderDetails on Order {
    id
    number
    status
    placedAt
    email
    version
    nextStatuses
    subtotal {
      amount
      currencyCode
    }
    discounts {
      code
      title
      kind
      amount {
        amount
        currencyCode
      }
    }
    shippingMethod {
      code
      title
    }
    shippingTotal {
      amount
      currencyCode
    }
    taxTotal {
      amount
      currencyCode
    }
    total {
      amount
      currencyCode
    }
    shippingAddress {
      recipient
      line1
      line2
      postalCode
      city
      countryCode
    }
    lines {
      id
      title
      variantTitle
      quantity
      quantityFulfilled
      total {
        amount
        currencyCode
      }
      variant {
        id
        image {
          url
          alt
        }
        product {
          id
          slug
        }
      }
    }
    fulfillments {
      id
      status
      carrier
      trackingNumber
      trackingUrl
      createdAt
    }
    timeline(first: 100) {
      nodes {
        id
        type
        message
        createdAt
      }
    }
    payment {
      id
      status
      declineReason
    }
    ...OrderProgress
    ...OrderCancel
  }
`);

const payments: Record<string, string> = {
  PENDING: 'We are asking your bank.',
  AUTHORIZED: 'Authorized. It is charged when the parcel is sent.',
  PARTIALLY_CAPTURED: 'Charged for what was sent.',
  CAPTURED: 'Charged.',
  PARTIALLY_REFUNDED: 'Partly paid back.',
  REFUNDED: 'Paid back.',
  VOIDED: 'Nothing was charged.',
  DECLINED: 'Your bank declined it.',
};

/** All of an order. */
export function OrderDetails({ order: shown }: { order: FragmentType<typeof ORDER_DETAILS> }) {
  const order = readFragment(ORDER_DETAILS, shown);
  const sameDay = (time: string) => day(time) === day(order.placedAt);
  return (
    <>
      <div className="list-head">
        <h1>Order {order.number}</h1>
        <p className="soft">
          <time dateTime={order.placedAt}>{moment(order.placedAt)}</time>
        </p>
      </div>
      <OrderProgress order={order} />
      <div className="with-summary">
        <div>
          <ul className="lines">
            {order.lines.map((line) => (
              <li key={line.id} className="line-item">
                <Picture image={line.variant?.image} className="line-picture" />
                <div className="line-text">
                  <h2 className="line-name">{line.variant ? <Link href={`/p/${line.variant.product.slug}?variant=${line.variant.id}`}>{line.title}</Link> : line.title}</h2>
                  <p className="soft small">{line.variantTitle}</p>
                  <p className="small">
                    Quantity {line.quantity}
                    {line.quantityFulfilled > 0 && line.quantityFulfilled < line.quantity && `, ${line.quantityFulfilled} on their way`}
                  </p>
                </div>
                <p className="line-total">
                  <Price value={line.total} />
                </p>
              </li>
            ))}
          </ul>
          {order.fulfillments.length > 0 && (
            <section aria-labelledby="parcels">
              <h2 id="parcels">Parcels</h2>
              <ul className="plain">
                {order.fulfillments.map((f) => (
                  <li key={f.id}>
                    {f.status === 'DELIVERED' ? 'Arrived' : 'On its way'}
                    {f.carrier && ` with ${f.carrier}`}
                    {f.trackingUrl ? (
                      <>
                        {' · '}
                        <a href={f.trackingUrl} rel="noreferrer">
                          Track {f.trackingNumber ?? 'it'}
                        </a>
                      </>
                    ) : (
                      f.trackingNumber && ` · ${f.trackingNumber}`
                    )}
                  </li>
                ))}
              </ul>
            </section>
          )}
          <section aria-labelledby="timeline">
            <h2 id="timeline">What happened</h2>
            <ol className="timeline" aria-live="polite">
              {order.timeline.nodes.map((event) => (
                <li key={event.id}>
                  <span>{event.message}</span>
                  <time className="soft small" dateTime={event.createdAt}>
                    {sameDay(event.createdAt) ? clock(event.createdAt) : moment(event.createdAt)}
                  </time>
                </li>
              ))}
            </ol>
          </section>
        </div>
        <aside className="summary" aria-label="Summary">
          <dl className="totals">
            <div>
              <dt>Subtotal</dt>
              <dd>
                <Price value={order.subtotal} />
              </dd>
            </div>
            {order.discounts
              .filter((d) => d.kind !== 'FREE_SHIPPING')
              .map((d) => (
                <div key={d.code ?? d.title} className="totals-saved">
                  <dt>{d.title}</dt>
                  <dd>
                    −<Price value={d.amount} />
                  </dd>
                </div>
              ))}
            <div>
              <dt>{order.shippingMethod?.title ?? 'Shipping'}</dt>
              <dd>{isZero(order.shippingTotal) ? 'Free' : <Price value={order.shippingTotal} />}</dd>
            </div>
            <div className="totals-sum">
              <dt>Total</dt>
              <dd>
                <Price value={order.total} />
              </dd>
            </div>
            <div className="soft small">
              <dt>of which VAT</dt>
              <dd>
                <Price value={order.taxTotal} />
              </dd>
            </div>
          </dl>
          <h2 className="summary-title">Goes to</h2>
          <AddressText address={order.shippingAddress} />
          <p className="soft small">{order.email}</p>
          {order.payment && (
            <>
              <h2 className="summary-title">Payment</h2>
              <p>{order.payment.declineReason ?? payments[order.payment.status]}</p>
            </>
          )}
          <OrderCancel order={order} />
        </aside>
      </div>
    </>
  );
}
