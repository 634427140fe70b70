import { isClosedIn, type Commit, type Numbers } from '../world/disk.ts';
import { name } from './records-agree.ts';
import type { Scene } from './scene.ts';

export interface SignOut {
  readonly discards: boolean;
  /** The commit was there that signs the user out. */
  isDone: boolean;
}

/**
 * `signOut({ pending: 'discard' })` discards everything of its user in the commit that signs the user out,
 * however long it then takes to erase it.
 *
 * @param partition of the user who is signed in in this context, as far as it knows
 * @param signOuts those under way in this context
 */
export function checkDiscards(
  scene: Scene,
  commit: Commit,
  partition: number,
  signOuts: readonly SignOut[],
): void {
  const { disk, history, fail } = scene;
  // What came before in the same commit is discarded with the rest.
  const numbers = commit.meta.find(({ after }) => after?.name === 'partitions');
  const before = numbers?.before === undefined ? undefined : numbersOf(numbers.before.value);
  const wasClosed = (partition: number): boolean =>
    disk.isClosed(partition) && (numbers === undefined || isClosedIn(before, partition));
  for (const { before: earlier, after } of commit.entries) {
    if (after === undefined || earlier !== undefined || !wasClosed(after.partition)) continue;
    if (!moved(commit, after.seq)) fail('discarded', `${name(after)} comes to what was discarded`);
  }
  for (const { after } of commit.rows) {
    if (after !== undefined && wasClosed(after.partition))
      fail('discarded', `${after.collection}/${after.id} is stored in what was discarded`);
  }
  if (!signsOut(commit)) return;
  for (const signOut of signOuts) signOut.isDone = true;
  if (!signOuts.some(({ discards }) => discards)) return;
  // Of several at once the number tells whose commit this is: one that discards closes it.
  if (signOuts.length > 1 && !disk.isClosed(partition)) return;
  for (const entry of disk.entries.values()) {
    const life = history.lives.get(entry.seq);
    if (entry.partition === partition && life !== undefined) life.isDiscarded = true;
  }
}

/** An entry moves by getting another key. */
function moved(commit: Commit, seq: number): boolean {
  return commit.entries.some(({ before }) => before?.seq === seq);
}

function numbersOf(text: string): Numbers {
  return JSON.parse(text) as Numbers;
}

/** Also from nobody to nobody: then nobody's part has another number. */
function signsOut({ meta }: Commit): boolean {
  const session = meta.find(({ after }) => after?.name === 'session');
  if (session === undefined || principalOf(session.after) !== null) return false;
  const numbers = meta.find(({ after }) => after?.name === 'partitions');
  const hasNewNumber = numbers !== undefined && numbers.before?.value !== numbers.after?.value;
  return hasNewNumber || principalOf(session.before) !== principalOf(session.after);
}

function principalOf(session: { readonly value: string } | undefined): string | null {
  const { principal = null } = JSON.parse(session?.value ?? '{}') as { principal?: string | null };
  return principal;
}

/** In a healed world nothing is left of what was discarded. */
export function checkErased({ disk, history, fail }: Scene): void {
  for (const entry of disk.entries.values()) {
    const isDiscarded = history.lives.get(entry.seq)?.isDiscarded === true;
    if (isDiscarded || disk.isClosed(entry.partition))
      fail('discarded', `${name(entry)} was discarded and is still in the queue`);
  }
  for (const { partition, collection, id } of disk.rows.values()) {
    if (disk.isClosed(partition))
      fail('discarded', `${collection}/${id} was discarded and is here`);
  }
}
