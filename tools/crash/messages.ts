import type { Value, Write } from './operations.ts';

/** What the test tells a child that has loaded and waits. */
export interface Go {
  readonly database: string;
  readonly url: string;
  readonly port: number;
  readonly token: string;
  readonly seed: number;
  /** Begins the names of this process's writes. */
  readonly prefix: string;
}

export type ChildMessage =
  | { readonly type: 'loaded' }
  /** A writer found this in the database. */
  | { readonly type: 'found'; readonly entities: readonly (readonly [string, Value])[] }
  /** It is about to call; told before the call. */
  | { readonly type: 'begin'; readonly write: Write }
  /** The call resolved. */
  | { readonly type: 'saved'; readonly lane: number; readonly name: string }
  /** The call rejected: nothing was stored. */
  | {
      readonly type: 'refused';
      readonly lane: number;
      readonly name: string;
      readonly code: string;
    }
  /** A drain or a server is at work. */
  | { readonly type: 'working' }
  | {
      readonly type: 'synced';
      readonly pushed: number;
      readonly dead: number;
      readonly stoppedBy: string;
    };
