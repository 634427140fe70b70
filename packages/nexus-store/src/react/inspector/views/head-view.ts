import { PRIORITIES } from '../../../core/model/priority.ts';
import { h, type VNode } from '../dom.ts';
import { NETWORK_CONDITIONS } from '../inspectable.ts';
import type { InspectorModel, Tab } from '../model.ts';
import { count, headlineOf, PRIORITY_TITLES, seconds } from '../words.ts';
import { button } from './queue-view.ts';

/** How it stands, in one line, and what people can do about it. */
export function headView(model: InspectorModel): VNode {
  const { status } = model;
  const { mood, title, detail } = headlineOf(status, model.now);
  const isPaused = model.sources.backend.isPaused;
  return h(
    'header',
    { class: 'masthead', 'data-mood': mood },
    h(
      'div',
      { class: 'headline' },
      h('i', { class: 'lamp', 'aria-hidden': 'true' }),
      h('div', null, h('h2', null, title), h('p', null, detail)),
    ),
    h(
      'div',
      { class: 'controls' },
      networkSwitch(model),
      button(
        isPaused ? 'Resume' : 'Pause',
        () => void model.togglePause(),
        isPaused ? 'Resume sync' : 'Pause sync',
      ),
      button('Sync now', () => void model.syncNow(), undefined, 'primary'),
    ),
    networkNotice(model),
    progressView(model),
  );
}

const NETWORK_TITLES = { normal: 'Online', slow: 'Slow', offline: 'Offline' } as const;

function networkSwitch(model: InspectorModel): VNode | false {
  const { network } = model;
  if (network === undefined) return false;
  return h(
    'fieldset',
    { class: 'switch' },
    h('legend', null, 'Network'),
    NETWORK_CONDITIONS.map((condition) =>
      h(
        'label',
        { key: condition },
        h('input', {
          type: 'radio',
          name: 'network',
          value: condition,
          checked: network === condition,
          onchange: () => model.setNetwork(condition),
        }),
        h('span', null, NETWORK_TITLES[condition]),
      ),
    ),
  );
}

/** Nobody may wonder why nothing is sent, or why something is. */
function networkNotice(model: InspectorModel): VNode | false {
  const { network } = model;
  if (network === undefined || network === 'normal') return false;
  const what = `The network is ${network === 'offline' ? 'switched off' : 'slowed down'} by hand`;
  const where = model.isNetworkShared
    ? `${what}, here, in other tabs and in the service worker, until it is switched back: also after a reload.`
    : `${what}, in this tab only and until it is reloaded. A service worker and other tabs send all the same; Pause holds them back too.`;
  return h('p', { class: 'notice', key: 'notice', role: 'status' }, where);
}

function progressView({ status }: InspectorModel): VNode | false {
  if (status.progress === null || status.progress.total === 0) return false;
  const { done, total } = status.progress;
  return h(
    'div',
    {
      class: 'progress',
      role: 'progressbar',
      'aria-label': 'Sent in this run',
      'aria-valuemin': '0',
      'aria-valuemax': String(total),
      'aria-valuenow': String(done),
    },
    h('i', { style: `inline-size:${((done / total) * 100).toFixed(1)}%` }),
  );
}

/** How much waits, by priority, and what else there is. */
export function metersView({ status, now }: InspectorModel): VNode {
  const { pending } = status;
  const facts: (readonly [string, string, string])[] = [
    ['sending', 'Being sent', count(status.claimed)],
    ['conflict', 'Conflicts', count(status.conflicts)],
    ['dead', 'Dead', count(status.dead)],
    [
      'oldest',
      'Oldest',
      status.oldestPendingAt === null ? '–' : seconds(now - status.oldestPendingAt),
    ],
  ];
  return h(
    'section',
    { class: 'meters', 'aria-label': 'How much waits' },
    h(
      'div',
      { class: 'stack', 'aria-hidden': 'true' },
      PRIORITIES.filter((name) => pending[name] > 0).map((name) =>
        h('i', {
          key: name,
          'data-group': name,
          style: `flex-grow:${pending[name]}`,
        }),
      ),
    ),
    h(
      'dl',
      { class: 'numbers' },
      PRIORITIES.map((name) =>
        h(
          'div',
          { key: name, 'data-group': name, 'data-none': pending[name] === 0 },
          h('dt', null, h('i', { class: 'swatch', 'aria-hidden': 'true' }), PRIORITY_TITLES[name]),
          h('dd', null, count(pending[name])),
        ),
      ),
      facts.map(([key, name, value]) =>
        h(
          'div',
          { key, 'data-group': key, 'data-none': value === '0' || value === '–' },
          h('dt', null, h('i', { class: 'swatch', 'aria-hidden': 'true' }), name),
          h('dd', null, value),
        ),
      ),
    ),
  );
}

const TABS: readonly (readonly [Tab, string])[] = [
  ['queue', 'Queue'],
  ['dead', 'Dead'],
  ['activity', 'Activity'],
  ['wake-ups', 'Wake-ups'],
];

/** Which part is shown, where there is not room for all. */
export function tabsView(model: InspectorModel): VNode {
  const { dead } = model.status;
  return h(
    'nav',
    { class: 'tabs', 'aria-label': 'Parts of the inspector' },
    TABS.map(([tab, title]) =>
      h(
        'button',
        {
          type: 'button',
          key: tab,
          'aria-current': model.tab === tab ? 'true' : undefined,
          onclick: () => model.show(tab),
        },
        title,
        tab === 'dead' && dead > 0 && h('span', { class: 'badge' }, count(dead)),
      ),
    ),
  );
}

/** What to put into a bug report, and what was done last. */
export function footView(model: InspectorModel): VNode {
  return h(
    'footer',
    { class: 'foot' },
    h('p', { class: 'message', role: 'status' }, model.message),
    h(
      'div',
      { class: 'actions' },
      h(
        'label',
        { class: 'check' },
        h('input', {
          type: 'checkbox',
          checked: model.isReportWithPayloads,
          onchange: (event) =>
            model.setReportWithPayloads((event.currentTarget as HTMLInputElement).checked),
        }),
        ' with payloads',
      ),
      button('Copy report', () => void copyReport(model), 'Copy report as JSON'),
    ),
  );
}

function copyReport(model: InspectorModel): Promise<void> {
  return model.attempt(async () => {
    await navigator.clipboard.writeText(await model.report());
    return `Copied as JSON, ${model.isReportWithPayloads ? 'with' : 'without'} payloads.`;
  });
}
