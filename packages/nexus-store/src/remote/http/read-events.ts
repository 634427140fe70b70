import { abortable } from './abortable.ts';
import { EventStreamParser } from './event-stream.ts';
import type { ServerSentEvent } from './event-stream.ts';
import { EVENTS_CONTENT_TYPE, hasMediaType } from './protocol.ts';
import { isJsonObject, parseJson } from './push-results.ts';
import { unusable } from './transport.ts';
import type { NoReply } from './transport.ts';

/** Reads hints until the stream ends (undefined), breaks, or the signal aborts. */
export async function readEvents(
  response: Response,
  signal: AbortSignal,
  onHint: (collection: string | null) => void,
): Promise<NoReply | undefined> {
  const isEvents = hasMediaType(response.headers.get('content-type'), EVENTS_CONTENT_TYPE);
  if (!isEvents || !response.body) return unusable(response.status, 'not an event stream');
  // Hints are not kept for absent listeners: something may have changed before this stream began.
  onHint(null);
  const parser = new EventStreamParser((event) => hint(event, onHint));
  const decoder = new TextDecoder();
  const reader = response.body.getReader();
  try {
    for (;;) {
      const { done, value } = await abortable(reader.read(), signal);
      if (done) return undefined;
      parser.push(decoder.decode(value, { stream: true }));
    }
  } catch (cause) {
    const detail = 'the event stream broke';
    return { kind: 'no-reply', code: 'remote/offline', ambiguous: false, detail, cause };
  } finally {
    void reader.cancel().catch(() => {});
  }
}

function hint(event: ServerSentEvent, onHint: (collection: string | null) => void): void {
  if (event.event !== 'change') return;
  const data = parseJson(event.data);
  if (!isJsonObject(data)) return;
  onHint(typeof data['collection'] === 'string' ? data['collection'] : null);
}
