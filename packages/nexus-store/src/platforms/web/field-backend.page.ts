// What pages and worker of the browser tests have in common: one database, one server.
import { createBackend, NexusStore, type StoreBackend } from '../../index.ts';
import { httpRemote } from '../../remote/http/index.ts';
import { indexedDbStorage } from '../../storage/indexeddb/index.ts';

/** A note that tells which write of its entity it was. */
export interface FieldNote {
  readonly id: string;
  readonly step: number;
}

/** `?lease=5m` makes a lease that no test outlasts: what is sent before its end was handed over. */
const lease = (new URL(location.href).searchParams.get('lease') ?? '6s') as '6s';

export function openBackend(options: { readonly autoSync?: boolean } = {}): StoreBackend {
  return createBackend({
    storage: indexedDbStorage({ name: 'field', persist: false }),
    remote: httpRemote({ url: new URL('/sync', location.href).href, events: false, pull: false }),
    requestTimeout: '5s',
    lease,
    ...options,
  });
}

/** Every write is sent: the server sees the order of each entity. */
export function notesOf(backend: StoreBackend): NexusStore<FieldNote> {
  const notes =
    stores.get(backend) ??
    new NexusStore<FieldNote>({ backend, collection: 'notes', coalesce: false });
  stores.set(backend, notes);
  return notes;
}

const stores = new WeakMap<StoreBackend, NexusStore<FieldNote>>();

/** Writes each of the entities so many times; a step of all of them shares its commits. */
export async function writeSteps(
  notes: NexusStore<FieldNote>,
  prefix: string,
  entities: number,
  steps: number,
  onSaved: (id: string, step: number) => void = () => {},
): Promise<void> {
  for (let step = 1; step <= steps; step += 1) {
    await Promise.all(
      Array.from({ length: entities }, async (_, entity) => {
        const id = `${prefix}-${entity}`;
        await notes.save({ id, step });
        onSaved(id, step);
      }),
    );
  }
}
