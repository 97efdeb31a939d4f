import { useMutation } from '@apollo/client/react';
import { graphql } from '@gql';
import type { DiscountCodeReason } from '@gql/graphql';
import { useState } from 'react';
import { cartToken } from '../lib/cart';
import { explain, formErrors } from '../lib/errors';
import { Field, Submit } from './basics';
import { CloseIcon } from './icons';

const UPDATE_CODES = graphql(`
  mutation CartDiscountCodesUpdate($input: CartDiscountCodesUpdateInput!) {
    cartDiscountCodesUpdate(input: $input) {
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

const reasons: Record<DiscountCodeReason, string> = {
  BELOW_MINIMUM: 'your cart is below its minimum',
  NOT_COMBINED: 'it does not go with your other discounts',
  NOTHING_TO_CUT: 'there is nothing it could take off',
  UNKNOWN: 'there is no such code any more',
  NOT_STARTED: 'its time has not come yet',
  ENDED: 'its time is over',
  USED_UP: 'it was used up',
  ALREADY_USED: 'you have used it already',
};

interface Props {
  codes: readonly { code: string; applicable: boolean; reason: DiscountCodeReason | null }[];
}

/** The promotion codes of the cart. */
export function DiscountCodes({ codes }: Props) {
  const [update, { loading }] = useMutation(UPDATE_CODES);
  const [text, setText] = useState('');
  const [fault, setFault] = useState<string>();
  const set = async (next: string[]) => {
    setFault(undefined);
    try {
      const { data } = await update({ variables: { input: { cartToken: cartToken(), codes: next } } });
      const errors = data?.cartDiscountCodesUpdate.userErrors ?? [];
      setFault(formErrors(errors, []).summary);
      return errors.length === 0;
    } catch (error) {
      setFault(explain(error));
      return false;
    }
  };
  const all = codes.map((c) => c.code);
  return (
    <div className="codes">
      {codes.length > 0 && (
        <ul className="chips" aria-label="Promotion codes">
          {codes.map(({ code, applicable, reason }) => (
            <li key={code}>
              <button type="button" className="chip" onClick={() => void set(all.filter((c) => c !== code))}>
                <span className="sr-only">Take out the code </span>
                {code}
                <CloseIcon size={14} />
              </button>
              {!applicable && reason && <p className="field-hint">{code} takes nothing off: {reasons[reason]}.</p>}
            </li>
          ))}
        </ul>
      )}
      <form
        className="inline-form"
        onSubmit={(event) => {
          event.preventDefault();
          const code = text.trim();
          if (code && !loading) {
            void set([...all, code]).then((good) => good && setText(''));
          }
        }}
      >
        <Field label="Promotion code" value={text} error={fault} maxLength={40} autoComplete="off" onChange={(e) => setText(e.target.value)} />
        <Submit busy={loading} className="button">
          Apply
        </Submit>
      </form>
    </div>
  );
}
