/**
 * How the contexts (tabs, workers) that have one database open take turns at sending, and hear of each
 * other's commits. It saves work and time and decides nothing: what is sent once and in order is kept by
 * the row leases alone, in every context that has no link.
 *
 * Law:
 * - `drain` calls `body` exactly once, when no other context drains, and settles as it does. If `signal`
 *   aborts before its turn has come it resolves with undefined, and `body` is never called.
 * - `isGone` is true only of an owner whose turn was cut off by the end of its context: what it has claimed
 *   nobody sends any more. It may be false of one that is gone; then its lease decides, later.
 * - A context that died, or stands still in the middle of its turn, holds up the others for seconds only.
 *   Where nobody can tell, a turn may be given while another one lasts.
 * - `committed` returns at once, never throws, and may be called after every commit.
 */
export interface ContextLink {
  /** @param owner as it stands in the leases of what `body` claims */
  drain<R>(owner: string, signal: AbortSignal, body: () => Promise<R>): Promise<R | undefined>;
  isGone(owner: string): boolean;
  committed(): void;
}

/** What the owner of a lease begins with who takes turns: of the others no link can tell that they are gone. */
const IN_TURN = 'turn:';

/** How a runner signs what it claims in its turns. */
export function ownerInTurn(link: ContextLink, owner: string): string {
  return link === NO_LINK ? owner : IN_TURN + owner;
}

/** True if nobody sends any more what this owner has claimed. */
export function isOwnerGone(link: ContextLink, owner: string): boolean {
  return owner.startsWith(IN_TURN) && link.isGone(owner);
}

/** For a context that knows of no others. */
export const NO_LINK: ContextLink = {
  drain: (_owner, _signal, body) => body(),
  isGone: () => false,
  committed: () => {},
};
