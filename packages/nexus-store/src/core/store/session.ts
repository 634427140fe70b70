import type { UnitOfWork } from '../queue/unit-of-work.ts';

/** The record `session` of the table `meta`: what outlives the process, apart from data. */
export interface Session {
  /** The stable id of the signed-in user. */
  readonly principal?: string | null;
  readonly isPaused?: boolean;
}

const NAME = 'session';

export async function readSession(uow: UnitOfWork): Promise<Session> {
  const record = await uow.get('meta', [NAME]);
  return record === undefined ? {} : (JSON.parse(record['value'] as string) as Session);
}

export async function changeSession(uow: UnitOfWork, change: Session): Promise<void> {
  const session = { ...(await readSession(uow)), ...change };
  uow.put('meta', [NAME], { name: NAME, value: JSON.stringify(session) });
}
