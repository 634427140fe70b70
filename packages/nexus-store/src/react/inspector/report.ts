import type { Entry } from '../../core/model/entry.ts';
import { encodeValue, wireJson } from '../../core/model/value-codec.ts';
import type { InspectorModel } from './model.ts';
import { SECTIONS } from './read-queue.ts';

const EVENTS = 100;
const RUNS = 20;

/**
 * What a bug report needs, as JSON text: status, the shown part of the queue, the last events and
 * wake-ups. Without payloads, and without the server's own words, which may repeat them, unless asked.
 */
export async function reportOf(model: InspectorModel, withPayloads: boolean): Promise<string> {
  const { picture, history, explanation, network, sources } = model;
  const report = {
    what: 'nexus-store inspector report',
    at: new Date(model.now).toISOString(),
    payloads: withPayloads ? 'included' : 'left out',
    isPaused: sources.backend.isPaused,
    network: network ?? null,
    status: model.status,
    explanation: explanation ?? null,
    queue: Object.fromEntries(
      SECTIONS.map((name) => {
        const { items = [], hasMore = false } = picture?.[name] ?? {};
        const entries = items.map(({ entry, place, behind, dependents, group }) => ({
          ...entryFacts(entry, withPayloads),
          place,
          behind,
          dependents,
          group,
        }));
        return [name, { entries, hasMore }];
      }),
    ),
    events: model.activity.newest(EVENTS).map(({ at, event, times }) => ({ at, event, times })),
    wakeUps: history.slice(-RUNS),
  };
  return JSON.stringify(report, withPayloads ? undefined : withoutDetail, 2);
}

function entryFacts(entry: Entry, withPayload: boolean): Record<string, unknown> {
  const { payload: _, ...facts } = entry;
  return withPayload ? { ...facts, payload: payloadJson(entry) } : facts;
}

/** A payload as JSON, whatever is in it. */
export function payloadJson(entry: Entry): unknown {
  return JSON.parse(wireJson(encodeValue(entry.payload)));
}

/** The excerpt of what a server answered. */
function withoutDetail(key: string, value: unknown): unknown {
  return key === 'detail' && typeof value === 'string' ? undefined : value;
}
