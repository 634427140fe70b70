import type { Commit } from '../world/disk.ts';
import type { GateOnDisk } from '../world/records.ts';

/** How long entries and gate were told to wait, whatever clocks do since. Milliseconds. */
export class Waits {
  readonly #entries = new Map<number, number>();
  gateMs = 0;

  onCommit(commit: Commit, now: number): void {
    for (const { before, after } of commit.entries) {
      if (after === undefined) continue;
      if (after.notBefore === null) this.#entries.delete(after.seq);
      // A wait that is only moved with the clock stays what was asked for.
      else if (before === undefined || before.notBefore === null || before.detail !== after.detail)
        this.#entries.set(after.seq, after.notBefore - now);
    }
    for (const { before, after } of commit.meta) {
      if (after?.name !== 'gate:remote') continue;
      const gate = JSON.parse(after.value) as GateOnDisk;
      const known = before === undefined ? undefined : (JSON.parse(before.value) as GateOnDisk);
      if (gate.until === null) this.gateMs = 0;
      else if (known?.failures !== gate.failures || known.until === null)
        this.gateMs = gate.until - now;
      else this.gateMs = Math.max(this.gateMs, gate.until - now);
    }
  }

  of(seq: number): number {
    return this.#entries.get(seq) ?? 0;
  }
}
