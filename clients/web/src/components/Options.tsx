import { graphql, readFragment, type FragmentType } from '@gql';
import { buyable, type Choosable } from '../lib/variants';

const PRODUCT_OPTIONS = graphql(`
  fragment ProductOptions on Product {
    options {
      name
      values
    }
  }
`);

interface Props {
  product: FragmentType<typeof PRODUCT_OPTIONS>;
  variants: readonly Choosable[];
  variant: Choosable;
  onChange: (name: string, value: string) => void;
}

/** The choice of a variant, option by option. What is sold out can be looked at all the same. */
export function Options({ product, variants, variant, onChange }: Props) {
  const { options } = readFragment(PRODUCT_OPTIONS, product);
  return options
    .filter(({ values }) => values.length > 1)
    .map(({ name, values }) => {
      const value = variant.selectedOptions.find((o) => o.name === name)?.value;
      return (
        <fieldset key={name} className="options">
          <legend>
            {name}: <strong>{value}</strong>
          </legend>
          {values.map((v) => {
            const soldOut = !buyable(variants, variant, name, v);
            return (
              <label key={v} className={soldOut ? 'option option-gone' : 'option'}>
                <input type="radio" name={name} checked={v === value} onChange={() => onChange(name, v)} />
                <span>
                  {v}
                  {soldOut && <span className="sr-only"> (sold out)</span>}
                </span>
              </label>
            );
          })}
        </fieldset>
      );
    });
}
