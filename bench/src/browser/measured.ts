// What cases and their pages say to each other. Imported by both, so nothing of Node or of a browser.

export type Durability = 'strict' | 'relaxed';

/** Writes per second. */
export interface Speed {
  readonly perSecond: number;
}

export function speed(count: number, elapsedMs: number): Speed {
  return { perSecond: (count * 1000) / elapsedMs };
}

/** A fill this large keeps the browser's database busy afterwards, and every fsync waits for that. */
const LARGE_FILL = 50_000;
const SETTLING_MS = 10_000;

/** Waits until a database into which so many were just put has come to rest, about. */
export async function settled(filled: number): Promise<void> {
  if (filled < LARGE_FILL) return;
  await new Promise((resolve) => {
    setTimeout(resolve, SETTLING_MS);
  });
}
