// The demo accounts, and the tokens of those that are signed in: in memory only.

/** Account is one of the demo accounts of development. */
export interface Account {
  role: string;
  email: string;
  password: string;
}

interface Tokens {
  accessToken: string;
  accessTokenExpiresAt: string;
}

const tokens = new Map<string, Tokens>();

/** demoAccounts gives the accounts that the shop shows; none where it has no demo data. */
export async function demoAccounts(): Promise<Account[]> {
  const answer = await fetch('/playground/accounts.json');
  return answer.ok ? ((await answer.json()) as Account[]) : [];
}

const signIn = `mutation SignIn($input: SessionCreateInput!) {
  sessionCreate(input: $input) {
    tokens { accessToken accessTokenExpiresAt }
    userErrors { message }
  }
}`;

let current: Account | null = null;

/** askAs makes an account the one that asks, or nobody; signs in first. */
export async function askAs(account: Account | null): Promise<void> {
  if (account) {
    await tokenOf(account);
  }
  current = account;
}

/** authorization gives the header by which the graph knows who asks. */
export async function authorization(): Promise<Record<string, string>> {
  return current ? { Authorization: `Bearer ${await tokenOf(current)}` } : {};
}

// tokenOf gives a good access token of an account; signs in where there is none.
async function tokenOf(account: Account): Promise<string> {
  const kept = tokens.get(account.email);
  if (kept && Date.parse(kept.accessTokenExpiresAt) - Date.now() > 30_000) {
    return kept.accessToken;
  }
  const answer = await fetch('/graphql', {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ query: signIn, variables: { input: { email: account.email, password: account.password } } }),
  });
  const body = (await answer.json()) as {
    data?: { sessionCreate: { tokens: Tokens | null; userErrors: { message: string }[] } };
    errors?: { message: string }[];
  };
  const session = body.data?.sessionCreate;
  if (!session?.tokens) {
    throw new Error(session?.userErrors[0]?.message ?? body.errors?.[0]?.message ?? 'Signing in failed.');
  }
  tokens.set(account.email, session.tokens);
  return session.tokens.accessToken;
}
