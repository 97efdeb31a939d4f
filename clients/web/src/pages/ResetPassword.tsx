import { useMutation } from '@apollo/client/react';
import { graphql } from '@gql';
import { useState } from 'react';
import { Link } from 'wouter';
import { Field, Notice, Submit } from '../components/basics';
import { anew } from '../lib/account';
import { session } from '../lib/client';
import { useForm } from '../lib/form';
import { fragmentToken } from '../lib/paths';
import { useTitle } from '../lib/title';

const RESET_PASSWORD = graphql(`
  mutation UserResetPassword($input: UserResetPasswordInput!) {
    userResetPassword(input: $input) {
      user {
        id
      }
      userErrors {
        code
        message
        field
      }
    }
  }
`);

/** Where the link of the reset e-mail leads. */
export function ResetPassword() {
  useTitle('Choose a new password');
  const [token] = useState(() => fragmentToken(location.hash));
  const [reset] = useMutation(RESET_PASSWORD);
  const [done, setDone] = useState(false);
  const form = useForm({ newPassword: '' });
  const send = async () => {
    const { data } = await reset({ variables: { input: { token, ...form.values } } });
    const answer = data?.userResetPassword;
    if (answer && answer.userErrors.length === 0) {
      setDone(true);
      session.end(); // all sessions have ended at the shop, too
      await anew();
    }
    return answer?.userErrors ?? [];
  };
  if (done) {
    return (
      <div className="narrow panel">
        <h1>Done</h1>
        <p>Your new password holds, and you are signed out everywhere.</p>
        <Link href="/sign-in" className="button button-primary button-large button-wide">
          Sign in
        </Link>
      </div>
    );
  }
  return (
    <div className="narrow panel">
      <h1>Choose a new password</h1>
      {token === '' ? (
        <Notice kind="warning">
          This link is not whole. <Link href="/forgot-password">Ask for a new one</Link>.
        </Notice>
      ) : (
        <form onSubmit={form.submit(send)}>
          {form.errors.summary && (
            <Notice kind="error">
              {form.errors.summary} <Link href="/forgot-password">Ask for a new link</Link>
            </Notice>
          )}
          <Field label="New password" type="password" autoComplete="new-password" required minLength={12} maxLength={128} hint="12 characters or more; a few words in a row are good." {...form.input('newPassword')} />
          <Submit busy={form.busy} className="button button-primary button-large button-wide">
            Save it
          </Submit>
        </form>
      )}
    </div>
  );
}
