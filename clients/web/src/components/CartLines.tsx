import { useMutation } from '@apollo/client/react';
import { graphql, readFragment, type FragmentType } from '@gql';
import { useState } from 'react';
import { Link } from 'wouter';
import { cartToken, newKey } from '../lib/cart';
import { explain, formErrors } from '../lib/errors';
import { money } from '../lib/format';
import { Notice, Picture, Price } from './basics';
import { Quantity } from './Quantity';

const CART_LINES = graphql(`
  fragment CartLines on Cart {
    lines {
      id
      quantity
      unitPrice {
        amount
        currencyCode
      }
      total {
        amount
        currencyCode
      }
      variant {
        id
        title
        sku
        image {
          url
          alt
        }
        product {
          id
          slug
          title
          media(first: 1) {
            url
            alt
          }
        }
      }
    }
    warnings {
      code
      message
      lineId
      available
      previousPrice {
        amount
        currencyCode
      }
    }
  }
`);

const UPDATE = graphql(`
  mutation CartLinesUpdate($input: CartLinesUpdateInput!) {
    cartLinesUpdate(input: $input) {
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

const REMOVE = graphql(`
  mutation CartLinesRemove($input: CartLinesRemoveInput!) {
    cartLinesRemove(input: $input) {
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

type Warning = FragmentOf['warnings'][number];
type FragmentOf = NonNullable<ReturnType<typeof read>>;
const read = (cart: FragmentType<typeof CART_LINES>) => readFragment(CART_LINES, cart);

/** What is in the cart, to be changed. */
export function CartLines({ cart }: { cart: FragmentType<typeof CART_LINES> }) {
  const { lines, warnings } = read(cart);
  const [update, updating] = useMutation(UPDATE);
  const [remove, removing] = useMutation(REMOVE);
  const [fault, setFault] = useState<string>();
  const busy = updating.loading || removing.loading;
  const settle = async (work: Promise<readonly { code: string; message: string; field: readonly string[] | null }[]>) => {
    setFault(undefined);
    try {
      const errors = await work;
      setFault(errors.length > 0 ? formErrors(errors, []).summary : undefined);
    } catch (error) {
      setFault(explain(error));
    }
  };
  const change = (lineId: string, quantity: number) =>
    settle(
      update({ variables: { input: { cartToken: cartToken(), idempotencyKey: newKey(), lines: [{ lineId, quantity }] } } }).then(
        ({ data }) => data?.cartLinesUpdate.userErrors ?? [],
      ),
    );
  const drop = (lineId: string) =>
    settle(
      remove({ variables: { input: { cartToken: cartToken(), idempotencyKey: newKey(), lineIds: [lineId] } } }).then(
        ({ data }) => data?.cartLinesRemove.userErrors ?? [],
      ),
    );
  return (
    <div aria-busy={busy}>
      {fault && <Notice kind="error">{fault}</Notice>}
      <ul className="lines">
        {lines.map((line) => {
          const name = line.variant?.product.title ?? 'No longer sold';
          return (
            <li key={line.id} className="line-item">
              <Picture image={line.variant?.image ?? line.variant?.product.media[0]} className="line-picture" />
              <div className="line-text">
                <h2 className="line-name">{line.variant ? <Link href={`/p/${line.variant.product.slug}?variant=${line.variant.id}`}>{name}</Link> : name}</h2>
                <p className="soft small">
                  {line.variant?.title} · <Price value={line.unitPrice} /> each
                </p>
                {warnings
                  .filter((w) => w.lineId === line.id)
                  .map((w) => (
                    <p key={w.code} className="line-warning">
                      {warn(w)}
                    </p>
                  ))}
                <div className="line-actions">
                  <Quantity value={line.quantity} max={999} label={`Quantity of ${name}`} disabled={busy} onChange={(n) => void change(line.id, n)} />
                  <button type="button" className="link" disabled={busy} onClick={() => void drop(line.id)}>
                    Remove<span className="sr-only"> {name}</span>
                  </button>
                </div>
              </div>
              <p className="line-total">
                <Price value={line.total} />
              </p>
            </li>
          );
        })}
      </ul>
    </div>
  );
}

/** Says a warning to the customer. */
function warn({ code, message, available, previousPrice }: Warning): string {
  if (code === 'INSUFFICIENT_STOCK' && available !== null) {
    return available === 0 ? 'Sold out meanwhile' : `Only ${available} left`;
  }
  if (code === 'PRICE_CHANGED' && previousPrice) {
    return `The price has changed; it was ${money(previousPrice)}`;
  }
  return message;
}
