import { h, type VNode } from '../dom.ts';
import { PULSES, type Activity, type Pulse } from '../activity.ts';
import type { InspectorModel } from '../model.ts';
import { count, eventWords, timeOfDay } from '../words.ts';

const SHOWN = 40;
const HEIGHT = 44;
const STEP = 6;

/** Attempts and outcomes as they happen. */
export function activityView(model: InspectorModel): VNode {
  const { activity, now } = model;
  const events = activity.newest(SHOWN);
  return h(
    'section',
    { class: 'panel', 'data-tab': 'activity', 'aria-labelledby': 'activity-title' },
    h('h3', { id: 'activity-title', tabindex: '-1' }, 'Activity'),
    pulseView(activity.pulses(now)),
    events.length === 0
      ? h('p', { class: 'empty' }, 'What happens from now on is listed here.')
      : h(
          'ol',
          { class: 'events', 'aria-label': 'What happened, the newest first', tabindex: '0' },
          events.map(lineView),
        ),
  );
}

function lineView({ id, at, event, times }: Activity): VNode {
  const { tone, what, about } = eventWords(event);
  return h(
    'li',
    { key: String(id), 'data-tone': tone },
    h('i', { class: 'bead', 'aria-hidden': 'true' }),
    h('time', null, timeOfDay(at)),
    h(
      'p',
      null,
      h('b', null, what),
      times > 1 && h('span', { class: 'times' }, `${count(times)} times`),
      h('span', null, times > 1 ? `last ${about}` : about),
    ),
  );
}

/** Outcomes of the last minute, one bar a second. */
function pulseView(pulses: readonly Pulse[]): VNode {
  const most = Math.max(
    1,
    ...pulses.map(({ applied, retried, buried }) => applied + retried + buried),
  );
  const sum = (kind: 'applied' | 'retried' | 'buried'): number =>
    pulses.reduce((total, pulse) => total + pulse[kind], 0);
  const label = `In the last minute ${count(sum('applied'))} arrived, ${count(sum('retried'))} failed for now, ${count(sum('buried'))} failed for good`;
  return h(
    'figure',
    { class: 'pulse' },
    h(
      'svg',
      {
        viewBox: `0 0 ${PULSES * STEP} ${HEIGHT}`,
        preserveAspectRatio: 'none',
        role: 'img',
        'aria-label': label,
      },
      pulses.map((pulse, index) => bars(pulse, index, most)),
    ),
    h(
      'figcaption',
      null,
      h(
        'span',
        { 'data-tone': 'good' },
        h('i', { class: 'bead', 'aria-hidden': 'true' }),
        `${count(sum('applied'))} arrived`,
      ),
      h(
        'span',
        { 'data-tone': 'warn' },
        h('i', { class: 'bead', 'aria-hidden': 'true' }),
        `${count(sum('retried'))} retried`,
      ),
      h(
        'span',
        { 'data-tone': 'bad' },
        h('i', { class: 'bead', 'aria-hidden': 'true' }),
        `${count(sum('buried'))} dead`,
      ),
      h('small', null, 'last minute'),
    ),
  );
}

function bars(pulse: Pulse, index: number, most: number): VNode {
  let top = HEIGHT;
  const bar = (tone: string, value: number): VNode | false => {
    if (value === 0) return false;
    const height = Math.max(2, (value / most) * (HEIGHT - 4));
    top -= height;
    return h('rect', {
      key: tone,
      'data-tone': tone,
      x: index * STEP,
      y: Math.max(0, top).toFixed(1),
      width: STEP - 2,
      height: height.toFixed(1),
      rx: 1,
    });
  };
  return h(
    'g',
    { key: String(pulse.second) },
    h('rect', {
      key: 'ground',
      class: 'ground',
      x: index * STEP,
      y: HEIGHT - 1,
      width: STEP - 2,
      height: 1,
    }),
    bar('good', pulse.applied),
    bar('warn', pulse.retried),
    bar('bad', pulse.buried),
  );
}
