import { join } from 'node:path';
import {
  createBackend,
  isNexusError,
  NexusStore,
  type Runtime,
  type Storage,
  type StoreBackend,
} from 'nexus-store';
import {
  nodeSqliteClient,
  sqliteStorage,
  type Durability,
  type SqliteClient,
  type SqliteConnection,
} from 'nexus-store/sqlite';
import {
  createSeededRandom,
  createVirtualRuntime,
  memoryRemote,
  type MemoryRemote,
  type SeededRandom,
  type VirtualRuntime,
} from 'nexus-store/testing';
import { disagreements } from './agreement.ts';
import { atOnce } from './at-once.ts';
import { dumpOf, textOf } from './dump.ts';
import { closable, putDown } from './files.ts';
import type { Survivors } from './medium.ts';
import { WatchedFile, type Operation } from './watched-file.ts';

/** What a trial has seen. */
export interface TornTrial {
  losses: number;
  /** In the middle of a commit, or of a checkpoint. */
  inside: number;
  insideCheckpoint: number;
  /** Commits that were done and are gone. */
  lost: number;
  commits: number;
}

export interface TornOptions {
  readonly seed: number;
  readonly durability: Durability;
  /** An empty folder. */
  readonly folder: string;
  /** @defaultValue Node's own */
  readonly client?: SqliteClient;
}

interface Value {
  readonly id: string;
  readonly token: number;
  readonly text?: string;
}

type Schema = Parameters<Storage['open']>[0];

const LOSSES = 3;
const ACTIONS = 20;
/** So many syncs, a minute apart, must do. */
const ROUNDS = 20;

/**
 * An app writes and syncs, the power fails at a random moment, and what is left of the file is opened again:
 * several times in a row, on what the last loss has left. In the end everything is sent.
 *
 * @throws Error that says what was broken
 */
export async function runTornTrial(options: TornOptions): Promise<TornTrial> {
  const trial = new Trial(options);
  try {
    return await trial.run();
  } finally {
    trial.end();
  }
}

/** The app and its file from one loss of power to the next. */
interface Life {
  readonly file: WatchedFile;
  readonly backend: StoreBackend;
  readonly notes: NexusStore<Value>;
  readonly process: { kill(): void };
  readonly closeAll: () => void;
}

class Trial {
  readonly #options: TornOptions;
  readonly #random: SeededRandom;
  readonly #runtime: VirtualRuntime;
  readonly #remote: MemoryRemote = memoryRemote({ hints: false });
  readonly #seen: TornTrial = { losses: 0, inside: 0, insideCheckpoint: 0, lost: 0, commits: 0 };
  readonly #checkpointPages: number;
  #schema: Schema | undefined;
  #life: Life | undefined;
  #path = '';
  #files = 0;
  #tokens = 0;
  /** The records after each commit, by its number. */
  #texts: string[] = [];
  /** The last commit that somebody was told of. */
  #promised = 0;
  /** Commits and checkpoints until the power fails in the middle of one. */
  #untilCut = Infinity;
  #cut: Survivors | undefined;

  constructor(options: TornOptions) {
    this.#options = options;
    this.#random = createSeededRandom(options.seed, 'torn');
    this.#runtime = createVirtualRuntime(options.seed);
    this.#checkpointPages = this.#random.pick([5, 25, 1_000]);
  }

  async run(): Promise<TornTrial> {
    this.#path = this.#nextPath();
    this.#texts = [textOf(new Map())];
    for (let loss = 0; loss < LOSSES; loss += 1) {
      const left = await this.#untilPowerFails();
      await this.#inspect(left);
    }
    await this.#drain();
    return this.#seen;
  }

  end(): void {
    this.#life?.process.kill();
    this.#life?.closeAll();
    this.#life = undefined;
  }

  #nextPath(): string {
    this.#files += 1;
    return join(this.#options.folder, `${this.#files}.db`);
  }

  // ---- the app -----------------------------------------------------------------------------------

  #start(): Life {
    const onOperation = (operation: Operation): void => this.#onOperation(file, operation);
    const checkpointPages = this.#checkpointPages;
    const file = new WatchedFile(this.#path, { checkpointPages, onOperation });
    const process = this.#runtime.createProcess();
    const { client, closeAll } = closable(file.client(this.#options.client ?? nodeSqliteClient()));
    const storage = this.#storage(this.#path, client, process);
    const backend = createBackend({
      storage: {
        capabilities: storage.capabilities,
        open: (schema) => {
          this.#schema = schema;
          return storage.open(schema);
        },
        transact: (mode, body) => storage.transact(mode, body),
        foreignCommits: () => storage.foreignCommits(),
        close: () => storage.close(),
      },
      remote: this.#remote,
      runtime: process,
      autoSync: false,
    });
    const notes = new NexusStore<Value>({ backend, collection: 'notes', indexes: ['token'] });
    this.#promised = 0;
    this.#life = { file, backend, notes, process, closeAll };
    return this.#life;
  }

  #storage(path: string, client: SqliteClient, runtime: Runtime): Storage {
    return sqliteStorage({ path, client, durability: this.#options.durability, runtime });
  }

  #onOperation(file: WatchedFile, { connection, isCommit, isCheckpoint }: Operation): void {
    if (this.#cut !== undefined) return;
    if (isCommit) this.#texts[file.commits] = textOf(dumpOf(connection));
    this.#untilCut -= 1;
    if (this.#untilCut > 0) return;
    this.#cut = file.medium.survivors(this.#random, true);
    this.#seen.inside += 1;
    if (isCheckpoint) this.#seen.insideCheckpoint += 1;
  }

  /** Lets the app work; what the loss leaves. */
  async #untilPowerFails(): Promise<Survivors> {
    const random = this.#random;
    const life = this.#start();
    this.#cut = undefined;
    this.#untilCut = random.chance(0.8) ? 1 + random.integer(random.pick([6, 30])) : Infinity;
    const actions = 1 + random.integer(ACTIONS);
    await this.#done(life.backend.open());
    for (let count = 0; count < actions && this.#cut === undefined; count += 1) {
      await this.#done(this.#act(life));
    }
    const left = this.#cut ?? life.file.medium.survivors(random, false);
    this.#seen.commits += life.file.commits;
    this.#seen.losses += 1;
    // Strict promises what was told, relaxed what SQLite has waited for.
    if (this.#options.durability === 'relaxed') this.#promised = left.syncedCommit;
    this.end();
    await this.#runtime.settle();
    return left;
  }

  /** Waits for a call while time goes on; what it has done is promised when it comes back. */
  async #done(call: Promise<unknown>): Promise<void> {
    let state: 'waiting' | 'back' = 'waiting';
    let failure: unknown;
    call.then(
      () => {
        state = 'back';
      },
      (error: unknown) => {
        state = 'back';
        failure = error;
      },
    );
    for (let turns = 0; state === 'waiting' && this.#cut === undefined; turns += 1) {
      if (turns > 10_000) throw new Error('a call does not come back');
      await (turns < 20 ? this.#runtime.settle() : this.#runtime.advance(100));
    }
    if (this.#cut !== undefined) return;
    const isExpected = isNexusError(failure) && failure.code.startsWith('store/');
    if (failure !== undefined && !isExpected) throw failure;
    this.#promised = this.#life?.file.commits ?? 0;
  }

  async #act({ backend, notes }: Life): Promise<unknown> {
    const random = this.#random;
    const value = this.#value.bind(this);
    switch (random.integer(10)) {
      case 0:
        return notes.patch(this.#id(), { token: this.#token() });
      case 1:
        return notes.delete(this.#id());
      case 2:
        return notes.saveAll([value(), value(), value()]);
      case 3:
        return backend.transaction(async (tx) => {
          await tx.store(notes).save(value());
          await tx.store(notes).save(value());
        });
      case 4:
        return Promise.allSettled(Array.from({ length: 6 }, () => notes.save(value())));
      case 5: {
        const waiting = await backend.pendingChanges();
        const entry = waiting[random.integer(Math.max(1, waiting.length))];
        return entry === undefined ? undefined : backend.cancel(entry.id);
      }
      case 6:
        return backend.retryAll();
      case 7:
        this.#remote.answerNext(random.pick(['apply', 'apply', 'lose-answer', REJECTED] as const));
        return backend.sync();
      default:
        return notes.save(value());
    }
  }

  #token(): number {
    this.#tokens += 1;
    return this.#tokens;
  }

  #id(): string {
    return `x${1 + this.#random.integer(6)}`;
  }

  #value(): Value {
    const size = this.#random.pick([0, 40, 40, 700, 9_000]);
    return { id: this.#id(), token: this.#token(), text: 'x'.repeat(size) };
  }

  // ---- what is left ------------------------------------------------------------------------------

  /** Opens a copy as the app would, and compares what it holds with what there was after each commit. */
  async #inspect({ files }: Survivors): Promise<void> {
    const path = this.#nextPath();
    putDown(path, files, this.#random);
    const connections: SqliteConnection[] = [];
    const inner = this.#options.client ?? nodeSqliteClient();
    const storage = this.#storage(
      path,
      {
        encrypted: false,
        open: (name, how) => {
          const connection = atOnce(inner.open(name, how));
          connections.push(connection);
          return connection;
        },
      },
      this.#runtime,
    );
    await this.#opened(storage);
    const dump = dumpOf(connections.at(-1) as SqliteConnection);
    await storage.close();
    const text = textOf(dump);
    const found = this.#texts.lastIndexOf(text);
    if (found < 0) throw new Error('what is left is the state after no commit');
    if (found < this.#promised) {
      throw new Error(`commit ${this.#promised} was promised, and what is left is of ${found}`);
    }
    const [wrong] = disagreements(dump);
    if (wrong !== undefined) throw new Error(`after a loss of power: ${wrong}`);
    this.#seen.lost += this.#texts.length - 1 - found;
    this.#texts = [text];
    this.#path = this.#nextPath();
    putDown(this.#path, files, this.#random);
  }

  async #opened(storage: Storage): Promise<void> {
    const schema = this.#schema;
    if (schema === undefined) throw new Error('no schema was seen');
    await storage.open(schema);
  }

  /** From there sync works: everything is sent, and both sides have the same. */
  async #drain(): Promise<void> {
    const { backend, notes } = this.#start();
    this.#untilCut = Infinity;
    this.#cut = undefined;
    await this.#done(backend.open());
    for (let round = 0; round < ROUNDS; round += 1) {
      await this.#done(backend.retryAll());
      await this.#done(backend.sync());
      if (backend.status.current.dead + (await backend.pendingChanges()).length === 0) break;
      await this.#runtime.advance(60_000);
    }
    if (this.#options.durability === 'relaxed') await this.#giveUp(backend);
    const [waiting] = [...(await backend.deadLetters()), ...(await backend.pendingChanges())];
    if (waiting !== undefined) throw new Error(`${waiting.id} is never sent`);
    const ours = await notes.getAll();
    const byId = new Map(ours.map((value) => [value.id, value]));
    for (let number = 1; number <= 6; number += 1) {
      const id = `x${number}`;
      const [here, there] = [byId.get(id), this.#remote.server.value('notes', id)].map((value) =>
        JSON.stringify(value ?? null),
      );
      if (here !== there) throw new Error(`${id} is ${here} here and ${there} there`);
    }
  }

  /**
   * What relaxed durability leaves to people: a key that stands for another payload on the server is refused
   * for good, and what was sent once more hides newer writes until they are pulled.
   */
  async #giveUp(backend: StoreBackend): Promise<void> {
    for (const { id } of await backend.deadLetters()) await this.#done(backend.discard(id));
    await this.#done(backend.sync());
    this.#remote.server.expireCursors();
    await this.#done(backend.sync());
  }
}

const REJECTED = {
  kind: 'rejected',
  failure: { code: 'remote/rejected', status: 422, at: 0 },
} as const;
