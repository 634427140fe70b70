import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Actor } from './actor.ts';
import { entitiesOf, openDevice, type Device } from './device.ts';
import { Random } from './random.ts';

export const IN_TRANSACTIONS_OF = 47;
export const DISCARDED_WRITES: number = 60 * IN_TRANSACTIONS_OF;

export interface SignOutResult {
  readonly problems: readonly string[];
  /** Kills that came before everything was erased, and after the user was signed out. */
  readonly cutOff: number;
}

const LATEST_MS = 250;
const ERASE_MS = 20_000;

/** Kills processes in the middle of `signOut({ pending: 'discard' })`: what is discarded stays so. */
export async function runSignOutCrash(options: {
  readonly kills: number;
  readonly seed: number;
}): Promise<SignOutResult> {
  const folder = mkdtempSync(join(tmpdir(), 'nexus-store-sign-out-'));
  const random = new Random(options.seed);
  const problems: string[] = [];
  const actor = new Actor('sign-out', join(folder, 'cache'), (error) => {
    problems.push(error.message);
  });
  let cutOff = 0;
  try {
    for (let kill = 0; kill < options.kills && problems.length === 0; kill += 1) {
      // Nobody listens there: whatever is sent fails, and would still be in the queue.
      const task = { url: 'http://127.0.0.1:9', port: 9, token: 'none', seed: kill };
      const go = { ...task, database: join(folder, `${kill}.db`), prefix: `user ${kill}` };
      await new Promise<void>((resolve) => void actor.start(go, () => resolve()));
      // Often at once, when most is left.
      await sleep(random.float() ** 2 * LATEST_MS);
      await actor.kill();
      const device = openDevice(go);
      try {
        if (await look(device, go.prefix, problems)) cutOff += 1;
      } finally {
        await device.backend.close();
      }
    }
  } finally {
    await actor.stop();
    if (problems.length === 0) rmSync(folder, { recursive: true, force: true });
  }
  return { problems, cutOff };
}

/** True if something was still to be erased. */
async function look(device: Device, user: string, problems: string[]): Promise<boolean> {
  const { backend } = device;
  const begun = await entriesIn(device);
  if (backend.principal !== null) {
    // Killed before the commit that signs out: nothing is discarded.
    if (begun !== DISCARDED_WRITES)
      problems.push(`${begun} of ${DISCARDED_WRITES} writes are left`);
    return false;
  }
  await backend.signIn(user);
  const { size } = await entitiesOf(device);
  const { length } = await backend.pendingChanges();
  const { pending } = backend.status.current;
  if (size + length + pending.normal > 0) {
    problems.push(`${user} finds ${size} rows, ${length} entries, ${pending.normal} counted`);
  }
  const report = await backend.sync();
  if (report.pushed !== 0 || report.remaining !== 0)
    problems.push(`${user}: ${JSON.stringify(report)}`);
  const endsAt = Date.now() + ERASE_MS;
  while ((await entriesIn(device)) > 0 && Date.now() < endsAt) await sleep(20);
  const left = await entriesIn(device);
  if (left > 0) problems.push(`${user}: ${left} discarded entries are still in the file`);
  return begun > 0;
}

/** Of whoever they are. */
async function entriesIn({ backend }: Device): Promise<number> {
  await backend.open();
  return backend.writer.read(async (uow) => (await uow.scan('entries', { limit: 1e6 })).length);
}
