/** What is used of Node's `diagnostics_channel`, where its fetch tells of every request it sends. */
interface Channels {
  subscribe(name: string, listener: (message: unknown) => void): void;
  unsubscribe(name: string, listener: (message: unknown) => void): void;
}

interface SentRequest {
  readonly request?: { readonly origin?: unknown; readonly path?: unknown };
  readonly headers?: unknown;
  readonly socket?: { readonly unref?: () => void };
}

const CHANNEL = 'undici:client:sendHeaders';

/**
 * A stream of hints waits for ever, and Node counts an open request as work: a script that has saved all
 * it wanted would never end. From here until the returned function is called, the connection of a request
 * to `url` that accepts `accept` does not keep the process alive. Elsewhere this does nothing.
 */
export function letProcessEnd(url: string, accept: string): () => void {
  const channels = nodeChannels();
  if (channels === undefined) return () => {};
  const wanted = new URL(url).href;
  const onSent = (message: unknown): void => {
    const { request, headers, socket } = message as SentRequest;
    const isOurs = `${String(request?.origin)}${String(request?.path)}` === wanted;
    // Its fetch counts the connection as work again once another request uses it.
    if (isOurs && String(headers).includes(accept)) socket?.unref?.();
  };
  channels.subscribe(CHANNEL, onSent);
  return () => channels.unsubscribe(CHANNEL, onSent);
}

function nodeChannels(): Channels | undefined {
  const { process } = globalThis as {
    readonly process?: { readonly getBuiltinModule?: (name: string) => unknown };
  };
  return process?.getBuiltinModule?.('node:diagnostics_channel') as Channels | undefined;
}
