/** What a task knows of the run it is part of. */
export interface TaskContext {
  /** Epoch milliseconds by which it must have ended; Infinity where nobody sets one. */
  readonly deadline: number;
  /** Aborts when the task's share of the window ends, or the system ends the run. */
  readonly signal: AbortSignal;
  /** Why the system woke us. */
  readonly reason: string;
  /** 1 for the first run, one more after each that was cut off. */
  readonly attempt: number;
}

/** Work that background runs do. The store's own sync is one; an app may register others. */
export interface BackgroundSyncTask {
  /** Unique within the service. */
  readonly taskId: string;
  /** Called by the platform. Resolves with whether it did what it had to. */
  execute(context: TaskContext): Promise<boolean>;
}
