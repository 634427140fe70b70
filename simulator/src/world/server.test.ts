import type { WireOperation } from 'nexus-store/http';
import { describe, expect, test } from 'vitest';
import { ModelServer } from './server.ts';

const witness = { onApplied: () => {}, onRefused: () => {} };

function operation(key: string, change: Partial<WireOperation> = {}): WireOperation {
  return {
    id: key,
    idempotencyKey: key,
    collection: 'notes',
    entityId: 'n1',
    operation: 'create',
    payload: { a: 1 },
    schemaVersion: 1,
    ...change,
  };
}

function statuses(server: ModelServer, operations: readonly WireOperation[]): readonly string[] {
  const { results } = JSON.parse(server.push('ada', operations).body) as {
    results: readonly { status: string }[];
  };
  return results.map(({ status }) => status);
}

describe('the model server', () => {
  test('applies a key once and gives its first answer again', () => {
    const server = new ModelServer(witness, () => 0);

    const first = server.push('ada', [operation('k1')]);
    const again = server.push('ada', [operation('k1')]);

    expect(again.body).toBe(first.body);
    expect(server.rows('ada').size).toBe(1);
  });

  test('refuses a key that stood for something else', () => {
    const server = new ModelServer(witness, () => 0);
    server.push('ada', [operation('k1')]);

    expect(statuses(server, [operation('k1', { payload: { a: 2 } })])).toEqual(['rejected']);
  });

  test('applies the operations of a group all or not at all', () => {
    const server = new ModelServer(witness, () => 0);
    server.push('ada', [operation('k1')]);

    const results = statuses(server, [
      operation('k2', { entityId: 'n2', group: 'g' }),
      operation('k3', { group: 'g' }),
    ]);

    expect(results).toEqual(['retry', 'conflict']);
    expect(server.rows('ada').size).toBe(1);
  });

  test('keeps users apart', () => {
    const server = new ModelServer(witness, () => 0);

    server.push('ada', [operation('k1')]);
    server.push('bob', [operation('k1')]);

    expect(server.rows('bob').size).toBe(1);
    expect(server.applied('bob', 'k1')).toBeDefined();
  });
});
