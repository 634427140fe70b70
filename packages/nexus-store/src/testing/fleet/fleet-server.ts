/** When the server of a fleet answers 503, epoch milliseconds. */
export interface ServerOutage {
  readonly from: number;
  readonly until: number;
  /** What `Retry-After` says meanwhile; null if it says nothing. */
  readonly retryAfterMs: number | null;
}

const MINUTE_MS = 60_000;

/** Counts what reaches the server, minute by minute. Devices are simulated one after another. */
export class FleetServer {
  readonly served: Uint32Array;
  readonly refused: Uint32Array;
  readonly #startAt: number;
  readonly #outage: ServerOutage | undefined;

  constructor(startAt: number, lengthMs: number, outage: ServerOutage | undefined) {
    const minutes = Math.ceil(lengthMs / MINUTE_MS);
    this.served = new Uint32Array(minutes);
    this.refused = new Uint32Array(minutes);
    this.#startAt = startAt;
    this.#outage = outage;
  }

  get outage(): ServerOutage | undefined {
    return this.#outage;
  }

  /** Takes so many requests at an instant. False if it refuses them: then only the first arrives. */
  request(at: number, count: number): boolean {
    const outage = this.#outage;
    const isDown = outage !== undefined && at >= outage.from && at < outage.until;
    const minute = Math.floor((at - this.#startAt) / MINUTE_MS);
    const counts = isDown ? this.refused : this.served;
    if (minute >= 0 && minute < counts.length)
      counts[minute] = (counts[minute] as number) + (isDown ? 1 : count);
    return !isDown;
  }
}
