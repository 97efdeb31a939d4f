/** An amount of money, as the graph gives it. */
export interface Money {
  amount: string;
  currencyCode: string;
}

const currencies = new Map<string, Intl.NumberFormat>();

/** Writes an amount in the reader's way. The decimal string is formatted as it is: no digit is lost. */
export function money({ amount, currencyCode }: Money, locale?: string): string {
  const key = `${locale ?? ''} ${currencyCode}`;
  let format = currencies.get(key);
  if (!format) {
    format = new Intl.NumberFormat(locale, { style: 'currency', currency: currencyCode });
    currencies.set(key, format);
  }
  return format.format(amount as Intl.StringNumericLiteral);
}

/** Whether an amount is zero. */
export const isZero = ({ amount }: Money): boolean => Number(amount) === 0;

const dayFormat = new Intl.DateTimeFormat(undefined, { dateStyle: 'long' });
const momentFormat = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'short' });
const clockFormat = new Intl.DateTimeFormat(undefined, { timeStyle: 'medium' });

/** Writes a date. */
export const day = (time: string): string => dayFormat.format(new Date(time));

/** Writes date and time. */
export const moment = (time: string): string => momentFormat.format(new Date(time));

/** Writes a time of the day. */
export const clock = (time: string): string => clockFormat.format(new Date(time));

const countFormat = new Intl.NumberFormat();

/** Writes a number of things: `1 item`, `2,040 items`. */
export const count = (n: number, one: string, many = `${one}s`): string => `${countFormat.format(n)} ${n === 1 ? one : many}`;

const regions = new Intl.DisplayNames(['en'], { type: 'region' });

/** The name of a country. */
export const country = (code: string): string => regions.of(code) ?? code;

const codes = 'AT BE BG HR CY CZ DK EE FI FR DE GR HU IE IT LV LT LU MT NL NO PL PT RO SK SI ES SE CH GB'.split(' ');

/** The countries that an address can be in, by name. */
export const countries: readonly { code: string; name: string }[] = codes
  .map((code) => ({ code, name: country(code) }))
  .sort((a, b) => a.name.localeCompare(b.name, 'en'));
