// Writes without end, several lanes at once, until it is killed.
import { setTimeout as sleep } from 'node:timers/promises';
import { isNexusError } from 'nexus-store';
import { nextTask, tell } from './child-side.ts';
import { entitiesOf, openDevice, type Device } from './device.ts';
import { applied, LANES, nextWrite, type Entities, type Step, type Write } from './operations.ts';
import { Random } from './random.ts';

/** Of one process, so that a slow machine does not pile up what must be sent in the end. */
const MAX_WRITES_PER_LANE = 60;

const task = await nextTask();
const device = openDevice(task);
let entities: Entities = await entitiesOf(device);
await tell({ type: 'found', entities: [...entities] });
await Promise.all(Array.from({ length: LANES }, (_, lane) => writeLane(lane)));

async function writeLane(lane: number): Promise<void> {
  const random = new Random(task.seed + lane);
  for (let count = 0; count < MAX_WRITES_PER_LANE; count += 1) {
    const name = `${task.prefix}-${lane}-${count}`;
    const write = nextWrite(random, lane, name, entities);
    await tell({ type: 'begin', write });
    try {
      await perform(device, write);
    } catch (error) {
      if (!isNexusError(error)) throw error;
      await tell({ type: 'refused', lane, name, code: error.code });
      continue;
    }
    // No other lane has these entities: what it changed meanwhile stays.
    entities = applied(entities, write);
    await tell({ type: 'saved', lane, name });
    if (random.float() < 0.3) await sleep(random.below(8));
  }
}

async function perform({ backend, stores }: Device, write: Write): Promise<void> {
  const { priority, steps } = write;
  const [first] = steps;
  if (steps.length === 1 && first !== undefined) {
    await performStep(stores[first.collection], first, priority);
    return;
  }
  await backend.transaction(async (tx) => {
    for (const step of steps) await performStep(tx.store(stores[step.collection]), step, priority);
  });
}

/** What stores inside and outside of a transaction have in common. */
interface Target {
  save(value: Extract<Step, { kind: 'save' }>['value'], options: Options): Promise<unknown>;
  patch(id: string, fields: Record<string, number>, options: Options): Promise<unknown>;
  delete(id: string, options: Options): Promise<unknown>;
  command(id: string, command: string, args: unknown, options: Options): Promise<unknown>;
}
interface Options {
  readonly priority: Write['priority'];
}

function performStep(store: Target, step: Step, priority: Write['priority']): Promise<unknown> {
  switch (step.kind) {
    case 'save':
      return store.save(step.value, { priority });
    case 'patch':
      return store.patch(step.id, step.fields, { priority });
    case 'delete':
      return store.delete(step.id, { priority });
    case 'increment':
      return store.command(step.id, 'increment', { field: 'count', by: 1 }, { priority });
  }
}
