import { UsageError } from '../model/errors.ts';
import type { BackgroundSyncTask } from './background-sync-task.ts';
import { STORE_SYNC_TASK } from './store-sync-task.ts';

/** What the app does in its background runs besides the store's own sync. */
export class RegisteredTasks {
  readonly #tasks = new Map<string, BackgroundSyncTask>();

  all(): readonly BackgroundSyncTask[] {
    return [...this.#tasks.values()];
  }

  /** @throws UsageError `usage/invalid-argument` for what is no task, and if its id is taken */
  add(task: BackgroundSyncTask): void {
    const isTask =
      typeof task?.taskId === 'string' && task.taskId !== '' && typeof task.execute === 'function';
    if (!isTask)
      throw new UsageError(
        'usage/invalid-argument',
        'a background task needs a taskId and execute()',
      );
    const known = this.#tasks.get(task.taskId);
    if (task.taskId === STORE_SYNC_TASK || (known !== undefined && known !== task)) {
      throw new UsageError(
        'usage/invalid-argument',
        `a background task named ${task.taskId} is registered already`,
      );
    }
    this.#tasks.set(task.taskId, task);
  }
}
