import { graphql, readFragment, type FragmentType } from '@gql';
import type { OrderStatus } from '@gql/graphql';
import { CheckIcon } from './icons';

const ORDER_PROGRESS = graphql(`
  fragment OrderProgress on Order {
    status
    statusReason
  }
`);

/** What a status is called, and how far along the way it is; -1 where the way has ended. */
export const statuses: Record<OrderStatus, { label: string; step: number }> = {
  PENDING: { label: 'Being arranged', step: 0 },
  CONFIRMED: { label: 'Confirmed', step: 1 },
  PARTIALLY_FULFILLED: { label: 'Partly on its way', step: 2 },
  FULFILLED: { label: 'On its way', step: 2 },
  DELIVERED: { label: 'Delivered', step: 3 },
  CANCELLED: { label: 'Cancelled', step: -1 },
  FAILED: { label: 'Could not be confirmed', step: -1 },
  REFUNDED: { label: 'Paid back', step: -1 },
};

const steps = ['Placed', 'Confirmed', 'On its way', 'Delivered'];

/** A status in a word. */
export function StatusTag({ status }: { status: OrderStatus }) {
  const { label, step } = statuses[status];
  return (
    <span className={`status status-${step < 0 ? 'ended' : step === 0 ? 'open' : 'good'}`} data-status={status}>
      {label}
    </span>
  );
}

/** How far an order is. It is announced as it changes. */
export function OrderProgress({ order }: { order: FragmentType<typeof ORDER_PROGRESS> }) {
  const { status, statusReason } = readFragment(ORDER_PROGRESS, order);
  const { step } = statuses[status];
  return (
    <div className="progress-box">
      <p role="status" className="progress-now">
        <StatusTag status={status} />
        {status === 'PENDING' && <span className="soft"> We are reserving the stock and asking your bank. You can stay here and watch.</span>}
        {statusReason && <span> {statusReason}</span>}
      </p>
      {step >= 0 && (
        <ol className="progress">
          {steps.map((name, i) => (
            <li key={name} className={i <= step ? 'done' : ''} aria-current={i === step ? 'step' : undefined}>
              <span className="progress-dot">{i <= step && <CheckIcon size={16} />}</span>
              {name}
            </li>
          ))}
        </ol>
      )}
    </div>
  );
}
