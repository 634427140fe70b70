import type { IncomingMessage, ServerResponse } from 'node:http';
import { DatabaseSync } from 'node:sqlite';
import { createReceiver, type ReceivedOperation, type Receiver } from '@nexus-store/server';
import { DEMO_USERS, type Users } from './demo-users.ts';
import { sendAnswer, standardRequest } from './node-requests.ts';
import { addSampleReports } from './sample-reports.ts';

export interface FieldServerOptions {
  /** A file's path, or `':memory:'`. */
  readonly database: string;
  /** @defaultValue the demo's */
  readonly users?: Users;
  /** Put a few field reports there, for the first user. @defaultValue `false` */
  readonly hasSampleReports?: boolean;
  /** Why an operation is refused; undefined: it is not. @defaultValue the house rule below */
  readonly forbids?: (operation: ReceivedOperation) => string | undefined;
}

/** The server's part of the app: sync, and who somebody is. */
export interface FieldServer {
  readonly receiver: Receiver;
  /** Answers what is not a file. False if nothing here has that address. */
  answer(request: IncomingMessage, response: ServerResponse): Promise<boolean>;
  close(): Promise<void>;
}

export async function createFieldServer(options: FieldServerOptions): Promise<FieldServer> {
  const users = new Map(Object.entries(options.users ?? DEMO_USERS));
  const receiver = createReceiver({
    database: new DatabaseSync(options.database),
    authenticate: (token) => users.get(token)?.principal ?? null,
    forbids: options.forbids ?? criticalNotesSayWhy,
    onError: (error) => console.error('field-notes server:', error),
  });
  if (options.hasSampleReports === true) await addSampleReports(receiver, [...users.keys()][0]);
  return {
    receiver,
    async answer(request, response) {
      const { pathname } = new URL(request.url ?? '/', 'http://field-notes');
      if (pathname === '/session') {
        answerWho(users, request, response);
      } else if (pathname.startsWith('/sync/')) {
        await sendAnswer(await receiver(standardRequest(request)), response);
      } else {
        return false;
      }
      return true;
    },
    close: () => receiver.close(),
  };
}

/** `GET /session` with an access code: whose it is. */
function answerWho(
  users: ReadonlyMap<string, Users[string]>,
  request: IncomingMessage,
  response: ServerResponse,
): void {
  const code = /^Bearer (.+)$/.exec(request.headers.authorization ?? '')?.[1] ?? '';
  const user = users.get(code);
  response.writeHead(user === undefined ? 401 : 200, {
    'content-type': 'application/json',
    'cache-control': 'no-store',
  });
  response.end(JSON.stringify(user ?? { problem: 'unknown access code' }));
}

/** A rule that only the server knows, so that a refusal can be seen. */
function criticalNotesSayWhy(operation: ReceivedOperation): string | undefined {
  const { collection, payload } = operation;
  if (collection !== 'notes' || typeof payload !== 'object' || payload === null) return undefined;
  const { priority, text } = payload as { readonly priority?: unknown; readonly text?: unknown };
  const isSilent = typeof text === 'string' && text.trim() === '';
  return priority === 'critical' && isSilent
    ? 'A critical note needs a text that says what is dangerous.'
    : undefined;
}
