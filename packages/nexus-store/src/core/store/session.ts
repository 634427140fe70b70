import { isObject, readFact } from '../queue/facts.ts';
import type { UnitOfWork } from '../queue/unit-of-work.ts';

/** The record `session` of the table `meta`: what outlives the process, apart from data. */
export interface Session {
  /** The stable id of the signed-in user. */
  readonly principal?: string | null;
  readonly isPaused?: boolean;
}

const NAME = 'session';

export async function readSession(uow: UnitOfWork): Promise<Session> {
  // Nobody is signed in rather than somebody else.
  return (await readFact<Session>(uow, NAME, isObject)) ?? {};
}

export async function changeSession(uow: UnitOfWork, change: Session): Promise<void> {
  const session = { ...(await readSession(uow)), ...change };
  uow.put('meta', [NAME], { name: NAME, value: JSON.stringify(session) });
}
