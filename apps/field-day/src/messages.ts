import type { EntryState, SyncReport } from 'nexus-store';

/** What the children tell the story. Reports are named by their place in the input. */
export type WriterMessage =
  | { readonly type: 'found'; readonly count: number }
  | { readonly type: 'saved'; readonly ids: readonly string[] }
  | { readonly type: 'failed-attempt'; readonly code: string }
  | { readonly type: 'done' };

export interface QueuedEntry {
  readonly entryId: string;
  readonly reportId: string;
  readonly state: EntryState;
  readonly isAmbiguous: boolean;
}

export type DrainMessage =
  | { readonly type: 'queue'; readonly entries: readonly QueuedEntry[] }
  | { readonly type: 'started'; readonly entryIds: readonly string[] }
  | { readonly type: 'applied'; readonly entryIds: readonly string[] }
  | { readonly type: 'waiting'; readonly remaining: number; readonly until: number }
  | { readonly type: 'done'; readonly report: SyncReport; readonly dead: number };

/** What the server of the app for people tells whoever started it. */
export interface AppMessage {
  readonly type: 'listening';
  readonly url: string;
}

export interface ArrivedReport {
  readonly reportId: string;
  readonly entryId: string;
  readonly arrival: number;
  readonly at: number;
}

export type ServerMessage =
  | { readonly type: 'listening'; readonly url: string; readonly isWantedPort: boolean }
  | { readonly type: 'arrived'; readonly reports: readonly ArrivedReport[] }
  | { readonly type: 'flushed' };
