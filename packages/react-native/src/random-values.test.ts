import { randomUUID } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { provideRandomValues, type Engine } from './random-values.ts';

type Fill = <View extends ArrayBufferView>(view: View) => View;

const fillOf = (engine: Engine): Fill => engine.crypto?.getRandomValues as Fill;

describe('randomness on Hermes', () => {
  test("comes from Expo's native UUIDs, to the last byte of any view", () => {
    const engine: Engine = { expo: { uuidv4: () => randomUUID() } };
    const seen = Array.from({ length: 37 }, () => new Set<number>());

    const isThere = provideRandomValues(engine);
    for (let round = 0; round < 64; round++) {
      const view = fillOf(engine)(new Uint8Array(37));
      for (const [index, byte] of view.entries()) seen[index]?.add(byte);
    }

    expect(isThere).toBe(true);
    // A byte that held version or variant would take 1 or 64 values, one that is not filled 1.
    expect(Math.min(...seen.map((values) => values.size))).toBeGreaterThan(32);
    expect(new Set(fillOf(engine)(new Uint32Array(256))).size).toBeGreaterThan(250);
  });

  test('fills the part of a buffer that a view shows, and no more', () => {
    const engine: Engine = { expo: { uuidv4: () => 'ffffffff-ffff-4fff-bfff-ffffffffffff' } };
    provideRandomValues(engine);
    const buffer = new ArrayBuffer(8);

    fillOf(engine)(new Uint8Array(buffer, 2, 3));

    expect([...new Uint8Array(buffer)]).toEqual([0, 0, 255, 255, 255, 0, 0, 0]);
  });

  test("the engine's own, or an app's, stays", () => {
    const getRandomValues = (): void => {};
    const engine: Engine = { crypto: { getRandomValues }, expo: { uuidv4: randomUUID } };

    expect(provideRandomValues(engine)).toBe(true);
    expect(engine.crypto?.getRandomValues).toBe(getRandomValues);
  });

  test('a crypto that lacks it gets it; without Expo there is none', () => {
    const partial: Engine = { crypto: {}, expo: { uuidv4: () => randomUUID() } };

    expect(provideRandomValues(partial)).toBe(true);
    expect(typeof partial.crypto?.getRandomValues).toBe('function');
    expect(provideRandomValues({})).toBe(false);
  });
});
