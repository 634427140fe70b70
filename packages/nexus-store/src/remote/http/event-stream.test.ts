import { describe, expect, test } from 'vitest';
import { EventStreamParser } from './event-stream.ts';
import type { ServerSentEvent } from './event-stream.ts';

function eventsOf(...chunks: readonly string[]): readonly ServerSentEvent[] {
  const events: ServerSentEvent[] = [];
  const parser = new EventStreamParser((event) => events.push(event));
  for (const chunk of chunks) parser.push(chunk);
  return events;
}

describe('a stream of server-sent events', () => {
  const text =
    ': hello\r\nevent: change\r\ndata: {"a":\r\ndata: 1}\r\n\r\nid: 5\ndata:x\n\n\rdata: y\r\r';
  const expected = [
    { event: 'change', data: '{"a":\n1}' },
    { event: 'message', data: 'x' },
    { event: 'message', data: 'y' },
  ];

  test('gives its events however it is cut into chunks', () => {
    for (let at = 0; at <= text.length; at += 1) {
      expect(eventsOf(text.slice(0, at), text.slice(at))).toEqual(expected);
    }
    expect(eventsOf(...text)).toEqual(expected);
  });

  test('drops an event without data, and one that never ends', () => {
    expect(eventsOf('event: change\n\ndata: cut')).toEqual([]);
  });

  test('drops an event with a line or data without bound, and goes on', () => {
    const endless = Array.from({ length: 50 }, () => 'x'.repeat(1_000));
    const many = Array.from({ length: 100 }, () => `data: ${'y'.repeat(1_000)}\n`);

    const events = eventsOf('data: ', ...endless, '\n\n', ...many, '\n', 'data: after\n\n');

    expect(events).toEqual([{ event: 'message', data: 'after' }]);
  });
});
