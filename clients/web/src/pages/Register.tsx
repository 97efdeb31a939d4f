import { useMutation } from '@apollo/client/react';
import { graphql } from '@gql';
import { useState } from 'react';
import { Link, useSearchParams } from 'wouter';
import { Field, Notice, Submit } from '../components/basics';
import { useForm } from '../lib/form';
import { useTitle } from '../lib/title';

const USER_REGISTER = graphql(`
  mutation UserRegister($input: UserRegisterInput!) {
    userRegister(input: $input) {
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

/** Opens an account. */
export function Register() {
  useTitle('Create an account');
  const [params] = useSearchParams();
  const [register] = useMutation(USER_REGISTER);
  const [sent, setSent] = useState<string>();
  const form = useForm({ displayName: '', email: '', password: '' });
  const next = params.get('next');
  const signIn = next ? `/sign-in?next=${encodeURIComponent(next)}` : '/sign-in';
  const send = async () => {
    const { data } = await register({ variables: { input: form.values } });
    if (data?.userRegister.accepted) {
      setSent(form.values.email);
    }
    return data?.userRegister.userErrors ?? [];
  };
  if (sent !== undefined) {
    return (
      <div className="narrow panel">
        <h1>Look into your mail</h1>
        <p>
          We have sent a message to <strong>{sent}</strong>. Follow the link in it to confirm your address; then you can sign in and order.
        </p>
        <p className="panel-links">
          <Link href={signIn}>Sign in</Link>
        </p>
      </div>
    );
  }
  return (
    <div className="narrow panel">
      <h1>Create an account</h1>
      <p className="soft">For orders, their history, and an address book.</p>
      <form onSubmit={form.submit(send)}>
        {form.errors.summary && <Notice kind="error">{form.errors.summary}</Notice>}
        <Field label="Your name" autoComplete="name" required maxLength={100} {...form.input('displayName')} />
        <Field label="E-mail address" type="email" autoComplete="email" required {...form.input('email')} />
        <Field label="Password" type="password" autoComplete="new-password" required minLength={12} maxLength={128} hint="12 characters or more; a few words in a row are good." {...form.input('password')} />
        <Submit busy={form.busy} className="button button-primary button-large button-wide">
          Create account
        </Submit>
      </form>
      <p className="panel-links">
        <Link href={signIn}>I have an account</Link>
      </p>
    </div>
  );
}
