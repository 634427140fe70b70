import { readFileSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { CliFolder } from '../testing/run-cli.ts';

let folder: CliFolder;

beforeAll(() => {
  folder = new CliFolder();
});

afterAll(() => folder.remove());

const SHORT = ['--days', '2', '--fleet', '30', '--seed', '3'];
const PRIORITIES = ['critical', 'high', 'normal', 'low'];

interface Delays {
  readonly saved: number;
  readonly arrived: number;
  readonly p50Ms: number;
  readonly p90Ms: number;
  readonly p99Ms: number;
  readonly worstMs: number;
}

interface Answer {
  readonly config: Record<string, unknown>;
  readonly device: Record<string, unknown> & { readonly delays: Record<string, Delays> };
  readonly fleet: {
    readonly delays: Record<string, Delays>;
    readonly load: Record<string, unknown>;
    readonly outage: { from: number; until: number } | null;
    readonly from: number;
  } | null;
  readonly report: string | null;
}

async function simulate(...args: string[]): Promise<Answer> {
  return (await folder.json(['simulate', ...args])) as unknown as Answer;
}

describe('simulate', () => {
  test(
    'says delays, wake-ups, radio and the load after an outage',
    { timeout: 60_000 },
    async () => {
      const { code, stdout, stderr } = await folder.run(['simulate', ...SHORT]);

      expect(stderr).toBe('');
      expect(code).toBe(0);
      expect(stdout).toContain('2 days of a commuter phone with Android, seed 3');
      for (const priority of PRIORITIES)
        expect(stdout).toMatch(new RegExp(`^${priority} +\\d`, 'm'));
      for (const column of ['p50', 'p90', 'p99', 'worst']) expect(stdout).toContain(column);
      expect(stdout).toMatch(/wake-ups +\d+\.\d per day/);
      expect(stdout).toMatch(/radio on +[\d,]+ s per day/);
      expect(stdout).toMatch(
        /The worst minute after an outage of 60 min brought [\d,]+ requests?, \d\.\d times the mean/,
      );
      expect(stdout).toContain('mostly chance');
    },
  );

  test('answers in JSON, the same for the same seed', { timeout: 60_000 }, async () => {
    const [first, second] = await Promise.all([simulate(...SHORT), simulate(...SHORT)]);

    expect(second).toEqual(first);
    expect(first.config).toMatchObject({ enabled: true, minInterval: 900_000 });
    expect(first.device).toMatchObject({ platform: 'android', profile: 'commuter', seed: 3 });
    expect(first.device).toMatchObject({ lost: [], appliedTwice: [] });
    const both = [first.device.delays, first.fleet?.delays ?? {}];
    for (const { normal } of both) {
      const { p50Ms, p90Ms, p99Ms, worstMs } = normal as Delays;
      expect([p50Ms, p90Ms, p99Ms, worstMs]).toEqual(
        [p50Ms, p90Ms, p99Ms, worstMs].toSorted((a, b) => a - b),
      );
    }
    const { outage = null, from = 0 } = first.fleet ?? {};
    expect(outage).toMatchObject({ from: from + 43_200_000, until: from + 46_800_000 });
    expect(first.fleet?.load).toHaveProperty('peakAfterOutageToMean');
    expect(first.report).toBeNull();
  });

  test('takes the configuration from a file, options before it', { timeout: 60_000 }, async () => {
    const file = folder.file('config.json');
    writeFileSync(file, '{"minInterval":"12h","requiresCharging":true,"criticalPerHour":2}');
    const often = await simulate('--days', '2', '--platform', 'ios', '--profile', 'night-charger');
    const seldom = await simulate('--days', '2', '--config', file, '--requires-charging', 'false');
    const never = await simulate('--days', '1', '--enabled', 'false');

    expect(often.device).toMatchObject({ platform: 'ios', profile: 'night charger' });
    expect(seldom.config).toMatchObject({
      minInterval: 43_200_000,
      requiresCharging: false,
      criticalPerHour: 2,
    });
    expect(seldom.device['wakeUpsPerDay']).toBeLessThan(often.device['wakeUpsPerDay'] as number);
    expect(never.device['wakeUpsPerDay']).toBe(0);
    expect(never.fleet).toBeNull();
  });

  test('an outage may be left out', { timeout: 60_000 }, async () => {
    const { fleet } = await simulate('--days', '1', '--fleet', '5', '--outage', '0s');

    expect(fleet?.outage).toBeNull();
  });

  test('stops at Ctrl-C', { timeout: 60_000 }, async () => {
    const child = folder.start(['simulate', '--days', '90', '--fleet', '1000000', '--json']);
    let stdout = '';
    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      stdout += text;
    });
    setTimeout(() => child.kill('SIGINT'), 2_500);
    const code = await new Promise((resolve) => child.on('close', resolve));

    expect(code).toBe(130);
    expect(JSON.parse(stdout)).toMatchObject({ error: { code: 'cli/interrupted' } });
  });

  test.each([
    [['--profile', 'astronaut'], '--profile must be commuter'],
    [['--platform', 'symbian'], '--platform must be android, ios'],
    [['--days', '0'], '--days must be a whole number from 1'],
    [['--days', '91'], '--days must be 90 at most'],
    [['--seed', 'x'], '--seed'],
    [['--fleet', '-1'], '--fleet'],
    [['--outage', '12h'], '--outage must end before'],
    [['--outage', 'long'], '--outage'],
    [['--enabled', 'maybe'], '--enabled must be true, false'],
    [['--min-interval', '31d'], 'minInterval'],
    [['--config', 'bad.json'], 'must hold one JSON object'],
    [['--config', 'list.json'], 'must hold one JSON object'],
    [['--config', 'unknown.json'], 'minIntervall is not a field'],
    [['--config', 'contradiction.json'], 'networkType'],
    [['--bogus'], '--bogus'],
  ])('%s is a wrong command line', async (args, message) => {
    writeFileSync(folder.file('bad.json'), '{');
    writeFileSync(folder.file('list.json'), '[]');
    writeFileSync(folder.file('unknown.json'), '{"minIntervall":"1h"}');
    writeFileSync(
      folder.file('contradiction.json'),
      '{"requiresNetwork":false,"networkType":"unmetered"}',
    );

    const { code, stdout, stderr } = await folder.run(['simulate', ...args]);

    expect(code).toBe(2);
    expect(stdout).toBe('');
    expect(stderr).toContain(message);
  });

  test('a configuration that is not there', async () => {
    const { code, stderr } = await folder.run(['simulate', '--config', 'nowhere.json']);

    expect(code).toBe(1);
    expect(stderr).toContain('nowhere.json cannot be read (ENOENT)');
  });
});

describe('the report of simulate', () => {
  let html: string;

  beforeAll(async () => {
    const { code } = await folder.run(['simulate', ...SHORT, '--report', 'report.html']);
    expect(code).toBe(0);
    html = readFileSync(folder.file('report.html'), 'utf8');
  }, 60_000);

  test('has every section, and each names itself', () => {
    for (const name of ['day', 'week', 'delays', 'fleet', 'method']) {
      expect(html).toContain(`<section aria-labelledby="section-${name}">`);
      expect(html).toContain(`<h2 id="section-${name}">`);
    }
  });

  test('loads nothing and runs nothing', () => {
    expect(html).not.toMatch(
      /https?:|\/\/[a-z]|url\(|@import|<script|<link|<img|src=|href=| on[a-z]+=/i,
    );
    expect(html).toContain(`default-src 'none'`);
  });

  test('has each plot for three widths, with a text alternative and titled axes', () => {
    const plots = html.match(/<svg [^>]*role="img".*/g) ?? [];

    expect(plots).toHaveLength(3 * 6);
    for (const plot of plots) {
      const [, title, text] = /aria-labelledby="(\S+) (\S+)"/.exec(plot) ?? [];
      expect(plot).toMatch(new RegExp(`<title id="${title}">[^<]{5,}</title>`));
      expect(plot).toMatch(new RegExp(`<desc id="${text}">[^<]{20,}</desc>`));
      expect(plot).toContain('class="axis-title"');
    }
    expect(html).not.toMatch(/NaN|Infinity|undefined/);
  });

  test('gives each id once, and closes what it opens', () => {
    const ids = [...html.matchAll(/ id="([^"]+)"/g)].map(([, id]) => id);
    expect(new Set(ids).size).toBe(ids.length);
    for (const name of ['section', 'svg', 'g', 'text', 'figure', 'div', 'table', 'ul', 'p']) {
      const opened = html.match(new RegExp(`<${name}[ >]`, 'g'))?.length;
      expect(html.match(new RegExp(`</${name}>`, 'g'))?.length, name).toBe(opened);
    }
  });

  test('has both themes and the numbers as tables', () => {
    expect(html).toContain('prefers-color-scheme: dark');
    expect(html.match(/<table>/g)).toHaveLength(2);
    for (const name of PRIORITIES) expect(html).toContain(`<th scope="row">${name}</th>`);
  });

  test('is not written over another file', async () => {
    const again = ['simulate', '--days', '1', '--report', 'report.html'];
    const { code, stderr } = await folder.run(again);

    expect(code).toBe(1);
    expect(stderr).toContain('report.html exists');
    expect((await folder.run([...again, '--force'])).code).toBe(0);
    expect(readFileSync(folder.file('report.html'), 'utf8')).not.toContain('section-fleet');
  }, 60_000);
});
