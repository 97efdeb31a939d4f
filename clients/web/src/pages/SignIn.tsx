import { useMutation } from '@apollo/client/react';
import { graphql } from '@gql';
import { useState } from 'react';
import { Link, useLocation, useSearchParams } from 'wouter';
import { Field, Notice, Submit } from '../components/basics';
import { signedInWith } from '../lib/account';
import { guestToken } from '../lib/cart';
import type { UserError } from '../lib/errors';
import { useForm } from '../lib/form';
import { localPath } from '../lib/paths';
import type { Tokens } from '../lib/session';
import { useTitle } from '../lib/title';

const SESSION_CREATE = graphql(`
  mutation SessionCreate($input: SessionCreateInput!) {
    sessionCreate(input: $input) {
      tokens {
        accessToken
        accessTokenExpiresAt
        refreshToken
      }
      challenge {
        token
        expiresAt
      }
      userErrors {
        code
        message
        field
        ... on ThrottledError {
          retryAfter
        }
      }
    }
  }
`);

const SESSION_CONFIRM = graphql(`
  mutation SessionConfirm($input: SessionConfirmInput!) {
    sessionConfirm(input: $input) {
      tokens {
        accessToken
        accessTokenExpiresAt
        refreshToken
      }
      userErrors {
        code
        message
        field
        ... on ThrottledError {
          retryAfter
        }
      }
    }
  }
`);

/** Signs in: the password first, then the code of the second factor where the account has one. */
export function SignIn() {
  useTitle('Sign in');
  const [challenge, setChallenge] = useState<string>();
  const [params] = useSearchParams();
  const [, navigate] = useLocation();
  const done = async (tokens: Tokens) => {
    await signedInWith(tokens);
    navigate(localPath(params.get('next')), { replace: true });
  };
  return (
    <div className="narrow panel">
      {challenge === undefined ? (
        <Password onChallenge={setChallenge} onTokens={done} />
      ) : (
        <Code challenge={challenge} onTokens={done} onAgain={() => setChallenge(undefined)} />
      )}
    </div>
  );
}

function Password({ onChallenge, onTokens }: { onChallenge: (token: string) => void; onTokens: (tokens: Tokens) => Promise<void> }) {
  const [params] = useSearchParams();
  const [create] = useMutation(SESSION_CREATE);
  const form = useForm({ email: '', password: '' });
  const send = async (): Promise<readonly UserError[]> => {
    const { data } = await create({ variables: { input: { ...form.values, cartToken: guestToken() ?? null } } });
    const answer = data?.sessionCreate;
    if (answer?.challenge) {
      onChallenge(answer.challenge.token);
    } else if (answer?.tokens) {
      await onTokens(answer.tokens);
    }
    return answer?.userErrors ?? [];
  };
  const next = params.get('next');
  return (
    <>
      <h1>Welcome back</h1>
      {next && <p className="soft">Sign in to go on. What is in your cart comes along.</p>}
      <form onSubmit={form.submit(send)}>
        {form.errors.summary && <Notice kind="error">{form.errors.summary}</Notice>}
        <Field label="E-mail address" type="email" autoComplete="username" required {...form.input('email')} />
        <Field label="Password" type="password" autoComplete="current-password" required {...form.input('password')} />
        <Submit busy={form.busy} className="button button-primary button-large button-wide">
          Sign in
        </Submit>
      </form>
      <p className="panel-links">
        <Link href="/forgot-password">Forgot your password?</Link>
        <Link href={next ? `/register?next=${encodeURIComponent(next)}` : '/register'}>Create an account</Link>
      </p>
    </>
  );
}

interface CodeProps {
  challenge: string;
  onTokens: (tokens: Tokens) => Promise<void>;
  onAgain: () => void;
}

function Code({ challenge, onTokens, onAgain }: CodeProps) {
  const [confirm] = useMutation(SESSION_CONFIRM);
  const form = useForm({ code: '' });
  const send = async (): Promise<readonly UserError[]> => {
    const { data } = await confirm({ variables: { input: { challenge, code: form.values.code, cartToken: guestToken() ?? null } } });
    if (data?.sessionConfirm.tokens) {
      await onTokens(data.sessionConfirm.tokens);
    }
    return data?.sessionConfirm.userErrors ?? [];
  };
  return (
    <>
      <h1>One more step</h1>
      <p className="soft">Open your authenticator app and type the six digits that it shows for TechMart. A recovery code will do, too.</p>
      <form onSubmit={form.submit(send)}>
        {form.errors.summary && <Notice kind="error">{form.errors.summary}</Notice>}
        <Field label="Code" autoComplete="one-time-code" required maxLength={40} {...form.input('code')} />
        <Submit busy={form.busy} className="button button-primary button-large button-wide">
          Confirm
        </Submit>
      </form>
      <p className="panel-links">
        <button type="button" className="link" onClick={onAgain}>
          Sign in as somebody else
        </button>
      </p>
    </>
  );
}
