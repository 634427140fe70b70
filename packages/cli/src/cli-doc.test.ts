import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { COMMANDS } from './commands/all.ts';
import { ExitCode } from './exit-code.ts';

const doc = readFileSync(new URL('../../../docs/reference/cli.md', import.meta.url), 'utf8');
const source = readFileSync(new URL('cli-error.ts', import.meta.url), 'utf8');

test('the reference has a heading for each command and names each of its options', () => {
  for (const command of COMMANDS) {
    expect(doc).toContain(`\n## ${command.name}\n`);
    for (const option of Object.keys(command.options)) expect(doc).toMatch(`--${option}`);
  }
});

test('the reference explains each exit code and each error code', () => {
  for (const code of Object.values(ExitCode)) expect(doc).toContain(`\n| ${code} | `);
  for (const [, code] of source.matchAll(/'(cli\/[a-z-]+)'/g)) expect(doc).toContain(`\`${code}\``);
});
