import { UsageError } from '../model/errors.ts';
import { LOWEST_RANK } from '../model/priority.ts';
import { corrupt, parsedObject } from '../model/stored-text.ts';
import { MAX_PARTITIONS, parkedRange, readyRange } from './position.ts';
import type { UnitOfWork } from './unit-of-work.ts';

/**
 * The record `partitions` of the table `meta`: whose queue has which number. Each number from 1 to the
 * highest has exactly one name, also while nobody has it. So it is enough to count the names to find a
 * number that was never given out, and no reader can take one for free that is not.
 */
interface Partitions {
  readonly numbers: Numbers;
}

type Numbers = { readonly [name: string]: number };

/** Where the queue of users who never signed in begins; it has another number once it was discarded. */
export const ANONYMOUS = 0;
/** Names the queue of nobody, once that is not `ANONYMOUS` any more. */
const NOBODY = 'nobody';
/** Names a number whose records are being erased. */
const ERASING = 'erasing:';
/** Names a number that can be given out again. Those erased last come last. */
const FREE = 'free:';
/**
 * A number rests until so many others are free as well: a context that slept may take it for its user's for
 * a while, and would be let in as somebody else. (A write to a number that rests is refused.)
 */
const RESTING = 16;

export function principalPartition(principal: string): string {
  return `principal:${principal}`;
}

export function queuePartition(name: string): string {
  return `queue:${name}`;
}

/** The number of a user's partition, given at the first use; null: nobody is signed in. */
export async function userPartition(uow: UnitOfWork, principal: string | null): Promise<number> {
  const numbers = await readNumbers(uow);
  return knownNumber(numbers, principal) ?? partitionNumber(uow, nameOfUser(principal));
}

/** The same for those who only look; undefined if it was never given out. */
export async function knownPartition(
  uow: UnitOfWork,
  principal: string | null,
): Promise<number | undefined> {
  return knownNumber(await readNumbers(uow), principal);
}

/** The number of a named partition, given at its first use and kept until everything in it is discarded. */
export async function partitionNumber(uow: UnitOfWork, name: string): Promise<number> {
  const numbers = await readNumbers(uow);
  const known = numberOf(numbers, name);
  if (known !== undefined) return known;
  await uow.loadState();
  return (await takeFree(uow, numbers, name)) ?? takeNew(uow, numbers, name);
}

/**
 * Takes a partition from its user for good. Nothing of it is seen, sent or counted from this transaction on,
 * and its records are erased after it, perhaps by another process. Does nothing if the user does not have it.
 */
export async function detachPartition(
  uow: UnitOfWork,
  principal: string | null,
  partition: number,
): Promise<void> {
  const numbers = await readNumbers(uow);
  if (knownNumber(numbers, principal) !== partition) return;
  writeNumbers(uow, renamed(numbers, nameOfUser(principal), ERASING + partition, partition));
  await uow.loadState();
  uow.state.setClosed(partition, true);
  for (const lease of (await uow.leases()).values()) {
    if (lease.partition === partition) await uow.deleteLease(lease.fence);
  }
}

/** The partitions whose records are still to be erased. */
export async function partitionsToErase(uow: UnitOfWork): Promise<readonly number[]> {
  const names = Object.entries(await readNumbers(uow));
  return names.filter(([name]) => name.startsWith(ERASING)).map(([, number]) => number);
}

/** False once another context has finished. */
export async function isBeingErased(uow: UnitOfWork, partition: number): Promise<boolean> {
  return numberOf(await readNumbers(uow), ERASING + partition) === partition;
}

/** Nothing is left of what was there: the number can be given out again. */
export async function freePartition(uow: UnitOfWork, partition: number): Promise<void> {
  const numbers = await readNumbers(uow);
  writeNumbers(uow, renamed(numbers, ERASING + partition, FREE + partition, partition));
}

/** The partitions that are nobody's. */
export async function closedPartitions(uow: UnitOfWork): Promise<readonly number[]> {
  const names = Object.entries(await readNumbers(uow));
  return names
    .filter(([name]) => name.startsWith(ERASING) || name.startsWith(FREE))
    .map(([, number]) => number);
}

async function readNumbers(uow: UnitOfWork): Promise<Numbers> {
  const record = await uow.get('meta', ['partitions']);
  return record === undefined ? {} : numbersIn(record['value'] as string);
}

/**
 * Whose queue is whose, as stored. What is damaged is not guessed: somebody would see what is not theirs.
 *
 * @throws StorageError `storage/corrupt`
 */
export function numbersIn(text: string): Numbers {
  const { numbers } = (parsedObject(text) ?? {}) as Partial<Partitions>;
  if (typeof numbers === 'object' && numbers !== null) return numbers;
  throw corrupt('meta', ['partitions']);
}

function writeNumbers(uow: UnitOfWork, numbers: Numbers): void {
  const value = JSON.stringify({ numbers });
  uow.put('meta', ['partitions'], { name: 'partitions', value });
}

function nameOfUser(principal: string | null): string {
  return principal === null ? NOBODY : principalPartition(principal);
}

function knownNumber(numbers: Numbers, principal: string | null): number | undefined {
  const known = numberOf(numbers, nameOfUser(principal));
  if (known !== undefined || principal !== null) return known;
  const isClosed = [ERASING, FREE].some((state) => Object.hasOwn(numbers, state + ANONYMOUS));
  return isClosed ? undefined : ANONYMOUS;
}

function numberOf(numbers: Numbers, name: string): number | undefined {
  return Object.hasOwn(numbers, name) ? numbers[name] : undefined;
}

/** The new name comes last. */
function renamed(numbers: Numbers, from: string, to: string, number: number): Numbers {
  const others = Object.entries(numbers).filter(([name]) => name !== from && name !== to);
  return { ...Object.fromEntries(others), [to]: number };
}

function takeNew(uow: UnitOfWork, numbers: Numbers, name: string): number {
  const next = Math.max(0, ...Object.values(numbers)) + 1;
  if (next >= MAX_PARTITIONS) {
    throw new UsageError(
      'usage/invalid-argument',
      `one database serves at most ${MAX_PARTITIONS - 1} principals and named queues`,
    );
  }
  writeNumbers(uow, { ...numbers, [name]: next });
  return next;
}

/** The number that has been free for the longest, if it has rested; or if there is no other any more. */
async function takeFree(
  uow: UnitOfWork,
  numbers: Numbers,
  name: string,
): Promise<number | undefined> {
  const free = Object.entries(numbers).filter(
    // An app that does not know of `NOBODY` would show it to nobody.
    ([other, number]) => other.startsWith(FREE) && (number !== ANONYMOUS || name === NOBODY),
  );
  const isFull = Math.max(0, ...Object.values(numbers)) + 1 >= MAX_PARTITIONS;
  for (const [state, number] of free.slice(0, isFull ? free.length : -RESTING)) {
    if (!(await isEmpty(uow, number))) continue;
    writeNumbers(uow, renamed(numbers, state, name, number));
    uow.state.setClosed(number, false);
    return number;
  }
  return undefined;
}

/** False if a context of an older version, which slept, has put something there. */
async function isEmpty(uow: UnitOfWork, partition: number): Promise<boolean> {
  const ranges = [readyRange(partition, 0, LOWEST_RANK), parkedRange(partition)];
  for (const { from, to } of ranges) {
    const found = await uow.scanEntries({ from: [from], to: [to], toOpen: true, limit: 1 });
    if (found.length > 0) return false;
  }
  return (await uow.scan('rows', { prefix: [partition], limit: 1 })).length === 0;
}
