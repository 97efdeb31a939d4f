import { expect, test } from 'vitest';
import { buyable, change, first } from './variants';

const variant = (id: string, available: boolean, colour: string, size: string) => ({
  id,
  available,
  selectedOptions: [
    { name: 'Colour', value: colour },
    { name: 'Size', value: size },
  ],
});

const black = variant('black-s', false, 'Black', 'S');
const blackLarge = variant('black-l', true, 'Black', 'L');
const sand = variant('sand-l', true, 'Sand', 'L');
const rose = variant('rose-m', false, 'Rose', 'M');
const all = [black, blackLarge, sand, rose];

test('the first is the one asked for, else one that can be bought', () => {
  expect(first(all, 'rose-m')).toBe(rose);
  expect(first(all, 'gone')).toBe(blackLarge);
  expect(first([black, rose], null)).toBe(black);
  expect(first(all.slice(4), null)).toBeUndefined();
});

test('a changed option keeps the others where there is such a variant', () => {
  expect(change(all, blackLarge, 'Size', 'S')).toBe(black);
  expect(change(all, black, 'Colour', 'Sand')).toBe(sand);
  expect(change(all, sand, 'Colour', 'Rose')).toBe(rose);
});

test('what cannot be bought is known beforehand', () => {
  expect(buyable(all, blackLarge, 'Colour', 'Sand')).toBe(true);
  expect(buyable(all, blackLarge, 'Size', 'S')).toBe(false);
});
