import { isNexusError, UsageError } from '../model/errors.ts';
import type { SyncReport } from '../model/sync-report.ts';
import { NO_LINK } from '../ports/context-link.ts';
import { HintListener } from '../sync/hint-listener.ts';
import { requireSyncOptions, type SyncOptions } from '../sync/sync-options.ts';
import type { BackendCore } from './backend-core.ts';
import { holding } from './holding.ts';

/** When the server is called, whoever asks for it: the app, the timer, the server's hints, the network. */
export class ServerCalls {
  readonly #core: BackendCore;
  readonly #hints: HintListener | undefined;
  #mayListen = true;
  #hasSaidWithoutRemote = false;

  /** @param isAuto whether anything is called without being asked for by the app */
  constructor(core: BackendCore, isAuto: boolean) {
    this.#core = core;
    this.#hints = isAuto && core.remote.capabilities.hints ? this.#hintListener() : undefined;
  }

  #hintListener(): HintListener {
    const { runtime, remote, context, engine } = this.#core;
    return new HintListener({
      runtime,
      remote,
      backoff: context.options.backoff,
      principal: () => this.#core.principal.id,
      askedToWaitMs: () => engine.askedToWaitMs(),
      mayCall: () => engine.mayCall,
      onHints: (collections) => this.#onHints(collections),
    });
  }

  // ---- runs --------------------------------------------------------------------------------------

  /** For an app, which awaits the report. */
  sync(options: SyncOptions): Promise<SyncReport> {
    return holding(this.#core.runtime.timers, () => this.#sync(options));
  }

  async #sync(options: SyncOptions): Promise<SyncReport> {
    const core = this.#core;
    requireSyncOptions(options);
    await core.open();
    if (!core.hasRemote && options.reason === undefined) this.#sayWithoutRemote();
    core.auto.onRunBegan();
    try {
      const report = await this.#runFor(options);
      await this.#afterRun();
      return report;
    } catch (error) {
      if (error instanceof UsageError) core.status.refresh();
      else if (!core.isClosed) core.auto.onRunFailed();
      throw error;
    }
  }

  /** A run that began for a user whom another context has signed out goes on for who is there now. */
  async #runFor(options: SyncOptions): Promise<SyncReport> {
    const core = this.#core;
    try {
      return await core.engine.sync(options);
    } catch (error) {
      if (!isNexusError(error, 'store/signed-out')) throw error;
      await core.refresh();
      return core.engine.sync(options);
    }
  }

  /** Once: whoever calls `sync` by hand expects something to be sent. */
  #sayWithoutRemote(): void {
    if (this.#hasSaidWithoutRemote) return;
    this.#hasSaidWithoutRemote = true;
    const message = 'sync sends nothing: this backend was made without a remote';
    this.#core.runtime.logger.log('warn', message, {});
  }

  async #afterRun(): Promise<void> {
    const { isClosed, status, auto, engine, fates } = this.#core;
    if (isClosed) return;
    try {
      const rest = await status.refreshNow();
      auto.onRunEnded(rest, engine.pullDueInMs);
      status.refresh();
      await fates.check();
    } catch (error) {
      if (this.#core.isClosed) return;
      this.#core.logError('what is left could not be read', error);
      auto.onRunFailed();
    }
  }

  /** The timer of `AutoSync` has run out. */
  async onDue(isForEntries: boolean): Promise<void> {
    const { link, status } = this.#core;
    // Another context has sent them meanwhile.
    const isDone = isForEntries && link !== NO_LINK && status.pendingCount.current === 0;
    if (!isDone) await this.#syncQuietly();
  }

  async #syncQuietly(reason = 'auto'): Promise<void> {
    try {
      await this.#sync({ reason });
    } catch (error) {
      if (!this.#core.isClosed) this.#core.logError('sync failed', error);
    }
  }

  // ---- fetches and hints -------------------------------------------------------------------------

  #onHints(collections: ReadonlySet<string> | null): void {
    const core = this.#core;
    if (core.isClosed || core.engine.isHalted) return;
    if (collections === null) {
      void this.#syncQuietly('hint');
      return;
    }
    for (const name of collections) {
      if (core.collections.get(name)?.isPulled === true) void this.tryFetch(name);
    }
  }

  /** Fetches a collection if the server can be asked. True if it was. */
  async tryFetch(collection: string): Promise<boolean> {
    const core = this.#core;
    try {
      await core.open();
      await core.engine.fetch(collection);
      return true;
    } catch (error) {
      // Offline is no failure of those who have something here to show.
      const isRemote = isNexusError(error) && error.code.startsWith('remote/');
      if (!isRemote && !core.isClosed) core.logError('a fetch failed', error);
      return false;
    }
  }

  /** Something may have changed: the network returned, the app came to the front. */
  wake(): void {
    const core = this.#core;
    if (core.isClosed || core.engine.isHalted) return;
    core.auto.now();
    this.#hints?.wake();
  }

  // ---- listening ---------------------------------------------------------------------------------

  /** Sync is paused: nothing is listened to either. */
  setListening(isListening: boolean): void {
    if (isListening && this.#mayListen && !this.#core.isClosed) this.#hints?.start();
    else this.#hints?.stop();
  }

  listen(): void {
    if (!this.#core.engine.isPaused) this.setListening(true);
  }

  stopListening(): void {
    this.#hints?.stop();
  }

  /** Whether the server's hints are worth a connection here, such as in a tab that nobody sees. */
  mayListen(isAllowed: boolean): void {
    if (isAllowed === this.#mayListen) return;
    this.#mayListen = isAllowed;
    if (!isAllowed) this.#hints?.stop();
    else if (this.#core.isOpen) this.listen();
  }
}
