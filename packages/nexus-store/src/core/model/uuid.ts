import type { Clock, Ids, Random } from '../ports/runtime.ts';

const HEX: readonly string[] = Array.from({ length: 256 }, (_, byte) =>
  byte.toString(16).padStart(2, '0'),
);

/** UUIDv7 (RFC 9562, section 5.7): 48 bits of wall time, 74 bits of chance. */
export function createIds(clock: Clock, random: Random): Ids {
  return { uuid: () => uuidv7(clock.now(), random.uint32(), random.uint32(), random.uint32()) };
}

function uuidv7(now: number, a: number, b: number, c: number): string {
  const high = Math.floor(now / 0x10000);
  const low = now % 0x10000;
  return (
    hex((high >>> 24) & 255) +
    hex((high >>> 16) & 255) +
    hex((high >>> 8) & 255) +
    hex(high & 255) +
    '-' +
    hex(low >>> 8) +
    hex(low & 255) +
    '-' +
    hex(0x70 | ((a >>> 8) & 15)) +
    hex(a & 255) +
    '-' +
    hex(0x80 | ((a >>> 24) & 63)) +
    hex((a >>> 16) & 255) +
    '-' +
    hex(b >>> 24) +
    hex((b >>> 16) & 255) +
    hex((b >>> 8) & 255) +
    hex(b & 255) +
    hex(c >>> 24) +
    hex((c >>> 16) & 255)
  );
}

function hex(byte: number): string {
  return HEX[byte] as string;
}
