// `npm test`: every check, in order, stopping at the first that fails. Add a step to `steps`.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** @typedef {{ passed: number, failed: number, skipped: number }} Counts */
/**
 * `counts` reads how many tests a step ran; without it the step counts as one.
 *
 * @typedef {{ name: string, command: string[], counts?: () => Counts }} Step
 */

const root = join(import.meta.dirname, '..');
const scratch = mkdtempSync(join(tmpdir(), 'nexus-store-test-'));
const vitestReport = join(scratch, 'vitest.json');
const browserReport = join(scratch, 'browser.json');

/** @type {Step[]} */
const steps = [
  { name: 'format', command: ['oxfmt', '--check'] },
  { name: 'lint', command: ['oxlint'] },
  { name: 'typecheck and build', command: ['tsc', '-b'] },
  { name: 'published types', command: ['tsc', '-p', 'tools/published-types'] },
  {
    name: 'tests',
    command: [
      'vitest',
      'run',
      '--reporter=default',
      '--reporter=json',
      `--outputFile.json=${vitestReport}`,
    ],
    counts: () => readVitestReport(vitestReport),
  },
  {
    // Without a Chromium, and no way to install one, its tests are skipped and counted as such.
    name: 'browser',
    command: [
      'vitest',
      'run',
      '--config=vitest.browser.config.ts',
      '--reporter=default',
      '--reporter=json',
      `--outputFile.json=${browserReport}`,
    ],
    counts: () => readVitestReport(browserReport),
  },
  {
    name: 'field day',
    command: ['node', '--conditions=nexus-source', 'apps/field-day/src/main.ts', '--once'],
  },
  {
    name: 'simulator',
    command: [
      'node',
      '--conditions=nexus-source',
      'simulator/src/main.ts',
      '--corpus',
      '--seeds=300',
      '--mutants=sample',
    ],
  },
  { name: 'size', command: ['node', 'tools/size.mjs'] },
  { name: 'package nexus-store', command: ['publint', '--strict', 'packages/nexus-store'] },
  { name: 'package server', command: ['publint', '--strict', 'packages/server'] },
  { name: 'package cli', command: ['publint', '--strict', 'packages/cli'] },
  { name: 'package react-native', command: ['publint', '--strict', 'packages/react-native'] },
];

/** @type {Counts} */
const total = { passed: 0, failed: 0, skipped: 0 };
/** @type {string[]} */
const times = [];

try {
  for (const step of steps) {
    console.log(`\n== ${step.name}`);
    const startedAt = performance.now();
    const ok = runStep(step);
    const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
    times.push(`${ok ? 'ok  ' : 'FAIL'} ${seconds.padStart(6)} s  ${step.name}`);
    console.log(times.at(-1));
    if (!ok) break;
  }
} finally {
  rmSync(scratch, { recursive: true, force: true });
}

console.log(`\n${times.join('\n')}\n`);
const skipped = total.skipped > 0 ? `, ${total.skipped} skipped` : '';
console.log(`${total.passed} passed, ${total.failed} failed${skipped}`);
process.exitCode = total.failed > 0 ? 1 : 0;

/**
 * @param {Step} step
 * @returns {boolean} whether all of it passed; its counts are added to the total
 */
function runStep({ command, counts }) {
  const [file = '', ...args] = command;
  const { status, error } = spawnSync(file, args, {
    cwd: root,
    stdio: 'inherit',
    shell: process.platform === 'win32',
  });
  if (error) console.error(error.message);
  const ok = status === 0;
  const counted = counts?.() ?? { passed: ok ? 1 : 0, failed: 0, skipped: 0 };
  // A step may fail outside its tests: an unhandled error, or no test found.
  if (!ok && counted.failed === 0) counted.failed = 1;
  total.passed += counted.passed;
  total.failed += counted.failed;
  total.skipped += counted.skipped;
  return counted.failed === 0;
}

/**
 * @param {string} file
 * @returns {Counts}
 */
function readVitestReport(file) {
  try {
    const report = JSON.parse(readFileSync(file, 'utf8'));
    return {
      passed: report.numPassedTests,
      failed: report.numFailedTests,
      skipped: report.numPendingTests + report.numTodoTests,
    };
  } catch {
    return { passed: 0, failed: 1, skipped: 0 }; // vitest wrote no report: it did not run
  }
}
