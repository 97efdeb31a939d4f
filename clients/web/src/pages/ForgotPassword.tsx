import { useMutation } from '@apollo/client/react';
import { graphql } from '@gql';
import { useState } from 'react';
import { Link } from 'wouter';
import { Field, Notice, Submit } from '../components/basics';
import { useForm } from '../lib/form';
import { useTitle } from '../lib/title';

const REQUEST_RESET = graphql(`
  mutation UserRequestPasswordReset($input: UserRequestPasswordResetInput!) {
    userRequestPasswordReset(input: $input) {
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

/** Asks for the e-mail that lets one choose a new password. */
export function ForgotPassword() {
  useTitle('Forgot your password');
  const [request] = useMutation(REQUEST_RESET);
  const [sent, setSent] = useState(false);
  const form = useForm({ email: '' });
  const send = async () => {
    const { data } = await request({ variables: { input: form.values } });
    setSent(Boolean(data?.userRequestPasswordReset.accepted));
    return data?.userRequestPasswordReset.userErrors ?? [];
  };
  return (
    <div className="narrow panel">
      <h1>A new password</h1>
      {sent ? (
        <Notice kind="success">If there is an account with this address, a message with a link is on its way. It works for an hour.</Notice>
      ) : (
        <form onSubmit={form.submit(send)}>
          <p className="soft">Tell us your address, and we send you a link.</p>
          {form.errors.summary && <Notice kind="error">{form.errors.summary}</Notice>}
          <Field label="E-mail address" type="email" autoComplete="email" required {...form.input('email')} />
          <Submit busy={form.busy} className="button button-primary button-large button-wide">
            Send the link
          </Submit>
        </form>
      )}
      <p className="panel-links">
        <Link href="/sign-in">Back to signing in</Link>
      </p>
    </div>
  );
}
