import { statfs } from 'node:fs/promises';
import { networkInterfaces } from 'node:os';
import { durationMs, type Duration } from '../../core/model/duration.ts';
import { UNKNOWN_DEVICE, type DeviceFacts } from '../../core/ports/device-state.ts';
import type { Runtime } from '../../core/ports/runtime.ts';
import { ChangePoll } from './change-poll.ts';
import {
  powerFromKernel,
  powerFromSystemInformation,
  POWER_SUPPLIES,
  rarely,
  tellsPower,
  UNKNOWN_POWER,
  type PowerFacts,
  type SystemInformationLike,
} from './power.ts';
import type { TellingDeviceState } from '../../core/background/telling-device-state.ts';

export interface NodeDeviceOptions {
  /**
   * The package `systeminformation`, for power and battery on macOS and Windows:
   * `systemInformation: await import('systeminformation')`. Linux tells without it.
   *
   * @defaultValue none
   */
  readonly systemInformation?: SystemInformationLike;
  /**
   * A file or folder on the disk whose free space counts, such as the database.
   *
   * @defaultValue none: whether storage is low is unknown
   */
  readonly path?: string;
  /**
   * How often to look, while somebody listens for changes. Power is asked for at most once a minute where
   * that starts another process.
   *
   * @defaultValue `'10s'`
   */
  readonly poll?: Duration;
  /**
   * What this process counts as for the policy. `foreground`: while it lives its backend sends by itself,
   * and wake-ups are for what is left. `headless`: for a backend with `autoSync: false`, wake-ups come
   * soon after a write.
   *
   * @defaultValue `'foreground'`
   */
  readonly appState?: 'foreground' | 'headless';
}

/** Where the facts come from. Tests pass their own. */
export interface NodeSources {
  readonly power: (() => Promise<PowerFacts>) | null;
  readonly addresses: () => readonly string[];
  readonly isStorageLow: (() => Promise<boolean>) | null;
}

const LOW_BYTES = 500_000_000;
const LOW_SHARE = 0.05;

/**
 * Power, storage and network of the machine, as far as Node can see them. The network is a hint only:
 * without any address but the machine's own there is certainly none; an address promises nothing.
 */
export class NodeDeviceState implements TellingDeviceState {
  readonly tells: readonly (keyof DeviceFacts)[];
  readonly #sources: NodeSources;
  readonly #appState: DeviceFacts['appState'];
  readonly #poll: ChangePoll;

  constructor(
    runtime: Runtime,
    sources: NodeSources,
    options: Pick<NodeDeviceOptions, 'poll' | 'appState'> = {},
  ) {
    const { poll = '10s', appState = 'foreground' } = options;
    this.#sources = sources;
    this.#appState = appState;
    this.tells = [
      'isConnected',
      ...(sources.power === null ? [] : (['isCharging', 'isBatteryLow'] as const)),
      ...(sources.isStorageLow === null ? [] : (['isStorageLow'] as const)),
    ];
    this.#poll = new ChangePoll(runtime.timers, durationMs(poll, 'poll'), async () =>
      JSON.stringify([await this.read(), sources.addresses()]),
    );
  }

  async read(): Promise<DeviceFacts> {
    const { power, addresses, isStorageLow } = this.#sources;
    return {
      ...UNKNOWN_DEVICE,
      ...((await power?.().catch(() => null)) ?? UNKNOWN_POWER),
      isConnected: addresses().length === 0 ? false : null,
      isStorageLow: (await isStorageLow?.().catch(() => null)) ?? null,
      appState: this.#appState,
    };
  }

  onChange(listener: () => void): () => void {
    return this.#poll.subscribe(listener);
  }
}

/** @param powerSupplies where Linux tells of chargers and batteries */
export function nodeSources(
  runtime: Runtime,
  options: NodeDeviceOptions,
  powerSupplies: string = POWER_SUPPLIES,
): NodeSources {
  const { systemInformation, path } = options;
  return {
    power: powerSource(runtime, systemInformation, powerSupplies),
    addresses,
    isStorageLow: path === undefined ? null : () => isStorageLow(path),
  };
}

function powerSource(
  runtime: Runtime,
  systemInformation: SystemInformationLike | undefined,
  supplies: string,
): NodeSources['power'] {
  if (systemInformation !== undefined) {
    return rarely(runtime.clock, () => powerFromSystemInformation(systemInformation));
  }
  const tells = process.platform === 'linux' && tellsPower(supplies);
  return tells ? () => powerFromKernel(supplies) : null;
}

/** Every address by which others may be reached; those a machine gives itself lead nowhere. */
function addresses(): readonly string[] {
  return Object.values(networkInterfaces())
    .flatMap((entries) => entries ?? [])
    .filter(({ internal, address }) => !internal && !/^(169\.254\.|fe80:)/i.test(address))
    .map(({ address }) => address)
    .toSorted();
}

async function isStorageLow(path: string): Promise<boolean> {
  const { bavail, blocks, bsize } = await statfs(path);
  return bavail * bsize < Math.min(LOW_BYTES, blocks * bsize * LOW_SHARE);
}
