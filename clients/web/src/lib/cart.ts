import { skipToken, useMutation, useQuery } from '@apollo/client/react';
import { graphql, readFragment } from '@gql';
import { useCallback, useSyncExternalStore } from 'react';
import { client, session } from './client';
import { slot } from './storage';

/** The secret of a guest's cart; an account's cart needs none. */
const guestCart = slot<{ token: string }>('cart');

/** The token of the cart to use now: null for an account's own, and for a guest who has none yet. */
export const cartToken = (): string | null => (session.signedIn() ? null : (guestCart.read()?.token ?? null));

/** The guest's token, for the sign-in that merges the cart into the account's. */
export const guestToken = (): string | undefined => guestCart.read()?.token;

/** Forgets the guest's cart, once it is merged. */
export const forgetGuestCart = (): void => guestCart.write(undefined);

const CART_CONTENT = graphql(`
  fragment CartContent on Cart {
    id
    token
    totalQuantity
    discountCodes {
      code
      applicable
      reason
    }
    shippingCountry
    shippingMethod {
      code
    }
    total {
      amount
      currencyCode
    }
    ...CartLines
    ...CartTotals
  }
`);

export const CART = graphql(`
  query Cart($token: String) {
    cart(token: $token) {
      ...CartContent
    }
  }
`);

const ADD = graphql(`
  mutation CartLinesAdd($input: CartLinesAddInput!) {
    cartLinesAdd(input: $input) {
      cart {
        ...CartContent
      }
      userErrors {
        code
        message
        field
      }
    }
  }
`);

/** Watches the cart. */
export function useCart() {
  const token = useSyncExternalStore(subscribeToToken, cartToken);
  const signedIn = useSyncExternalStore(session.subscribe, session.signedIn);
  const { data, loading, error, refetch } = useQuery(
    CART,
    signedIn || token ? { variables: { token }, fetchPolicy: 'cache-and-network', nextFetchPolicy: 'cache-first' } : skipToken,
  );
  const found = signedIn || token ? readFragment(CART_CONTENT, data?.cart) : null;
  return { cart: found ?? null, loading: loading && !data, error, refetch };
}

function subscribeToToken(listener: () => void): () => void {
  const ends = [guestCart.subscribe(listener), session.subscribe(listener)];
  return () => ends.forEach((end) => end());
}

/** Puts a variant into the cart; gives the user errors. */
export function useAddToCart() {
  const [add, { loading }] = useMutation(ADD);
  const run = useCallback(
    async (variantId: string, quantity: number) => {
      const { data } = await add({
        variables: { input: { cartToken: cartToken(), lines: [{ variantId, quantity }], idempotencyKey: newKey() } },
      });
      const payload = data?.cartLinesAdd;
      if (payload?.cart) {
        const token = readFragment(CART_CONTENT, payload.cart).token;
        client.cache.writeQuery({ query: CART, variables: { token }, data: { cart: payload.cart } });
        if (token) {
          guestCart.write({ token });
        }
      }
      return payload?.userErrors ?? [];
    },
    [add],
  );
  return [run, loading] as const;
}

/** A key that makes a mutation safe to repeat. */
export function newKey(): string {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((b) => b.toString(16).padStart(2, '0')).join('');
}
