import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { PriorityRank } from '../model/priority.ts';
import { QueueState } from './queue-state.ts';

const partition = fc.nat(3);
const collection = fc.oneof(
  fc.constantFrom('notes', '__proto__', 'constructor', '"', '\\', '\u2028', 'ü', ''),
  fc.string({ unit: 'grapheme' }),
);

type Step = (state: QueueState) => void;

const step: fc.Arbitrary<Step> = fc.oneof(
  fc.constant<Step>((state) => void state.takeSeq()),
  fc.constant<Step>((state) => void state.takeFence()),
  fc
    .tuple(partition, fc.nat(3), fc.nat(), fc.constantFrom<1 | -1>(1, -1))
    .map<Step>(([where, rank, bytes, sign]) => (state) => {
      state.countEntry(where, rank as PriorityRank, bytes, sign);
    }),
  fc.tuple(partition, collection, fc.constantFrom<1 | -1>(1, -1)).map<Step>(
    ([where, name, sign]) =>
      (state) =>
        state.countCollection(where, name, sign),
  ),
  fc.constant<Step>((state) => void state.takeAcknowledgement()),
  fc.constant<Step>((state) => state.changeIndexes()),
  fc.nat().map<Step>((at) => (state) => state.raiseFetchFloor(at)),
  fc.tuple(partition, fc.boolean()).map<Step>(
    ([where, isClosed]) =>
      (state) =>
        state.setClosed(where, isClosed),
  ),
  fc.constant<Step>((state) => {
    const mark = state.mark();
    state.takeSeq();
    state.countEntry(1, 2, 7, 1);
    state.countCollection(1, 'undone', 1);
    state.rollbackTo(mark);
  }),
);

function factsOf(state: QueueState): unknown {
  const partitions = [0, 1, 2, 3].map((where) => ({
    counters: state.counters(where),
    collections: new Map(Object.entries(state.collections(where))),
    isClosed: state.isClosed(where),
    parkedFrom: state.parkedFrom(where),
  }));
  const { nextSeq, nextFence, acknowledgements, indexes, fetchFloor } = state.mark();
  return { partitions, nextSeq, nextFence, acknowledgements, indexes, fetchFloor };
}

test('what was written down reads back as what it was, whatever collections are called', () => {
  fc.assert(
    fc.property(fc.array(step), (steps) => {
      const state = new QueueState(undefined);
      for (const perform of steps) perform(state);

      const text = state.toText();

      expect(() => JSON.parse(text)).not.toThrow();
      expect(factsOf(new QueueState(text))).toEqual(factsOf(state));
    }),
  );
});

test('what is undone leaves nothing behind', () => {
  fc.assert(
    fc.property(fc.array(step), fc.array(step), (done, undone) => {
      const state = new QueueState(undefined);
      for (const perform of done) perform(state);
      const before = factsOf(state);
      const mark = state.mark();
      for (const perform of undone) perform(state);

      state.rollbackTo(mark);

      expect(factsOf(state)).toEqual(before);
      expect(factsOf(new QueueState(state.toText()))).toEqual(before);
    }),
  );
});

describe('the next transaction', () => {
  test('goes on with what it finds written down, and has changed nothing yet', () => {
    const state = new QueueState(undefined);
    state.takeSeq();
    const text = state.toText();

    const next = state.continuedFrom(text);

    expect(next).toBe(state);
    expect([next.isChanged, next.nextSeq]).toEqual([false, 2]);
    next.takeSeq();
    expect(next.isChanged).toBe(true);
  });

  test.each([
    ['another context has written', '{"nextSeq":9,"nextFence":4,"counters":{}}'],
    ['the commit failed', '{"nextSeq":1,"nextFence":1,"counters":{}}'],
    ['nothing is there', undefined],
  ])('reads anew where %s', (_what, text) => {
    const state = new QueueState(undefined);
    state.takeSeq();
    state.toText();

    expect(factsOf(state.continuedFrom(text))).toEqual(factsOf(new QueueState(text)));
  });

  test('reads anew what was changed after it was written down', () => {
    const state = new QueueState(undefined);
    const text = state.toText();
    state.takeSeq();

    expect(state.continuedFrom(text).nextSeq).toBe(1);
  });
});
