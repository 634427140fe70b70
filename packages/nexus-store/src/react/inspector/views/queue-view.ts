import { PRIORITIES } from '../../../core/model/priority.ts';
import { h, type VNode } from '../dom.ts';
import type { InspectorModel } from '../model.ts';
import type { Item, Section, SectionName } from '../read-queue.ts';
import { payloadJson } from '../report.ts';
import {
  count,
  counted,
  entityOf,
  failureText,
  operationOf,
  plain,
  PRIORITY_TITLES,
  SECTION_TITLES,
  seconds,
  short,
  timeOfDay,
  waitsFor,
} from '../words.ts';

const IN_QUEUE: readonly SectionName[] = [
  'sending',
  ...PRIORITIES,
  'backing-off',
  'after',
  'conflict',
];

/** The queue by priority and lane. */
export function queueView(model: InspectorModel): VNode {
  const { picture } = model;
  const shown = IN_QUEUE.filter((name) => (picture?.[name].items.length ?? 0) > 0);
  return h(
    'section',
    { class: 'panel', 'data-tab': 'queue', 'aria-labelledby': 'queue-title' },
    h('h3', { id: 'queue-title', tabindex: '-1' }, 'Queue'),
    picture !== undefined &&
      shown.length === 0 &&
      h(
        'p',
        { class: 'empty' },
        'Nothing waits. What is written appears here, and leaves as it arrives.',
      ),
    shown.map((name) => sectionView(model, name, picture?.[name] as Section)),
  );
}

/** What the server refused, with what can be done about it. */
export function deadView(model: InspectorModel): VNode {
  const section = model.picture?.dead;
  const items = section?.items ?? [];
  return h(
    'section',
    { class: 'panel', 'data-tab': 'dead', 'aria-labelledby': 'dead-title' },
    h(
      'div',
      { class: 'panel-head' },
      h('h3', { id: 'dead-title', tabindex: '-1' }, 'Dead letters'),
      items.length > 0 &&
        h(
          'div',
          { class: 'actions' },
          button('Retry all', () => void model.retryAll()),
          button('Export', () => void download(model), 'Export as a file, with payloads'),
        ),
    ),
    items.length === 0
      ? h('p', { class: 'empty' }, 'None. What the server refuses for good is kept here, readable.')
      : rows(model, 'dead', items),
    pager(model, 'dead'),
  );
}

function sectionView(model: InspectorModel, name: SectionName, section: Section): VNode {
  const title = `section-${name}`;
  return h(
    'section',
    { key: name, class: 'group', 'data-group': name, 'aria-labelledby': title },
    h(
      'h4',
      { id: title },
      h('i', { class: 'swatch', 'aria-hidden': 'true' }),
      SECTION_TITLES[name],
    ),
    rows(model, name, section.items),
    pager(model, name),
  );
}

function rows(model: InspectorModel, name: SectionName, items: readonly Item[]): VNode {
  return h(
    'ul',
    { class: 'rows', 'aria-label': SECTION_TITLES[name] },
    items.map((item) => rowView(model, item)),
  );
}

function pager(model: InspectorModel, name: SectionName): VNode | false {
  const hasMore = model.canShowMore(name);
  if (!hasMore && !model.isExtended(name)) return false;
  return h(
    'p',
    { class: 'pager', key: 'pager' },
    hasMore && button('Show more', () => model.more(name)),
    model.isExtended(name) && button('Show fewer', () => model.fewer(name)),
    model.picture?.[name].hasMore === true &&
      !hasMore &&
      'The list ends here; the rest waits all the same.',
  );
}

function rowView(model: InspectorModel, item: Item): VNode {
  const { entry } = item;
  const { id } = entry;
  const isOpen = model.opened.has(id);
  const isDead = entry.state === 'dead';
  return h(
    'li',
    { key: id, class: 'row', 'data-state': item.place, 'data-priority': entry.priority },
    h(
      'details',
      { open: isOpen },
      h(
        'summary',
        {
          // Not by the element itself: what is open is decided in one place.
          onclick: (event) => {
            event.preventDefault();
            model.toggle(id, !model.opened.has(id));
          },
        },
        beadView(item),
        h(
          'span',
          { class: 'names' },
          h('b', null, operationOf(entry)),
          ' ',
          h('span', { class: 'entity' }, entityOf(entry)),
          laneView(item),
        ),
        h('span', { class: 'note' }, noteView(model, item)),
        h('span', { class: 'age' }, seconds(model.now - entry.enqueuedAt)),
      ),
      isOpen && bodyView(model, item),
    ),
    isDead && deadActions(model, id),
  );
}

/** The state of the head, as a bead. */
function beadView({ entry, place }: Item): VNode {
  return h('i', {
    class: 'bead first',
    'data-state': entry.state,
    'data-place': place,
    'aria-hidden': 'true',
  });
}

const BEADS = 5;

/** What waits behind the head in its lane, as beads on a string. */
function laneView({ lane, behind }: Item): VNode | false {
  if (behind === 0) return false;
  const beads = lane.slice(0, BEADS);
  const more = behind - beads.length;
  return h(
    'span',
    {
      class: 'lane',
      role: 'img',
      'aria-label': `${counted(behind, 'entry', 'entries')} behind it`,
    },
    beads.map(({ id, state }) => h('i', { key: id, class: 'bead', 'data-state': state })),
    more > 0 && h('small', null, `+${count(more)}`),
  );
}

function noteView(model: InspectorModel, item: Item): (VNode | string | false)[] {
  const { entry, place } = item;
  const failure = entry.lastFailure;
  const isLifted = entry.effectivePriority !== entry.priority && entry.state !== 'dead';
  return [
    place !== 'ready' && place !== 'dead' && waitsFor(item, model.now),
    isLifted && tag(`goes as ${entry.effectivePriority}`, 'lift'),
    item.group.length > 0 && tag(`transaction of ${item.group.length}`),
    item.dependents.length > 0 && tag(`holds up ${item.dependents.join(', ')}`, 'warn'),
    entry.isAmbiguous && tag('outcome unknown', 'warn'),
    entry.attempts > 0 && tag(`${entry.attempts} ${entry.attempts === 1 ? 'attempt' : 'attempts'}`),
    failure !== null && tag(failureText(failure), entry.state === 'dead' ? 'bad' : 'warn'),
  ];
}

function tag(text: string, kind = ''): VNode {
  return h('span', { class: `tag ${kind}` }, text);
}

function deadActions(model: InspectorModel, id: string): VNode {
  const isAsking = model.discarding === id;
  return h(
    'div',
    { class: 'actions row-actions', key: 'actions' },
    button('Retry', () => void model.retry(id), `Retry ${id}`),
    button(
      isAsking ? 'Discard for good' : 'Discard',
      () => void model.discard(id),
      isAsking ? `Discard for good: ${id}` : `Discard ${id}`,
      isAsking ? 'danger' : '',
    ),
    isAsking && button('Keep', () => model.keepAfterAll(), `Keep ${id}`),
  );
}

// ---- looking closer ------------------------------------------------------------------------------

function bodyView(model: InspectorModel, item: Item): VNode {
  const { entry } = item;
  const { id } = entry;
  const failure = entry.lastFailure;
  const lane = model.lanes.get(id) ?? [];
  const isShown = model.withPayload.has(id);
  return h(
    'div',
    { class: 'body' },
    h('dl', null, facts(model, item)),
    failure?.detail !== undefined &&
      isShown &&
      h('p', { class: 'said' }, `The server said: ${plain(failure.detail)}`),
    lane.length > 1 && laneList(model, item, lane),
    isShown && h('pre', { tabindex: '0', 'aria-label': `Payload of ${id}` }, payloadText(entry)),
    h('div', { class: 'actions' }, entryActions(model, item)),
  );
}

function facts(model: InspectorModel, { entry, place, group, dependents }: Item): VNode[] {
  const pairs: (readonly [string, string])[] = [
    ['Entry', entry.id],
    ['Entity', `${entry.collection}/${short(String(entry.entityId), 60)}`],
    ['Written', `${timeOfDay(entry.enqueuedAt)}, ${seconds(model.now - entry.enqueuedAt)} ago`],
    ['Key', entry.idempotencyKey],
  ];
  if (place === 'after') pairs.push(['Waits for', entry.after.join(', ')]);
  if (group.length > 0) pairs.push(['Transaction', group.slice(0, 12).join(', ')]);
  if (dependents.length > 0) pairs.push(['Holds up', dependents.join(', ')]);
  if (entry.lastFailure !== null)
    pairs.push([
      'Last failure',
      `${failureText(entry.lastFailure)} at ${timeOfDay(entry.lastFailure.at)}`,
    ]);
  if (entry.expiresAt !== null) pairs.push(['Expires', timeOfDay(entry.expiresAt)]);
  return pairs.map(([name, value]) =>
    h('div', { key: name }, h('dt', null, name), h('dd', null, value)),
  );
}

function laneList(model: InspectorModel, item: Item, lane: readonly Item[]): VNode {
  const last = lane.at(-1);
  return h(
    'ol',
    { class: 'lane-list', 'aria-label': `Lane of ${entityOf(item.entry)}, in order` },
    lane.map((member) =>
      h(
        'li',
        { key: member.entry.id, 'data-current': member.entry.id === item.entry.id },
        h('i', {
          class: 'bead',
          'data-state': member.entry.state,
          'data-place': member.place,
          'aria-hidden': 'true',
        }),
        h('b', null, operationOf(member.entry)),
        ` ${member.entry.id} · ${waitsFor(member, model.now)}`,
      ),
    ),
    last !== undefined &&
      item.behind >= lane.length &&
      h('li', { key: 'more', class: 'more' }, `${count(item.behind + 1 - lane.length)} more`),
  );
}

const PAYLOAD_SHOWN = 4_000;

function payloadText(entry: Item['entry']): string {
  try {
    const text = JSON.stringify(payloadJson(entry), null, 2);
    return text.length > PAYLOAD_SHOWN ? `${text.slice(0, PAYLOAD_SHOWN)}…` : text;
  } catch {
    return 'This payload cannot be shown.';
  }
}

function entryActions(model: InspectorModel, { entry, place }: Item): (VNode | false)[] {
  const { id } = entry;
  const isShown = model.withPayload.has(id);
  const mayChange = place !== 'sending' && place !== 'dead';
  return [
    place === 'backing-off' && button('Send now', () => void model.retry(id)),
    place === 'conflict' && button('Keep ours', () => void model.resolve(id, 'local')),
    place === 'conflict' && button('Take theirs', () => void model.resolve(id, 'remote')),
    mayChange && prioritySelect(model, entry),
    mayChange && place !== 'conflict' && button('Cancel write', () => void model.cancel(id)),
    button(isShown ? 'Hide payload' : 'Show payload', () => model.togglePayload(id)),
  ];
}

function prioritySelect(model: InspectorModel, { id, priority }: Item['entry']): VNode {
  return h(
    'label',
    { class: 'select' },
    'Priority ',
    h(
      'select',
      {
        value: priority,
        onchange: (event) =>
          void model.reprioritise(id, (event.currentTarget as HTMLSelectElement).value),
      },
      PRIORITIES.map((name) =>
        h('option', { key: name, value: name, selected: name === priority }, PRIORITY_TITLES[name]),
      ),
    ),
  );
}

export function button(text: string, onclick: () => void, label?: string, kind = ''): VNode {
  return h(
    'button',
    {
      type: 'button',
      class: kind,
      key: label === undefined ? text : undefined,
      'aria-label': label,
      onclick,
    },
    text,
  );
}

function download(model: InspectorModel): Promise<void> {
  return model.attempt(async () => {
    const text = await model.sources.backend.export();
    const link = document.createElement('a');
    link.href = URL.createObjectURL(new Blob([text], { type: 'application/json' }));
    link.download = 'dead-letters.json';
    link.click();
    URL.revokeObjectURL(link.href);
    return 'The dead letters were exported, with payloads.';
  });
}
