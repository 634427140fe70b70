import { cp, mkdir, mkdtemp, readFile, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Mutant } from './mutants.ts';

const ROOT = join(import.meta.dirname, '..', '..', '..');
const PACKAGE = 'packages/nexus-store';

/**
 * A copy of the simulator and of nexus-store with the bug in it.
 *
 * @returns the copy's folder
 * @throws Error if a text to replace is not there exactly once: the sources have moved on
 */
export async function plant({ name, edits }: Mutant): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'nexus-store-mutant-'));
  await mkdir(join(folder, 'node_modules'));
  await mkdir(join(folder, PACKAGE), { recursive: true });
  await cp(join(ROOT, PACKAGE, 'src'), join(folder, PACKAGE, 'src'), { recursive: true });
  await cp(join(ROOT, PACKAGE, 'package.json'), join(folder, PACKAGE, 'package.json'));
  await symlink(join(folder, PACKAGE), join(folder, 'node_modules', 'nexus-store'), 'junction');
  await cp(join(ROOT, 'simulator'), join(folder, 'simulator'), { recursive: true });
  for (const { file, find, replace } of edits) {
    const path = join(folder, PACKAGE, 'src', file);
    const text = await readFile(path, 'utf8');
    const count = text.split(find).length - 1;
    if (count !== 1) throw new Error(`"${name}": found ${count} times in ${file}: ${find}`);
    await writeFile(
      path,
      text.replace(find, () => replace),
    );
  }
  return folder;
}
