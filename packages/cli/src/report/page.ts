import type { DeviceSimulation, FleetSimulation } from 'nexus-store/testing';
import { counted, formatCount, formatSpan } from '../format.ts';
import { dayPlot, daysOf, dayText, MOST_DAYS, weekPlot } from './day-plot.ts';
import { delayPlot, distributionsOf } from './delay-plot.ts';
import { loadPlot, outagePlot } from './load-plot.ts';
import {
  configText,
  DELAY_COLUMNS,
  delayRows,
  deviceTitle,
  fateText,
  loadText,
  smallFleetNote,
} from './simulated-text.ts';
import type { Simulated } from './simulation.ts';
import { STYLE } from './style.ts';
import { boxes, escaped, plotMarkup, tag, type Box, type Plot } from './svg.ts';

/** The report: one file that loads nothing and runs nothing. */
export function reportPage(simulated: Simulated): string {
  const { device, fleet } = simulated;
  const title = deviceTitle(device);
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>${escaped(title)}: nexus-store simulate</title>
<style>${STYLE}</style>
</head>
<body>
<main>
${header(simulated, title)}
${daySections(device)}
${delaySection(device)}
${fleet === null ? '' : fleetSection(fleet, simulated.fleetOf)}
${methodSection(simulated)}
</main>
</body>
</html>
`;
}

function header({ config, device, fleet }: Simulated, title: string): string {
  const { critical } = device.delays;
  const span = (ms: number | null): string => (ms === null ? 'none' : formatSpan(ms));
  const tiles: (readonly [name: string, value: string, unit: string])[] = [
    [
      'critical writes, half within',
      span(critical.p50Ms),
      `of ${counted(critical.saved, 'write')}`,
    ],
    ['critical writes, 99\u{a0}% within', span(critical.p99Ms), 'on this phone'],
    ['wake-ups', device.wakeUpsPerDay.toFixed(0), 'per day'],
    ['radio on', formatCount(device.radioOnSecondsPerDay), 's per day'],
    ['writes lost', formatCount(device.lost.length), `of ${formatCount(device.saves.length)}`],
    ...(fleet === null ? [] : [fleetTile(fleet)]),
  ];
  return `<header>
<p class="kicker">nexus-store simulate</p>
<h1>${escaped(title)}</h1>
<p>${escaped(`${configText(config, device.platform)} ${fateText(device)}`)}</p>
<dl class="tiles">${tiles
    .map(([name, value, unit]) => {
      const small = `<small>${escaped(unit)}</small>`;
      return `<div><dt>${escaped(name)}</dt><dd>${escaped(value)} ${small}</dd></div>`;
    })
    .join('')}</dl>
</header>`;
}

function fleetTile({ load, outage }: FleetSimulation): readonly [string, string, string] {
  const isOut = outage !== null;
  const ratio = isOut ? load.peakAfterOutageToMean : load.peakToMean;
  return [`server's peak ${isOut ? 'after the outage' : 'load'}`, ratio.toFixed(1), '× mean'];
}

function daySections(device: DeviceSimulation): string {
  const day = dayPlot(device);
  const roams = device.timeline.some(({ network }) => network === 'roaming');
  const keys = CONDITIONS.filter(([className]) => roams || className !== 'roaming');
  const days = daysOf(device).map((from) => `<li>${escaped(dayText(device, from))}</li>`);
  return `<section aria-labelledby="section-day">
<h2 id="section-day">${escaped(day.title)}</h2>
<p class="note">The day on which writes waited longest. A write is a bar from its save to its arrival on the
server: a thin one was there at once.</p>
${figure(day, day.alternative, legend([...keys, ...WRITES]))}
</section>
<section aria-labelledby="section-week">
<h2 id="section-week">All days</h2>
<p class="note">What the phone allowed, and when the system woke the app. On the first day nothing
can wake it before it was opened once.${daysOf(device).length > MOST_DAYS ? ` The first ${MOST_DAYS} are drawn.` : ''}</p>
${figure(weekPlot(device), '', legend(keys))}
<details><summary>The days in words</summary><ul>${days.join('')}</ul></details>
</section>`;
}

function delaySection(device: DeviceSimulation): string {
  const plot = delayPlot('delays', device.delays, distributionsOf(device));
  return `<section aria-labelledby="section-delays">
<h2 id="section-delays">From save to server</h2>
<p class="note">How long writes took, by priority: the curve is the share that was on the server by
then. The further left it rises, the better. Waiting for a network counts.</p>
${figure(plot, '')}
${delayTable(device.delays, 'Delay from save to server on this phone')}
</section>`;
}

function fleetSection(fleet: FleetSimulation, fleetOf: string): string {
  const plot = delayPlot('fleet-delays', fleet.delays, fleet.distributions);
  const isOut = fleet.outage !== null;
  const around = isOut ? figure(outagePlot(fleet), '', legend(LOAD)) : '';
  const note = smallFleetNote(fleet);
  return `<section aria-labelledby="section-fleet">
<h2 id="section-fleet">${escaped(counted(fleet.devices, 'phone'))} and one server</h2>
<p>${escaped(loadText(fleet))} ${escaped(note)}</p>
<p class="note">${escaped(`The fleet: ${fleetOf}; ${fleet.wakeUpsPerDay.toFixed(1)} wake-ups and ${formatCount(fleet.radioOnSecondsPerDay)} s of radio per phone and day.`)}</p>
${around}
<h3>All the time</h3>
${figure(loadPlot(fleet), '', isOut ? '' : legend(LOAD))}
<h3>From save to server, in the fleet</h3>
${figure(plot, '')}
${delayTable(fleet.delays, 'Delay from save to server in the fleet')}
</section>`;
}

function methodSection({ config, device }: Simulated): string {
  return `<section aria-labelledby="section-method">
<h2 id="section-method">How this was made</h2>
<p>The phone ran the real store, queue and background service on a virtual clock, over the rules by which
${device.platform === 'ios' ? 'iOS' : 'Android'} wakes apps. The person writes about once a minute while the
app is in front: 5 % critical, 15 % high, 50 % normal, 30 % low. The radio counts as on for ten seconds after
each request. A fleet's phones share those rules, in a shorter form. Seed ${device.seed} gives the same days
again; another seed gives others.</p>
<p class="note">It is a model: a phone's maker may be stricter, and iOS promises nothing.</p>
<h3>Configuration</h3>
<pre role="region" tabindex="0" aria-label="Configuration as JSON">${escaped(JSON.stringify(config, null, 2))}</pre>
</section>`;
}

function figure(plot: Plot, caption: string, below = ''): string {
  const text = caption === '' ? '' : `<figcaption>${escaped(caption)}</figcaption>`;
  return `<figure>${plotMarkup(plot)}${below}${text}</figure>`;
}

function delayTable(delays: DeviceSimulation['delays'], caption: string): string {
  const head = DELAY_COLUMNS.map((name) => `<th scope="col">${name}</th>`).join('');
  const rows = delayRows(delays).map(([name = '', ...cells]) => {
    const rest = cells.map((cell) => `<td>${escaped(cell)}</td>`).join('');
    return `<tr><th scope="row">${name}</th>${rest}</tr>`;
  });
  return `<div class="scroll" role="region" tabindex="0" aria-label="${escaped(caption)}"><table>
<thead><tr>${head}</tr></thead><tbody>${rows.join('')}</tbody></table></div>`;
}

type Key = readonly [className: string, text: string, box: Box];

const FULL: Box = { x: 0, y: 1, width: 18, height: 12 };
const HALF: Box = { x: 0, y: 7, width: 18, height: 6 };

const CONDITIONS: readonly Key[] = [
  ['wifi', 'Wi-Fi (full height)', FULL],
  ['mobile', 'mobile network (half)', HALF],
  ['roaming', 'roaming (half)', HALF],
  ['gone', 'no network (line)', { ...FULL, y: 10, height: 3 }],
  ['charging', 'charging', { ...FULL, y: 4, height: 8 }],
  ['front', 'app in front', { ...FULL, y: 4, height: 8 }],
  ['periodic', 'periodic wake-up (short)', { x: 8, y: 6, width: 1.5, height: 8 }],
  ['urgent', 'wake-up for critical or high (tall)', { x: 8, y: 0, width: 2.5, height: 14 }],
];
const WRITES: readonly Key[] = [
  ['normal wait', 'a write on its way, after its save (solid edge)', FULL],
];
const LOAD: readonly Key[] = [
  ['served', 'answered', FULL],
  ['refused', 'refused in the outage', FULL],
];

function legend(keys: readonly Key[]): string {
  const items = keys.map(([className, text, box]) => {
    const shape = tag(
      'svg',
      { viewBox: '0 0 18 14', 'aria-hidden': 'true' },
      boxes([box], className),
    );
    return `<li>${shape}${escaped(text)}</li>`;
  });
  return `<ul class="legend">${items.join('')}</ul>`;
}
