import { expect, test } from 'vitest';
import { Session, type Tokens } from './session';
import type { Slot } from './storage';

const start = Date.parse('2026-03-01T09:00:00Z');
const tokens = (n: number, minutes = 15): Tokens => ({
  accessToken: `access-${n}`,
  accessTokenExpiresAt: new Date(start + minutes * 60_000).toISOString(),
  refreshToken: `refresh-${n}`,
});

/** A place that several sessions share, as tabs share the browser's. */
function place(): Slot<Tokens> {
  let value: Tokens | undefined;
  return { read: () => value, write: (next) => void (value = next), subscribe: () => () => undefined };
}

/** One turn after another, as the browser's locks give them. */
function turns() {
  let last: Promise<unknown> = Promise.resolve();
  return <T>(work: () => Promise<T>): Promise<T> => {
    const turn = last.then(work);
    last = turn.catch(() => undefined);
    return turn;
  };
}

test('a guest has no token, and nobody is asked for one', async () => {
  const session = new Session(() => Promise.reject(new Error('asked')), place());
  expect(await session.accessToken()).toBeUndefined();
  expect(session.signedIn()).toBe(false);
});

test('a token that is good for a while is used as it is', async () => {
  const session = new Session(() => Promise.reject(new Error('asked')), place(), turns(), () => start);
  session.begin(tokens(1));
  expect(await session.accessToken()).toBe('access-1');
});

test('tabs renew a token once, however many ask', async () => {
  const shared = place();
  const exclusive = turns();
  const asked: string[] = [];
  const renew = (refreshToken: string) => {
    asked.push(refreshToken);
    return Promise.resolve(tokens(2));
  };
  const tabs = [1, 2, 3].map(() => new Session(renew, shared, exclusive, () => start));
  tabs[0]?.begin(tokens(1, 0));
  const got = await Promise.all([...tabs, ...tabs].map((tab) => tab.accessToken()));
  expect(new Set(got)).toEqual(new Set(['access-2']));
  expect(asked).toEqual(['refresh-1']);
});

test('a token that was refused is renewed, unless that has happened', async () => {
  const asked: string[] = [];
  const renew = (refreshToken: string) => {
    asked.push(refreshToken);
    return Promise.resolve(tokens(2));
  };
  const session = new Session(renew, place(), turns(), () => start);
  session.begin(tokens(1));
  expect(await session.renewed('access-1')).toBe('access-2');
  expect(await session.renewed('access-1')).toBe('access-2');
  expect(asked).toEqual(['refresh-1']);
});

test('a session that cannot be renewed is over, and says so until the next sign-in', async () => {
  const session = new Session(() => Promise.resolve(undefined), place(), turns(), () => start);
  session.begin(tokens(1, 0));
  expect(await session.accessToken()).toBeUndefined();
  expect([session.signedIn(), session.ended()]).toEqual([false, true]);
  session.begin(tokens(3));
  expect([session.signedIn(), session.ended()]).toEqual([true, false]);
  session.end();
  expect(session.ended()).toBe(false);
});

test('a shop that does not answer ends no session', async () => {
  const session = new Session(() => Promise.reject(new TypeError('no network')), place(), turns(), () => start);
  session.begin(tokens(1, 0));
  await expect(session.accessToken()).rejects.toThrow('no network');
  expect(session.signedIn()).toBe(true);
});
