import type { Explanation } from '../../core/background/explanation.ts';
import type { JournalRecord } from '../../core/background/journal.ts';
import type { EntryId } from '../../core/model/entry.ts';
import { isNexusError } from '../../core/model/errors.ts';
import { PRIORITIES, type SyncPriority } from '../../core/model/priority.ts';
import type { StoreBackend } from '../../core/store/store-backend.ts';
import type { SyncStatus } from '../../core/sync/sync-status.ts';
import type { BackgroundSyncSource } from '../provider.ts';
import { ActivityLog } from './activity.ts';
import type { InspectableRemote, NetworkCondition } from './inspectable.ts';
import {
  readLane,
  readQueue,
  SECTIONS,
  type Item,
  type QueuePicture,
  type SectionName,
} from './read-queue.ts';
import { Repeated } from './repeated.ts';
import { reportOf } from './report.ts';
import { counted } from './words.ts';

export interface InspectorSources {
  readonly backend: StoreBackend;
  /** For the wake-ups and their explanation. */
  readonly background?: BackgroundSyncSource | undefined;
  /** What `inspectable` made, for the network switch. */
  readonly remote?: InspectableRemote | undefined;
}

export type Tab = 'queue' | 'dead' | 'activity' | 'wake-ups';

/** Entries of one part of the queue that are shown at first, and that each wish for more adds. */
const PAGE = 5;
const LANE_PAGE = 12;
/** However many wishes for more: a page that lists thousands helps nobody. */
const MOST = 200;

/** The queue is read at most so often. Unit: milliseconds. */
const READ_GAP_MS = 200;
const SLOW_GAP_MS = 1_000;

/** What is shown of the doings of one user. */
interface Seen {
  /** Whose. */
  readonly partition: number;
  readonly activity: ActivityLog;
  picture: QueuePicture | undefined;
  explanation: Explanation | undefined;
  message: string;
}

/** What the inspector knows and does, apart from how it looks. Everything it reads is bounded. */
export class InspectorModel {
  readonly sources: InspectorSources;
  readonly opened: Set<EntryId> = new Set();
  readonly withPayload: Set<EntryId> = new Set();
  readonly lanes: Map<EntryId, readonly Item[]> = new Map();
  readonly limits: Record<SectionName, number>;
  history: readonly JournalRecord[] = [];
  /** Why the queue could not be read. */
  failure: string | undefined;
  /** The dead letter that waits for a second click. */
  discarding: EntryId | undefined;
  tab: Tab = 'queue';
  isReportWithPayloads = false;
  #seen: Seen | undefined;
  readonly #onChange: () => void;
  readonly #stops: (() => void)[] = [];
  readonly #queue: Repeated;
  readonly #slow: Repeated;
  #isStopped = false;

  constructor(sources: InspectorSources, onChange: () => void) {
    this.sources = sources;
    this.#onChange = onChange;
    this.limits = Object.fromEntries(SECTIONS.map((name) => [name, PAGE])) as Record<
      SectionName,
      number
    >;
    this.#queue = new Repeated(READ_GAP_MS, () => this.#readQueue());
    this.#slow = new Repeated(SLOW_GAP_MS, () => this.#readSlow());
  }

  /** The queue as it was last read; undefined until it was. */
  get picture(): QueuePicture | undefined {
    return this.#ofUser.picture;
  }

  get explanation(): Explanation | undefined {
    return this.#ofUser.explanation;
  }

  /** What happened. */
  get activity(): ActivityLog {
    return this.#ofUser.activity;
  }

  /** What was last done, for those who cannot see it. */
  get message(): string {
    return this.#ofUser.message;
  }

  /** Begins anew with each user: nobody sees what the one before did. */
  get #ofUser(): Seen {
    const { partition } = this.sources.backend;
    if (this.#seen?.partition !== partition) {
      this.#seen = {
        partition,
        activity: new ActivityLog(),
        picture: undefined,
        explanation: undefined,
        message: '',
      };
    }
    return this.#seen;
  }

  get status(): SyncStatus {
    return this.sources.backend.status.current;
  }

  get network(): NetworkCondition | undefined {
    return this.sources.remote?.network.current;
  }

  /** Whether the network switch is that of all tabs and of the service worker. */
  get isNetworkShared(): boolean {
    return this.sources.remote?.isShared === true;
  }

  get now(): number {
    return this.sources.backend.runtime.clock.now();
  }

  start(): void {
    const { backend, background, remote } = this.sources;
    const stops = [
      backend.on((event) => {
        this.activity.add(event, this.now);
        if (event.type.startsWith('wake-up')) this.#slow.soon();
        this.#looked();
      }),
      backend.status.subscribe(() => this.#looked()),
      remote?.network.subscribe(() => this.#onChange()),
      background?.statusStream.subscribe(() => this.#slow.soon()),
    ];
    for (const stop of stops) if (stop !== undefined) this.#stops.push(stop);
    this.#slow.soon();
  }

  stop(): void {
    this.#isStopped = true;
    for (const stop of this.#stops.splice(0)) stop();
    this.#queue.stop();
    this.#slow.stop();
  }

  /** Time passes: what is said of it is said anew. */
  tick(): void {
    this.#slow.soon();
    if (this.picture === undefined) this.#queue.soon();
    this.#onChange();
  }

  // ---- what people do ----------------------------------------------------------------------------

  show(tab: Tab): void {
    this.tab = tab;
    this.#onChange();
  }

  more(name: SectionName): void {
    this.limits[name] = Math.min(MOST, this.limits[name] + 4 * PAGE);
    this.#looked();
  }

  fewer(name: SectionName): void {
    this.limits[name] = PAGE;
    this.#looked();
  }

  canShowMore(name: SectionName): boolean {
    return this.picture?.[name].hasMore === true && this.limits[name] < MOST;
  }

  isExtended(name: SectionName): boolean {
    return this.limits[name] > PAGE;
  }

  toggle(id: EntryId, isOpen: boolean): void {
    if (isOpen === this.opened.has(id)) return;
    if (isOpen) this.opened.add(id);
    else this.opened.delete(id);
    this.#looked();
    this.#onChange();
  }

  togglePayload(id: EntryId): void {
    if (!this.withPayload.delete(id)) this.withPayload.add(id);
    this.#onChange();
  }

  setNetwork(condition: NetworkCondition): void {
    const { remote, backend } = this.sources;
    remote?.setNetwork(condition);
    this.say(`The network is ${condition} now.`);
    // A real network that returns wakes the queue as well.
    if (condition !== 'offline') backend.wake();
  }

  syncNow(): Promise<void> {
    return this.attempt(async () => {
      const { pushed, pulled, stoppedBy } = await this.sources.backend.sync({
        reason: 'inspector',
      });
      return `Sync ended (${stoppedBy}): ${counted(pushed, 'entry', 'entries')} sent, ${counted(pulled, 'row')} fetched.`;
    });
  }

  togglePause(): Promise<void> {
    return this.attempt(async () => {
      const { backend } = this.sources;
      if (backend.isPaused) {
        await backend.resume();
        return 'Sync goes on.';
      }
      await backend.pause();
      return 'Sync is paused, also after a restart, until you resume it.';
    });
  }

  retry(id: EntryId): Promise<void> {
    return this.attempt(async () => {
      const result = await this.sources.backend.retry(id);
      if (result === 'not-found') return `${id} is not there any more.`;
      if (result === 'vanished') return `${id} met its delete: nothing is left to send.`;
      return result === 'queued' ? `${id} will be sent again.` : `${id} is queued behind others.`;
    });
  }

  retryAll(): Promise<void> {
    return this.attempt(async () => {
      const retried = await this.sources.backend.retryAll();
      return `${counted(retried, 'dead letter')} will be sent again.`;
    });
  }

  /** The first click asks, the second one does it. */
  discard(id: EntryId): Promise<void> {
    if (this.discarding !== id) {
      this.discarding = id;
      this.say(`Discard ${id} for good? Press again to confirm.`);
      return Promise.resolve();
    }
    this.discarding = undefined;
    return this.attempt(async () =>
      (await this.sources.backend.discard(id)) ? `${id} is discarded.` : `${id} is no dead letter.`,
    );
  }

  keepAfterAll(): void {
    this.discarding = undefined;
    this.say('Nothing was discarded.');
  }

  cancel(id: EntryId): Promise<void> {
    return this.attempt(async () => `Cancel ${id}: ${await this.sources.backend.cancel(id)}.`);
  }

  reprioritise(id: EntryId, priority: string): Promise<void> {
    return this.attempt(async () => {
      const known = PRIORITIES.find((name) => name === priority) as SyncPriority;
      await this.sources.backend.reprioritise(id, known);
      return `${id} is ${known} now.`;
    });
  }

  resolve(id: EntryId, use: 'local' | 'remote'): Promise<void> {
    return this.attempt(async () => {
      const resolved = await this.sources.backend.resolveConflict(id, { use });
      return resolved ? `The ${use} side of ${id} was taken.` : `${id} is no conflict any more.`;
    });
  }

  setReportWithPayloads(isWith: boolean): void {
    this.isReportWithPayloads = isWith;
    this.#onChange();
  }

  report(): Promise<string> {
    return reportOf(this, this.isReportWithPayloads);
  }

  say(message: string): void {
    this.#ofUser.message = message;
    this.#onChange();
  }

  /** Does something, and says what came of it to whoever asked for it. */
  async attempt(action: () => Promise<string>): Promise<void> {
    const seen = this.#ofUser;
    try {
      seen.message = await action();
    } catch (error) {
      seen.message = `That failed: ${reasonOf(error)}`;
    }
    this.#looked();
  }

  // ---- reading -----------------------------------------------------------------------------------

  #looked(): void {
    this.#queue.soon();
    this.#onChange();
  }

  async #readQueue(): Promise<void> {
    const { backend } = this.sources;
    try {
      await backend.open();
      const seen = this.#ofUser;
      const picture = await readQueue(backend, this.limits);
      await this.#readLanes(picture);
      this.failure = undefined;
      seen.picture = picture;
      // Somebody else came meanwhile: this is shown to nobody.
      if (seen !== this.#ofUser) this.#queue.soon();
    } catch (error) {
      if (isNexusError(error, 'storage/closed')) this.#ofUser.picture = undefined;
      this.failure = reasonOf(error);
    }
    if (!this.#isStopped) this.#onChange();
  }

  /** The lanes that somebody looks at. */
  async #readLanes(picture: QueuePicture): Promise<void> {
    const shown = new Set(
      SECTIONS.flatMap((name) => picture[name].items.map(({ entry }) => entry.id)),
    );
    for (const id of this.opened) {
      if (shown.has(id)) this.lanes.set(id, await readLane(this.sources.backend, id, LANE_PAGE));
      else this.#forget(id);
    }
  }

  #forget(id: EntryId): void {
    this.opened.delete(id);
    this.withPayload.delete(id);
    this.lanes.delete(id);
  }

  async #readSlow(): Promise<void> {
    const { background } = this.sources;
    if (background === undefined) return;
    const seen = this.#ofUser;
    try {
      seen.explanation = await background.explain();
      this.history = await background.history();
    } catch {
      // The queue says what is wrong with the storage.
      seen.explanation = undefined;
    }
    if (!this.#isStopped) this.#onChange();
  }
}

function reasonOf(error: unknown): string {
  if (isNexusError(error)) return `${error.code}: ${error.message}`;
  return error instanceof Error ? error.message : String(error);
}
