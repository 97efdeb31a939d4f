// What is deprecated, and until when it stays. A reason says so in a form of its own:
// "Use x. Removed after 2027-03-31".
import { isEnumType, isInputObjectType, isInterfaceType, isObjectType } from 'graphql';

/** How many days a deprecation stays at least, from the release that first has it. */
export const PERIOD = 90;

const DATE = /\bRemoved after (\d{4}-\d{2}-\d{2})\b/;

/** The day of a date, as 2027-03-31. */
export const day = (date) => date.toISOString().slice(0, 10);

/** The day after which a reason allows the removal; undefined where it names none that there is. */
export function until(reason) {
  const found = DATE.exec(reason ?? '')?.[1];
  const date = found && new Date(`${found}T00:00:00Z`);
  return date && !Number.isNaN(date.getTime()) && day(date) === found ? found : undefined;
}

/** Every deprecated field, argument, input field and value: its coordinate, such as Product.title, and its reason. */
export function deprecations(schema) {
  const found = new Map();
  const note = (coordinate, { deprecationReason }) => {
    if (deprecationReason != null) found.set(coordinate, deprecationReason);
  };
  for (const type of Object.values(schema.getTypeMap())) {
    if (type.name.startsWith('__')) continue;
    if (isEnumType(type)) for (const value of type.getValues()) note(`${type.name}.${value.name}`, value);
    if (!isObjectType(type) && !isInterfaceType(type) && !isInputObjectType(type)) continue;
    for (const field of Object.values(type.getFields())) {
      note(`${type.name}.${field.name}`, field);
      for (const arg of field.args ?? []) note(`${type.name}.${field.name}.${arg.name}`, arg);
    }
  }
  return found;
}

/** Faults of deprecations: no date, or one that comes earlier than the released one. */
export function checkDates(released, current) {
  const before = deprecations(released);
  const faults = [];
  for (const [coordinate, reason] of deprecations(current)) {
    const date = until(reason);
    const promised = until(before.get(coordinate));
    if (!date) {
      faults.push(`${coordinate}: the reason of @deprecated says what to use instead and ends "Removed after YYYY-MM-DD"; it is "${reason}".`);
    } else if (promised && date < promised) {
      faults.push(`${coordinate}: it was released with "Removed after ${promised}" and cannot go earlier, on ${date}.`);
    }
  }
  return faults;
}

/** Faults of a release on a day: what it deprecates for the first time stays for the period. */
export function checkPeriod(released, current, today) {
  const before = deprecations(released);
  const earliest = day(new Date(Date.parse(`${today}T00:00:00Z`) + PERIOD * 24 * 60 * 60 * 1000));
  return [...deprecations(current)]
    .filter(([coordinate, reason]) => !before.has(coordinate) && until(reason) < earliest)
    .map(([coordinate]) => `${coordinate} is deprecated for the first time: it stays for ${PERIOD} days, "Removed after ${earliest}" or later.`);
}
