import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, relative, resolve, sep } from 'node:path';

/** What the doctor looks at: an app's folder, read and never changed. */
export class ProjectFiles {
  readonly root: string;

  constructor(root: string) {
    this.root = root;
  }

  /** The text of a file, undefined if it is not there. */
  read(path: string): string | undefined {
    const file = join(this.root, path);
    return existsSync(file) && statSync(file).isFile() ? readFileSync(file, 'utf8') : undefined;
  }

  has(path: string): boolean {
    return existsSync(join(this.root, path));
  }

  /**
   * The manifest of an installed package, found as Node finds it: in `node_modules` here or in a folder above.
   * Undefined if it is in none; null if packages are kept elsewhere, as Yarn does with Plug'n'Play.
   */
  installed(name: string): string | null | undefined {
    let isElsewhere = false;
    for (let folder = resolve(this.root); ; folder = dirname(folder)) {
      const file = join(folder, 'node_modules', name, 'package.json');
      if (existsSync(file)) return readFileSync(file, 'utf8');
      isElsewhere ||= existsSync(join(folder, '.pnp.cjs'));
      if (folder === dirname(folder)) return isElsewhere ? null : undefined;
    }
  }

  /** Files of this name one folder below `folder`: ios/<app>/Info.plist. */
  oneBelow(folder: string, name: string): readonly string[] {
    if (!this.has(folder)) return [];
    return readdirSync(join(this.root, folder), { withFileTypes: true })
      .filter((entry) => entry.isDirectory() && entry.name !== 'Pods')
      .map((entry) => `${folder}/${entry.name}/${name}`)
      .filter((path) => this.has(path));
  }

  /** The file that a relative import of `from` names. */
  resolve(from: string, specifier: string): string | undefined {
    const base = join(dirname(join(this.root, from)), specifier);
    const endings = [
      '',
      '.ts',
      '.tsx',
      '.js',
      '.jsx',
      '.mjs',
      '/index.ts',
      '/index.tsx',
      '/index.js',
    ];
    const found = endings
      .map((ending) => base + ending)
      .find((file) => existsSync(file) && statSync(file).isFile());
    return found === undefined ? undefined : relative(this.root, found).split(sep).join('/');
  }
}
