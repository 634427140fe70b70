import type { ServiceWorkerSyncService } from 'nexus-store/web';
import { background, storage } from '../app-field.ts';
import { useAnswer, useNow } from '../hooks.ts';
import { sizeWords } from '../words/time-words.ts';

const PERSISTENCE = {
  persistent: 'The browser keeps it until you delete it.',
  'best-effort':
    'The browser may delete it when the disk is full. Installing the app prevents that.',
  unsupported: 'This browser does not say how long it keeps data.',
  unknown: 'Not known yet.',
} as const;

const BACKGROUND = {
  granted: 'The browser sends what waits also when no page is open.',
  refused: 'The browser sends only while a page is open.',
  absent: 'The browser sends only while a page is open.',
  unknown: 'Not asked yet: it is, as soon as something waits.',
} as const;

/** What the browser grants this app, in words. */
export function DeviceFacts() {
  const now = useNow(5_000);
  const facts = useAnswer(readFacts, [now]);
  if (facts === undefined) return null;
  return (
    <dl className="facts wide">
      <div>
        <dt>Notes on this device</dt>
        <dd>{PERSISTENCE[facts.persistence]}</dd>
      </div>
      <div>
        <dt>Sending in the background</dt>
        <dd>{BACKGROUND[facts.backgroundSync]}</dd>
      </div>
      {facts.room !== null && (
        <div>
          <dt>Room</dt>
          <dd>{facts.room}</dd>
        </div>
      )}
    </dl>
  );
}

async function readFacts() {
  const service = (await background.ready) as Partial<ServiceWorkerSyncService>;
  const { usage, quota } = await estimate();
  return {
    persistence: storage.persistence.current,
    backgroundSync: service.support?.current.backgroundSync ?? 'absent',
    room:
      usage === undefined || quota === undefined
        ? null
        : `${sizeWords(usage)} used, ${sizeWords(quota - usage)} left`,
  };
}

async function estimate(): Promise<StorageEstimate> {
  try {
    return await navigator.storage.estimate();
  } catch {
    return {}; // no secure origin, or private browsing
  }
}
