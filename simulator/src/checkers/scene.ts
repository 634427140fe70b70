import type { VirtualRuntime } from 'nexus-store/testing';
import type { WorldSettings } from '../plan/operations.ts';
import type { Disk } from '../world/disk.ts';
import type { ModelServer } from '../world/server.ts';
import type { History } from './history.ts';

/** A promise of the product that was broken. */
export interface Violation {
  /** Which one, in a word: a shortened plan must break the same. */
  readonly rule: string;
  readonly message: string;
  /** The step of the plan that was under way. */
  readonly step: number;
}

/** What the checks look at. */
export interface Scene {
  readonly runtime: VirtualRuntime;
  readonly disk: Disk;
  readonly server: ModelServer;
  readonly history: History;
  readonly settings: WorldSettings;
  readonly fail: (rule: string, message: string) => void;
}
