import type {
  PendingRequest,
  PlatformScheduler,
  ScheduleRequest,
  ScheduleResult,
  SchedulerCapabilities,
  WakeUp,
} from 'nexus-store';
import { androidCapabilities, IOS_CAPABILITIES } from './capabilities.ts';
import type { NativePending, NativeSyncModule } from './native-module.ts';
import { requestRefusal } from './request-refusal.ts';
import type { RunInbox } from './run-inbox.ts';

/** The port over the native module. What the module rejects with becomes a refusal, never lost. */
export class NativeScheduler implements PlatformScheduler {
  readonly capabilities: SchedulerCapabilities;
  readonly #native: NativeSyncModule;
  readonly #inbox: RunInbox;

  constructor(native: NativeSyncModule, inbox: RunInbox) {
    this.#native = native;
    this.#inbox = inbox;
    this.capabilities =
      native.platform === 'ios' ? IOS_CAPABILITIES : androidCapabilities(native.supportsExpedited);
  }

  onWakeUp(handler: (wakeUp: WakeUp) => void): void {
    this.#inbox.bind(handler);
  }

  async schedule(request: ScheduleRequest): Promise<ScheduleResult> {
    const message = requestRefusal(request);
    if (message !== undefined) return { ok: false, code: 'schedule/invalid', message };
    try {
      return await this.#native.schedule(request);
    } catch (error) {
      return { ok: false, code: 'schedule/host', message: textOf(error) };
    }
  }

  cancel(id: string): Promise<boolean> {
    return this.#native.cancel(id);
  }

  async pending(): Promise<readonly PendingRequest[]> {
    return (await this.#native.pending()).map(withoutNulls);
  }
}

/** The bridge knows null, the port knows absence. */
function withoutNulls({ id, state, nextAt, attempt }: NativePending): PendingRequest {
  return {
    id,
    state,
    ...(typeof nextAt === 'number' ? { nextAt } : {}),
    ...(typeof attempt === 'number' ? { attempt } : {}),
  };
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
