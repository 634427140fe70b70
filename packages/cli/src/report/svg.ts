/** Markup as text. Whatever is not markup goes through `escaped`. */

export type Attributes = Readonly<Record<string, string | number | undefined>>;

export function escaped(text: string): string {
  return text.replace(/[&<>"']/g, (sign) => `&#${sign.charCodeAt(0)};`);
}

/** An element; numbers are rounded to a tenth. */
export function tag(name: string, attributes: Attributes, ...content: readonly string[]): string {
  const list = Object.entries(attributes).flatMap(([key, value]) => {
    if (value === undefined) return [];
    return ` ${key}="${typeof value === 'number' ? rounded(value) : escaped(value)}"`;
  });
  return `<${name}${list.join('')}>${content.join('')}</${name}>`;
}

export function rounded(value: number): number {
  return Math.round(value * 10) / 10;
}

export function label(x: number, y: number, text: string, attributes: Attributes = {}): string {
  return tag('text', { x, y, ...attributes }, escaped(text));
}

export function line(
  [x1, y1]: readonly [number, number],
  [x2, y2]: readonly [number, number],
  className: string,
): string {
  return tag('line', { x1, y1, x2, y2, class: className });
}

export interface Box {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/** Many rectangles of one look as one path: hundreds of them stay small. */
export function boxes(list: readonly Box[], className: string): string {
  if (list.length === 0) return '';
  const d = list
    .map(({ x, y, width, height }) => {
      const [w, h] = [rounded(width), rounded(height)];
      return `M${rounded(x)} ${rounded(y)}h${w}v${h}h${-w}z`;
    })
    .join('');
  return tag('path', { d, class: className });
}

export interface Drawing {
  readonly height: number;
  readonly body: string;
}

export interface Plot {
  readonly id: string;
  readonly title: string;
  /** What the plot shows, for who cannot see it. */
  readonly alternative: string;
  draw(width: number): Drawing;
}

/** Phone, tablet, desk: a plot is drawn for each, so that its text is never scaled to nothing. */
const WIDTHS = [
  ['narrow', 350],
  ['middle', 680],
  ['wide', 1040],
] as const;

export function plotMarkup(plot: Plot): string {
  return WIDTHS.map(([name, width]) => {
    const { height, body } = plot.draw(width);
    const id = `${plot.id}-${name}`;
    return tag(
      'svg',
      {
        viewBox: `0 0 ${width} ${rounded(height)}`,
        class: name,
        role: 'img',
        'aria-labelledby': `${id}-title ${id}-text`,
      },
      tag('title', { id: `${id}-title` }, escaped(plot.title)),
      tag('desc', { id: `${id}-text` }, escaped(plot.alternative)),
      body,
    );
  }).join('\n');
}
