import type { PriorityRank } from '../../core/model/priority.ts';
import type { OnRejected } from '../../core/queue/collection-rules.ts';
import { OrderModel, type ModelEntry, type Value } from './order-model.ts';

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

  apply(value: Value, entry: Pick<ModelEntry, 'operation' | 'payload' | 'isPatch'>): Value {
    if (entry.operation === 'delete') return null;
    if (entry.operation === 'command') return value === null ? null : add(value, entry.payload);
    return entry.isPatch ? { ...value, ...entry.payload } : entry.payload;
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
    const { lane } = entry;
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

  /** What others come after does not turn into its delete. */
  isPrerequisite({ seq }: ModelEntry): boolean {
    return this.entries.some(({ after }) => after.has(seq));
  }

  /** The limit of two that become one; null is for ever. */
  laterOf(a: number | null, b: number | null): number | null {
    return [a, b].includes(null) ? null : Math.max(Number(a), Number(b));
  }

  /** The table, with a fresh entry waiting. */
  coalesceInto(tail: ModelEntry, next: Omit<ModelEntry, 'seq'>): string | undefined {
    const { lane } = tail;
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
          this.refold(lane);
          return 'vanished';
        }
        this.value.set(lane, null);
        return merge({ operation: 'delete', payload: null, isPatch: false });
      case 'update delete':
        if (this.isPrerequisite(tail)) return undefined;
        this.value.set(lane, null);
        return merge({ operation: 'delete', payload: null, isPatch: false });
      case 'command command': {
        if (!this.setting.merges) return undefined;
        this.value.set(lane, this.apply(this.localOf(lane), next));
        return merge({ payload: add(tail.payload ?? {}, next.payload) });
      }
      case 'create update':
      case 'update update':
      case 'create create':
      case 'update create': {
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
