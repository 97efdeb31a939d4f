import { graphql, readFragment, type FragmentType } from '@gql';
import { isZero } from '../lib/format';
import { Price } from './basics';

const CART_TOTALS = graphql(`
  fragment CartTotals on Cart {
    subtotal {
      amount
      currencyCode
    }
    discounts {
      code
      title
      amount {
        amount
        currencyCode
      }
      kind
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
  }
`);

/** What the cart costs. */
export function CartTotals({ cart }: { cart: FragmentType<typeof CART_TOTALS> }) {
  const { subtotal, discounts, shippingMethod, shippingTotal, taxTotal, total } = readFragment(CART_TOTALS, cart);
  return (
    <dl className="totals">
      <div>
        <dt>Subtotal</dt>
        <dd>
          <Price value={subtotal} />
        </dd>
      </div>
      {discounts
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
        <dt>{shippingMethod?.title ?? 'Shipping'}</dt>
        <dd>{isZero(shippingTotal) ? 'Free' : <Price value={shippingTotal} />}</dd>
      </div>
      <div className="totals-sum">
        <dt>Total</dt>
        <dd>
          <Price value={total} />
        </dd>
      </div>
      <div className="soft small">
        <dt>of which VAT</dt>
        <dd>
          <Price value={taxTotal} />
        </dd>
      </div>
    </dl>
  );
}
