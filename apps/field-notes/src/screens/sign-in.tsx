import { useState, type SyntheticEvent } from 'react';
import { Failure } from '../parts/failure.tsx';
import { Heading, takeFocusFromNowOn } from '../parts/heading.tsx';
import { useObserved } from '../observed.ts';
import { session, signIn, type SignInResult } from '../session.ts';

const ANSWERS: Readonly<Record<Exclude<SignInResult, 'signed-in'>, string>> = {
  'unknown-code': 'The server does not know this access code.',
  offline:
    'The server cannot be reached. Signing in needs a network; after that, writing does not.',
  failing: 'The server has a failure of its own. Try again in a while.',
};

export function SignInScreen() {
  const { farewell } = useObserved(session);
  return (
    <main id="main" className="door">
      <img src="/icons/icon.svg" alt="" width="72" height="72" />
      <Heading title="Sign in">Field notes</Heading>
      {farewell === null ? (
        <p>
          Inspection notes that are safe on this device at once and reach the server by themselves.
        </p>
      ) : (
        <p className="notice" role="status">
          {farewell}
        </p>
      )}
      <SignInForm label="Sign in" />
      <p className="faint">
        This demonstration knows two users: <code>field-day</code> has the field reports,{' '}
        <code>night-shift</code> has nothing yet.
      </p>
    </main>
  );
}

export function SignInForm({ label }: { readonly label: string }) {
  const [answer, setAnswer] = useState<string>();
  const [error, setError] = useState<unknown>();
  const [isBusy, setIsBusy] = useState(false);
  const submit = async (event: SyntheticEvent<HTMLFormElement>): Promise<void> => {
    event.preventDefault();
    if (isBusy) return;
    const code = new FormData(event.currentTarget).get('code');
    setIsBusy(true);
    takeFocusFromNowOn();
    try {
      const result = await signIn(typeof code === 'string' ? code.trim() : '');
      setAnswer(result === 'signed-in' ? undefined : ANSWERS[result]);
      setError(undefined);
    } catch (failure) {
      setError(failure);
    }
    setIsBusy(false);
  };
  return (
    <form className="sign-in" onSubmit={(event) => void submit(event)}>
      <label>
        Access code
        <input
          name="code"
          required
          autoComplete="current-password"
          autoCapitalize="none"
          spellCheck={false}
          aria-describedby="sign-in-answer"
          aria-invalid={answer === ANSWERS['unknown-code']}
        />
      </label>
      <button type="submit" className="primary" aria-disabled={isBusy}>
        {label}
      </button>
      <p id="sign-in-answer" className="answer" role="alert">
        {answer}
      </p>
      {error !== undefined && <Failure error={error} />}
    </form>
  );
}
