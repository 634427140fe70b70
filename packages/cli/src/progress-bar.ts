import { formatCount, formatSpan } from './format.ts';

export interface Terminal {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string): unknown;
}

const WIDTH = 24;
const REDRAW_MS = 100;
const CLEAR_LINE = '\r\u001B[2K';

/** One line that is drawn over itself, on a terminal only. `fraction` is null if the end is not known. */
export class ProgressBar {
  readonly #terminal: Terminal;
  readonly #label: string;
  readonly #startedAt = performance.now();
  #drawnAt = -Infinity;
  #isDrawn = false;

  constructor(terminal: Terminal, label: string) {
    this.#terminal = terminal;
    this.#label = label;
  }

  update(fraction: number | null, count: number, unit: string): void {
    const now = performance.now();
    if (this.#terminal.isTTY !== true || now - this.#drawnAt < REDRAW_MS) return;
    this.#drawnAt = now;
    this.#isDrawn = true;
    const elapsedMs = now - this.#startedAt;
    const line = progressLine(this.#label, fraction, count, unit, elapsedMs);
    this.#terminal.write(CLEAR_LINE + line.slice(0, (this.#terminal.columns ?? 80) - 1));
  }

  /** Leaves the line empty, for what is printed next. */
  clear(): void {
    if (this.#isDrawn) this.#terminal.write(CLEAR_LINE);
    this.#isDrawn = false;
  }
}

export function progressLine(
  label: string,
  fraction: number | null,
  count: number,
  unit: string,
  elapsedMs: number,
): string {
  const speed = elapsedMs < 500 ? '' : `  ${formatCount((count / elapsedMs) * 1_000)}/s`;
  const done = `${formatCount(count)} ${unit}${speed}`;
  if (fraction === null) return `${label}  ${done}`;
  const part = Math.min(1, Math.max(0, fraction));
  const left =
    part <= 0 || part >= 1 || elapsedMs < 1_000
      ? ''
      : `  ${formatSpan((elapsedMs / part) * (1 - part))} left`;
  return `${label}  ${bar(part, WIDTH)} ${String(Math.floor(part * 100)).padStart(3)} %  ${done}${left}`;
}

/** A bar of so many cells, `part` of it filled. */
export function bar(part: number, width: number): string {
  const filled = Math.round(Math.min(1, Math.max(0, part)) * width);
  return '█'.repeat(filled) + '░'.repeat(width - filled);
}
