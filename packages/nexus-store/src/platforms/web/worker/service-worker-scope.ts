import type { RegistrationLike } from '../browser.ts';

// What is used of a service worker's global scope, as shapes: sync events are in no library of TypeScript.

/** An event whose handler may hold the worker. */
export interface HoldingEvent {
  waitUntil(work: Promise<unknown>): void;
}

export interface SyncEventLike extends HoldingEvent {
  readonly tag: string;
  /** Absent for periodic events. */
  readonly lastChance?: boolean;
}

export interface MessageEventLike extends HoldingEvent {
  readonly data: unknown;
}

export interface ServiceWorkerScope {
  readonly registration: RegistrationLike;
  addEventListener(type: 'sync' | 'periodicsync', listener: (event: SyncEventLike) => void): void;
  addEventListener(type: 'message', listener: (event: MessageEventLike) => void): void;
}
