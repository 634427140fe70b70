import type { PendingOnSignOut } from 'nexus-store';
import { useSyncStatus } from 'nexus-store/react';
import { useState, type SyntheticEvent } from 'react';
import { useOnline } from '../hooks.ts';
import { showInspector, isInspectorShown } from '../inspector-switch.ts';
import { installPrompt } from '../installing.ts';
import { useObserved } from '../observed.ts';
import { Dialog } from '../parts/dialog.tsx';
import { Failure } from '../parts/failure.tsx';
import { Heading } from '../parts/heading.tsx';
import { signOut, unsentCount, type SignedIn } from '../session.ts';
import { DeviceFacts } from './device-facts.tsx';
import { SignInForm } from './sign-in.tsx';

export function AccountScreen({ user }: { readonly user: SignedIn }) {
  const blocked = useSyncStatus(({ blockedBy }) => blockedBy?.reason);
  const isInspecting = useObserved(isInspectorShown);
  const offer = useObserved(installPrompt);
  return (
    <div className="page">
      <section className="card">
        <Heading title="Account">Account</Heading>
        <p className="lead">You are signed in as {user.name}.</p>
        {blocked === 'unauthorised' && (
          <>
            <p>
              The server no longer accepts your sign-in. What waits here is sent once you are back.
            </p>
            <SignInForm label="Sign in again" />
          </>
        )}
        <SigningOut user={user} />
      </section>
      <section className="card" aria-labelledby="device-title">
        <h2 id="device-title">This device</h2>
        {offer !== null && (
          <p>
            <button type="button" className="primary" onClick={() => void offer.prompt()}>
              Install Field notes
            </button>
          </p>
        )}
        <DeviceFacts />
      </section>
      <section className="card" aria-labelledby="developer-title">
        <h2 id="developer-title">For developers</h2>
        <label className="switch">
          <input
            type="checkbox"
            role="switch"
            checked={isInspecting}
            onChange={(event) => showInspector(event.target.checked)}
          />
          Show the inspector
        </label>
        <p className="faint">
          The queue by priority and lane, what blocks what, and a switch that takes the network
          away.
        </p>
      </section>
    </div>
  );
}

function SigningOut({ user }: { readonly user: SignedIn }) {
  const [isAsking, setIsAsking] = useState(false);
  const [error, setError] = useState<unknown>();
  const unsent = useSyncStatus(unsentCount);
  const leave = async (pending: PendingOnSignOut): Promise<void> => {
    try {
      setError(undefined);
      await signOut(pending);
    } catch (failure) {
      setError(failure);
    }
  };
  return (
    <>
      <button type="button" onClick={() => (unsent === 0 ? void leave('keep') : setIsAsking(true))}>
        Sign out
      </button>
      {error !== undefined && <Failure error={error} />}
      {isAsking && (
        <SignOutQuestion
          user={user}
          unsent={unsent}
          onClose={() => setIsAsking(false)}
          onLeave={leave}
        />
      )}
    </>
  );
}

interface SignOutQuestionProps {
  readonly user: SignedIn;
  readonly unsent: number;
  readonly onClose: () => void;
  readonly onLeave: (pending: PendingOnSignOut) => Promise<void>;
}

/** What is not on the server yet must not be forgotten by accident, nor sent by whoever comes next. */
function SignOutQuestion({ user, unsent, onClose, onLeave }: SignOutQuestionProps) {
  const [pending, setPending] = useState<PendingOnSignOut>('keep');
  const [isBusy, setIsBusy] = useState(false);
  const isOnline = useOnline();
  const submit = async (event: SyntheticEvent): Promise<void> => {
    event.preventDefault();
    if (isBusy) return;
    setIsBusy(true);
    await onLeave(pending);
    setIsBusy(false);
    onClose();
  };
  const what = unsent === 1 ? '1 change is' : `${unsent} changes are`;
  const them = unsent === 1 ? 'it' : 'them';
  const options: readonly { value: PendingOnSignOut; label: string; help: string }[] = [
    {
      value: 'keep',
      label: `Keep ${them} on this device`,
      help: `Unseen, and sent only when ${user.name} signs in here again.`,
    },
    {
      value: 'flush',
      label: `Send ${them} first`,
      help: isOnline
        ? 'Takes ten seconds at most. What could not be sent is kept.'
        : 'You are offline: it will be tried, and what could not be sent is kept.',
    },
    {
      value: 'discard',
      label: `Delete ${them}`,
      help: `Also removes the notes of ${user.name} from this device. What was not sent is gone for good.`,
    },
  ];
  return (
    <Dialog title={`${what} not on the server yet`} onClose={onClose} isBusy={isBusy}>
      <form onSubmit={(event) => void submit(event)}>
        <fieldset className="options">
          <legend>What shall become of {them}?</legend>
          {options.map(({ value, label, help }) => (
            <label key={value} className="option">
              <input
                type="radio"
                name="pending"
                checked={pending === value}
                onChange={() => setPending(value)}
              />
              <span>
                <strong>{label}</strong>
                <span className="faint">{help}</span>
              </span>
            </label>
          ))}
        </fieldset>
        <div className="actions">
          <button
            type="submit"
            className={pending === 'discard' ? 'danger' : 'primary'}
            aria-disabled={isBusy}
          >
            {isBusy ? 'Signing out …' : 'Sign out'}
          </button>
          <button type="button" aria-disabled={isBusy} onClick={() => !isBusy && onClose()}>
            Stay
          </button>
        </div>
      </form>
    </Dialog>
  );
}
