import type { UnitOfWork } from '../../core/queue/unit-of-work.ts';
import type { QueueFixture } from '../queue-fixture.ts';
import type { TestFunctions } from '../test-functions.ts';
import type { Model } from './model.ts';
import type { Mutate } from './writing-model.ts';

export interface Run {
  readonly model: Model;
  fixture: QueueFixture;
  readonly reopen: () => Promise<QueueFixture>;
  /** What was sent under each key. */
  readonly sent: Map<string, string>;
  readonly expect: TestFunctions['expect'];
  count: number;
}

export interface Step {
  readonly real: (uow: UnitOfWork) => unknown;
  readonly model: () => unknown;
}

export type Wish =
  | ({ readonly kind: 'mutate' } & RawMutate)
  | { readonly kind: 'transaction'; readonly writes: readonly RawMutate[] }
  | {
      readonly kind: 'claim';
      readonly limit: number;
      readonly worst: number;
      readonly deferLow: boolean;
    }
  | { readonly kind: 'settle'; readonly which: number; readonly how: readonly number[] }
  | {
      readonly kind: 'cancel' | 'retry' | 'discard' | 'reprioritise' | 'resolve';
      readonly which: number;
      readonly how: number;
    }
  | {
      readonly kind: 'pull';
      readonly lane: number;
      readonly value: number | null;
      readonly isEcho: boolean;
    }
  | { readonly kind: 'expire' }
  | { readonly kind: 'advance'; readonly ms: number }
  | { readonly kind: 'reopen' };

export interface RawMutate {
  readonly lane: number;
  readonly write: Mutate['kind'];
  readonly field: number;
  readonly number: number;
  readonly priority: number;
  readonly after: readonly number[] | null;
  readonly ttl: number | null;
}

export function pick<T>(list: readonly T[], index: number): T | undefined {
  return list.length === 0 ? undefined : list[index % list.length];
}
