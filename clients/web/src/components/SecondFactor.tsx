import { useMutation } from '@apollo/client/react';
import { graphql, readFragment, type FragmentType } from '@gql';
import { useState } from 'react';
import { useForm } from '../lib/form';
import { day } from '../lib/format';
import { Field, Notice, Submit } from './basics';

const STATE = graphql(`
  fragment SecondFactorState on User {
    id
    secondFactor {
      enabledAt
      recoveryCodesLeft
    }
  }
`);

const ENROLL = graphql(`
  mutation SecondFactorEnroll($input: SecondFactorEnrollInput!) {
    secondFactorEnroll(input: $input) {
      secret
      uri
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

const CONFIRM = graphql(`
  mutation SecondFactorConfirm($input: SecondFactorConfirmInput!) {
    secondFactorConfirm(input: $input) {
      user {
        ...SecondFactorState
      }
      recoveryCodes
      userErrors {
        code
        message
        field
      }
    }
  }
`);

const DISABLE = graphql(`
  mutation SecondFactorDisable($input: SecondFactorDisableInput!) {
    secondFactorDisable(input: $input) {
      user {
        ...SecondFactorState
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

/** The second factor of sign-ins: on, off, and what is to be kept. */
export function SecondFactor({ user }: { user: FragmentType<typeof STATE> }) {
  const { secondFactor } = readFragment(STATE, user);
  const [codes, setCodes] = useState<readonly string[]>();
  return (
    <section className="panel" aria-labelledby="factor">
      <h2 id="factor">Second factor</h2>
      {codes && (
        <Notice kind="success">
          <p>It is on. Keep these codes where your phone is not; each works once. They are shown this once.</p>
          <ul className="recovery">
            {codes.map((code) => (
              <li key={code}>
                <code>{code}</code>
              </li>
            ))}
          </ul>
        </Notice>
      )}
      {secondFactor ? (
        <>
          <p className="soft">
            On since {day(secondFactor.enabledAt)}; {secondFactor.recoveryCodesLeft} recovery codes left.
          </p>
          <Disable />
        </>
      ) : (
        <Enable onCodes={setCodes} />
      )}
    </section>
  );
}

function Enable({ onCodes }: { onCodes: (codes: readonly string[]) => void }) {
  const [enroll] = useMutation(ENROLL);
  const [confirm] = useMutation(CONFIRM);
  const [secret, setSecret] = useState<{ secret: string; uri: string }>();
  const form = useForm({ password: '', code: '' });
  const send = async () => {
    if (!secret) {
      const { data } = await enroll({ variables: { input: { password: form.values.password } } });
      const answer = data?.secondFactorEnroll;
      if (answer?.secret && answer.uri) {
        setSecret({ secret: answer.secret, uri: answer.uri });
      }
      return answer?.userErrors ?? [];
    }
    const { data } = await confirm({ variables: { input: { code: form.values.code } } });
    if (data?.secondFactorConfirm.recoveryCodes) {
      onCodes(data.secondFactorConfirm.recoveryCodes);
    }
    return data?.secondFactorConfirm.userErrors ?? [];
  };
  return (
    <form onSubmit={form.submit(send)}>
      <p className="soft">With a code of your authenticator app, a password alone opens nothing.</p>
      {form.errors.summary && <Notice kind="error">{form.errors.summary}</Notice>}
      {secret ? (
        <>
          <p>
            Type this into your app, or <a href={secret.uri}>open it there</a>:
          </p>
          <p>
            <code className="secret">{secret.secret.replace(/(.{4})/g, '$1 ')}</code>
          </p>
          <Field label="Code that it shows" inputMode="numeric" autoComplete="one-time-code" required maxLength={10} {...form.input('code')} />
        </>
      ) : (
        <Field label="Your password" type="password" autoComplete="current-password" required {...form.input('password')} />
      )}
      <Submit busy={form.busy} className="button">
        {secret ? 'Turn it on' : 'Set it up'}
      </Submit>
    </form>
  );
}

function Disable() {
  const [disable] = useMutation(DISABLE);
  const form = useForm({ password: '', code: '' });
  const send = async () => {
    const { data } = await disable({ variables: { input: form.values } });
    return data?.secondFactorDisable.userErrors ?? [];
  };
  return (
    <form onSubmit={form.submit(send)}>
      {form.errors.summary && <Notice kind="error">{form.errors.summary}</Notice>}
      <Field label="Your password" type="password" autoComplete="current-password" required {...form.input('password')} />
      <Field label="Code" autoComplete="one-time-code" required maxLength={40} {...form.input('code')} />
      <Submit busy={form.busy} className="button">
        Turn it off
      </Submit>
    </form>
  );
}
