import type { NexusStore } from '../core/store/nexus-store.ts';
import type { SyncStatus } from '../core/sync/sync-status.ts';
import { useItem, useItems } from './use-items.ts';
import { usePendingCount, useSyncMark, useSyncStatus } from './use-sync.ts';

interface Note {
  readonly id: number;
  readonly text: string;
}

declare const notes: NexusStore<Note, number>;

/** What was read is known only where the status says so, also after destructuring. */
export function narrowing(): void {
  const { status, value, error } = useItems(notes, { where: { text: 'a' } });
  if (status === 'ready') {
    value satisfies readonly Note[];
    error satisfies undefined;
  }
  if (status === 'loading') value satisfies undefined;
  // @ts-expect-error nothing may have been read yet
  value.length satisfies number;

  useItems(notes, {}, { keepsPrevious: true }).isPrevious satisfies boolean;
  // @ts-expect-error an option that does not exist
  useItems(notes, {}, { keepPrevious: true });

  const item = useItem(notes, 5);
  if (item.status === 'ready') item.value satisfies Note | undefined;
  // @ts-expect-error there may be none
  item.value.text satisfies string;
}

/** Ids and fields are those of the store. */
export function mistakes(): void {
  // @ts-expect-error an id of another type
  useItem(notes, 'five');
  // @ts-expect-error a field that does not exist
  useItems(notes, { where: { name: 'a' } });
  useItem(notes, null);
}

export function others(): void {
  useSyncStatus() satisfies SyncStatus;
  useSyncStatus(({ dead }) => dead > 0) satisfies boolean;
  usePendingCount(notes) satisfies number | undefined;
  useSyncMark(notes, 5) satisfies string;
}
