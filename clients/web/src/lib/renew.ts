import { graphql } from '@gql';
import type { SessionRefreshMutation } from '@gql/graphql';
import { print } from 'graphql';
import { persisted } from './operations';
import type { Tokens } from './session';

const SESSION_REFRESH = graphql(`
  mutation SessionRefresh($input: SessionRefreshInput!) {
    sessionRefresh(input: $input) {
      tokens {
        accessToken
        accessTokenExpiresAt
        refreshToken
      }
      userErrors {
        code
        message
        field
      }
    }
  }
`);

/** Exchanges a refresh token; see [Renew]. It goes around the client, which waits for its outcome. */
export async function renewTokens(endpoint: string, headers: Record<string, string>, refreshToken: string): Promise<Tokens | undefined> {
  const operationName = 'SessionRefresh';
  const named = import.meta.env.DEV ? { query: print(SESSION_REFRESH) } : { extensions: persisted(operationName) };
  const response = await fetch(endpoint, {
    method: 'POST',
    headers: { ...headers, 'Content-Type': 'application/json' },
    body: JSON.stringify({ operationName, ...named, variables: { input: { refreshToken } } }),
  });
  const { data } = (await response.json()) as { data?: SessionRefreshMutation | null };
  if (!data) {
    throw new Error('The session could not be renewed.');
  }
  return data.sessionRefresh.tokens ?? undefined;
}
