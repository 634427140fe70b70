import type { SyncReport } from '../model/sync-report.ts';
import type { PullPass } from './pull-pass.ts';
import type { PushEnd } from './push-pass.ts';
import type { Rest } from './rest.ts';
import type { RunWindow } from './run-window.ts';
import type { Principal, RunTotals } from './sync-context.ts';

/** What belongs to one run. */
export interface Run {
  readonly window: RunWindow;
  readonly principal: Principal;
  readonly totals: RunTotals;
  readonly pull: PullPass;
  /** Nothing that comes from now on is looked at: it is for the next run. */
  isClosing: boolean;
  /** The push was stopped by what met no server, and nothing else was left that could tell whose fault it is. */
  isOpenQuestion: boolean;
}

export interface Running {
  readonly run: Run;
  readonly report: Promise<SyncReport>;
}

/** `low` entries that wait for a longer window were left for want of time. */
export function endOf(end: PushEnd, rest: Rest, window: RunWindow): PushEnd {
  const isDeferred = end === 'drained' && rest.readyRank === 3 && window.isShort;
  return isDeferred ? 'deadline' : end;
}
