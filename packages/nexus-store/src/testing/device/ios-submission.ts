import type { ScheduleResult } from '../../core/ports/platform-scheduler.ts';
import { iosErrorCode, submitError } from './ios-rules.ts';
import type { IosTaskKind } from './ios-rules.ts';

/** What of an iOS app is decided by its Info.plist, its app delegate and its device. */
export interface IosAppSetup {
  /**
   * Info.plist BGTaskSchedulerPermittedIdentifiers.
   *
   * @defaultValue every identifier
   */
  readonly permittedIdentifiers?: readonly string[];
  /**
   * The identifiers for which the app delegate registers a handler at every launch.
   *
   * @defaultValue all that are permitted
   */
  readonly registeredIdentifiers?: readonly string[];
  /**
   * Info.plist UIBackgroundModes.
   *
   * @defaultValue both
   */
  readonly backgroundModes?: readonly ('fetch' | 'processing')[];
  /**
   * The Simulator refuses every submit.
   *
   * @defaultValue `false`
   */
  readonly isSimulator?: boolean;
}

/** `BGTaskScheduler.register` and the answers of `submit`. */
export class IosSubmission {
  readonly #setup: IosAppSetup;
  #registered = new Set<string>();
  #isLaunching = false;
  #nextError: number | undefined;

  constructor(setup: IosAppSetup) {
    this.#setup = setup;
  }

  /** A process launches: what another one registered is gone, and registration closes when `start` returns. */
  launch(start: () => void): void {
    const { registeredIdentifiers, permittedIdentifiers } = this.#setup;
    this.#registered = new Set(registeredIdentifiers ?? permittedIdentifiers ?? []);
    this.#isLaunching = true;
    try {
      start();
    } finally {
      this.#isLaunching = false;
    }
  }

  /** Before the launch ends and once for each identifier (mobile-scheduling.md 3b, `register`). */
  register(id: string): void {
    const name = 'NSInternalInconsistencyException';
    if (!this.#isLaunching) {
      throw new TypeError(`${name}: launch handlers must be registered before the launch ends`);
    }
    if (this.#registered.has(id))
      throw new TypeError(`${name}: ${id} has a launch handler already`);
    this.#registered.add(id);
  }

  failNext(nativeCode: number): void {
    this.#nextError = nativeCode;
  }

  /** Why a request is not accepted; undefined if it is. */
  refusal(
    id: string,
    taskKind: IosTaskKind,
    othersPending: number,
    isBackgroundRefreshOn: boolean,
  ): ScheduleResult | undefined {
    const { permittedIdentifiers, isSimulator, backgroundModes } = this.#setup;
    const injected = this.#nextError;
    this.#nextError = undefined;
    const mode = taskKind === 'processing' ? 'processing' : 'fetch';
    const nativeCode =
      injected ??
      submitError(taskKind, {
        isSimulator: isSimulator ?? false,
        isBackgroundRefreshOn,
        isIdentifierPermitted: permittedIdentifiers?.includes(id) ?? true,
        isModeDeclared: backgroundModes?.includes(mode) ?? true,
        othersPending,
      });
    if (nativeCode !== undefined) {
      const message = `BGTaskSchedulerErrorDomain ${nativeCode}`;
      return { ok: false, code: iosErrorCode(nativeCode), nativeCode, message };
    }
    if (this.#isRegistered(id)) return undefined;
    // The system would accept it and crash the app at the launch; the module refuses it instead.
    const message = `no launch handler was registered for ${id}`;
    return { ok: false, code: 'schedule/not-configured', message };
  }

  #isRegistered(id: string): boolean {
    const { permittedIdentifiers, registeredIdentifiers } = this.#setup;
    const isEveryIdRegistered =
      permittedIdentifiers === undefined && registeredIdentifiers === undefined;
    return isEveryIdRegistered || this.#registered.has(id);
  }
}
