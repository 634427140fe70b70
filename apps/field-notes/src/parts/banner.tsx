import { usePendingCount, useSyncStatus } from 'nexus-store/react';
import { useEffect, useState } from 'react';
import { backend, remote } from '../app-field.ts';
import { useNetworkSwitch, useOnline, useStanding } from '../hooks.ts';
import { paths } from '../route.ts';
import { isUnreachable } from '../words/missing-words.ts';
import { Icon } from './icon.tsx';

/** Says above everything else what keeps writes here, and that they are safe. */
export function Banner() {
  const isOnline = useOnline();
  const blocked = useSyncStatus(({ blockedBy }) => blockedBy?.reason);
  const isCutOff = useSyncStatus(isUnreachable);
  const pending = usePendingCount() ?? 0;
  const network = useNetworkSwitch();
  if (blocked === 'unauthorised')
    return (
      <div className="banner" data-tone="bad">
        <Icon name="dead" />
        <p>
          The server no longer accepts your sign-in. What you write stays safe here.{' '}
          <a href={paths.account}>Sign in again</a>
        </p>
      </div>
    );
  const isOff = network === 'offline';
  if (isOff || (network === 'slow' && isOnline && !isCutOff))
    return (
      <div className="banner" data-tone="wait">
        <Icon name="offline" />
        <p>
          <strong>The network is {SWITCHED[network].how} in the inspector.</strong>{' '}
          {SWITCHED[network].effect} until it is switched back.
        </p>
        <button type="button" onClick={switchBack}>
          Switch back
        </button>
      </div>
    );
  if (isOnline && !isCutOff) return null;
  const why = isOnline ? 'The server cannot be reached.' : 'You are offline.';
  const safe = 'What you write is safe on this device and is sent by itself.';
  return (
    <div className="banner" data-tone="wait">
      <Icon name="offline" />
      <p>
        <strong>{why}</strong> {safe} {pending > 0 && <a href={paths.sync}>{pending} waiting</a>}
      </p>
    </div>
  );
}

const SWITCHED = {
  offline: { how: 'switched off', effect: 'Nothing is sent' },
  slow: { how: 'slowed down', effect: 'Sending takes longer' },
} as const;

function switchBack(): void {
  remote.setNetwork('normal');
  backend.wake();
}

/** So long a state has to last before it is spoken of. Unit: milliseconds. */
const CALM_MS = 1_500;

/** For those who do not see the pill: what changed, once it has come to rest. */
export function Announcer() {
  const { sentence, mood } = useStanding();
  const [spoken, setSpoken] = useState('');
  useEffect(() => {
    if (mood === 'busy') return undefined;
    const timer = setTimeout(() => setSpoken(sentence), CALM_MS);
    return () => clearTimeout(timer);
  }, [sentence, mood]);
  return (
    <div className="hidden" role="status">
      {spoken}
    </div>
  );
}
