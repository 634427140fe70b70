// Draws the app's icons into `public/icons`: `npm run icons -w field-notes`. No image library: shapes are
// signed distances, a PNG is a few chunks around a deflated bitmap.
import { mkdirSync, writeFileSync } from 'node:fs';
import { crc32, deflateSync } from 'node:zlib';

type Point = readonly [x: number, y: number];
type Colour = readonly [red: number, green: number, blue: number];
/** Negative inside, in units of a picture that is 1 wide. */
type Shape = (point: Point) => number;

const GREEN: Colour = [31, 111, 84];
const PAPER: Colour = [250, 249, 244];
const LINE: Colour = [150, 190, 174];
const AMBER: Colour = [232, 163, 61];

const box =
  (left: number, top: number, right: number, bottom: number, radius: number): Shape =>
  ([x, y]) => {
    const dx = Math.abs(x - (left + right) / 2) - (right - left) / 2 + radius;
    const dy = Math.abs(y - (top + bottom) / 2) - (bottom - top) / 2 + radius;
    return Math.hypot(Math.max(dx, 0), Math.max(dy, 0)) + Math.min(Math.max(dx, dy), 0) - radius;
  };

const disc =
  (x: number, y: number, radius: number): Shape =>
  (point) =>
    Math.hypot(point[0] - x, point[1] - y) - radius;

const stroke =
  (from: Point, to: Point, width: number): Shape =>
  ([x, y]) => {
    const [dx, dy] = [to[0] - from[0], to[1] - from[1]];
    const along = ((x - from[0]) * dx + (y - from[1]) * dy) / (dx * dx + dy * dy);
    const at = Math.min(1, Math.max(0, along));
    return Math.hypot(x - from[0] - at * dx, y - from[1] - at * dy) - width / 2;
  };

interface Layer {
  readonly shape: Shape;
  readonly colour: Colour;
}

/** A sheet with lines, and a round mark that says it has arrived. */
function layers(ground: Shape): readonly Layer[] {
  return [
    { shape: ground, colour: GREEN },
    { shape: box(0.27, 0.2, 0.69, 0.78, 0.05), colour: PAPER },
    { shape: box(0.34, 0.31, 0.62, 0.345, 0.0175), colour: LINE },
    { shape: box(0.34, 0.42, 0.62, 0.455, 0.0175), colour: LINE },
    { shape: box(0.34, 0.53, 0.5, 0.565, 0.0175), colour: LINE },
    { shape: disc(0.66, 0.68, 0.165), colour: GREEN },
    { shape: disc(0.66, 0.68, 0.135), colour: AMBER },
    { shape: stroke([0.6, 0.685], [0.645, 0.73], 0.036), colour: GREEN },
    { shape: stroke([0.645, 0.73], [0.725, 0.635], 0.036), colour: GREEN },
  ];
}

const ROUNDED = box(0.02, 0.02, 0.98, 0.98, 0.22);
/** Systems cut their own outline out of it. */
const FULL: Shape = () => -1;

function draw(size: number, ground: Shape): Buffer {
  const rows = Buffer.alloc(size * (size * 4 + 1));
  const painted = layers(ground);
  for (let y = 0; y < size; y += 1) {
    for (let x = 0; x < size; x += 1) {
      const point: Point = [(x + 0.5) / size, (y + 0.5) / size];
      rows.set(pixel(painted, point, size), y * (size * 4 + 1) + 1 + x * 4);
    }
  }
  return rows;
}

function pixel(painted: readonly Layer[], point: Point, size: number): readonly number[] {
  let colour: Colour = GREEN;
  let alpha = 0;
  for (const { shape, colour: own } of painted) {
    const cover = Math.min(1, Math.max(0, 0.5 - shape(point) * size));
    if (cover === 0) continue;
    const mix = (index: 0 | 1 | 2): number =>
      alpha === 0 ? own[index] : Math.round(colour[index] * (1 - cover) + own[index] * cover);
    colour = [mix(0), mix(1), mix(2)];
    alpha = alpha + (1 - alpha) * cover;
  }
  return [...colour, Math.round(alpha * 255)];
}

function png(size: number, ground: Shape): Buffer {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(size, 0);
  header.writeUInt32BE(size, 4);
  // Eight bits, colours with alpha, nothing interlaced.
  header.set([8, 6, 0, 0, 0], 8);
  return Buffer.concat([
    Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]),
    chunk('IHDR', header),
    chunk('IDAT', deflateSync(draw(size, ground), { level: 9 })),
    chunk('IEND', Buffer.alloc(0)),
  ]);
}

function chunk(type: string, data: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(type, 'latin1'), data]);
  const frame = Buffer.alloc(8);
  frame.writeUInt32BE(data.length, 0);
  frame.writeUInt32BE(crc32(body), 4);
  return Buffer.concat([frame.subarray(0, 4), body, frame.subarray(4)]);
}

const SVG = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 100 100">
  <rect x="2" y="2" width="96" height="96" rx="22" fill="#1f6f54" />
  <rect x="27" y="20" width="42" height="58" rx="5" fill="#faf9f4" />
  <path d="M36 33h24M36 44h24M36 55h12" stroke="#96beae" stroke-width="3.5" stroke-linecap="round" />
  <circle cx="66" cy="68" r="15" fill="#e8a33d" stroke="#1f6f54" stroke-width="3" />
  <path d="M60 68.5l4.5 4.5 8-9.5" fill="none" stroke="#1f6f54" stroke-width="3.6" stroke-linecap="round" stroke-linejoin="round" />
</svg>
`;

const folder = new URL('../public/icons/', import.meta.url);
mkdirSync(folder, { recursive: true });
for (const size of [192, 512]) {
  writeFileSync(new URL(`icon-${size}.png`, folder), png(size, ROUNDED));
  writeFileSync(new URL(`maskable-${size}.png`, folder), png(size, FULL));
}
writeFileSync(new URL('icon.svg', folder), SVG);
