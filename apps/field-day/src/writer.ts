/** The app while people write: saves every report that the database does not have yet. */
import { belongToStory, finish, Gathering } from './child-side.ts';
import type { WriterMessage } from './messages.ts';
import { INSPECTORS, openPhone } from './phone.ts';
import { loadReports, priorityOf } from './reports.ts';

const [folder = '', database = '', url = ''] = process.argv.slice(2);
belongToStory(folder);
const tell = (message: WriterMessage): void => void process.send?.(message);
const saved = new Gathering<string>((ids) => tell({ type: 'saved', ids }));

const { backend, reports } = openPhone(database, url, { autoSync: true });
backend.on((event) => {
  if (event.type !== 'sync-finished' || event.report.stoppedBy === 'drained') return;
  tell({ type: 'failed-attempt', code: event.report.stoppedBy });
});

const input = await loadReports();
const stored = new Set((await reports.getAll({}, { policy: 'cache-only' })).map(({ id }) => id));
tell({ type: 'found', count: stored.size });
const missing = input.filter(({ id }) => !stored.has(id)).values();

// Each inspector saves one report after another; their saves meet in shared commits.
const write = async (): Promise<void> => {
  for (const report of missing) {
    await reports.save(report, { priority: priorityOf(report) });
    saved.add(report.id);
  }
};
await Promise.all(Array.from({ length: INSPECTORS }, write));
await backend.close();
saved.flush();
finish<WriterMessage>({ type: 'done' });
