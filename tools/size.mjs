// `node tools/size.mjs`: what nexus-store costs a web app, minified and gzipped, against budgets. Part of
// `npm test`. A budget is what is true plus a little air, so that growth is a decision and not an accident;
// beside it stands the bar that the plan has set. What the guide for the web says of sizes is checked too.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { build } from 'vite';

const root = join(import.meta.dirname, '..');
const PAGE = `
  export { createBackend, defineBackgroundSync, NexusStore } from 'nexus-store';
  export { httpRemote } from 'nexus-store/http';
  export { indexedDbStorage } from 'nexus-store/indexeddb';
  export { webBackgroundSync } from 'nexus-store/web';
`;

const GUIDE = 'docs/guides/web.md';
/** So many KiB a sentence may be off. */
const OFF_MOST = 3;

/**
 * `code` is what is measured, less what `beside` costs alone. `budget` and `bar` are KiB, gzipped. `said` finds the
 * figure in the guide.
 *
 * @type {{ name: string, code: string, beside?: string, budget: number, bar: number, said?: RegExp }[]}
 */
const parts = [
  {
    name: 'page: core, IndexedDB, HTTP, web service',
    code: PAGE,
    budget: 99,
    bar: 14,
    said: /about (\d+) KiB \(minified, gzipped\)\s+for the page/,
  },
  {
    name: 'worker entry alone (its app brings the backend)',
    code: `export { serveBackgroundSync } from 'nexus-store/web/worker';`,
    budget: 22,
    bar: 12,
  },
  {
    name: 'whole worker: entry, core, IndexedDB, HTTP',
    code: `
      export { createBackend } from 'nexus-store';
      export { httpRemote } from 'nexus-store/http';
      export { indexedDbStorage } from 'nexus-store/indexeddb';
      export { serveBackgroundSync } from 'nexus-store/web/worker';
    `,
    budget: 91,
    bar: 12,
    said: /(\d+) KiB\s+for the whole worker/,
  },
  {
    name: 'React hooks, more than the page',
    code: `${PAGE} export * from 'nexus-store/react';`,
    beside: PAGE,
    budget: 2,
    bar: 2,
  },
];

const guide = readFileSync(join(root, GUIDE), 'utf8');
/** @type {string[]} */
const untrue = [];
let isOver = false;
console.log('KiB                                                  min    gzip  budget     bar');
for (const { name, code, beside, budget, bar, said } of parts) {
  const whole = await measure(code);
  const less = beside === undefined ? { min: 0, gzip: 0 } : await measure(beside);
  const min = whole.min - less.min;
  const gzip = whole.gzip - less.gzip;
  const mark = gzip > budget ? '  over its budget' : '';
  isOver ||= gzip > budget;
  console.log(`${name.padEnd(49)}${[min, gzip, budget, bar].map(figure).join('')}${mark}`);
  const figureSaid = said?.exec(guide)?.[1];
  if (said !== undefined && !(Math.abs(Number(figureSaid) - gzip) <= OFF_MOST))
    untrue.push(`${GUIDE} says ${figureSaid ?? 'nothing'} of "${name}": ${gzip.toFixed(1)} KiB`);
}
if (isOver) {
  console.error(
    '\nMake it smaller, or raise the budget in tools/size.mjs and say why in the commit.',
  );
  process.exitCode = 1;
}

if (untrue.length > 0) {
  console.error(`\n${untrue.join('\n')}`);
  process.exitCode = 1;
}

/**
 * @param {string} code an entry
 * @returns {Promise<{ min: number, gzip: number }>} its bundle, in KiB
 */
async function measure(code) {
  const id = '\0measured';
  const result = await build({
    configFile: false,
    envFile: false,
    publicDir: false,
    logLevel: 'error',
    root,
    resolve: { conditions: ['nexus-source', 'browser', 'module'] },
    define: { 'process.env.NODE_ENV': '"production"' },
    plugins: [
      {
        name: 'measured',
        resolveId: (/** @type {string} */ source) => (source === 'measured' ? id : undefined),
        load: (/** @type {string} */ module) => (module === id ? code : undefined),
      },
    ],
    build: {
      write: false,
      target: 'es2023',
      minify: true,
      modulePreload: false,
      reportCompressedSize: false,
      rolldownOptions: {
        input: 'measured',
        external: ['react'],
        preserveEntrySignatures: 'strict',
      },
    },
  });
  const [output] = Array.isArray(result) ? result : [result];
  if (output === undefined || !('output' in output)) throw new Error('nothing was built');
  const chunks = output.output.flatMap((file) => (file.type === 'chunk' ? [file.code] : []));
  const text = chunks.join('\n');
  return { min: Buffer.byteLength(text) / 1024, gzip: gzipSync(text, { level: 9 }).length / 1024 };
}

/** @param {number} kib */
function figure(kib) {
  return kib.toFixed(1).padStart(8);
}
