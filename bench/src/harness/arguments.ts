import { parseArgs } from 'node:util';

export interface BenchArguments {
  /** Parts of names of cases or groups; empty: all. */
  readonly only: readonly string[];
  readonly isQuick: boolean;
  readonly hasPeers: boolean;
  readonly isList: boolean;
  readonly isHelp: boolean;
  readonly json: string | undefined;
  readonly rounds: number | undefined;
}

export const USAGE = `npm run bench -- [options]

  --only NAME    only the cases whose name or group contains NAME; may be repeated
  --quick        a few small rounds to see that everything runs; nothing is judged
  --rounds N     rounds that count (default 5)
  --peers        also other libraries, installed into bench/peers on first use
  --json FILE    write everything that was measured
  --list         the names of the cases`;

/** @throws TypeError for an option that does not exist */
export function benchArguments(args: readonly string[]): BenchArguments {
  const { values } = parseArgs({
    args: [...args],
    options: {
      only: { type: 'string', multiple: true, default: [] },
      quick: { type: 'boolean', default: false },
      peers: { type: 'boolean', default: false },
      list: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
      json: { type: 'string' },
      rounds: { type: 'string' },
    },
  });
  const rounds = values.rounds === undefined ? undefined : Number(values.rounds);
  if (rounds !== undefined && (!Number.isInteger(rounds) || rounds < 1 || rounds > 1000)) {
    throw new TypeError(`--rounds takes a whole number from 1 to 1000, not ${values.rounds}`);
  }
  return {
    only: values.only,
    isQuick: values.quick,
    hasPeers: values.peers,
    isList: values.list,
    isHelp: values.help,
    json: values.json,
    rounds,
  };
}
