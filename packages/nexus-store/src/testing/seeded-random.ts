import { eitherOf, requireKind, TEXT } from '../core/model/arguments.ts';
import type { Random } from '../core/ports/runtime.ts';
import { FINITE } from './option-kinds.ts';

const STREAM = eitherOf(TEXT, FINITE);

/**
 * A stream of pseudo-random numbers that depends on the seed alone: xoshiro128** (Blackman and Vigna,
 * "Scrambled Linear Pseudorandom Number Generators", 2018). Not for secrets.
 *
 * @param seed any finite number; all of its 53 bits count
 * @param stream another name gives an independent stream of the same seed
 * @throws UsageError `usage/invalid-argument`
 */
export function createSeededRandom(seed: number, stream: number | string = 0): SeededRandom {
  requireKind('createSeededRandom: seed', seed, FINITE);
  requireKind('createSeededRandom: stream', stream, STREAM);
  return new SeededRandom(seed, stream);
}

/** `Random` with the few draws that simulations ask for. */
export class SeededRandom implements Random {
  #a: number;
  #b: number;
  #c: number;
  #d: number;

  constructor(seed: number, stream: number | string = 0) {
    let state = mix(Math.trunc(seed) >>> 0, Math.floor(seed / 0x1_0000_0000) >>> 0);
    state = mix(state, typeof stream === 'string' ? hashText(stream) : stream >>> 0);
    // Four numbers of a Weyl sequence, scrambled: never all zero, which xoshiro could not leave.
    const next = (): number => scramble((state = (state + 0x9e37_79b9) >>> 0));
    this.#a = next();
    this.#b = next();
    this.#c = next();
    this.#d = next() | 1;
  }

  uint32(): number {
    const scrambled = Math.imul(rotate(Math.imul(this.#b, 5), 7), 9) >>> 0;
    const shifted = this.#b << 9;
    this.#c ^= this.#a;
    this.#d ^= this.#b;
    this.#b ^= this.#c;
    this.#a ^= this.#d;
    this.#c ^= shifted;
    this.#d = rotate(this.#d, 11);
    return scrambled;
  }

  /** 53 random bits, as `Math.random` gives them. */
  float(): number {
    return ((this.uint32() >>> 5) * 0x400_0000 + (this.uint32() >>> 6)) / 0x20_0000_0000_0000;
  }

  /** Uniform in [from, to). */
  between(from: number, to: number): number {
    return from + this.float() * (to - from);
  }

  /** Uniform integer in [0, below). */
  integer(below: number): number {
    return Math.floor(this.float() * below);
  }

  chance(probability: number): boolean {
    return this.float() < probability;
  }

  /** Exponentially distributed around `mean`: the gaps between events that know nothing of each other. */
  exponential(mean: number): number {
    return -Math.log(1 - this.float()) * mean;
  }

  pick<T>(items: readonly T[]): T {
    if (items.length === 0) throw new TypeError('pick needs at least one item');
    return items[this.integer(items.length)] as T;
  }
}

function rotate(value: number, bits: number): number {
  return (value << bits) | (value >>> (32 - bits));
}

/** The finalizer of MurmurHash3: every input bit reaches every output bit. */
function scramble(value: number): number {
  let mixed = value;
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85eb_ca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2_ae35);
  return (mixed ^ (mixed >>> 16)) >>> 0;
}

function mix(state: number, value: number): number {
  return scramble((Math.imul(state, 0x01000193) ^ value) >>> 0) ^ state;
}

/** FNV-1a. */
function hashText(text: string): number {
  let hash = 0x811c_9dc5;
  for (let index = 0; index < text.length; index++) {
    hash = Math.imul(hash ^ text.charCodeAt(index), 0x0100_0193);
  }
  return hash >>> 0;
}
