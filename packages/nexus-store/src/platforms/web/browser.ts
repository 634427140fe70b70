// What is used of a browser, as shapes: TypeScript knows half of these interfaces only, pages and workers
// have different halves, and every one of them may be missing.

export interface Listening {
  addEventListener(type: string, listener: () => void): void;
  removeEventListener(type: string, listener: () => void): void;
}

export interface SyncManagerLike {
  register(tag: string): Promise<void>;
  getTags?(): Promise<readonly string[]>;
}

export interface PeriodicSyncManagerLike {
  register(tag: string, options: { readonly minInterval: number }): Promise<void>;
  unregister(tag: string): Promise<void>;
}

export interface RegistrationLike {
  readonly sync?: SyncManagerLike | undefined;
  readonly periodicSync?: PeriodicSyncManagerLike | undefined;
  readonly active?: { postMessage(message: unknown): void } | null | undefined;
}

export interface LockManagerLike {
  request(
    name: string,
    options: { readonly signal?: AbortSignal; readonly steal?: boolean },
    body: () => Promise<void>,
  ): Promise<unknown>;
  query(): Promise<{ readonly held?: readonly { readonly name?: string }[] }>;
}

export interface ChannelLike {
  onmessage: ((event: { readonly data: unknown }) => void) | null;
  postMessage(message: unknown): void;
  close(): void;
}

export interface ConnectionLike extends Partial<Listening> {
  /** Absent on desktops. */
  readonly type?: string;
  readonly saveData?: boolean;
}

export interface BatteryLike extends Listening {
  readonly charging: boolean;
  /** From 0 to 1. */
  readonly level: number;
}

export interface NavigatorLike {
  readonly onLine?: boolean;
  readonly connection?: ConnectionLike | undefined;
  readonly locks?: LockManagerLike | undefined;
  readonly permissions?:
    | { query(descriptor: { readonly name: string }): Promise<{ readonly state: string }> }
    | undefined;
  readonly serviceWorker?: { readonly ready: Promise<RegistrationLike> } | undefined;
  getBattery?(): Promise<BatteryLike>;
  setAppBadge?(count: number): Promise<void>;
  clearAppBadge?(): Promise<void>;
}

/** A page or a worker. */
export interface Browser {
  readonly navigator: NavigatorLike;
  /** Fires `online`, `offline` and, in a page, `pagehide`, `freeze` and the like. */
  readonly scope: Listening;
  /** Absent in a worker. */
  readonly document: (Listening & { readonly visibilityState: string }) | undefined;
  /** Absent where contexts cannot tell each other anything. */
  readonly openChannel: ((name: string) => ChannelLike) | undefined;
}

interface BrowserGlobals extends Listening {
  readonly navigator: NavigatorLike;
  readonly document?: Browser['document'];
  readonly BroadcastChannel?: new (name: string) => ChannelLike;
}

/** The browser this runs in. */
export function thisBrowser(): Browser {
  const scope = globalThis as unknown as BrowserGlobals;
  const { navigator, document, BroadcastChannel } = scope;
  return {
    navigator,
    scope,
    document,
    openChannel: BroadcastChannel === undefined ? undefined : (name) => new BroadcastChannel(name),
  };
}

/** True in a page: a window with a document, whether or not the browser has service workers. */
export function isPage(): boolean {
  const { window, document } = globalThis as { window?: unknown; document?: unknown };
  return typeof window === 'object' && typeof document === 'object' && document !== null;
}
