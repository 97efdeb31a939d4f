import { expect, test } from 'vitest';
import { chosen, choices, cleared, toggle, whereOf } from './filters';

const params = (text: string) => new URLSearchParams(text);

test.each([
  ['q=lamp', undefined],
  ['category=cat_1&category=cat_2', { categoryIds: ['cat_1', 'cat_2'] }],
  ['vendor=Quill+%26+Ohm', { vendors: ['Quill & Ohm'] }],
  ['price=50-100', { price: { gte: '50', lte: '100' } }],
  ['price=-50', { price: { lte: '50' } }],
  ['price=1000-', { price: { gte: '1000' } }],
  ['price=cheap', undefined],
  ['rating=4', { ratingAtLeast: 4 }],
  ['rating=9', undefined],
  ['available=true', { available: true }],
  ['available=perhaps', undefined],
  ['a.bluetooth=5.3&a.anc=yes&a.anc=adaptive', { attributes: [{ key: 'anc', values: ['yes', 'adaptive'] }, { key: 'bluetooth', values: ['5.3'] }] }],
])('%s', (text, where) => {
  expect(whereOf(params(text))).toEqual(where);
});

test('a category is a filter, too', () => {
  expect(whereOf(params('available=false'), 'laptops')).toEqual({ categorySlug: 'laptops', available: false });
});

test('values of brands add up, prices replace each other', () => {
  let p = toggle(params('q=lamp'), 'vendor', 'A');
  p = toggle(p, 'vendor', 'B');
  p = toggle(p, 'price', '0-50');
  p = toggle(p, 'price', '50-100');
  p = toggle(p, 'colour', 'red');
  p = toggle(p, 'colour', 'blue');
  expect([...p]).toEqual([['q', 'lamp'], ['vendor', 'A'], ['vendor', 'B'], ['price', '50-100'], ['a.colour', 'red'], ['a.colour', 'blue']]);
  expect(chosen(p, 'colour', 'red')).toBe(true);
  expect([...toggle(p, 'vendor', 'A').getAll('vendor')]).toEqual(['B']);
  expect(choices(p)).toContainEqual({ facet: 'colour', value: 'blue' });
  expect(cleared(p).toString()).toBe('q=lamp');
});
