import { createSeededRandom, type SeededRandom } from 'nexus-store/testing';
import { PRIORITIES } from 'nexus-store';
import {
  COLLECTION_NAMES,
  TOOL_SLOT,
  type CollectionName,
  type Operation,
  type Plan,
  type PlannedWrite,
  type Step,
  type WeatherKind,
  type WorldSettings,
} from './operations.ts';

const WEATHER: readonly WeatherKind[] = [
  'offline',
  'offline',
  'lossy',
  'lossy',
  'slow',
  'portal',
  'throttled',
  'throttled',
  'broken',
  'failing',
  'unauthorised',
  'forbidden',
  'outdated',
  'too-large',
  'doubled',
];

/** What a plan does, and how often in relation to the others. A scene is several steps in a row. */
type Weights = readonly (readonly [weight: number, make: (draw: Draw) => Operation | Scene])[];

type Scene = readonly Step[];

const WEIGHTS: Weights = [
  [60, (draw) => ({ do: 'write', slot: draw.slot(), write: draw.single() })],
  [3, (draw) => ({ do: 'save-all', slot: draw.slot(), writes: draw.writes('save') })],
  [8, (draw) => draw.transaction()],
  [6, (draw) => ({ do: 'race', slot: draw.slot(), writes: draw.race() })],
  [0.4, (draw) => ({ do: 'upgrade', slot: draw.slot() })],
  [5, (draw) => ({ do: 'cancel', slot: draw.slot(), pick: draw.random.float() })],
  [3, (draw) => ({ do: 'retry', slot: draw.slot(), pick: draw.random.float() })],
  [2, (draw) => ({ do: 'discard', slot: draw.slot(), pick: draw.random.float() })],
  [1, (draw) => ({ do: 'retry-all', slot: draw.slot() })],
  [
    3,
    (draw) => ({
      do: 'reprioritise',
      slot: draw.slot(),
      pick: draw.random.float(),
      priority: draw.random.pick(PRIORITIES),
    }),
  ],
  [
    2,
    (draw) => ({
      do: 'resolve',
      slot: draw.slot(),
      pick: draw.random.float(),
      use: draw.random.pick(['local', 'remote', 'merged'] as const),
      token: draw.token(),
    }),
  ],
  [1, (draw) => ({ do: 'pause', slot: draw.slot() })],
  [2, (draw) => ({ do: 'resume', slot: draw.slot() })],
  [2, (draw) => ({ do: draw.random.pick(['wake', 'refresh'] as const), slot: draw.slot() })],
  [9, (draw) => draw.sync()],
  [
    2,
    (draw) => ({ do: 'sign-in', slot: draw.slot(), principal: draw.random.pick(['ada', 'bob']) }),
  ],
  [
    1,
    (draw) => ({
      do: 'sign-out',
      slot: draw.slot(),
      pending: draw.random.pick(['keep', 'keep', 'flush', 'discard'] as const),
    }),
  ],
  [5, (draw) => draw.read()],
  [4, (draw) => ({ do: 'open', slot: draw.slot() })],
  [1, (draw) => ({ do: 'close', slot: draw.slot() })],
  [2, (draw) => ({ do: 'kill', slot: draw.slot() })],
  [0.5, (draw) => ({ do: 'power-loss', lost: draw.random.integer(6) })],
  [
    2,
    (draw) => ({
      do: 'freeze',
      slot: draw.slot(),
      ms: Math.floor(draw.random.exponential(30_000)),
    }),
  ],
  [
    5,
    (draw) => ({
      do: 'storage-fault',
      slot: draw.slot(),
      fault: draw.random.pick(['fail-write', 'fail-commit', 'fail-read', 'kill', 'kill'] as const),
      nth: 1 + draw.random.integer(draw.random.pick([4, 20, 60])),
    }),
  ],
  [2.5, (draw) => ({ do: 'kill-on-network', slot: draw.slot(), nth: 1 + draw.random.integer(5) })],
  [0.5, (draw) => ({ do: 'disk-full', ms: Math.floor(draw.random.exponential(5_000)) })],
  [1, (draw) => ({ do: 'clock-step', ms: draw.clockStep() })],
  [7, (draw) => draw.weather()],
  [1, () => ({ do: 'expire-tokens' })],
  [0.7, () => ({ do: 'expire-cursors' })],
  [8, (draw) => draw.remoteEdit()],
  [1.5, (draw) => draw.takeover()],
  [0.7, (draw) => draw.turnedBack()],
  [0.7, (draw) => draw.toldAside()],
];

/** So many plans run over the SQLite driver, which is slower. */
const SQLITE_SHARE = 0.04;

const TOTAL_WEIGHT = WEIGHTS.reduce((sum, [weight]) => sum + weight, 0);

/** The plan of a seed: the same seed gives the same plan. */
export function generatePlan(
  seed: number,
  count: number,
  storage?: WorldSettings['storage'],
): Plan {
  const draw = new Draw(createSeededRandom(seed, 'plan'));
  const drawn = draw.settings();
  const settings = storage === undefined ? drawn : { ...drawn, storage };
  const steps: Step[] = [];
  while (steps.length < count) {
    const next = draw.operation();
    if ('do' in next) steps.push({ ...next, gapMs: draw.gapMs() });
    else steps.push(...next);
  }
  const plan = tooled(poisoned(indexed(discarded({ seed, settings, steps }))));
  return settings.storage === 'sqlite' ? torn(plan) : plan;
}

/** In so many plans a user discards everything, and the app is killed in the middle of it. */
const DISCARD_SHARE = 0.12;

/** Drawn apart from everything else, so that the other plans are the same without it. */
function discarded(plan: Plan): Plan {
  const draw = new Draw(createSeededRandom(plan.seed, 'discard'));
  if (!draw.random.chance(DISCARD_SHARE)) return plan;
  draw.tokensFrom(1_000_000);
  const steps = [...plan.steps];
  steps.splice(draw.random.integer(steps.length), 0, ...draw.discarded());
  return { ...plan, steps };
}

/** In so many plans fields are indexed. */
const INDEXED_SHARE = 0.3;

/** Drawn apart from everything else, so that the other plans are the same without it. */
function indexed(plan: Plan): Plan {
  if (!createSeededRandom(plan.seed, 'indexes').chance(INDEXED_SHARE)) return plan;
  return { ...plan, settings: { ...plan.settings, isIndexed: true } };
}

/** In so many plans there is a write that no request gets past what stands before the server. */
const POISON_SHARE = 0.15;

/** Drawn apart from everything else, so that the other plans are the same without it. */
function poisoned(plan: Plan): Plan {
  const random = createSeededRandom(plan.seed, 'poison');
  if (!random.chance(POISON_SHARE)) return plan;
  const tokens = plan.steps.flatMap((step) =>
    step.do === 'write' && step.write.kind !== 'delete' ? [step.write.token] : [],
  );
  if (tokens.length === 0) return plan;
  const breaks = random.pick(['gateway', 'silence', 'page'] as const);
  const poison = { token: random.pick(tokens), breaks };
  return { ...plan, settings: { ...plan.settings, poison } };
}

/** In so many plans something syncs that has none of the app's stores. */
const TOOL_SHARE = 0.15;

/** Drawn apart from everything else, so that the other plans are the same without it. */
function tooled(plan: Plan): Plan {
  const random = createSeededRandom(plan.seed, 'tool');
  if (!random.chance(TOOL_SHARE)) return plan;
  const steps = [...plan.steps];
  for (let left = 1 + random.integer(6); left > 0; left -= 1) {
    const sync: Step = { do: 'tool', budgetMs: 500 + random.integer(30_000), gapMs: 0 };
    const kill: Step = { do: 'kill', slot: TOOL_SLOT, gapMs: random.integer(2_000) };
    const added = random.chance(0.25) ? [sync, kill] : [sync];
    steps.splice(random.integer(steps.length), 0, ...added);
  }
  return { ...plan, steps };
}

/** So often the power fails in the middle of a commit. */
const POWER_CUTS = 4;

/** Drawn apart from everything else, so that plans over memory are the same without it. */
function torn({ seed, settings, steps }: Plan): Plan {
  const random = createSeededRandom(seed, 'power cuts');
  const pages = random.pick([undefined, 5, 40]);
  const all = [...steps];
  for (let cut = 0; cut < POWER_CUTS; cut += 1) {
    const nth = 1 + random.integer(random.pick([3, 20]));
    const step: Step = { do: 'storage-fault', slot: 0, fault: 'power', nth, gapMs: 0 };
    all.splice(random.integer(all.length), 0, step);
  }
  const checkpoints = pages === undefined ? {} : { checkpointPages: pages };
  return { seed, settings: { ...settings, ...checkpoints }, steps: all };
}

class Draw {
  readonly random: SeededRandom;
  readonly #tempo: number;
  readonly #ids: readonly string[];
  readonly #secondSlot: number;
  #tokens = 0;
  #leaseMs = 0;

  constructor(random: SeededRandom) {
    this.random = random;
    // Some plans rush, some are slow; some work on few entities, some on many.
    this.#tempo = random.pick([0.2, 1, 1, 4]);
    this.#ids = Array.from({ length: random.pick([2, 4, 8]) }, (_, index) => `x${index + 1}`);
    this.#secondSlot = random.pick([0, 0.2, 0.4]);
  }

  settings(): WorldSettings {
    const { random } = this;
    const requestTimeoutMs = random.pick([2_500, 8_000, 20_000]);
    this.#leaseMs = requestTimeoutMs + random.pick([1_500, 10_000]);
    return {
      driftPpm: random.pick([0, 0, 200, -5_000, 20_000]),
      storageDelay: random.pick([0, 0.05, 0.2]),
      concurrency: random.pick([1, 2, 4, 4]),
      batchSize: random.pick([1, 3, 10, 50]),
      maxAttempts: random.pick([2, 4, 10]),
      maxEntries: random.pick([20, 100_000, 100_000, 100_000]),
      requestTimeoutMs,
      leaseMs: this.#leaseMs,
      autoSync: random.chance(0.85),
      isRelaxed: random.chance(0.1),
      maxBatchBytes: random.pick([1_048_576, 1_048_576, 600]),
      listens: random.chance(0.3),
      storage: random.chance(SQLITE_SHARE) ? 'sqlite' : 'memory',
    };
  }

  operation(): Operation | Scene {
    let left = this.random.float() * TOTAL_WEIGHT;
    for (const [weight, make] of WEIGHTS) {
      left -= weight;
      if (left < 0) return make(this);
    }
    return { do: 'wake', slot: 0 };
  }

  gapMs(): number {
    const { random } = this;
    const kind = random.float();
    if (kind < 0.35) return 0;
    if (kind < 0.6) return Math.floor(random.exponential(30));
    if (kind < 0.95) return Math.floor(random.exponential(1_500 * this.#tempo));
    if (kind < 0.995) return Math.floor(random.exponential(60_000 * this.#tempo));
    return Math.floor(random.exponential(3_600_000));
  }

  token(): number {
    this.#tokens += 1;
    return this.#tokens;
  }

  tokensFrom(first: number): void {
    this.#tokens = first;
  }

  slot(): number {
    return this.random.chance(this.#secondSlot) ? 1 : 0;
  }

  collection(): CollectionName {
    return this.random.pick(COLLECTION_NAMES);
  }

  write(forced?: PlannedWrite['kind']): PlannedWrite {
    const { random } = this;
    const kind =
      forced ??
      random.pick([
        'save',
        'save',
        'save',
        'patch',
        'patch',
        'patch',
        'delete',
        'command',
      ] as const);
    return {
      kind,
      collection: this.collection(),
      id: random.pick(this.#ids),
      token: this.token(),
      ...(random.chance(0.04) ? { isBad: true as const } : {}),
      ...(random.chance(0.5) ? { priority: random.pick(PRIORITIES) } : {}),
      ...(random.chance(0.05) ? { ttlMs: Math.floor(random.exponential(20_000)) + 1 } : {}),
      ...(random.chance(0.1) ? { after: random.float() } : {}),
    };
  }

  /** A single write; now and then one that does not go through the queue. */
  single(): PlannedWrite {
    const { random } = this;
    const write = this.write();
    if (write.kind === 'command' || !random.chance(0.06)) return write;
    const { kind, token, id, isBad } = write;
    // What is never sent may differ from the server for good: in one collection is enough.
    return random.chance(0.7)
      ? { ...write, policy: 'remote-first' }
      : {
          kind,
          token,
          id,
          collection: 'tasks',
          policy: 'local-only',
          ...(isBad === undefined ? {} : { isBad }),
        };
  }

  /** Calls that follow one another so fast that only their order says what is to come of them. */
  race(): readonly PlannedWrite[] {
    const { random } = this;
    const collection = this.collection();
    const id = random.pick(this.#ids);
    return Array.from({ length: 2 + random.integer(6) }, () => {
      const { after: _, ...write } = this.write();
      return random.chance(0.8) ? { ...write, collection, id } : write;
    });
  }

  writes(forced?: PlannedWrite['kind']): readonly PlannedWrite[] {
    return Array.from({ length: 2 + this.random.integer(3) }, () => this.write(forced));
  }

  transaction(): Operation {
    const writes = this.writes();
    return {
      do: 'transaction',
      slot: this.slot(),
      writes,
      undone: this.random.chance(0.25) ? 1 + this.random.integer(writes.length - 1) : 0,
      throws: this.random.chance(0.05),
      ...(this.random.chance(0.5) ? { reads: true as const } : {}),
    };
  }

  sync(): Operation {
    const { random } = this;
    const limit = random.integer(6);
    return {
      do: 'sync',
      slot: this.slot(),
      ...(limit === 0 ? { budgetMs: Math.floor(random.exponential(8_000)) + 1 } : {}),
      ...(limit === 1 ? { deadlineMs: Math.floor(random.exponential(15_000)) + 1 } : {}),
      ...(limit === 2 ? { abortMs: Math.floor(random.exponential(400)) } : {}),
    };
  }

  read(): Operation {
    const how = this.random.pick([
      'get',
      'all',
      'network-first',
      'network-only',
      'watch',
      'pending',
      'export',
    ] as const);
    const id = this.random.pick(this.#ids);
    return { do: 'read', slot: this.slot(), collection: this.collection(), id, how };
  }

  clockStep(): number {
    const { random } = this;
    const size = random.pick([1_000, 60_000, 3_600_000, 90_000_000]);
    return Math.floor(random.between(-size, size));
  }

  weather(): Operation {
    const { random } = this;
    const kind = random.pick(WEATHER);
    const ms = Math.floor(random.exponential(random.pick([500, 5_000, 60_000]))) + 50;
    return { do: 'weather', kind, ms, strength: random.pick([0.3, 0.7, 1]) };
  }

  /** A runner is frozen in mid-send until its lease is over, and comes back when another one sends. */
  takeover(): Scene {
    const { random } = this;
    const lateMs = 100 + random.integer(300);
    return [
      { do: 'open', slot: 0, gapMs: 0 },
      { do: 'open', slot: 1, gapMs: 0 },
      { do: 'write', slot: 0, write: this.write(), gapMs: 50 },
      { do: 'sync', slot: 0, gapMs: 0 },
      { do: 'freeze', slot: 0, ms: this.#leaseMs + lateMs, gapMs: 10 + random.integer(60) },
      { do: 'sync', slot: 1, gapMs: this.#leaseMs + random.integer(lateMs) },
    ];
  }

  /** The app is killed, or its storage fails, while what a user discards is being erased. */
  discarded(): Scene {
    const { random } = this;
    const principal = random.pick(['ada', 'bob'] as const);
    const writes = Array.from({ length: 4 + random.integer(12) }, (): Step => {
      const write = { do: 'write', slot: 0, write: this.write() } as const;
      return { ...(random.chance(0.2) ? this.transaction() : write), gapMs: random.integer(20) };
    });
    return [
      { do: 'open', slot: 0, gapMs: 0 },
      { do: 'sign-in', slot: 0, principal, gapMs: 0 },
      { do: 'weather', kind: 'offline', ms: 4_000, strength: 1, gapMs: 200 },
      ...writes,
      ...(random.chance(0.5) ? [{ do: 'refresh', slot: 1, gapMs: 10 } as const] : []),
      {
        do: 'storage-fault',
        slot: 0,
        fault: random.pick(['kill', 'kill', 'fail-write', 'fail-commit'] as const),
        nth: 1 + random.integer(40),
        gapMs: 300,
      },
      { do: 'sign-out', slot: 0, pending: 'discard', gapMs: 0 },
      // Another context has not heard of it yet, and goes on for the user.
      ...(random.chance(0.5) ? [{ do: 'sync', slot: 1, gapMs: random.integer(20) } as const] : []),
      { do: 'write', slot: 1, write: this.write(), gapMs: random.integer(60) },
      { do: 'open', slot: 0, gapMs: random.integer(200) },
      { do: 'sign-in', slot: random.integer(2), principal, gapMs: random.integer(100) },
    ];
  }

  /** An entry waits for its next attempt when the clock is turned back and the app starts anew. */
  turnedBack(): Scene {
    const { random } = this;
    return [
      { do: 'open', slot: 0, gapMs: 0 },
      { do: 'weather', kind: 'failing', ms: 2_000, strength: 1, gapMs: 0 },
      { do: 'write', slot: 0, write: this.write(), gapMs: 20 },
      { do: 'sync', slot: 0, gapMs: 0 },
      { do: 'clock-step', ms: -120_000 - random.integer(7_200_000), gapMs: 300 },
      { do: 'kill', slot: 0, gapMs: 0 },
      { do: 'open', slot: 0, gapMs: 0 },
      { do: 'wake', slot: 1, gapMs: 20 + random.integer(200) },
    ];
  }

  /** A write that does not go through the queue is told to wait, and the queue is to hear of it. */
  toldAside(): Scene {
    const { kind: _, ...write } = this.write();
    return [
      { do: 'open', slot: 0, gapMs: 0 },
      { do: 'weather', kind: 'throttled', ms: 400, strength: 1, gapMs: 200 },
      {
        do: 'write',
        slot: 0,
        write: { ...write, kind: 'save', policy: 'remote-first' },
        gapMs: 20,
      },
      { do: 'sync', slot: 0, gapMs: 4_000 },
    ];
  }

  remoteEdit(): Operation {
    const { random } = this;
    return {
      do: 'remote-edit',
      principal: random.pick([null, null, 'ada', 'bob'] as const),
      collection: this.collection(),
      id: random.pick(this.#ids),
      kind: random.chance(0.75) ? 'put' : 'delete',
      token: this.token(),
    };
  }
}
