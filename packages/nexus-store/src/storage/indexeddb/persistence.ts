import type { Live } from '../../core/model/live.ts';
import { LiveValue } from '../../core/model/live.ts';

/**
 * Whether the browser may delete this site's data by itself when the disk fills up:
 *
 * - `unknown`: not answered yet.
 * - `persistent`: it may not.
 * - `best-effort`: it may; unsent changes would go with it.
 * - `unsupported`: this browser does not say.
 */
export type StoragePersistence = 'unknown' | 'persistent' | 'best-effort' | 'unsupported';

/** Asked once in each page, whatever number of databases it opens: the answer is for the whole site. */
let asked: Promise<boolean> | undefined;

/** What is known of the site's persistence. */
export class Persistence {
  readonly #asks: boolean;
  readonly #answer = new LiveValue<StoragePersistence>('unknown', reportLater);
  #hasAsked = false;

  /** @param asks whether to ask the browser for it once there is something to keep */
  constructor(asks: boolean) {
    this.#asks = asks;
  }

  get live(): Live<StoragePersistence> {
    return this.#answer;
  }

  /** Finds out how things are, which disturbs nobody. */
  async look(): Promise<void> {
    const manager = storageManager();
    if (manager === undefined) return this.#answer.set('unsupported');
    try {
      this.#tell(await manager.persisted());
    } catch {
      this.#answer.set('unsupported');
    }
  }

  /**
   * Asks for persistence, the first time only. To be called when something was written: some browsers
   * show the question to the user, and others decide by how much the site is used.
   */
  async ask(): Promise<void> {
    if (this.#hasAsked || !this.#asks) return;
    this.#hasAsked = true;
    const manager = storageManager();
    // Workers can look but not ask.
    if (manager === undefined || typeof manager.persist !== 'function') return;
    try {
      asked ??= persist(manager);
      this.#tell(await asked);
    } catch {
      // No answer is no promise: what `look` found stands.
    }
  }

  #tell(isPersistent: boolean): void {
    this.#answer.set(isPersistent ? 'persistent' : 'best-effort');
  }
}

async function persist(manager: StorageManager): Promise<boolean> {
  if (await manager.persisted()) return true;
  return (await isRefusedForGood()) ? false : await manager.persist();
}

/** True if the user has said no before. */
async function isRefusedForGood(): Promise<boolean> {
  try {
    const name = 'persistent-storage' as PermissionName;
    return (await navigator.permissions.query({ name })).state === 'denied';
  } catch {
    return false; // This browser does not know the permission.
  }
}

function storageManager(): StorageManager | undefined {
  if (typeof navigator === 'undefined') return undefined;
  // Only secure origins have it.
  return (navigator as { storage?: StorageManager }).storage;
}

/** What a listener throws is the app's own affair, and must not end what we are doing. */
function reportLater(error: unknown): void {
  setTimeout(() => {
    throw error;
  });
}
