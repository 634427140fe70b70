// The lint rules guard the layers. A rule that silently stopped working would guard nothing, so each
// is shown here to fire, over small texts in a folder laid out like the project.
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

const project = join(import.meta.dirname, '..');
const library = 'packages/nexus-store/src';

interface Fixture {
  readonly file: string;
  readonly text: string;
  /** The one rule that must report the file; without it the file is allowed. */
  readonly rule?: string;
}

const fixtures: readonly Fixture[] = [
  // Layers
  ...[
    ['core/queue/a.ts', "import '../../storage/memory/index.ts';"],
    ['core/queue/b.ts', "import 'node:fs';"],
    ['core/queue/c.ts', "import type { Hono } from 'hono';\nexport type C = Hono;"],
    ['core/queue/d.ts', "export { x } from '../../index.ts';"],
    ['core/queue/e.ts', "export const e = (): unknown => import('../../remote/http/index.ts');"],
    ['core/queue/f.ts', "export type F = import('../../testing/index.ts').F;"],
    ['core/queue/g.ts', "import '../../../../../bench/src/main.ts';"],
    ['core/queue/h.ts', "import 'nexus-store/memory';"],
    ['storage/sqlite/a.ts', "import '../../remote/http/index.ts';"],
    ['storage/sqlite/b.ts', "import 'browser-harness';"],
    ['core/queue/i.ts', "import 'browser-harness/page';"],
    ['remote/http/a.ts', "import '../../storage/memory/index.ts';"],
    ['react/a.ts', "import '../platforms/node/index.ts';"],
    ['testing/a.ts', "import '../storage/memory/index.ts';"],
    ['testing/b.ts', "import 'nexus-store/memory';"],
    ['platforms/node/a.ts', "import '../../storage/sqlite/index.ts';"],
    ['platforms/node/b.ts', "import '../web/index.ts';"],
    ['platforms/node/c.ts', "import '../../../../server/src/index.ts';"],
    ['index.ts', "import './testing/index.ts';"],
    ['core/queue/a.test.ts', "import '../../../../../simulator/src/main.ts';"],
  ].map(([file, text]) => violating(`${library}/${file}`, `${text}`, 'nexus/layers')),
  violating('packages/server/src/a.ts', "import '../../../apps/x/src/a.ts';", 'nexus/layers'),
  violating('packages/server/src/b.ts', "import 'simulator';", 'nexus/layers'),
  violating('packages/cli/src/a.ts', "import '../../server/src/index.ts';", 'nexus/layers'),
  violating('tools/a.ts', "import '../bench/src/main.ts';", 'nexus/layers'),
  violating('bench/src/a.ts', "import '../../simulator/src/main.ts';", 'nexus/layers'),
  ...[
    ['core/ports/ok.ts', "import '../queue/entry.ts';\nimport './storage.ts';"],
    ['core/queue/ok.test.ts', "import 'vitest';\nimport '../../storage/memory/index.ts';"],
    ['storage/sqlite/ok.ts', "import '../../core/ports/storage.ts';\nimport 'node:sqlite';"],
    ['storage/memory/ok.ts', "import '../shared/index.ts';"],
    ['storage/memory/ok.browser.test.ts', "import 'browser-harness';"],
    [
      'storage/memory/ok.page.ts',
      "import '../../testing/index.ts';\nimport 'browser-harness/page';",
    ],
    ['platforms/node/index.ts', "import '../../storage/sqlite/index.ts';\nimport './ok.ts';"],
  ].map(([file, text]) => allowed(`${library}/${file}`, `${text}`)),
  allowed('bench/src/ok.ts', "import 'nexus-store';\nimport '@nexus-store/server';"),

  // The outside world in core
  ...[
    'clearInterval(undefined)',
    'clearTimeout(undefined)',
    'crypto.randomUUID()',
    "fetch('/')",
    'globalThis.name',
    'performance.now()',
    'process.pid',
    'queueMicrotask(() => {})',
    'setImmediate(() => {})',
    'setInterval(() => {}, 1)',
    'setTimeout(() => {}, 1)',
  ].map((text, index) =>
    violating(
      `${library}/core/model/global-${index}.ts`,
      `export const x = (): unknown => ${text};`,
      'eslint/no-restricted-globals',
    ),
  ),
  ...['Date.now()', 'Math.random()'].map((text, index) =>
    violating(
      `${library}/core/model/property-${index}.ts`,
      `export const x = (): number => ${text};`,
      'eslint/no-restricted-properties',
    ),
  ),
  ...['new Date()', 'Date()'].map((text, index) =>
    violating(
      `${library}/core/model/clock-${index}.ts`,
      `export const x = (): unknown => ${text};`,
      'nexus/no-clock-reading',
    ),
  ),
  allowed(`${library}/core/model/instant.ts`, 'export const x = (at: number) => new Date(at);'),
  allowed(`${library}/platforms/node/clock.ts`, 'export const x = () => Date.now();'),

  // Everywhere
  violating(`${library}/remote/any.ts`, 'export type A = any;', 'typescript/no-explicit-any'),
  violating('packages/server/src/cycle-a.ts', "import './cycle-b.ts';", 'import/no-cycle'),
  violating('packages/server/src/cycle-b.ts', "import './cycle-a.ts';", 'import/no-cycle'),
  violating('packages/cli/src/index.ts', "export * from './main.ts';", 'nexus/no-export-all'),
  ...['packages/nexus-store/src/core', 'packages/nexus-store/src/storage', 'packages/cli/src'].map(
    (folder) =>
      violating(
        `${folder}/floating.ts`,
        'export function run(): void {\n  send();\n}\nasync function send(): Promise<void> {}',
        'typescript/no-floating-promises',
      ),
  ),
];

function violating(file: string, text: string, rule: string): Fixture {
  return { file, text, rule };
}

function allowed(file: string, text: string): Fixture {
  return { file, text };
}

describe('the lint rules', () => {
  let root: string;
  let reported: ReadonlyMap<string, ReadonlySet<string>>;

  beforeAll(() => {
    root = mkdtempSync(join(tmpdir(), 'nexus-store-lint-'));
    layOut(root);
    reported = lint(root);
  });

  afterAll(() => rmSync(root, { recursive: true, force: true }));

  for (const { file, text, rule } of fixtures) {
    test(`${rule ?? 'nothing'} reports ${file}: ${text.replaceAll('\n', ' ')}`, () => {
      expect([...(reported.get(file) ?? [])]).toEqual(rule === undefined ? [] : [rule]);
    });
  }
});

function layOut(root: string): void {
  for (const path of ['.oxlintrc.json', 'package.json', 'tools/oxlint-plugin.mjs']) {
    cpSync(join(project, path), join(root, path));
  }
  symlinkSync(join(project, 'node_modules'), join(root, 'node_modules'), 'junction');
  for (const { file, text } of fixtures) {
    mkdirSync(dirname(join(root, file)), { recursive: true });
    writeFileSync(join(root, file), `${text}\n`);
  }
  for (const folder of [
    'packages/nexus-store',
    'packages/server',
    'packages/cli',
    'bench',
    'tools',
  ]) {
    writeFileSync(join(root, folder, 'tsconfig.json'), '{}');
  }
}

/** The rules that reported each file. */
function lint(root: string): Map<string, Set<string>> {
  const oxlint = join(project, 'node_modules', 'oxlint', 'bin', 'oxlint');
  const folders = ['packages', 'bench', 'tools/a.ts'];
  const { stdout, stderr } = spawnSync(process.execPath, [oxlint, '--format=json', ...folders], {
    cwd: root,
    encoding: 'utf8',
  });
  if (stderr !== '') throw new Error(stderr);
  const byFile = new Map<string, Set<string>>();
  for (const { code, filename } of diagnosticsOf(stdout)) {
    const rules = byFile.get(filename) ?? new Set();
    byFile.set(filename, rules.add(code.replace(/^(.*)\((.*)\)$/, '$1/$2')));
  }
  return byFile;
}

function diagnosticsOf(json: string): readonly { code: string; filename: string }[] {
  const report: { diagnostics: { code: string; filename: string }[] } = JSON.parse(json);
  return report.diagnostics;
}
