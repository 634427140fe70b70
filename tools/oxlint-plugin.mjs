// The project's own lint rules: who may import whom (CONTRIBUTING.md, "Layers"), and no clock in core.
// Plain JavaScript without dependencies, because oxlint and editors load it directly.
import { dirname, posix, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const PRIVATE_FOLDERS = ['apps', 'bench', 'simulator'];
const PRIVATE_PACKAGES = ['field-day', 'field-notes', 'bench', 'simulator'];
const TEST_HARNESS = 'browser-harness';
const PORTABLE = 'packages/nexus-store/src/';

/**
 * The folder that is one unit for imports: a package, an app, or a private folder.
 *
 * @param {string} path
 */
function unitOf(path) {
  const [first = '', second = ''] = path.split('/');
  return first === 'packages' || first === 'apps' ? `${first}/${second}` : first;
}

/**
 * The layer of a file of nexus-store; each platform is a layer of its own.
 *
 * @param {string} path
 */
function layerOf(path) {
  const [first = '', second = '', third] = path.slice(PORTABLE.length).split('/');
  if (second === '') return 'entry';
  return first === 'platforms' && third !== undefined ? `${first}/${second}` : first;
}

/** @param {string} path */
const isTest = (path) => /\.(test|bench|test-d|page)\.tsx?$|\/fakes\//.test(path);

/**
 * Why `from` may not import `specifier`, or undefined if it may.
 *
 * @param {string} from path of the importing file, relative to the root
 * @param {string} specifier
 * @returns {string | undefined}
 */
function violation(from, specifier) {
  const library = from.startsWith(PORTABLE) && !isTest(from);
  if (!specifier.startsWith('.')) {
    const name = specifier
      .split('/')
      .slice(0, specifier.startsWith('@') ? 2 : 1)
      .join('/');
    if (PRIVATE_PACKAGES.includes(name)) return `nothing imports the private package ${name}`;
    if (!library) return undefined;
    if (name === TEST_HARNESS) return `only tests import ${name}`;
    if (layerOf(from) === 'core') return 'core imports only core';
    if (name === 'nexus-store' || name.startsWith('@nexus-store/')) {
      return 'inside nexus-store imports are relative, so that the layers show';
    }
    return undefined;
  }

  const to = posix.join(posix.dirname(from), specifier);
  if (unitOf(to) !== unitOf(from)) {
    return PRIVATE_FOLDERS.includes(to.split('/')[0] ?? '')
      ? 'nothing imports apps, bench or simulator'
      : 'other packages are imported by their public name';
  }
  if (!library || !to.startsWith(PORTABLE)) return undefined;

  const [source, target] = [layerOf(from), layerOf(to)];
  if (source === target || (target === 'core' && source !== 'core')) return undefined;
  if (source === 'core') return 'core imports only core';
  const wires =
    source === 'entry' || /^platforms\/[^/]+\/index\.tsx?$/.test(from.slice(PORTABLE.length));
  if (wires && target !== 'testing' && target !== 'entry') return undefined;
  return `${source} imports core, not ${target}`;
}

const layers = {
  meta: { type: 'problem' },
  /** @param {any} context */
  create(context) {
    const from = relative(root, context.filename).split(sep).join('/');
    /** @param {any} node */
    const check = (node) => {
      const specifier = (node.source ?? node.argument?.literal ?? node.argument)?.value;
      if (typeof specifier !== 'string') return;
      const message = violation(from, specifier);
      if (message !== undefined) context.report({ node, message: `'${specifier}': ${message}.` });
    };
    return {
      ExportAllDeclaration: check,
      ExportNamedDeclaration: check,
      ImportDeclaration: check,
      ImportExpression: check,
      TSImportType: check,
    };
  },
};

const noExportAll = {
  meta: { type: 'problem' },
  /** @param {any} context */
  create(context) {
    if (!/[\\/]index\.tsx?$/.test(context.filename)) return {};
    return {
      /** @param {any} node */
      ExportAllDeclaration(node) {
        if (node.exported === null) {
          context.report({ node, message: 'An entry lists its exports: no `export *`.' });
        }
      },
    };
  },
};

const noClockReading = {
  meta: { type: 'problem' },
  /** @param {any} context */
  create(context) {
    const message = 'Core asks Runtime.clock; `new Date(instant)` is fine.';
    return {
      /** @param {any} node */
      CallExpression(node) {
        if (node.callee.name === 'Date') context.report({ node, message });
      },
      /** @param {any} node */
      NewExpression(node) {
        if (node.callee.name === 'Date' && node.arguments.length === 0) {
          context.report({ node, message });
        }
      },
    };
  },
};

export default {
  meta: { name: 'nexus' },
  rules: {
    layers,
    'no-clock-reading': noClockReading,
    'no-export-all': noExportAll,
  },
};
