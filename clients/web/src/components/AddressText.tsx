import { country } from '../lib/format';

interface Props {
  address: { recipient: string; line1: string; line2: string | null; postalCode: string; city: string; countryCode: string };
}

/** An address, as on a parcel. */
export function AddressText({ address }: Props) {
  return (
    <address>
      {address.recipient}
      <br />
      {address.line1}
      {address.line2 && (
        <>
          <br />
          {address.line2}
        </>
      )}
      <br />
      {address.postalCode} {address.city}
      <br />
      {country(address.countryCode)}
    </address>
  );
}
