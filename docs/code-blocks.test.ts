// What the pages show compiles as it stands there, against the real packages. What runs of it is run by
// other tests; what stands on the phone's own packages is compiled against those by `npm run check:react-native`.
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';

const root = join(import.meta.dirname, '..');
const tsc = join(dirname(fileURLToPath(import.meta.resolve('typescript/package.json'))), 'bin/tsc');

/** A block is TypeScript whether or not it runs: `ts`, `tsx`, `ts no-run`. */
const BLOCK = /^```(tsx?)(?: [^\n]*)?\n([\s\S]*?)^```/gm;
/** A block that begins with the name of a file is that file, and others of its page may import it. */
const FILE_NAME = /^\/\/ ([\w-]+\.tsx?)\b/;

/** What pages leave to their readers: their own names, and packages that only phones and Electron have. */
const GIVEN = `
interface Note { readonly id: string; readonly text: string; readonly done: boolean; readonly at: number }
declare const url: string;
declare const path: string;
declare const storage: import('nexus-store').Storage;
declare const remote: import('nexus-store/inspectable').InspectableRemote;
declare const backend: import('nexus-store').StoreBackend;
declare const notes: import('nexus-store').NexusStore<Note>;
declare const background: import('nexus-store').BackgroundSync;
declare const service: import('nexus-store').BackgroundSyncService;
declare const server: import('nexus-store/testing').MemoryServer;
declare const note: Note;
declare const authorization: () => Promise<Record<string, string>>;
declare const token: () => Promise<string>;
declare const userOf: (token: string) => Promise<string | null>;
declare const startMyApp: import('nexus-store/testing').StartApp;
declare const expect: (value: unknown) => { toHaveLength(length: number): void };
declare const defineBackgroundSync: typeof import('nexus-store').defineBackgroundSync;
declare const httpRemote: typeof import('nexus-store/http').httpRemote;
declare const simulateAndroid: typeof import('nexus-store/testing').simulateAndroid;
declare const commuter: import('nexus-store/testing').DayProfile;
declare const Skeleton: import('react').FunctionComponent;
declare const Failure: import('react').FunctionComponent<{ readonly error: unknown; readonly onRetry: () => void }>;
declare const Row: import('react').FunctionComponent<{ readonly note: Note }>;
declare module 'electron';
declare module 'expo-background-task';
declare module 'expo-battery';
declare module 'expo-network';
declare module 'expo-notifications';
declare module 'expo-sqlite';
declare module 'expo-task-manager';
declare module 'react-native';
declare module 'react-native-background-fetch';
declare module 'react-native-get-random-values';
declare module '@react-native-async-storage/async-storage';
declare module '@op-engineering/op-sqlite';
declare module 'systeminformation';
`;

const CONFIG = {
  extends: join(root, 'tsconfig.check.json'),
  compilerOptions: {
    incremental: false,
    // As an app's bundler has it.
    module: 'ESNext',
    moduleResolution: 'Bundler',
    jsx: 'react-jsx',
    lib: ['ES2023', 'DOM', 'DOM.Iterable'],
    types: ['node', 'vite/client'],
  },
  include: ['**/*', join(root, 'packages/react-native/src/expo-modules.d.ts')],
};

const pages = execFileSync(
  'git',
  ['ls-files', '--cached', '--others', '--exclude-standard', '*.md'],
  { cwd: root, encoding: 'utf8' },
)
  .split('\n')
  .filter((page) => page !== '' && existsSync(join(root, page)));

interface Block {
  readonly page: string;
  readonly file: string;
  readonly code: string;
}

function blocksOf(page: string): Block[] {
  const text = readFileSync(join(root, page), 'utf8');
  return [...text.matchAll(BLOCK)].map(([, kind = 'ts', code = ''], index) => {
    const name = FILE_NAME.exec(code)?.[1] ?? `block-${index + 1}.${kind}`;
    return { page, file: join(page.replaceAll('/', '-'), name), code };
  });
}

const blocks = pages.flatMap(blocksOf);

let folder: string;
beforeAll(() => {
  // Beside the docs, so that package names resolve as they do for an app.
  folder = mkdtempSync(join(import.meta.dirname, '.blocks-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** What TypeScript says of the blocks, line by line. */
function complaintsOf(some: readonly Block[]): readonly string[] {
  const target = mkdtempSync(join(folder, 'of-'));
  writeFileSync(join(target, 'tsconfig.json'), JSON.stringify(CONFIG));
  writeFileSync(join(target, 'given.d.ts'), GIVEN);
  for (const { file, code } of some) {
    mkdirSync(join(target, dirname(file)), { recursive: true });
    writeFileSync(join(target, file), `${code}\nexport {};\n`);
  }
  const { stdout } = spawnSync(process.execPath, [tsc, '-p', target, '--noEmit'], {
    encoding: 'utf8',
    cwd: target,
  });
  // What is wrong with a package itself is no fault of a page.
  return stdout.split('\n').filter((line) => line !== '' && !line.startsWith('..'));
}

/** A process of its own that reads all packages, on shared cores. */
vi.setConfig({ testTimeout: 60_000 });

test('every block of TypeScript on every page compiles', () => {
  expect(blocks.length).toBeGreaterThan(25);
  expect(complaintsOf(blocks)).toEqual([]);
});

test('a block that is wrong is found, in each language', () => {
  const wrong = (['ts', 'tsx'] as const).flatMap((kind) => {
    const code = `import { createBackend } from 'nexus-store';\ncreateBackend({ storage: 5 });\n`;
    return { page: 'x.md', file: join('x', `wrong-${kind}.${kind}`), code };
  });

  const complaints = complaintsOf(wrong).filter((line) => line.includes('TS2322'));

  expect(complaints.map((line) => basename(line.split('(')[0] ?? ''))).toEqual([
    'wrong-ts.ts',
    'wrong-tsx.tsx',
  ]);
});
