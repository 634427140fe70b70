import { isNexusError, type ConflictDetails, type StoreBackend } from 'nexus-store';
import { useEffect, useRef, useState } from 'react';
import { backend } from '../app-field.ts';

export type Resolution = Parameters<StoreBackend['resolveConflict']>[1];

/** `changed`: the server has something else by now. `elsewhere`: it was decided, in another tab or by the server. */
export type DecisionResult = 'decided' | 'changed' | 'elsewhere';

export interface OpenConflict {
  /** The sides as they are shown; undefined: they are being read, or there are none any more. */
  readonly details: ConflictDetails | undefined;
  readonly isRead: boolean;
  /** Other sides were shown here before. */
  readonly hasChanged: boolean;
  /** They have changed so lately that a click may be meant for those before. */
  readonly isTooNew: boolean;
  readonly error: unknown;
  /** Decides between the sides as they are given, or not at all. */
  readonly decide: (shown: ConflictDetails, resolution: Resolution) => Promise<DecisionResult>;
}

interface State {
  readonly details: ConflictDetails | undefined;
  readonly isRead: boolean;
  readonly changes: number;
}

const UNREAD: State = { details: undefined, isRead: false, changes: 0 };

/** A tab that only looks hears nothing of a pull in another: it asks. Unit: milliseconds. */
const LOOK_EVERY_MS = 2_000;
/** Nobody reads sides and decides in less. Unit: milliseconds. */
const READING_MS = 1_000;

/** A conflict as it is now, also while it is looked at: the server's row may change again. */
export function useConflict(entryId: string): OpenConflict {
  const [state, setState] = useState(UNREAD);
  const [error, setError] = useState<unknown>();
  const look = useRef<() => Promise<void>>(() => Promise.resolve());
  useEffect(() => {
    let isOver = false;
    look.current = async () => {
      const details = await backend.conflictOf(entryId);
      if (!isOver) setState((before) => afterReading(before, details));
    };
    let [isLooking, isAskedAgain] = [false, false];
    const lookNow = (): void => {
      isAskedAgain = true;
      if (isLooking) return;
      isLooking = true;
      void (async () => {
        while (isAskedAgain && !isOver) {
          isAskedAgain = false;
          await look.current().then(() => setError(undefined), setError);
        }
        isLooking = false;
      })();
    };
    lookNow();
    const timer = setInterval(lookNow, LOOK_EVERY_MS);
    const stops = [backend.on(lookNow), backend.status.subscribe(lookNow)];
    return () => {
      isOver = true;
      clearInterval(timer);
      for (const stop of stops) stop();
    };
  }, [entryId]);
  const isTooNew = useIsTooNew(state.changes);
  return {
    details: state.details,
    isRead: state.isRead,
    hasChanged: state.changes > 0,
    isTooNew,
    error,
    decide: async (shown, resolution) => {
      const result = await decideConflict(entryId, shown, resolution);
      if (result !== 'decided') await look.current();
      return result;
    },
  };
}

function afterReading(before: State, details: ConflictDetails | undefined): State {
  // Decided: what it was about is still of use.
  if (details === undefined)
    return before.isRead && before.details === undefined
      ? before
      : { ...before, details, isRead: true };
  if (before.details === undefined) return { ...before, details, isRead: true };
  if (sidesText(before.details) === sidesText(details)) return before;
  return { details, isRead: true, changes: before.changes + 1 };
}

function sidesText({ base, local, remote, remoteVersion }: ConflictDetails): string {
  return JSON.stringify([base, local, remote, remoteVersion]);
}

function useIsTooNew(changes: number): boolean {
  const [known, setKnown] = useState(0);
  useEffect(() => {
    const timer = setTimeout(() => setKnown(changes), READING_MS);
    return () => clearTimeout(timer);
  }, [changes]);
  return changes > known;
}

async function decideConflict(
  entryId: string,
  shown: ConflictDetails,
  resolution: Resolution,
): Promise<DecisionResult> {
  const now = await backend.conflictOf(entryId);
  if (now === undefined) return 'elsewhere';
  if (sidesText(now) !== sidesText(shown)) return 'changed';
  const { remoteVersion } = shown;
  try {
    const isDecided = await backend.resolveConflict(entryId, resolution, { remoteVersion });
    return isDecided ? 'decided' : 'elsewhere';
  } catch (error) {
    if (isNexusError(error) && error.code === 'store/conflict-changed') return 'changed';
    throw error;
  }
}
