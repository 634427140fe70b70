import { uptime } from 'node:os';

/** Milliseconds since this machine was started, its sleep included, whatever its clock is set to. */
export function uptimeMs(): number {
  return uptime() * 1_000;
}
