import type { SyncPriority } from 'nexus-store';
import { useSyncMark } from 'nexus-store/react';
import { notes } from '../app-field.ts';
import { MARK_WORDS, PRIORITY_WORDS } from '../words/sync-words.ts';
import { Icon } from './icon.tsx';

/** How far a note has come on its way to the server. */
export function NoteMark({ id }: { readonly id: string }) {
  const mark = useSyncMark(notes, id);
  if (mark === 'unknown') return null;
  return (
    <span className="mark" data-mark={mark}>
      <Icon name={mark} />
      {MARK_WORDS[mark]}
    </span>
  );
}

/** There is text that was typed and not saved: it is not on its way. */
export function DraftMark() {
  return (
    <span className="mark" data-mark="draft">
      <Icon name="draft" />
      Not saved yet
    </span>
  );
}

export function PriorityChip({ priority }: { readonly priority: SyncPriority }) {
  return (
    <span className="chip" data-priority={priority}>
      {PRIORITY_WORDS[priority]}
    </span>
  );
}
