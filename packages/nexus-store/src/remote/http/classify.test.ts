import { describe, expect, test } from 'vitest';
import type { Operation } from '../../core/model/entry.ts';
import { answerClass, CLASS_BY_STATUS, classify } from './classify.ts';
import type { AnswerFacts } from './classify.ts';
import { ProblemType, PROTOCOL_CONTENT_TYPE } from './protocol.ts';

const facts = (status: number, more: Partial<AnswerFacts> = {}): AnswerFacts => ({
  status,
  problemType: null,
  contentType: 'application/problem+json',
  scope: 'entry',
  at: 7,
  ...more,
});

const endpoint = { kind: 'retry', scope: 'endpoint', ambiguous: false };
const endpointAmbiguous = { kind: 'retry', scope: 'endpoint', ambiguous: true };
const entry = { kind: 'retry', scope: 'entry', ambiguous: false };
const entryAmbiguous = { kind: 'retry', scope: 'entry', ambiguous: true };
const html = { contentType: 'text/html; charset=utf-8' };
const ours = { contentType: `${PROTOCOL_CONTENT_TYPE}; charset=utf-8` };
const of = (problemType: string) => ({ problemType });
const whole = { scope: 'request' } as const;
const page = { ...whole, ...html, body: 'page' } as const;
const bare = { ...whole, contentType: null, body: 'other' } as const;
const json = { ...whole, contentType: 'application/json', body: 'json' } as const;
const code = (name: string) => ({ failure: { code: name } });

type Row = readonly [number, Partial<AnswerFacts>, Operation, object];

/** Every row of design.md section 4, and the statuses that have no row of their own. */
const ROWS: readonly Row[] = [
  [200, ours, 'update', { kind: 'applied' }],
  [207, ours, 'update', { kind: 'applied' }],
  [200, html, 'update', { ...endpointAmbiguous, ...code('remote/protocol') }],
  [200, { contentType: 'application/json' }, 'update', endpointAmbiguous],
  [204, { contentType: null }, 'update', endpointAmbiguous],
  [0, { contentType: null }, 'update', endpointAmbiguous],
  [302, html, 'update', { ...endpointAmbiguous, ...code('remote/protocol') }],
  [308, html, 'update', endpointAmbiguous],
  [400, {}, 'update', { kind: 'rejected', ...code('remote/rejected') }],
  [401, {}, 'update', { kind: 'unauthorised', ...code('remote/unauthorised') }],
  [402, {}, 'update', { kind: 'rejected' }],
  [403, {}, 'update', { kind: 'rejected' }],
  [404, {}, 'delete', { kind: 'applied' }],
  [404, {}, 'update', { kind: 'conflict', remote: null }],
  [404, {}, 'command', { kind: 'conflict', remote: null }],
  [404, {}, 'create', { kind: 'rejected' }],
  [410, {}, 'delete', { kind: 'applied' }],
  [410, {}, 'update', { kind: 'conflict', remote: null }],
  [410, {}, 'create', { kind: 'rejected' }],
  [404, whole, 'delete', { ...endpointAmbiguous, ...code('remote/protocol') }],
  [410, whole, 'create', { ...endpointAmbiguous, ...code('remote/protocol') }],
  [405, {}, 'update', { kind: 'rejected' }],
  // A whole push refused by somebody else: definite where the status says that nobody read it.
  [400, page, 'update', { ...endpoint, ...code('remote/protocol') }],
  [400, json, 'update', { kind: 'rejected', ...code('remote/rejected') }],
  [400, { ...page, scope: 'entry' }, 'update', { kind: 'rejected' }],
  [402, page, 'update', endpointAmbiguous],
  [403, page, 'update', { ...endpointAmbiguous, ...code('remote/protocol') }],
  [403, bare, 'update', { kind: 'rejected', sweeping: true }],
  [403, json, 'update', { kind: 'rejected' }],
  [404, page, 'delete', { ...endpointAmbiguous, ...code('remote/protocol') }],
  [405, page, 'update', endpoint],
  [406, page, 'update', endpointAmbiguous],
  [411, page, 'update', endpoint],
  [415, page, 'update', endpoint],
  [422, page, 'update', endpoint],
  [422, json, 'update', { kind: 'rejected' }],
  [431, page, 'update', endpoint],
  [451, page, 'update', endpointAmbiguous],
  [501, page, 'update', endpoint],
  // Of the method or the headers, which no entry has a part in, or in a bare line: whoever may have said it.
  [400, bare, 'update', { kind: 'rejected', sweeping: true }],
  [405, json, 'delete', { kind: 'rejected', sweeping: true, ...code('remote/rejected') }],
  [406, json, 'update', { kind: 'rejected', sweeping: true }],
  [418, json, 'update', { kind: 'rejected', sweeping: true }],
  [422, bare, 'update', { kind: 'rejected', sweeping: true, ...code('remote/rejected') }],
  [501, json, 'update', { kind: 'rejected', sweeping: true }],
  [505, bare, 'create', { kind: 'rejected', sweeping: true }],
  [402, json, 'update', { kind: 'rejected' }],
  [405, whole, 'update', { kind: 'rejected' }],
  [405, { ...json, scope: 'entry' }, 'update', { kind: 'rejected' }],
  [451, json, 'update', { kind: 'rejected' }],
  [505, page, 'update', endpoint],
  // A conflict may come without a body, and buries nothing; a page is none.
  [409, page, 'update', { ...endpointAmbiguous, ...code('remote/protocol') }],
  [409, bare, 'update', { kind: 'conflict' }],
  [412, page, 'update', endpointAmbiguous],
  [412, bare, 'update', { kind: 'conflict' }],
  [423, page, 'update', endpointAmbiguous],
  [424, bare, 'update', entry],
  // These mean the same whoever says them.
  [401, page, 'update', { kind: 'unauthorised' }],
  [413, page, 'update', { kind: 'too-large' }],
  [426, bare, 'update', { ...endpoint, upgradeRequired: true }],
  [500, page, 'update', entryAmbiguous],
  [407, html, 'update', endpointAmbiguous],
  [408, {}, 'update', { ...endpointAmbiguous, ...code('remote/timeout') }],
  [409, of(ProblemType.keyInProgress), 'update', entryAmbiguous],
  [409, of(ProblemType.alreadyApplied), 'update', { kind: 'applied' }],
  [409, of('about:blank'), 'update', { kind: 'conflict' }],
  [409, { remote: { a: 1 }, version: '3' }, 'update', { remote: { a: 1 }, version: '3' }],
  [412, { remote: null }, 'update', { kind: 'conflict', remote: null }],
  [413, {}, 'update', { kind: 'too-large' }],
  [421, {}, 'update', endpointAmbiguous],
  [422, {}, 'update', { kind: 'rejected' }],
  [423, {}, 'update', entry],
  [424, {}, 'update', entry],
  [425, {}, 'update', endpoint],
  [426, {}, 'update', { ...endpoint, upgradeRequired: true, ...code('remote/upgrade-required') }],
  [
    429,
    { retryAfterMs: 5 },
    'update',
    { ...endpoint, retryAfterMs: 5, ...code('remote/throttled') },
  ],
  [451, {}, 'update', { kind: 'rejected' }],
  [500, {}, 'update', { ...entryAmbiguous, ...code('remote/server') }],
  [501, {}, 'update', { kind: 'rejected' }],
  [502, {}, 'update', endpointAmbiguous],
  [503, { retryAfterMs: 9 }, 'update', { ...endpointAmbiguous, retryAfterMs: 9 }],
  [503, of(ProblemType.busy), 'update', endpoint],
  [504, {}, 'update', { ...endpointAmbiguous, ...code('remote/timeout') }],
  [505, {}, 'update', { kind: 'rejected' }],
  [507, {}, 'update', entryAmbiguous],
  [511, html, 'update', endpointAmbiguous],
  [522, html, 'update', endpointAmbiguous],
  [599, {}, 'update', entryAmbiguous],
  [500, whole, 'update', entryAmbiguous],
  [507, json, 'update', entryAmbiguous],
  [509, page, 'update', { ...endpointAmbiguous, ...code('remote/server') }],
  [599, json, 'update', endpointAmbiguous],
];

describe('the table of answers', () => {
  test.each(ROWS)('%i with %j for %s means %j', (status, more, operation, expected) => {
    const outcome = classify(facts(status, more), operation);

    expect(outcome).toMatchObject(expected);
    // Whether it may be of somebody else than the server decides over a whole queue.
    expect('sweeping' in outcome).toBe('sweeping' in expected);
  });

  test('has a row here for every status it knows', () => {
    const covered = new Set(ROWS.map(([status]) => String(status)));

    expect(Object.keys(CLASS_BY_STATUS).filter((status) => !covered.has(status))).toEqual([]);
  });

  test('gives every status a class', () => {
    for (let status = 100; status < 1000; status += 1) {
      expect(answerClass(status, null)).toBeTypeOf('string');
    }
  });

  test('keeps status, instant and excerpt in the failure', () => {
    const outcome = classify(facts(422, { detail: 'title is too long' }), 'update');

    const failure = { code: 'remote/rejected', status: 422, detail: 'title is too long', at: 7 };
    expect(outcome).toEqual({ kind: 'rejected', failure });
  });

  test('never says applied for an answer that is not recognised, whatever the operation', () => {
    for (let status = 200; status < 600; status += 1) {
      for (const operation of ['create', 'update', 'delete', 'command'] as const) {
        const outcome = classify(facts(status, { ...html, ...whole }), operation);

        expect([status, outcome.kind]).not.toEqual([status, 'applied']);
      }
    }
  });
});
