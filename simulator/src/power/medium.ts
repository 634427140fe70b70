import type { SeededRandom } from 'nexus-store/testing';
import { Image } from './image.ts';

/** Files that a loss of power may damage, by the end of their names: the database and its log. */
export type FileName = '' | '-wal';

/** What was done to the files, in order. Before a sync nothing of a write is certain. */
export type FileEvent =
  | {
      readonly kind: 'write';
      readonly file: FileName;
      readonly offset: number;
      readonly bytes: Buffer;
    }
  | { readonly kind: 'sync'; readonly file: FileName }
  /** From here on the log holds this commit, by its number. */
  | { readonly kind: 'commit'; readonly number: number };

type Write = Extract<FileEvent, { kind: 'write' }>;
type Images = Map<FileName, Image>;

/** Undefined: no such file. */
export type Files = ReadonlyMap<FileName, Buffer | undefined>;

/** What a loss of power leaves. */
export interface Survivors {
  readonly files: Files;
  /** The last commit that was synced for certain, by its number; 0 for none. */
  readonly syncedCommit: number;
}

/** Disks write whole sectors, in any order, and one of them may be left with anything in it. */
const SECTOR = 512;
const FILES: readonly FileName[] = ['', '-wal'];

/**
 * What is on a disk: what was synced is certain, and of what was written since there may be anything.
 * Bytes that nobody wrote stay as they are, also in a sector of which others were written: that is what
 * SQLite calls powersafe overwrite, and expects of every disk of today.
 */
export class Medium {
  readonly #certain: Images = new Map();
  #events: FileEvent[] = [];
  /** Where the last operation begins: power may fail in the middle of it. */
  #lastAt = 0;
  #syncedCommit = 0;

  /**
   * Takes files as they are for certain.
   *
   * @param commit the last one that they hold
   */
  reset(files: Files, commit: number): void {
    this.#certain.clear();
    for (const [file, bytes] of files)
      if (bytes !== undefined) this.#certain.set(file, new Image(bytes));
    this.#syncedCommit = commit;
    this.#events = [];
    this.#lastAt = 0;
  }

  /** One operation of SQLite: a commit, a checkpoint. */
  add(events: readonly FileEvent[]): void {
    this.#settle();
    this.#lastAt = this.#events.length;
    this.#events.push(...events);
  }

  /** The log as it would be without any loss; undefined if there is none. */
  get log(): Buffer | undefined {
    const isWritten = this.#events.some((event) => event.kind === 'write' && event.file === '-wal');
    return isWritten ? this.whole().get('-wal') : this.#certain.get('-wal')?.bytes;
  }

  /** What there would be without any loss. */
  whole(): Files {
    const images = copyOf(this.#certain);
    for (const event of this.#events) if (event.kind === 'write') write(images, event);
    return filesOf(images);
  }

  /**
   * What may be left when the power fails.
   *
   * @param isInside in the middle of the last operation, not after it
   */
  survivors(random: SeededRandom, isInside: boolean): Survivors {
    const length = this.#events.length - this.#lastAt;
    const end = isInside ? this.#lastAt + random.integer(length + 1) : this.#events.length;
    const events = this.#events.slice(0, end);
    const images = copyOf(this.#certain);
    const open = applySynced(images, events);
    for (const file of FILES) {
      const writes = open.filter((event) => event.file === file).flatMap(sectorsOf);
      if (writes.length > 0) damage(images, writes, random);
    }
    return { files: filesOf(images), syncedCommit: this.#syncedAfter(events) };
  }

  #syncedAfter(events: readonly FileEvent[]): number {
    const lastSync = events.findLastIndex(isLogSync);
    return events
      .slice(0, lastSync + 1)
      .reduce((last, event) => (event.kind === 'commit' ? event.number : last), this.#syncedCommit);
  }

  /** What was synced becomes certain. */
  #settle(): void {
    this.#syncedCommit = this.#syncedAfter(this.#events);
    const open = applySynced(this.#certain, this.#events);
    // A commit that is not synced is told by the writes around it.
    const kept = new Set<FileEvent>(open);
    const lastSync = this.#events.findLastIndex(isLogSync);
    this.#events = this.#events.filter(
      (event, index) => kept.has(event) || (event.kind === 'commit' && index > lastSync),
    );
  }
}

function isLogSync(event: FileEvent): boolean {
  return event.kind === 'sync' && event.file === '-wal';
}

/** Does all writes that were synced; returns those that were not. */
function applySynced(images: Images, events: readonly FileEvent[]): readonly Write[] {
  const lastSync = new Map<FileName, number>();
  for (const [index, event] of events.entries()) {
    if (event.kind === 'sync') lastSync.set(event.file, index);
  }
  const open: Write[] = [];
  for (const [index, event] of events.entries()) {
    if (event.kind !== 'write') continue;
    if (index < (lastSync.get(event.file) ?? -1)) write(images, event);
    else open.push(event);
  }
  return open;
}

function copyOf(images: Images): Images {
  return new Map([...images].map(([file, image]) => [file, new Image(image.bytes)]));
}

function filesOf(images: Images): Files {
  return new Map(FILES.map((file) => [file, images.get(file)?.bytes]));
}

function write(images: Images, { file, offset, bytes }: Write): void {
  const image = images.get(file) ?? new Image();
  image.write(offset, bytes);
  images.set(file, image);
}

/** A write in the parts that lie in one sector each. */
function sectorsOf({ kind, file, offset, bytes }: Write): readonly Write[] {
  const parts: Write[] = [];
  for (let at = 0; at < bytes.length;) {
    const end = Math.min(bytes.length, at + SECTOR - ((offset + at) % SECTOR));
    parts.push({ kind, file, offset: offset + at, bytes: bytes.subarray(at, end) });
    at = end;
  }
  return parts;
}

/** So many of the last sectors are in doubt where the rest has made it. */
const TAIL_SECTORS = 24;

function damage(images: Images, parts: readonly Write[], random: SeededRandom): void {
  const how = random.pick(['none', 'all', 'cut', 'cut', 'tail', 'tail', 'scatter'] as const);
  if (how === 'none') return;
  const total = parts.length;
  const firstInDoubt =
    how === 'all'
      ? total
      : how === 'scatter'
        ? 0
        : Math.max(0, total - 1 - random.integer(how === 'cut' ? total : TAIL_SECTORS));
  for (const part of parts.slice(0, firstInDoubt)) write(images, part);
  const [cut] = parts.slice(firstInDoubt);
  if (how === 'cut' && cut !== undefined) {
    const bytes = cut.bytes.subarray(0, random.integer(cut.bytes.length + 1));
    if (bytes.length > 0) write(images, { ...cut, bytes });
    return;
  }
  for (const part of parts.slice(firstInDoubt)) scatter(images, part, random);
}

/** A sector that may have been written, or not, or become anything. */
function scatter(images: Images, part: Write, random: SeededRandom): void {
  const fate = random.pick(['new', 'new', 'new', 'old', 'zeroes', 'garbage'] as const);
  if (fate === 'old') return;
  if (fate === 'new') return write(images, part);
  const bytes = Buffer.alloc(part.bytes.length);
  if (fate === 'garbage') {
    const salt = random.integer(2 ** 31);
    for (let at = 0; at < bytes.length; at += 1) {
      bytes[at] = Math.imul(salt + at, 0x9e37_79b1) >>> 24;
    }
  }
  write(images, { ...part, bytes });
}
