import { afterEach, describe, expect, test } from 'vitest';
import { memoryStorage } from '../../storage/memory/index.ts';
import {
  answers,
  fixtures,
  type BackendFixture,
  type Note,
} from '../../testing/backend-fixture.ts';
import type { OutgoingEntry } from '../ports/remote.ts';

const world = fixtures(afterEach, () => memoryStorage());

/** A server that refuses requests for their size, and how often it did. */
function refusing(
  fixture: BackendFixture,
  isTooLarge: (batch: readonly OutgoingEntry[]) => boolean,
): { readonly sizes: number[] } {
  const refused = { sizes: [] as number[] };
  fixture.remote.answerWith(({ batch }) => {
    if (!isTooLarge(batch)) return 'apply';
    refused.sizes.push(batch.length);
    return answers.tooLarge;
  });
  return refused;
}

const holds = (id: string) => (batch: readonly OutgoingEntry[]) =>
  batch.some(({ entityId }) => entityId === id);

const lengthOf = (batch: readonly OutgoingEntry[]): number =>
  batch.reduce((sum, { payloadJson }) => sum + (payloadJson?.length ?? 0), 0);

function notes(count: number, text = ''): Note[] {
  return Array.from({ length: count }, (_, index) => ({
    id: `n${String(index).padStart(4, '0')}`,
    text,
  }));
}

describe('among many entries', () => {
  test('one that is too large costs a few requests, and the rest go in full ones', async () => {
    const fixture = world();
    refusing(fixture, holds('n0100'));
    await fixture.notes.saveAll(notes(501));

    const report = await fixture.wait(fixture.backend.sync());

    expect(report).toMatchObject({ pushed: 500, dead: 1, remaining: 0, stoppedBy: 'drained' });
    expect(fixture.requests.length).toBeLessThan(30);
  });

  test('the first of all that is too large does not make the rest slow', async () => {
    const fixture = world({ concurrency: 1 });
    refusing(fixture, holds('n0000'));
    await fixture.notes.saveAll(notes(501));

    await fixture.wait(fixture.backend.sync());

    expect(fixture.requests.length).toBeLessThan(25);
    expect(fixture.requests.at(-2)).toHaveLength(50);
  });

  test('ten side by side that are too large are found without resending full requests', async () => {
    const fixture = world({ concurrency: 1 });
    const large = new Set(
      notes(210)
        .map(({ id }) => id)
        .slice(200),
    );
    const refused = refusing(fixture, (batch) =>
      batch.some(({ entityId }) => large.has(String(entityId))),
    );
    await fixture.notes.saveAll(notes(500));

    const report = await fixture.wait(fixture.backend.sync());

    expect(report).toMatchObject({ pushed: 490, dead: 10 });
    expect(refused.sizes.reduce((sum, size) => sum + size, 0)).toBeLessThan(150);
  });

  test('a large one that fits alone goes alone, and small ones go on in full requests', async () => {
    const fixture = world({ concurrency: 1 });
    refusing(fixture, (batch) => lengthOf(batch) > 30_000);
    const large = ['n0002', 'n0003', 'n0004'];
    await fixture.notes.saveAll(
      notes(500).map((note) =>
        large.includes(note.id) ? { ...note, text: 'x'.repeat(28_000) } : note,
      ),
    );

    const report = await fixture.wait(fixture.backend.sync());

    expect(report).toMatchObject({ pushed: 500, dead: 0, remaining: 0 });
    expect(fixture.requests.length).toBeLessThan(20);
  });
});

describe('a server that limits', () => {
  test('the size of a request is found out once, and not tried again', async () => {
    const fixture = world({ concurrency: 1 });
    const refused = refusing(fixture, (batch) => lengthOf(batch) > 10_000);
    await fixture.notes.saveAll(notes(500, 'x'.repeat(1_000)));

    const report = await fixture.wait(fixture.backend.sync());

    expect(report).toMatchObject({ pushed: 500, dead: 0, remaining: 0 });
    expect(refused.sizes).toHaveLength(3);
    expect(fixture.requests.length).toBeLessThan(100);
  });

  test('the size of a request stays found when one entry is too large by itself', async () => {
    const fixture = world({ concurrency: 1 });
    const refused = refusing(fixture, (batch) => lengthOf(batch) > 10_000 || holds('n0000')(batch));
    await fixture.notes.saveAll([
      ...notes(300, 'x'.repeat(1_000)),
      { id: 'n9', text: 'x'.repeat(11_000) },
    ]);

    const report = await fixture.wait(fixture.backend.sync());

    expect(report).toMatchObject({ pushed: 299, dead: 2, remaining: 0 });
    expect(refused.sizes.length).toBeLessThan(14);
  });

  test('the number of entries is told from one that limits the size', async () => {
    const fixture = world({ concurrency: 1 });
    const refused = refusing(fixture, (batch) => batch.length > 10);
    await fixture.notes.saveAll([...notes(50, 'x'.repeat(10_000)), ...notes(500).slice(50)]);

    const report = await fixture.wait(fixture.backend.sync());

    expect(report).toMatchObject({ pushed: 500, dead: 0, remaining: 0 });
    expect(refused.sizes.length).toBeLessThan(8);
    expect(fixture.requests.length).toBeLessThan(110);
  });
});
