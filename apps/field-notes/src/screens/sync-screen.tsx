import { useBackgroundSync, useSyncStatus } from 'nexus-store/react';
import { useState } from 'react';
import { backend, background } from '../app-field.ts';
import { useAnswer, useNow, useStanding } from '../hooks.ts';
import { Failure } from '../parts/failure.tsx';
import { Heading } from '../parts/heading.tsx';
import { say } from '../parts/toast.tsx';
import { actionWords, PRIORITY_WORDS } from '../words/sync-words.ts';
import { fullTimeWords, timeWords, untilWords } from '../words/time-words.ts';
import { Decisions } from './decisions.tsx';
import { JournalList } from './journal-list.tsx';
import { WaitingList } from './waiting-list.tsx';

/** What waits, why, what the last wake-ups did, and what only a person can decide. */
export function SyncScreen() {
  const [error, setError] = useState<unknown>();
  const attempt = (act: () => Promise<unknown>): void => {
    setError(undefined);
    act().catch(setError);
  };
  return (
    <div className="page">
      <Summary attempt={attempt} />
      {error !== undefined && <Failure error={error} />}
      <Decisions attempt={attempt} />
      <Why />
      <WaitingList />
      <JournalList />
    </div>
  );
}

function Summary({ attempt }: { readonly attempt: (act: () => Promise<unknown>) => void }) {
  const { mood, sentence } = useStanding();
  const { pending, lastSyncedAt, nextAttemptAt, blockedBy, progress } = useSyncStatus();
  const now = useNow(1_000);
  const isPaused = blockedBy?.reason === 'paused';
  const next = nextAttemptAt === null ? null : untilWords(nextAttemptAt, now);
  const sendNow = async (): Promise<void> => {
    const { pushed, remaining, stoppedBy } = await backend.sync();
    say(SYNC_ANSWERS[stoppedBy](pushed, remaining));
  };
  return (
    <section aria-labelledby="sync-title" className="card summary" data-mood={mood}>
      <Heading title="Sync">
        <span id="sync-title">Sync</span>
      </Heading>
      <p className="lead">{sentence}</p>
      {progress !== null && progress.total > 0 && (
        <progress value={progress.done} max={progress.total} aria-label="Sent" />
      )}
      <dl className="facts">
        {(['critical', 'high', 'normal', 'low'] as const).map((priority) => (
          <div key={priority}>
            <dt>{PRIORITY_WORDS[priority]} waiting</dt>
            <dd>{pending[priority]}</dd>
          </div>
        ))}
        <div>
          <dt>Last in step with the server</dt>
          <dd>{lastSyncedAt === null ? 'not yet' : timeWords(lastSyncedAt, now)}</dd>
        </div>
        {next !== null && (
          <div>
            <dt>Next attempt</dt>
            <dd>{next}</dd>
          </div>
        )}
      </dl>
      <div className="actions">
        <button type="button" className="primary" onClick={() => attempt(sendNow)}>
          Send now
        </button>
        <button
          type="button"
          onClick={() => attempt(() => (isPaused ? backend.resume() : backend.pause()))}
        >
          {isPaused ? 'Send again' : 'Pause sending'}
        </button>
      </div>
    </section>
  );
}

type Answer = (pushed: number, remaining: number) => string;

const left: Answer = (_, remaining) =>
  remaining === 0
    ? 'Nothing waits to be sent, but what you see may be out of date.'
    : remaining === 1
      ? '1 change still waits.'
      : `${remaining} changes still wait.`;

const SYNC_ANSWERS: Readonly<
  Record<Awaited<ReturnType<typeof backend.sync>>['stoppedBy'], Answer>
> = {
  drained: (pushed, remaining) =>
    remaining > 0
      ? `Sent ${pushed}. ${left(pushed, remaining)}`
      : pushed === 0
        ? 'Everything is on the server already.'
        : `Sent ${pushed}. Everything is on the server.`,
  offline: (pushed, remaining) => `The server cannot be reached. ${left(pushed, remaining)}`,
  blocked: (pushed, remaining) =>
    `The server asks to wait, fails, or does not know you. ${left(pushed, remaining)}`,
  deadline: left,
  aborted: left,
  paused: () => 'Sending is paused.',
};

/** The library's answer to “why has it not synced?”, asked anew with every fact that changes. */
function Why() {
  const status = useSyncStatus();
  const { status: service } = useBackgroundSync();
  const minute = Math.floor(useNow(10_000) / 10_000);
  const answer = useAnswer(() => background.explain(), [status, service, minute]);
  if (answer === undefined) return null;
  return (
    <section className="card" aria-labelledby="why-title">
      <h2 id="why-title">{answer.pending === 0 ? 'How it stands' : 'Why has it not been sent?'}</h2>
      <ul className="reasons">
        {answer.reasons.map((reason) => {
          const action = actionWords(reason);
          return (
            <li key={reason.code}>
              <p>{reason.message}</p>
              {action !== null && <p className="faint">{action}</p>}
              {reason.since !== null && (
                <p className="faint">Since {fullTimeWords(reason.since)}.</p>
              )}
              {reason.until !== null && untilWords(reason.until) !== null && (
                <p className="faint">Until {fullTimeWords(reason.until)}.</p>
              )}
            </li>
          );
        })}
      </ul>
    </section>
  );
}
