import { slot, type Slot } from './storage';

/** The tokens of a session, as sessionCreate and sessionRefresh give them. */
export interface Tokens {
  accessToken: string;
  accessTokenExpiresAt: string;
  refreshToken: string;
}

/** Exchanges a refresh token; undefined where it is not good any more. It throws where that cannot be told. */
export type Renew = (refreshToken: string) => Promise<Tokens | undefined>;

/** Runs work while no other tab does. */
export type Exclusive = <T>(work: () => Promise<T>) => Promise<T>;

// An access token is renewed a little before its end, so that none expires on its way.
const margin = 30_000;

/**
 * Session holds who is signed in. A refresh token works once, and its second use ends the session, so that tabs
 * take turns: whoever waited finds the new tokens of the one before.
 */
export class Session {
  readonly #tokens: Slot<Tokens>;
  readonly #renew: Renew;
  readonly #exclusive: Exclusive;
  readonly #now: () => number;
  #ended = false;

  constructor(renew: Renew, tokens: Slot<Tokens> = slot<Tokens>('session'), exclusive: Exclusive = inTurn, now: () => number = Date.now) {
    this.#renew = renew;
    this.#tokens = tokens;
    this.#exclusive = exclusive;
    this.#now = now;
  }

  /** Whether somebody is signed in, as far as this browser knows. */
  readonly signedIn = (): boolean => this.#tokens.read() !== undefined;

  /** Whether the session ended by itself since the last sign-in, not by signing out. */
  readonly ended = (): boolean => this.#ended && !this.signedIn();

  readonly subscribe = (listener: () => void): (() => void) => this.#tokens.subscribe(listener);

  begin(tokens: Tokens): void {
    const { accessToken, accessTokenExpiresAt, refreshToken } = tokens;
    this.#ended = false;
    this.#tokens.write({ accessToken, accessTokenExpiresAt, refreshToken });
  }

  end(): void {
    this.#tokens.write(undefined);
  }

  /** Gives an access token that is good for a while; undefined for a guest. */
  async accessToken(): Promise<string | undefined> {
    const tokens = this.#tokens.read();
    if (!tokens || this.#fresh(tokens)) {
      return tokens?.accessToken;
    }
    return this.renewed(tokens.accessToken);
  }

  /** Gives another access token than the one that was refused; undefined where the session is over. */
  async renewed(refused: string): Promise<string | undefined> {
    return this.#exclusive(async () => {
      const tokens = this.#tokens.read();
      if (!tokens || tokens.accessToken !== refused) {
        return tokens?.accessToken;
      }
      const next = await this.#renew(tokens.refreshToken);
      if (next) {
        this.begin(next);
      } else {
        this.#ended = true;
        this.end();
      }
      return next?.accessToken;
    });
  }

  #fresh(tokens: Tokens): boolean {
    return Date.parse(tokens.accessTokenExpiresAt) - this.#now() > margin;
  }
}

let last: Promise<unknown> = Promise.resolve();

/** Takes turns among tabs where the browser has locks (secure contexts), and within this page otherwise. */
function inTurn<T>(work: () => Promise<T>): Promise<T> {
  if ('locks' in navigator) {
    return navigator.locks.request('techmart.session', work);
  }
  const turn = last.then(work, work);
  last = turn.catch(() => undefined);
  return turn;
}
