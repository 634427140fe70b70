// The entry file of an app with the whole store in it, compiled by the real Hermes compiler: what the engine
// cannot read fails here. React Native's own Babel preset lowers async generators, the one thing Hermes lacks;
// here the bundler does.
import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

const here = import.meta.dirname;
const folders = {
  linux: 'linux64-bin/hermesc',
  darwin: 'osx-bin/hermesc',
  win32: 'win64-bin/hermesc.exe',
};

/** @returns {Promise<string>} the entry file and all it imports, but Expo's packages, as one script */
async function bundled() {
  // The bundler of the main job's test runner.
  const require = createRequire(join(here, '../../../package.json'));
  const { rolldown } = await import(pathToFileURL(require.resolve('rolldown')).href);
  const build = await rolldown({
    input: join(here, '../src/fake/field-entry.ts'),
    external: /^expo-/,
    resolve: { conditionNames: ['nexus-source', 'import', 'default'] },
    transform: { target: 'es2017' },
  });
  const { output } = await build.generate({ format: 'cjs' });
  await build.close();
  return output[0].code;
}

/** @returns {Promise<{ passed: number, failed: number, skipped: number }>} */
export async function testHermes() {
  const hermesc = join(
    here,
    'node_modules/hermes-compiler/hermesc',
    folders[process.platform] ?? 'none',
  );
  if (!existsSync(hermesc) || process.arch !== 'x64') {
    console.log(`hermes: 1 test skipped: no compiler for ${process.platform} ${process.arch}`);
    return { passed: 0, failed: 0, skipped: 1 };
  }
  chmodSync(hermesc, 0o755);
  const folder = mkdtempSync(join(tmpdir(), 'nexus-hermes-'));
  try {
    const [source, target] = [join(folder, 'field.js'), join(folder, 'field.hbc')];
    writeFileSync(source, await bundled());
    const run = spawnSync(hermesc, ['-O', '-w', '-emit-binary', '-out', target, source], {
      encoding: 'utf8',
    });
    const isFine = run.status === 0 && statSync(target).size > 0;
    console.log(
      isFine
        ? `hermes: 1 passed, 0 failed (${statSync(target).size} bytes of bytecode)`
        : run.stderr,
    );
    return { passed: isFine ? 1 : 0, failed: isFine ? 0 : 1, skipped: 0 };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

if (process.argv[1] === import.meta.filename)
  process.exitCode = (await testHermes()).failed > 0 ? 1 : 0;
