import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const concepts = join(import.meta.dirname, 'concepts');

interface Snippet {
  readonly file: string;
  readonly index: number;
  readonly code: string;
}

/** The fenced `ts` blocks of the concept pages; each stands for itself. */
function snippets(): Snippet[] {
  return readdirSync(concepts).flatMap((file) => {
    const text = readFileSync(join(concepts, file), 'utf8');
    return [...text.matchAll(/^```ts\n([\s\S]*?)^```/gm)].map((match, index) => ({
      file,
      index,
      code: match[1] ?? '',
    }));
  });
}

test.each(snippets())(
  'snippet $index of $file runs, and prints what its comments say',
  ({ code }) => {
    // Beside the docs, so that package names resolve as they do for an app.
    const folder = mkdtempSync(join(import.meta.dirname, '.snippet-'));
    try {
      const path = join(folder, 'snippet.ts');
      writeFileSync(path, code);
      const { status, stdout, stderr } = spawnSync(
        process.execPath,
        ['--conditions=nexus-source', path],
        { encoding: 'utf8' },
      );

      expect(stderr).toBe('');
      expect(status).toBe(0);
      for (const [, said = ''] of code.matchAll(/console\.log\(.*\); \/\/ (.*)$/gm)) {
        if (!said.includes('...'))
          expect(withoutPunctuation(stdout)).toContain(withoutPunctuation(said));
      }
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  },
);

function withoutPunctuation(text: string): string {
  return text
    .replaceAll(/[^\w ]/g, ' ')
    .replaceAll(/\s+/g, ' ')
    .trim();
}
