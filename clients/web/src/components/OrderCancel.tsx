import { useMutation } from '@apollo/client/react';
import { graphql, readFragment, type FragmentType } from '@gql';
import { useRef, useState } from 'react';
import { newKey } from '../lib/cart';
import { useForm } from '../lib/form';
import { Field, Notice, Submit } from './basics';

const ORDER_CANCEL_PART = graphql(`
  fragment OrderCancel on Order {
    id
    number
    version
    nextStatuses
  }
`);

const ORDER_CANCEL = graphql(`
  mutation OrderCancel($input: OrderCancelInput!) {
    orderCancel(input: $input) {
      order {
        id
        ...OrderDetails
      }
      userErrors {
        code
        message
        field
      }
    }
  }
`);

/** Calls an order off, as long as that can be done. */
export function OrderCancel({ order }: { order: FragmentType<typeof ORDER_CANCEL_PART> }) {
  const { id, number, version, nextStatuses } = readFragment(ORDER_CANCEL_PART, order);
  const dialog = useRef<HTMLDialogElement>(null);
  const [cancel] = useMutation(ORDER_CANCEL);
  const [key] = useState(newKey);
  const form = useForm({ reason: '' });
  if (!nextStatuses.includes('CANCELLED')) {
    return null;
  }
  const send = async () => {
    const reason = form.values.reason.trim();
    const { data } = await cancel({ variables: { input: { id, idempotencyKey: `${key}-${version}`, expectedVersion: version, ...(reason ? { reason } : {}) } } });
    return data?.orderCancel.userErrors ?? []; // an order that is cancelled takes the dialog away
  };
  return (
    <>
      <button type="button" className="button button-wide" onClick={() => dialog.current?.showModal()}>
        Cancel this order
      </button>
      <dialog ref={dialog} className="dialog" aria-labelledby="cancel-title">
        <form onSubmit={form.submit(send)}>
          <h2 id="cancel-title">Cancel order {number}?</h2>
          <p className="soft">It is not on its way yet, so nothing is charged.</p>
          {form.errors.summary && <Notice kind="error">{form.errors.summary}</Notice>}
          <Field label="Why, if you like to tell" maxLength={500} {...form.input('reason')} />
          <div className="dialog-actions">
            <button type="button" className="button" onClick={() => dialog.current?.close()}>
              Keep it
            </button>
            <Submit busy={form.busy} className="button button-danger">
              Cancel the order
            </Submit>
          </div>
        </form>
      </dialog>
    </>
  );
}
