import type { ComponentProps } from 'react';
import { useId } from 'react';
import { countries } from '../lib/format';
import { Field } from './basics';

/** The values of an address in a form. */
export const emptyAddress = { recipient: '', line1: '', line2: '', postalCode: '', city: '', countryCode: 'DE', phone: '' };

export type AddressValues = typeof emptyAddress;

/** The input of the graph for an address: what was left empty is left out. */
export function addressInput({ line2, phone, ...rest }: AddressValues) {
  return { ...rest, ...(line2 ? { line2 } : {}), ...(phone ? { phone } : {}) };
}

type Input = (name: keyof AddressValues) => Pick<ComponentProps<'input'>, 'name'> & { value: string; error: string | undefined; onChange: (event: { target: { value: string } }) => void };

/** The fields of an address, which browsers can fill in. */
export function AddressFields({ input }: { input: Input }) {
  const id = useId();
  const { error, ...country } = input('countryCode');
  return (
    <div className="fields">
      <Field label="Name on the parcel" autoComplete="shipping name" required maxLength={100} className="field-full" {...input('recipient')} />
      <Field label="Street and number" autoComplete="shipping address-line1" required maxLength={200} className="field-full" {...input('line1')} />
      <Field label="Flat, floor, firm" autoComplete="shipping address-line2" maxLength={200} className="field-full" {...input('line2')} />
      <Field label="Postal code" autoComplete="shipping postal-code" required maxLength={20} {...input('postalCode')} />
      <Field label="City" autoComplete="shipping address-level2" required maxLength={100} {...input('city')} />
      <div className="field">
        <label htmlFor={id}>Country</label>
        <select id={id} autoComplete="shipping country" aria-invalid={error ? true : undefined} aria-describedby={error ? `${id}-error` : undefined} {...country}>
          {countries.map((c) => (
            <option key={c.code} value={c.code}>
              {c.name}
            </option>
          ))}
        </select>
        {error && (
          <p className="field-error" id={`${id}-error`}>
            {error}
          </p>
        )}
      </div>
      <Field label="Phone" type="tel" autoComplete="shipping tel" placeholder="+49301234567" {...input('phone')} />
    </div>
  );
}
