import { describe, expect, test } from 'vitest';
import { explanationText } from './explain.ts';
import { historyText } from './history.ts';

const NOW = 1_800_000_000_000;

function reason(code: string, message: string, more: object = {}): never {
  return { code, message, action: null, since: null, until: null, ...more } as never;
}

describe('what explain says', () => {
  test('when nothing is wrong', () => {
    const reasons = [reason('nothing-pending', 'Everything written here is on the server.')];

    expect(explanationText({ pending: 0, reasons }, null, NOW)).toBe(
      'Everything written here is on the server.',
    );
  });

  test('of one reason, with its times and what to do', () => {
    const more = { action: 'Connect to a network.', since: NOW - 300_000, until: NOW + 30_000 };
    const reasons = [reason('offline', 'There is no way to the server.', more)];

    expect(explanationText({ pending: 3, reasons }, NOW - 600_000, NOW)).toBe(
      [
        '3 entries wait to be sent, the oldest for 10 min.',
        'There is no way to the server (since 5 min ago, for another 30 s at least). Connect to a network.',
      ].join('\n'),
    );
  });

  test('of several reasons, in their order', () => {
    const reasons = [reason('paused', 'The app has paused syncing.'), reason('dead', 'One died.')];

    expect(explanationText({ pending: 1, reasons }, null, NOW)).toBe(
      '1 entry waits to be sent.\n1. The app has paused syncing.\n2. One died.',
    );
  });

  test('when only a run is missing', () => {
    expect(explanationText({ pending: 1, reasons: [] }, null, NOW)).toContain('nexus-store sync');
  });

  test('of what a server said, without what a terminal would obey', () => {
    const reasons = [reason('request-refused', 'refused: \u001B[2J')];

    expect(explanationText({ pending: 1, reasons }, null, NOW)).not.toContain('\u001B');
  });
});

describe('what history says', () => {
  const record = {
    requestId: 'nexus-store.sync',
    attempt: 1,
    beganAt: NOW - 120_000,
    endedAt: NOW - 119_600,
    unmet: [],
    pushed: 12,
    pulled: 3,
    remaining: 0,
    stoppedBy: 'drained',
    stopReason: null,
    error: null,
  };

  test.each([
    [{}, '2 min ago: the periodic run sent 12 entries and fetched 3 rows in 400 ms.'],
    [
      { pushed: 0, pulled: 0, stoppedBy: 'offline', remaining: 1 },
      '2 min ago: the periodic run sent nothing in 400 ms. The server could not be reached. 1 entry was left.',
    ],
    [
      { requestId: 'x.critical', attempt: 2, pushed: 0, pulled: 0 },
      '2 min ago: the run for critical writes, attempt 2 found nothing to send in 400 ms.',
    ],
    [{ endedAt: null }, '2 min ago: the periodic run has not ended yet.'],
    [
      { endedAt: null, beganAt: NOW - 3_600_000 },
      '60 min ago: the periodic run was killed before it ended.',
    ],
    [
      { unmet: ['charging'], pushed: 0, pulled: 0, stoppedBy: 'constraint' },
      '2 min ago: the periodic run did nothing, waiting for charging, in 400 ms.',
    ],
  ])('%o', (change, text) => {
    expect(historyText([{ ...record, ...change } as never], NOW)).toBe(text);
  });

  test('when there was no run', () => {
    expect(historyText([], NOW)).toMatch(
      /^No background run has been recorded in this database\. /,
    );
  });
});
