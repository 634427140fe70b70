import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { CliError } from '../cli-error.ts';
import type { Command, CommandContext, CommandResult } from '../command.ts';
import { diagnose, type Finding } from '../doctor/diagnose.ts';
import { ProjectFiles } from '../doctor/project-files.ts';
import { ExitCode } from '../exit-code.ts';
import { plain } from '../format.ts';

export const doctorCommand: Command = {
  name: 'doctor',
  summary: 'what a phone app lacks for background sync',
  arguments: ['FOLDER?'],
  options: {},
  help: `nexus-store doctor [FOLDER] [options]

Looks at the folder of a React Native or Expo app (the current one by default): packages and versions,
whether the entry file defines background sync at module scope, Info.plist, AndroidManifest. Says what is
missing and how to fix it. Changes nothing. The exit code is 1 if there is a problem.`,

  async run({ options }: CommandContext): Promise<CommandResult> {
    const folder = resolve(options.argument('FOLDER') ?? '.');
    if (!existsSync(folder))
      throw new CliError('usage/invalid-argument', `there is no folder ${plain(folder)}`);
    const findings = diagnose(new ProjectFiles(folder));
    const isFine = findings.every(({ level }) => level !== 'problem');
    return {
      text: findingsText(findings),
      json: { folder, isFine, findings },
      exitCode: isFine ? ExitCode.ok : ExitCode.failed,
    };
  },
};

/** Whole sentences, with paths in them. */
const LONGEST = 500;
const MARKS = { ok: 'ok      ', warning: 'warning ', problem: 'PROBLEM ' } as const;

export function findingsText(findings: readonly Finding[]): string {
  return findings
    .flatMap(({ level, message, fix }) => [
      `${MARKS[level]} ${plain(message, LONGEST)}`,
      ...(fix === null ? [] : [`          ${plain(fix, LONGEST)}`]),
    ])
    .join('\n');
}
