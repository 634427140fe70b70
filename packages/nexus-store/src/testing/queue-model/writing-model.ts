import type { PriorityRank } from '../../core/model/priority.ts';
import type { OnRejected } from '../../core/queue/collection-rules.ts';
import { OrderModel, type ModelEntry, type ModelPin, type Value } from './order-model.ts';

export interface Mutate {
  readonly lane: string;
  readonly kind: 'save' | 'patch' | 'delete' | 'create' | 'command';
  readonly field: string;
  readonly number: number;
  readonly priority: PriorityRank;
  readonly after: readonly number[] | undefined;
  readonly ttl: number | null;
}

export interface ModelSetting {
  readonly onRejected: OnRejected;
  readonly coalesce: boolean;
  readonly merges: boolean;
  /** A pull brings what the server has. */
  readonly isPulled: boolean;
}

/** What rows hold, and what becomes of a new mutation. */
export class WritingModel extends OrderModel {
  readonly server: Map<string, Value> = new Map();
  readonly value: Map<string, Value> = new Map();
  readonly version: Map<string, string | null> = new Map();
  readonly setting: ModelSetting;

  constructor(setting: ModelSetting) {
    super();
    this.setting = setting;
  }

  localOf(lane: string): Value {
    return this.value.get(lane) ?? null;
  }

  serverOf(lane: string): Value {
    return this.server.get(lane) ?? null;
  }

  /** Nothing is known of a row that is gone. */
  versionOf(lane: string): string | null {
    const isGone = this.lane(lane).length === 0 && this.localOf(lane) === null;
    return isGone ? null : (this.version.get(lane) ?? null);
  }

  apply(
    value: Value,
    entry: Pick<ModelEntry, 'operation' | 'payload' | 'isPatch' | 'pinned'>,
  ): Value {
    if (entry.operation === 'delete') return null;
    if (entry.operation === 'command') return value === null ? null : add(value, entry.payload);
    // Of what others have deleted a patch shows the rest as it was.
    const under = entry.pinned?.isInherited === false ? entry.pinned.value : null;
    return entry.isPatch ? { ...(value ?? under), ...entry.payload } : entry.payload;
  }

  /** What an entry was made on, if nothing stands before it. */
  baseOf(entry: ModelEntry): ModelPin {
    const { lane, isEchoed } = entry;
    const row = { version: this.versionOf(lane), value: this.serverOf(lane) };
    return entry.pinned ?? { ...row, isInherited: false, hasOwn: isEchoed };
  }

  madeBy(entry: ModelEntry, base: ModelPin): Value {
    return base.hasOwn ? base.value : this.apply(base.value, entry);
  }

  /** Whoever writes behind it sees nothing that it was not made on. */
  knowsRow({ lane, pinned, isStale }: ModelEntry): boolean {
    return !isStale && (pinned === undefined || pinned.version === this.versionOf(lane));
  }

  seenNow(lane: string): ModelPin {
    const [version, value] = [this.versionOf(lane), this.localOf(lane)];
    return { version, value, isInherited: true, hasOwn: false };
  }

  /** Others have changed the row: the last of its lane does not know. */
  markStale(lane: string): void {
    const [, ...behind] = this.lane(lane);
    const tail = behind.at(-1);
    if (tail !== undefined) tail.isStale = true;
  }

  /** What was the last of its lane has left it. */
  passStale({ lane, seq, isStale }: ModelEntry): void {
    if (isStale && (this.lane(lane).at(-1)?.seq ?? Infinity) < seq) this.markStale(lane);
  }

  fold(lane: string, entries: readonly ModelEntry[] = this.lane(lane)): Value {
    return entries.reduce(
      (value, entry) => (entry.isEchoed ? value : this.apply(value, entry)),
      this.serverOf(lane),
    );
  }

  refold(lane: string): void {
    this.value.set(lane, this.fold(lane));
  }

  remove(entry: ModelEntry): void {
    this.entries = this.entries.filter((other) => other !== entry);
    for (const { after } of this.entries) after.delete(entry.seq);
  }

  enqueue(wish: Mutate, key: string, group: string | undefined): string {
    const { lane, kind } = wish;
    const value = this.localOf(lane);
    const exists = value !== null;
    const operation =
      kind === 'save' ? (exists ? 'update' : 'create') : kind === 'patch' ? 'update' : kind;
    const tail = this.lane(lane).at(-1);
    const entry: Omit<ModelEntry, 'seq'> = {
      lane,
      operation,
      payload: kind === 'delete' ? null : { [wish.field]: wish.number },
      isPatch: kind === 'patch',
      priority: wish.priority,
      group,
      after: new Set(),
      state: null,
      ambiguous: null,
      attempts: 0,
      notBefore: null,
      expiresAt: wish.ttl === null ? null : this.now + wish.ttl,
      key,
      fence: null,
      claimedRank: 9,
      isDetached: false,
      isEchoed: false,
      isRevived: false,
      followed: [],
      pinned: undefined,
      isStale: false,
      madeOn: undefined,
    };
    const isFresh =
      tail !== undefined && tail.state === null && tail.fence === null && tail.ambiguous !== 1;
    if (isFresh) {
      const isDeleted = tail.operation === 'delete';
      if (operation === 'create' && !isDeleted && exists) return 'store/exists';
      if (isDeleted && (operation === 'update' || operation === 'command'))
        return 'store/not-found';
      const mayFold = this.setting.coalesce && wish.after === undefined && tail.group === group;
      const effect = mayFold ? this.coalesceInto(tail, entry) : undefined;
      if (effect !== undefined) return effect;
    }
    return this.append({ ...entry, seq: this.nextSeq++ }, wish.after ?? []);
  }

  append(entry: ModelEntry, after: readonly number[]): string {
    const { lane, operation } = entry;
    const tail = this.lane(lane).at(-1);
    const hasBase = operation === 'update' || operation === 'delete';
    if (tail === undefined) this.version.set(lane, this.versionOf(lane));
    else if (hasBase && !this.knowsRow(tail)) entry.pinned = this.seenNow(lane);
    if (this.lane(lane).length === 0) this.server.set(lane, this.localOf(lane));
    for (const seq of after) {
      const earlier = this.entries.find((other) => other.seq === seq);
      if (earlier === undefined || earlier.isDetached) continue;
      if (entry.group !== undefined && earlier.group === entry.group) continue;
      entry.after.add(seq);
    }
    this.value.set(lane, this.apply(this.localOf(lane), entry));
    this.entries = [...this.entries, entry].sort((a, b) => a.seq - b.seq);
    return 'appended';
  }

  /**
   * What follows an entry was made on this, where nothing older is known. Whoever wrote a whole value behind it may
   * not have seen what it hid.
   */
  handOn({ lane, seq }: ModelEntry, pin: ModelPin): void {
    const next = this.lane(lane).find((other) => other.seq > seq);
    if (next === undefined) return;
    const isWhole = next.operation === 'update' && !next.isPatch;
    if (next.pinned === undefined) next.pinned = { ...pin, isInherited: true, hasOwn: false };
    else if (isWhole && next.pinned.version === this.versionOf(lane))
      next.pinned = { ...next.pinned, version: pin.version };
  }

  /** What others come after does not turn into its delete. */
  isPrerequisite({ seq }: ModelEntry): boolean {
    return this.entries.some(({ after }) => after.has(seq));
  }

  /** The limit of two that become one; null is for ever. */
  laterOf(a: number | null, b: number | null): number | null {
    return [a, b].includes(null) ? null : Math.max(Number(a), Number(b));
  }

  /**
   * The table, with a fresh entry waiting.
   *
   * @param isNew whether the later one is made now, by somebody who sees the row as it is
   */
  coalesceInto(
    tail: ModelEntry,
    next: Omit<ModelEntry, 'seq'>,
    isNew: boolean = true,
  ): string | undefined {
    const { lane } = tail;
    const isBlind = isNew && !this.knowsRow(tail);
    const isHead = this.lane(lane)[0] === tail;
    const seen = { pinned: isHead ? undefined : this.seenNow(lane), isStale: false };
    const deleted = {
      operation: 'delete',
      payload: null,
      isPatch: false,
      ...(isBlind ? seen : {}),
    } as const;
    const priority = Math.min(tail.priority, next.priority) as PriorityRank;
    const merge = (change: Partial<ModelEntry>): string => {
      const key = tail.ambiguous === null ? tail.key : next.key;
      const expiresAt = this.laterOf(tail.expiresAt, next.expiresAt);
      Object.assign(tail, {
        priority,
        key,
        expiresAt,
        ambiguous: null,
        isEchoed: false,
        ...change,
      });
      return 'merged';
    };
    switch (`${tail.operation} ${next.operation}`) {
      case 'delete delete': {
        const expiresAt = this.laterOf(tail.expiresAt, next.expiresAt);
        if (tail.priority === priority && tail.expiresAt === expiresAt) return 'nothing';
        Object.assign(tail, { priority, expiresAt });
        return 'merged';
      }
      case 'create delete':
        if (this.isPrerequisite(tail)) return undefined;
        if (tail.group !== undefined) return undefined;
        if (
          this.fold(
            lane,
            this.lane(lane).filter(({ seq }) => seq < tail.seq),
          ) === null
        ) {
          this.remove(tail);
          if (tail.pinned !== undefined) this.handOn(tail, tail.pinned);
          this.passStale(tail);
          this.refold(lane);
          return 'vanished';
        }
        this.value.set(lane, null);
        return merge(deleted);
      case 'update delete':
        if (this.isPrerequisite(tail)) return undefined;
        this.value.set(lane, null);
        return merge(deleted);
      case 'command command': {
        if (!this.setting.merges) return undefined;
        this.value.set(lane, this.apply(this.localOf(lane), next));
        return merge({ payload: add(tail.payload ?? {}, next.payload) });
      }
      case 'create update':
      case 'update update':
      case 'create create':
      case 'update create': {
        if (isBlind) return undefined;
        this.value.set(lane, this.apply(this.localOf(lane), next));
        if (next.isPatch) return merge({ payload: { ...tail.payload, ...next.payload } });
        return merge({ payload: next.payload, isPatch: false });
      }
      default:
        return undefined;
    }
  }
}

export function add(value: { readonly [field: string]: number }, args: Value): Value {
  const result = { ...value };
  for (const [field, number] of Object.entries(args ?? {}))
    result[field] = (result[field] ?? 0) + number;
  return result;
}
