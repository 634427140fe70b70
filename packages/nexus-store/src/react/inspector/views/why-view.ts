import type { Reason } from '../../../core/background/explanation.ts';
import { h, type VNode } from '../dom.ts';
import type { InspectorModel } from '../model.ts';
import { plain, reasonsOf, seconds } from '../words.ts';

/** Why something has not synced, in words, the most telling reason first. */
export function whyView(model: InspectorModel): VNode {
  const { explanation, now, failure } = model;
  const reasons = explanation?.reasons ?? [];
  return h(
    'section',
    { class: 'why', 'aria-labelledby': 'why-title' },
    h('h3', { id: 'why-title' }, 'Why'),
    failure !== undefined && h('p', { class: 'failure' }, plain(failure)),
    reasons.length > 0
      ? h(
          'ol',
          null,
          reasons.map((reason) => h('li', { key: reason.code }, reasonView(reason, now))),
        )
      : h(
          'ol',
          null,
          reasonsOf(model.status, now).map((reason) => h('li', { key: reason }, reason)),
        ),
  );
}

function reasonView({ message, action, since, until }: Reason, now: number): VNode[] {
  const times = [
    ...(since === null || since > now ? [] : [`since ${seconds(now - since)}`]),
    ...(until === null || until <= now ? [] : [`for another ${seconds(until - now)}`]),
  ];
  return [
    h('span', null, plain(message)),
    ...(times.length > 0 ? [h('small', null, ` ${times.join(', ')}`)] : []),
    ...(action === null ? [] : [h('em', null, ` ${plain(action)}`)]),
  ];
}
