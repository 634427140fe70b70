import { bar } from '@nexus-store/cli';
import { PRIORITIES } from 'nexus-store';
import { total, type Tally } from './tally.ts';

/** What the live part shows. */
export interface View {
  readonly of: Tally;
  readonly waiting: Tally;
  readonly arrived: Tally;
  /** What is going on, in a few words. */
  readonly doing: string;
  /** Per second, now; null while nothing moves. */
  readonly rate: number | null;
}

const REDRAW_MS = 80;
const PLAIN_EVERY_MS = 1_000;
const BAR_WIDTH = 20;
const number = new Intl.NumberFormat('en-US');

/** Lines that stay, and on a terminal a picture below them that is drawn over itself. */
export class Screen {
  readonly #out: NodeJS.WriteStream;
  readonly #startedAt = performance.now();
  readonly #isLive: boolean;
  readonly #hasColour: boolean;
  #drawnLines = 0;
  #drawnAt = -Infinity;
  #lastPlain = '';

  constructor(out: NodeJS.WriteStream) {
    this.#out = out;
    this.#isLive = out.isTTY === true && process.env['TERM'] !== 'dumb';
    this.#hasColour = this.#isLive && !process.env['NO_COLOR'];
  }

  get elapsedMs(): number {
    return performance.now() - this.#startedAt;
  }

  /** A line that stays, with the time it happened. */
  say(text: string): void {
    this.line(`${this.#dim(`${(this.elapsedMs / 1_000).toFixed(1).padStart(5)} s`)}  ${text}`);
  }

  line(text = ''): void {
    this.#erase();
    this.#out.write(`${text}\n`);
  }

  title(text: string): void {
    this.line(this.#paint('1', text));
  }

  check(isOk: boolean, text: string): void {
    this.line(`  ${isOk ? this.#paint('32', 'ok    ') : this.#paint('31', 'FAILED')}  ${text}`);
  }

  show(view: View): void {
    const now = performance.now();
    if (now - this.#drawnAt < (this.#isLive ? REDRAW_MS : PLAIN_EVERY_MS)) return;
    this.#drawnAt = now;
    if (!this.#isLive) {
      this.#showPlain(view);
      return;
    }
    const lines = this.#picture(view);
    this.#erase();
    this.#out.write(`${lines.join('\n')}\n`);
    this.#drawnLines = lines.length;
  }

  /** Takes the picture away. */
  clear(): void {
    this.#erase();
    this.#drawnAt = -Infinity;
  }

  #picture({ of, waiting, arrived, doing, rate }: View): string[] {
    const rows = PRIORITIES.map((priority) => {
      const phone = `${this.#bar(waiting[priority], of[priority], priority)} ${counted(waiting[priority])}`;
      const server = `${this.#bar(arrived[priority], of[priority], priority)} ${counted(arrived[priority])}`;
      return `         ${priority.padEnd(10)}${phone}    ${server}`;
    });
    const speed = rate === null ? '' : `${number.format(Math.round(rate))}/s`;
    const head = `${''.padEnd(19)}${'waiting on the phone'.padEnd(BAR_WIDTH + 11)}at the server`;
    const foot = `${'all'.padEnd(10)}${counted(total(waiting)).padStart(BAR_WIDTH + 7)}    ${counted(total(arrived)).padStart(BAR_WIDTH + 7)}`;
    return [
      '',
      this.#dim(head),
      ...rows,
      `         ${foot}`,
      '',
      `         ${doing}${speed === '' ? '' : this.#dim(`  ${speed}`)}`,
    ];
  }

  #showPlain({ waiting, arrived, doing }: View): void {
    const text = `${doing}: ${number.format(total(waiting))} waiting, ${number.format(total(arrived))} at the server`;
    if (text === this.#lastPlain) return;
    this.#lastPlain = text;
    this.say(text);
  }

  #bar(count: number, of: number, priority: (typeof PRIORITIES)[number]): string {
    const colours = { critical: '31', high: '33', normal: '36', low: '90' };
    return this.#paint(colours[priority], bar(of === 0 ? 0 : count / of, BAR_WIDTH));
  }

  #erase(): void {
    if (this.#drawnLines > 0) this.#out.write(`\u001B[${this.#drawnLines}A\u001B[0J`);
    this.#drawnLines = 0;
  }

  #dim(text: string): string {
    return this.#paint('2', text);
  }

  #paint(code: string, text: string): string {
    return this.#hasColour ? `\u001B[${code}m${text}\u001B[0m` : text;
  }
}

function counted(count: number): string {
  return number.format(count).padStart(6);
}
