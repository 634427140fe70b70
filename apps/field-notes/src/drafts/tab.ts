// Which tab this is, and which others there are. Drafts are kept by tab: what is typed in one must not
// overwrite, nor take away, what is typed in another.

const KEY = 'field-notes.tab';
const LOCK = 'field-notes.tab.';

/** A page that is just being left gets this long to let go of its name. Unit: milliseconds. */
const PATIENCE_MS = 500;

let name: string | undefined;

/** This tab's name: the same after a reload, and when the browser restores the tab. */
export function thisTab(): string {
  name ??= readName() ?? giveName();
  return name;
}

/**
 * Shows the other tabs, as long as this one lives and however it ends, that it lives. To be awaited before
 * the first draft is read.
 */
export async function holdTab(): Promise<void> {
  const locks = lockManager();
  if (locks === undefined || (await hold(locks, thisTab()))) return;
  // A duplicated tab begins as a copy of the other, its name included.
  name = giveName();
  await hold(locks, name);
}

/** The names of all tabs that are open, this one among them. */
export async function livingTabs(): Promise<ReadonlySet<string>> {
  const { held = [] } = (await lockManager()
    ?.query()
    .catch(() => undefined)) ?? { held: [] };
  const names = held.map((lock) => lock.name ?? '').filter((lock) => lock.startsWith(LOCK));
  return new Set([thisTab(), ...names.map((lock) => lock.slice(LOCK.length))]);
}

/** False if another page has that name. */
function hold(locks: LockManager, wanted: string): Promise<boolean> {
  return new Promise((resolve) => {
    const forGood = (): Promise<never> => {
      resolve(true);
      return new Promise<never>(() => {});
    };
    const signal = AbortSignal.timeout(PATIENCE_MS);
    locks.request(`${LOCK}${wanted}`, { signal }, forGood).catch(() => resolve(false));
  });
}

/** Not there on an address without encryption: then every tab takes itself for the only one. */
function lockManager(): LockManager | undefined {
  return (navigator as { readonly locks?: LockManager }).locks;
}

function readName(): string | null {
  try {
    return sessionStorage.getItem(KEY);
  } catch {
    return null;
  }
}

function giveName(): string {
  const given = Math.random().toString(36).slice(2);
  try {
    sessionStorage.setItem(KEY, given);
  } catch {
    // Then a reload begins as another tab, which takes over what this one has left.
  }
  return given;
}
