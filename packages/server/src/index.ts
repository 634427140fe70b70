/**
 * The reference server of nexus-store's wire protocol (`docs/reference/protocol.md`): a handler of
 * standard requests over SQLite, and a small Node server around it.
 *
 * @module
 */
export { createReceiver } from './receiver.ts';
export type { Receiver, ReceiverOptions } from './receiver.ts';
export { serve } from './serve.ts';
export type { RunningServer, ServeOptions } from './serve.ts';
export { DEFAULT_LIMITS } from './limits.ts';
export type { ReceiverLimits } from './limits.ts';
export { increment, OperationRefused } from './commands.ts';
export type { CommandContext, CommandHandler } from './commands.ts';
export type { Authenticate } from './authenticate.ts';
export type { ReceivedOperation } from './received-operation.ts';
export { SqliteReceiverStore } from './sqlite-receiver-store.ts';
export type {
  SqlDatabase,
  SqliteReceiverOptions,
  SqlStatement,
  SqlValue,
} from './sqlite-receiver-store.ts';
export { StoreFailure } from './receiver-store.ts';
export type {
  AppliedOperation,
  Arrival,
  ChangedRow,
  ChangePage,
  ChangeQuery,
  Decide,
  EntityRef,
  Loaded,
  NewOperation,
  ReceiverStore,
  StoredRow,
  StoreFailureKind,
  Wanted,
  Writes,
} from './receiver-store.ts';
