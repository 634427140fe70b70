import type { Command } from '../command.ts';
import { cancelCommand, discardCommand, retryCommand } from './change.ts';
import { daemonCommand } from './daemon.ts';
import { doctorCommand } from './doctor.ts';
import { explainCommand } from './explain.ts';
import { exportCommand } from './export.ts';
import { historyCommand } from './history.ts';
import { importCommand } from './import.ts';
import { inspectCommand } from './inspect.ts';
import { serveCommand } from './serve.ts';
import { simulateCommand } from './simulate.ts';
import { statusCommand } from './status.ts';
import { syncCommand } from './sync.ts';

/** In the order of the help. */
export const COMMANDS: readonly Command[] = [
  importCommand,
  syncCommand,
  daemonCommand,
  statusCommand,
  explainCommand,
  historyCommand,
  inspectCommand,
  retryCommand,
  discardCommand,
  cancelCommand,
  exportCommand,
  serveCommand,
  simulateCommand,
  doctorCommand,
];
