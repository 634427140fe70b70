import type { Storage, StorageSchema } from '../../core/ports/storage.ts';
import type { TestFunctions } from '../test-functions.ts';

/** One database for one test. */
export interface StorageHarness {
  /**
   * A new handle, not opened yet. All handles of one harness name the same database, as far as the
   * driver can share one.
   */
  create(): Storage;
  /**
   * Makes the nth step that changes the database fail once, counted from now on (1 is the next), as a full
   * disk or a broken device would. Only drivers that can be reached below the port have it.
   */
  readonly failStep?: (nth: number) => ArmedFault;
  /** What lies on the disk. A driver that claims to encrypt must show it. */
  readonly storedBytes?: () => Promise<Uint8Array>;
  /** Called after every test, when all handles are closed. */
  dispose(): Promise<void>;
}

export interface ArmedFault {
  /** True once the fault has struck. */
  hasStruck(): boolean;
  disarm(): void;
}

/** What one law is checked with. */
export interface LawTools {
  readonly harness: StorageHarness;
  /** A new handle on the harness's database, opened, and closed after the test. */
  readonly open: (schema?: StorageSchema) => Promise<Storage>;
  readonly expect: TestFunctions['expect'];
}

/** States one law. `shared` laws speak of several contexts and hold for drivers that claim to allow them. */
export type StateLaw = (
  name: string,
  check: (tools: LawTools) => Promise<void>,
  needs?: 'durable' | 'sharedAcrossContexts',
) => void;
