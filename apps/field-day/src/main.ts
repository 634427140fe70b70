// What `npm start` runs: a day in the field. With `--once` it ends after the story.
import { once } from 'node:events';
import { checkAll, tableOfFacts } from './checks.ts';
import { COLLECTION, TOKEN } from './phone.ts';
import { loadReports } from './reports.ts';
import { Screen } from './screen.ts';
import { Story } from './story.ts';

const args = process.argv.slice(2);
const strange = args.find((arg) => arg !== '--once');
if (strange !== undefined) {
  console.error(`field-day: there is no option ${strange}; use: npm start -- [--once]`);
  process.exit(2);
}

const interrupted = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(signal, () => interrupted.abort());
}

const screen = new Screen(process.stdout);
const reports = await loadReports();
const story = new Story(screen, reports);

try {
  const isInterrupted = once(interrupted.signal, 'abort').then(() => 130);
  process.exitCode = await Promise.race([tell(), isInterrupted]);
} catch (error) {
  screen.clear();
  console.error(`field-day: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
} finally {
  screen.clear();
  await story.end();
}
process.exit();

/** The app is for looking around: that it cannot be built says nothing of the story. */
async function appWords(): Promise<string> {
  try {
    return `The reports are in an app now: open ${await story.serveApp()} and sign in with the code ${TOKEN}.`;
  } catch (error) {
    return `There is no app to open: ${error instanceof Error ? error.message : String(error)}`;
  }
}

/** The exit code. */
async function tell(): Promise<number> {
  const { critical, high, normal, low } = story.of;
  screen.title('nexus-store: a day in the field');
  screen.line(
    `${reports.length} reports of bird strikes: ${critical} critical, ${high} high, ${normal} normal, ${low} low`,
  );
  screen.line();
  const outcome = await story.tell();
  const checks = await checkAll(story, outcome);
  screen.line();
  for (const line of tableOfFacts(story, outcome, screen.elapsedMs)) screen.line(line);
  screen.line();
  for (const { isOk, text } of checks) screen.check(isOk, text);
  screen.line();
  const failed = checks.filter(({ isOk }) => !isOk).length;
  screen.line(failed === 0 ? 'Every check held.' : `${failed} of ${checks.length} checks failed.`);
  const exitCode = failed === 0 ? 0 : 1;
  if (args.includes('--once')) return exitCode;
  screen.line();
  screen.line(await appWords());
  screen.line(`The server stays up at ${story.url} until Ctrl-C. Ask it for some reports:`);
  screen.line(
    `  curl -H 'Authorization: Bearer ${TOKEN}' '${story.url}/v1/pull?collection=${COLLECTION}&limit=3'`,
  );
  await once(interrupted.signal, 'abort');
  return exitCode;
}
