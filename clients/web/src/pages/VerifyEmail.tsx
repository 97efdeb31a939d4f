import { useMutation } from '@apollo/client/react';
import { graphql } from '@gql';
import { useState } from 'react';
import { Link } from 'wouter';
import { Field, Notice, Submit } from '../components/basics';
import { useForm } from '../lib/form';
import { fragmentToken } from '../lib/paths';
import { useTitle } from '../lib/title';

const USER_VERIFY_EMAIL = graphql(`
  mutation UserVerifyEmail($input: UserVerifyEmailInput!) {
    userVerifyEmail(input: $input) {
      user {
        id
        emailVerified
      }
      userErrors {
        code
        message
        field
      }
    }
  }
`);

const REQUEST_VERIFICATION = graphql(`
  mutation UserRequestEmailVerification($input: UserRequestEmailVerificationInput!) {
    userRequestEmailVerification(input: $input) {
      accepted
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

/** Where the link of the first e-mail leads. A press of the button confirms, so that no mail scanner does. */
export function VerifyEmail() {
  useTitle('Confirm your address');
  const [token] = useState(() => fragmentToken(location.hash));
  const [verify] = useMutation(USER_VERIFY_EMAIL);
  const [done, setDone] = useState(false);
  const form = useForm({});
  const send = async () => {
    const { data } = await verify({ variables: { input: { token } } });
    setDone(Boolean(data?.userVerifyEmail.user));
    return data?.userVerifyEmail.userErrors ?? [];
  };
  if (done) {
    return (
      <div className="narrow panel">
        <h1>Thank you</h1>
        <p>Your address is confirmed.</p>
        <Link href="/sign-in" className="button button-primary button-large button-wide">
          Sign in
        </Link>
      </div>
    );
  }
  return (
    <div className="narrow panel">
      <h1>Confirm your address</h1>
      {token !== '' && (
        <form onSubmit={form.submit(send)}>
          <p className="soft">One press, and your account is ready.</p>
          {form.errors.summary && <Notice kind="error">{form.errors.summary}</Notice>}
          <Submit busy={form.busy} className="button button-primary button-large button-wide">
            Confirm my address
          </Submit>
        </form>
      )}
      {(token === '' || form.errors.summary) && <Again />}
    </div>
  );
}

function Again() {
  const [request] = useMutation(REQUEST_VERIFICATION);
  const [sent, setSent] = useState(false);
  const form = useForm({ email: '' });
  const send = async () => {
    const { data } = await request({ variables: { input: form.values } });
    setSent(Boolean(data?.userRequestEmailVerification.accepted));
    return data?.userRequestEmailVerification.userErrors ?? [];
  };
  if (sent) {
    return <Notice kind="success">Where this address waits for it, a new message is on its way.</Notice>;
  }
  return (
    <form onSubmit={form.submit(send)}>
      <p className="soft">Links work for two days. We are glad to send you a new one.</p>
      {form.errors.summary && <Notice kind="error">{form.errors.summary}</Notice>}
      <Field label="E-mail address" type="email" autoComplete="email" required {...form.input('email')} />
      <Submit busy={form.busy} className="button">
        Send a new link
      </Submit>
    </form>
  );
}
