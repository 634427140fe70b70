// The TypeScript of the guides compiles as it stands there, against the real packages. A block that begins with
// the name of a file is that file; the others of its page may import it.
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';

const here = import.meta.dirname;
const root = join(here, '../../..');
const PAGES = [
  'docs/guides/expo.md',
  'docs/guides/react-native.md',
  'docs/guides/testing-on-devices.md',
  'packages/react-native/README.md',
];

/** @param {string} page @returns {[name: string, code: string][]} */
function blocksOf(page) {
  const text = readFileSync(join(root, page), 'utf8');
  return [...text.matchAll(/^```ts\n([\s\S]*?)^```/gm)].map(([, code = ''], index) => {
    const [, name = `block-${index + 1}.ts`] = /^\/\/ ([\w-]+\.ts)\b/.exec(code) ?? [];
    return [name, code];
  });
}

/** @param {string} folder @returns {boolean} */
function compiles(folder) {
  const config = { extends: '../tsconfig.json', include: ['**/*.ts'] };
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(config));
  const { status, stdout } = spawnSync('tsc', ['-p', folder, '--noEmit'], { encoding: 'utf8' });
  if (status !== 0) console.log(stdout);
  return status === 0;
}

/** @returns {{ passed: number, failed: number, skipped: number }} */
export function testGuides() {
  // Inside, so that names resolve to the packages that this check installs.
  const folder = mkdtempSync(join(here, '.guides-'));
  try {
    let blocks = 0;
    for (const page of PAGES) {
      const target = join(folder, basename(join(page, '..')) + '-' + basename(page, '.md'));
      mkdirSync(target);
      for (const [name, code] of blocksOf(page)) {
        writeFileSync(join(target, name), `${code}\nexport {};\n`);
        blocks += 1;
      }
    }
    const isFine = blocks > 0 && compiles(folder);
    console.log(`guides: ${blocks} blocks ${isFine ? 'compile' : 'do not compile'}`);
    return { passed: isFine ? blocks : 0, failed: isFine ? 0 : 1, skipped: 0 };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

if (process.argv[1] === import.meta.filename) process.exitCode = testGuides().failed > 0 ? 1 : 0;
