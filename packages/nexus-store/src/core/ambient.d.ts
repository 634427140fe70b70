/**
 * The few globals that every supported engine has (Node, evergreen browsers, service workers, Hermes)
 * and that neither read the outside world nor wait. Anything else reaches core through `Runtime`.
 */
interface AbortSignal {
  readonly aborted: boolean;
  readonly reason: unknown;
  addEventListener(type: 'abort', listener: () => void, options?: { once?: boolean }): void;
  removeEventListener(type: 'abort', listener: () => void): void;
}

declare class AbortController {
  readonly signal: AbortSignal;
  abort(reason?: unknown): void;
}
