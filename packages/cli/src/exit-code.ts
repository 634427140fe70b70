/** What the command tells the shell. Part of the interface: `docs/reference/cli.md`. */
export const ExitCode = {
  ok: 0,
  /** It did not work; the error says why. */
  failed: 1,
  /** The command line is wrong: nothing was done. */
  usage: 2,
  /** The server cannot be reached, asks to wait, or refuses the credentials. The work is kept. */
  blocked: 3,
  /** Dead letters or conflicts wait for a decision. */
  attention: 4,
  /** Stopped in time with work left, such as at the end of `--budget`. */
  unfinished: 5,
  /** Ctrl-C, as shells count it. */
  interrupted: 130,
} as const;

export type ExitCode = (typeof ExitCode)[keyof typeof ExitCode];
