import { isObject, readFact } from '../queue/facts.ts';
import { pullStateName } from '../queue/pulled.ts';
import type { UnitOfWork } from '../queue/unit-of-work.ts';

/** Where the pull of one collection stands; the record `cursor:<partition>:<collection>` of `meta`. */
export interface PullState {
  readonly cursor: string | null;
  /** While everything is fetched anew: rows not seen since then are gone on the server. */
  readonly sweepFrom: number | null;
}

const START: PullState = { cursor: null, sweepFrom: null };

export async function readPullState(
  uow: UnitOfWork,
  partition: number,
  collection: string,
): Promise<PullState> {
  // Of a damaged cursor the way back is the beginning: everything is fetched anew.
  return (await readFact<PullState>(uow, pullStateName(partition, collection), isObject)) ?? START;
}

export function writePullState(
  uow: UnitOfWork,
  partition: number,
  collection: string,
  state: PullState,
): void {
  const name = pullStateName(partition, collection);
  uow.put('meta', [name], { name, value: JSON.stringify(state) });
}

/** The names of all cursors of a partition lie between these: from <= name < to. */
export function pullStateNames(partition: number): { readonly from: string; readonly to: string } {
  // A semicolon follows the colon.
  return { from: `cursor:${partition}:`, to: `cursor:${partition};` };
}
