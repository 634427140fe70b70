import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { WireOperation, WirePushRequest } from 'nexus-store/http';
import { ModelServer, type Applied } from '../world/server.ts';

/** One push as the server saw it. */
export interface Push {
  readonly process: string;
  readonly keys: readonly string[];
  readonly operations: readonly WireOperation[];
  readonly at: number;
  /** It was answered, or its sender is gone. */
  isOver: boolean;
}

/** How long a push takes here: long enough that two of one entry would be seen side by side. */
const ANSWER_MS = 8;

/** The model server over real sockets, which writes down who sent what when. */
export class PushServer {
  readonly pushes: Push[] = [];
  /** The tokens that took effect, in order. */
  readonly tokens: string[] = [];
  /** What went wrong on the wire. */
  readonly faults: string[] = [];
  /** Called with each push; true: it is never answered. */
  onPush: (push: Push) => 'answer' | 'lose-request' | 'lose-answer' = () => 'answer';
  readonly #model: ModelServer;
  readonly #server: Server;

  constructor() {
    const witness = {
      onApplied: ({ operation }: Applied): void => {
        this.tokens.push((operation.payload as { readonly token: string }).token);
      },
      onRefused: (_principal: string, { id }: { id: string }, status: string): void => {
        // Entities have several writers: a conflict is decided, and the entry is sent under another key.
        if (status !== 'conflict') this.faults.push(`${id} was ${status}`);
      },
    };
    this.#model = new ModelServer(witness, () => performance.now());
    this.#server = createServer((request, response) => void this.#serve(request, response));
  }

  async listen(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    let text = '';
    try {
      for await (const chunk of request) text += String(chunk);
    } catch {
      return; // its sender is gone
    }
    const { operations } = JSON.parse(text) as WirePushRequest;
    const push: Push = {
      process: String(request.headers['x-process']),
      keys: operations.map(({ idempotencyKey }) => idempotencyKey),
      operations,
      at: performance.now(),
      isOver: false,
    };
    this.#checkAlone(push);
    this.pushes.push(push);
    response.once('close', () => {
      push.isOver = true;
    });
    const fate = this.onPush(push);
    if (fate === 'lose-request') return;
    const { status, headers, body } = this.#model.push('nobody', operations);
    if (fate === 'lose-answer') return;
    await new Promise((resolve) => setTimeout(resolve, ANSWER_MS));
    response.writeHead(status, { ...headers }).end(body);
  }

  /** An entry is sent by one process at a time. */
  #checkAlone(push: Push): void {
    for (const other of this.pushes.slice(-200)) {
      if (other.isOver || other.process === push.process) continue;
      const shared = other.keys.find((key) => push.keys.includes(key));
      if (shared === undefined) continue;
      this.faults.push(`${shared} was sent by ${other.process} and ${push.process} at once`);
    }
  }
}
