/** What of a variant the choice needs. */
export interface Choosable {
  id: string;
  available: boolean;
  selectedOptions: readonly { name: string; value: string }[];
}

/** Whether a variant has these values of its options. */
const has = (variant: Choosable, wanted: ReadonlyMap<string, string>): boolean =>
  [...wanted].every(([name, value]) => variant.selectedOptions.some((o) => o.name === name && o.value === value));

/** The variant to show first: the one asked for, else the first that can be bought. */
export function first<V extends Choosable>(variants: readonly V[], id: string | null): V | undefined {
  return variants.find((v) => v.id === id) ?? variants.find((v) => v.available) ?? variants[0];
}

/**
 * The variant after one option was changed: with the other options as they were, where there is such a variant,
 * else one with the new value that shares as much as possible with the old one and can be bought.
 */
export function change<V extends Choosable>(variants: readonly V[], from: V, name: string, value: string): V {
  const wanted = new Map(from.selectedOptions.map((o) => [o.name, o.value]));
  wanted.set(name, value);
  const exact = variants.find((v) => has(v, wanted));
  if (exact) {
    return exact;
  }
  const shared = (v: Choosable) => v.selectedOptions.filter((o) => wanted.get(o.name) === o.value).length + (v.available ? 0.5 : 0);
  const candidates = variants.filter((v) => has(v, new Map([[name, value]])));
  return candidates.reduce((best, v) => (shared(v) > shared(best) ? v : best), candidates[0] ?? from);
}

/** Whether a value of an option leads to something that can be bought, the other options staying as they are. */
export function buyable(variants: readonly Choosable[], from: Choosable, name: string, value: string): boolean {
  const wanted = new Map(from.selectedOptions.map((o) => [o.name, o.value]));
  wanted.set(name, value);
  return variants.some((v) => v.available && has(v, wanted));
}
