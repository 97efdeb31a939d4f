import { graphql, readFragment, type FragmentType } from '@gql';
import { useState } from 'react';
import { Link } from 'wouter';
import { useAddToCart } from '../lib/cart';
import { explain, formErrors } from '../lib/errors';
import { Notice, Submit } from './basics';
import { CheckIcon } from './icons';
import { Quantity } from './Quantity';

const BUY_BOX = graphql(`
  fragment BuyBox on ProductVariant {
    id
    title
    available
    quantityAvailable
    inventoryPolicy
  }
`);

// Below this it is worth a word that there are not many left.
const few = 10;

/** Whether a variant can be bought now, how many, and the way into the cart. */
export function BuyBox({ variant, title }: { variant: FragmentType<typeof BUY_BOX>; title: string }) {
  const { id, available, quantityAvailable, inventoryPolicy } = readFragment(BUY_BOX, variant);
  const [quantity, setQuantity] = useState(1);
  const [add, busy] = useAddToCart();
  const [outcome, setOutcome] = useState<{ of: string; fault?: string }>();
  const onOrder = inventoryPolicy === 'CONTINUE' && quantityAvailable <= 0;
  const most = inventoryPolicy === 'CONTINUE' ? 99 : Math.min(99, quantityAvailable);
  const wanted = Math.min(quantity, Math.max(most, 1));
  const submit = async () => {
    setOutcome(undefined);
    try {
      const errors = await add(id, wanted);
      setOutcome(errors.length > 0 ? { of: id, fault: formErrors(errors, []).summary ?? '' } : { of: id });
    } catch (error) {
      setOutcome({ of: id, fault: explain(error) });
    }
  };
  return (
    <form
      className="buy"
      onSubmit={(event) => {
        event.preventDefault();
        void submit();
      }}
    >
      <p className={available ? 'stock stock-good' : 'stock stock-none'} role="status">
        {onOrder ? 'On order: sent when the goods are in' : !available ? 'Sold out' : quantityAvailable < few ? `Only ${quantityAvailable} left` : `In stock, ${quantityAvailable} available`}
      </p>
      {available && (
        <div className="buy-row">
          <Quantity value={wanted} max={most} onChange={setQuantity} label={`Quantity of ${title}`} />
          <Submit busy={busy} className="button button-primary button-large button-wide">
            Add to cart
          </Submit>
        </div>
      )}
      {outcome?.of === id &&
        (outcome.fault === undefined ? (
          <Notice kind="success">
            <CheckIcon /> It is in your cart. <Link href="/cart">Go to the cart</Link>
          </Notice>
        ) : (
          <Notice kind="error">{outcome.fault}</Notice>
        ))}
    </form>
  );
}
