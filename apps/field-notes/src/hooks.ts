import type { NetworkCondition } from 'nexus-store/inspectable';
import { useSyncStatus, usePendingCount } from 'nexus-store/react';
import { useEffect, useRef, useState, useSyncExternalStore } from 'react';
import { remote } from './app-field.ts';
import { missingOf, type Missing } from './words/missing-words.ts';
import { standingOf, type Standing } from './words/sync-words.ts';

function subscribeToNetwork(listener: () => void): () => void {
  addEventListener('online', listener);
  addEventListener('offline', listener);
  const stop = remote.network.subscribe(listener);
  return () => {
    removeEventListener('online', listener);
    removeEventListener('offline', listener);
    stop();
  };
}

/** What the browser says, and the inspector's switch. True is a hope, false is a fact. */
export function useOnline(): boolean {
  return useSyncExternalStore(
    subscribeToNetwork,
    () => navigator.onLine && remote.network.current !== 'offline',
  );
}

/** What the inspector's switch says, in whichever tab it was switched. */
export function useNetworkSwitch(): NetworkCondition {
  return useSyncExternalStore(subscribeToNetwork, () => remote.network.current);
}

export function useStanding(): Standing {
  const isOnline = useOnline();
  const pending = usePendingCount() ?? 0;
  return standingOf({ status: useSyncStatus(), pending, isOnline });
}

/** What the server has and this device has not, as far as it is known; null: nothing. */
export function useMissing(what?: string): Missing | null {
  const isOnline = useOnline();
  return useSyncStatus((status) =>
    missingOf({ status, isOnline, ...(what === undefined ? {} : { what }) }),
  );
}

/** Asks again whenever one of `facts` changes; keeps the last answer meanwhile. */
export function useAnswer<V>(ask: () => Promise<V>, facts: readonly unknown[]): V | undefined {
  const [answer, setAnswer] = useState<V>();
  useEffect(() => {
    let isStale = false;
    ask().then(
      (value) => {
        if (!isStale) setAnswer(value);
      },
      (error: unknown) => console.error(error),
    );
    return () => {
      isStale = true;
    };
    // What `ask` reads from is named by the facts.
  }, facts);
  return answer;
}

/** Runs what a button asks for. While it runs, a second click is the same wish. */
export function useAttempt(): {
  readonly error: unknown;
  readonly attempt: (act: () => Promise<unknown>) => void;
} {
  const [error, setError] = useState<unknown>();
  const isRunning = useRef(false);
  const attempt = (act: () => Promise<unknown>): void => {
    if (isRunning.current) return;
    isRunning.current = true;
    setError(undefined);
    void act()
      .catch(setError)
      .finally(() => {
        isRunning.current = false;
      });
  };
  return { error, attempt };
}

/** A value that changes from time to time, for what is said of time. Unit: milliseconds. */
export function useNow(everyMs: number): number {
  const [now, setNow] = useState(() => Date.now());
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), everyMs);
    return () => clearInterval(timer);
  }, [everyMs]);
  return now;
}
