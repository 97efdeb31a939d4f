import { skipToken, useQuery } from '@apollo/client/react';
import { graphql } from '@gql';
import { useSyncExternalStore } from 'react';
import { forgetGuestCart } from './cart';
import { client, reconnect, session } from './client';
import type { Tokens } from './session';

const ME = graphql(`
  query Me {
    me {
      id
      displayName
      email
      emailVerified
    }
  }
`);

const SESSION_REVOKE = graphql(`
  mutation SessionRevoke {
    sessionRevoke(input: {}) {
      revokedSessionId
      userErrors {
        code
        message
        field
      }
    }
  }
`);

/** Whether somebody is signed in. */
export const useSignedIn = (): boolean => useSyncExternalStore(session.subscribe, session.signedIn);

/** Who is signed in; undefined for a guest, and while that is being asked. */
export function useMe() {
  const signedIn = useSignedIn();
  const { data } = useQuery(ME, signedIn ? {} : skipToken);
  return signedIn ? (data?.me ?? undefined) : undefined;
}

/** Goes on as who has just signed in. */
export async function signedInWith(tokens: Tokens): Promise<void> {
  session.begin(tokens);
  forgetGuestCart();
  await anew();
}

/** Signs out, at the shop where it can be reached and here. It does not wait for what is read anew as a guest. */
export async function signOut(): Promise<void> {
  await client.mutate({ mutation: SESSION_REVOKE }).catch(() => undefined);
  session.end();
  void anew();
}

/** Forgets what was read as somebody else. */
export async function anew(): Promise<void> {
  reconnect();
  await client.resetStore().catch(() => undefined);
}
