import type { JournalRecord } from '../../../core/background/journal.ts';
import { h, type VNode } from '../dom.ts';
import type { InspectorModel } from '../model.ts';
import { counted, plain, seconds, span, timeOfDay, type Tone } from '../words.ts';

const LISTED = 8;
/** A run without an end that began longer ago was killed. */
const LONGEST_RUN_MS = 15 * 60_000;

const ROWS = [
  ['critical', 'Critical'],
  ['soon', 'Soon'],
  ['periodic', 'Periodic'],
] as const;

const NOTHING_DONE: Readonly<Record<string, string>> = {
  offline: 'could not reach the server',
  blocked: 'was held off by the server',
  paused: 'found sync paused',
  aborted: 'was stopped',
};

/** What the system's wake-ups did, on a timeline and in words. */
export function wakeUpsView(model: InspectorModel): VNode {
  const { history, now } = model;
  const hasBackground = model.sources.background !== undefined;
  return h(
    'section',
    { class: 'panel', 'data-tab': 'wake-ups', 'aria-labelledby': 'wake-ups-title' },
    h('h3', { id: 'wake-ups-title', tabindex: '-1' }, 'Background wake-ups'),
    history.length === 0
      ? h(
          'p',
          { class: 'empty' },
          hasBackground
            ? 'The system has not woken the app yet. Each time it does leaves a record here.'
            : 'No background sync was given to this inspector.',
        )
      : [timelineView(history, now), listView(history, now)],
  );
}

function timelineView(history: readonly JournalRecord[], now: number): VNode {
  const first = history[0]?.beganAt ?? now;
  const length = Math.max(60_000, now - first);
  const at = (instant: number): number =>
    Math.min(100, Math.max(0, ((instant - first) / length) * 100));
  return h(
    'div',
    {
      class: 'timeline',
      key: 'timeline',
      role: 'img',
      'aria-label': `${counted(history.length, 'wake-up')} in the last ${span(length)}`,
    },
    ROWS.map(([kind, title]) =>
      h(
        'div',
        { class: 'track', key: kind },
        h('small', null, title),
        h(
          'div',
          { class: 'rail' },
          history
            .filter((record) => kindOf(record) === kind)
            .map((record) => {
              const { tone } = resultOf(record, now);
              const width = at(record.endedAt ?? record.beganAt) - at(record.beganAt);
              return h('i', {
                key: record.runId,
                'data-tone': tone,
                title: `${timeOfDay(record.beganAt)}: ${resultOf(record, now).text}`,
                style: `inset-inline-start:${at(record.beganAt).toFixed(2)}%;inline-size:max(5px,${width.toFixed(2)}%)`,
              });
            }),
        ),
      ),
    ),
    h(
      'div',
      { class: 'axis', 'aria-hidden': 'true' },
      h('small', null, hour(first)),
      h('small', null, hour(first + length / 2)),
      h('small', null, 'now'),
    ),
  );
}

function hour(at: number): string {
  return timeOfDay(at).slice(0, 5);
}

function listView(history: readonly JournalRecord[], now: number): VNode {
  return h(
    'ol',
    { class: 'runs', key: 'runs', 'aria-label': 'The last wake-ups, the newest first' },
    history
      .slice(-LISTED)
      .toReversed()
      .map((record) => {
        const { tone, text } = resultOf(record, now);
        return h(
          'li',
          { key: record.runId, 'data-tone': tone },
          h('i', { class: 'bead', 'aria-hidden': 'true' }),
          h('b', null, `${seconds(now - record.beganAt)} ago`),
          h('span', null, `${reasonOf(record)}: ${text}`),
        );
      }),
  );
}

/** The service derives the ids of its requests from its own. */
function kindOf({ requestId }: JournalRecord): (typeof ROWS)[number][0] {
  if (requestId.endsWith('.critical')) return 'critical';
  return requestId.endsWith('.soon') ? 'soon' : 'periodic';
}

function reasonOf(record: JournalRecord): string {
  const again = record.attempt > 1 ? `, attempt ${record.attempt}` : '';
  return `${ROWS.find(([kind]) => kind === kindOf(record))?.[1] ?? ''} run${again}`;
}

function resultOf(
  record: JournalRecord,
  now: number,
): { readonly tone: Tone; readonly text: string } {
  const { endedAt, beganAt, unmet, error, pushed, pulled, remaining, result } = record;
  const { stoppedBy, stopReason } = record;
  if (endedAt === null) {
    return now - beganAt > LONGEST_RUN_MS
      ? { tone: 'bad', text: 'was killed before it ended' }
      : { tone: 'busy', text: 'is at work' };
  }
  if (unmet.length > 0) return { tone: 'quiet', text: `waited for ${unmet.join(' and ')}` };
  const parts = [
    ...(pushed > 0 ? [`sent ${counted(pushed, 'entry', 'entries')}`] : []),
    ...(pulled > 0 ? [`fetched ${counted(pulled, 'row')}`] : []),
    ...(pushed + pulled === 0 ? [NOTHING_DONE[stoppedBy ?? ''] ?? 'found nothing to send'] : []),
    ...(remaining !== null && remaining > 0
      ? [`${counted(remaining, 'entry', 'entries')} left`]
      : []),
    ...(stopReason === null ? [] : [`ended early (${stopReason})`]),
    ...(error === null ? [] : [plain(error, 80)]),
    `in ${span(endedAt - beganAt)}`,
  ];
  const isGood = result === 'success' && (stoppedBy === null || stoppedBy === 'drained');
  return { tone: isGood ? 'good' : 'warn', text: parts.join(', ') };
}
