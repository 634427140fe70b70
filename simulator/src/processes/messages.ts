/** What a writing process is told when it starts. */
export interface Assignment {
  readonly name: string;
  readonly path: string;
  readonly url: string;
  readonly leaseMs: number;
  readonly requestTimeoutMs: number;
  /** Between two writes, on average. */
  readonly everyMs: number;
  readonly seed: number;
}

/** What a writing process tells. */
export type Report =
  | { readonly kind: 'ready' }
  /** `save` resolved: this write must reach the server. */
  | { readonly kind: 'saved'; readonly token: string; readonly tookMs: number }
  | { readonly kind: 'error'; readonly where: string; readonly text: string }
  /** Nothing of it is left to be sent. */
  | { readonly kind: 'drained' };

export type Command = { readonly kind: 'stop-writing' } | { readonly kind: 'close' };
