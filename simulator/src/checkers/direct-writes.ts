import type { WireOperation } from 'nexus-store/http';
import type { Value } from '../world/collections.ts';

/** How an operation is named that never stood in the queue. */
const DIRECT_ID = 'direct';

/** Writes that are sent before they are stored, by the token in their value. */
export class DirectWrites {
  readonly #principals = new Map<number, string>();
  readonly #applied = new Set<number>();
  /** Of writes that are for this device alone. */
  readonly neverSent = new Set<number>();

  begin(token: number, principal: string): void {
    this.#principals.set(token, principal);
  }

  is({ id }: WireOperation): boolean {
    return id === DIRECT_ID;
  }

  /** Whose write it is; undefined if that is not known. */
  ownerOf(operation: WireOperation): string | undefined {
    return this.#principals.get(tokenOf(operation) ?? -1);
  }

  onApplied(operation: WireOperation): void {
    const token = tokenOf(operation);
    if (token !== undefined) this.#applied.add(token);
  }

  hasApplied(token: number): boolean {
    return this.#applied.has(token);
  }
}

export function tokenOf({ payload }: WireOperation): number | undefined {
  return (payload as Partial<Value> | null)?.token;
}
