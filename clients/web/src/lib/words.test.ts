import { CombinedGraphQLErrors, ServerError } from '@apollo/client';
import { expect, test } from 'vitest';
import { codeOf, explain, formErrors, wait } from './errors';
import { count, countries, isZero, money } from './format';
import { fragmentToken, localPath } from './paths';

const coded = (code: string) => new CombinedGraphQLErrors({ errors: [{ message: 'internal words', extensions: { code } }] });
const status = (statusCode: number) => new ServerError('no', { response: new Response(null, { status: statusCode }), bodyText: '' });

test('customers read sentences, never what a server says to programs', () => {
  expect(explain(coded('UNAVAILABLE'))).toMatch(/cannot be reached right now/);
  expect(explain(coded('SOMETHING_NEW'))).toBe(explain(new Error('internal words')));
  expect(explain(status(429))).toMatch(/wait a moment/);
  expect(explain(new TypeError('Failed to fetch'))).toMatch(/connection/);
  expect(codeOf(status(401))).toBe('UNAUTHENTICATED');
});

test('user errors stand at their fields, the others above the form', () => {
  const errors = [
    { code: 'TOO_SHORT', message: 'Too short.', field: ['input', 'password'] },
    { code: 'INVALID', message: 'Not this either.', field: ['input', 'password'] },
    { code: 'THROTTLED', message: 'Too many attempts.', field: null, retryAfter: 120 },
    { code: 'INVALID', message: 'No such key.', field: ['input', 'idempotencyKey'] },
  ];
  expect(formErrors(errors, ['email', 'password'])).toEqual({
    fields: { password: 'Too short.' },
    summary: 'Too many attempts. Try again in 2 minutes. No such key.',
  });
  expect([wait(1), wait(45), wait(900)]).toEqual(['1 second', '45 seconds', '15 minutes']);
});

test('money keeps its digits', () => {
  expect(money({ amount: '1299.00', currencyCode: 'EUR' }, 'en')).toBe('€1,299.00');
  expect(money({ amount: '90071992547409931.23', currencyCode: 'EUR' }, 'en')).toBe('€90,071,992,547,409,931.23');
  expect(money({ amount: '149.99', currencyCode: 'EUR' }, 'de')).toBe('149,99\u00a0€');
  expect(money({ amount: '1500', currencyCode: 'JPY' }, 'en')).toBe('¥1,500');
  expect([isZero({ amount: '0.00', currencyCode: 'EUR' }), isZero({ amount: '0.01', currencyCode: 'EUR' })]).toEqual([true, false]);
});

test('things are counted', () => {
  expect([count(1, 'item'), count(2, 'item'), count(0, 'child', 'children')]).toEqual(['1 item', '2 items', '0 children']);
  expect(countries.find((c) => c.code === 'DE')?.name).toBe('Germany');
});

test('a sign-in leads back to pages of the shop alone', () => {
  expect(localPath('/checkout')).toBe('/checkout');
  expect(['//evil.example', '/\\evil.example', 'https://evil.example', 'javascript:alert(1)', '', null].map(localPath)).toEqual(Array(6).fill('/'));
});

test('the secret of a link is behind the #', () => {
  expect(fragmentToken('#token=tok-en_42')).toBe('tok-en_42');
  expect(fragmentToken('#token=a%2Bb')).toBe('a+b');
  expect(fragmentToken('')).toBe('');
});
