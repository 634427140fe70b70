/**
 * Hues after Okabe and Ito, told apart by all common kinds of colour blindness, darker on light paper and
 * lighter on dark; nothing is told by hue alone.
 */
export const STYLE = `
:root { color-scheme: light dark;
  --paper: #fbfaf8; --card: #ffffff; --ink: #1a1d21; --soft: #555d68; --rule: #dcdad4; --axis: #8a9099;
  --blue: #0072b2; --sky: #6db3de; --red: #c64a00; --green: #00805c; --purple: #8a4f88; --amber: #9c6b00;
  --band: #f3e3d8; }
@media (prefers-color-scheme: dark) { :root {
  --paper: #111418; --card: #191d23; --ink: #eceae5; --soft: #a5adb8; --rule: #2f353e; --axis: #737c88;
  --blue: #4fa8e8; --sky: #2a6d9e; --red: #ff8a4a; --green: #35c595; --purple: #d79ad2; --amber: #e3aa35;
  --band: #33241b; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink);
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }
main { max-width: 1120px; margin: 0 auto; padding: 40px 40px 64px; }
header p, figcaption, .note { color: var(--soft); }
h1 { font-size: 2.1rem; line-height: 1.2; margin: 0 0 8px; letter-spacing: -0.015em; text-wrap: balance; }
h2 { font-size: 1.35rem; line-height: 1.3; margin: 56px 0 4px; letter-spacing: -0.01em; }
h3 { font-size: 1rem; margin: 32px 0 4px; }
p { margin: 4px 0 12px; max-width: 72ch; }
.kicker { text-transform: uppercase; letter-spacing: 0.08em; font-size: 0.78rem; margin: 0 0 8px; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(150px, 1fr)); gap: 12px;
  margin: 28px 0 0; padding: 0; }
.tiles div { background: var(--card); border: 1px solid var(--rule); border-radius: 10px; padding: 14px 16px; }
.tiles dt { color: var(--soft); font-size: 0.85rem; line-height: 1.35; }
.tiles dd { margin: 2px 0 0; font-size: 1.6rem; font-weight: 650; letter-spacing: -0.02em;
  font-variant-numeric: tabular-nums; white-space: nowrap; }
.tiles div { display: flex; flex-direction: column; justify-content: space-between; }
.tiles dd small { display: block; font-size: 0.85rem; font-weight: 400; color: var(--soft); letter-spacing: 0; }
figure { margin: 16px 0 0; } figcaption { margin: 12px 0 0; max-width: 80ch; }
svg { display: none; width: 100%; height: auto; overflow: visible; }
svg.narrow { display: block; }
@media (min-width: 600px) { svg.narrow { display: none; } svg.middle { display: block; } }
@media (min-width: 1080px) { svg.middle { display: none; } svg.wide { display: block; } }
svg text { font-size: 12px; fill: var(--ink); }
svg .tick, svg .strip, svg .axis-title { fill: var(--soft); font-variant-numeric: tabular-nums; }
svg .strong, strong { font-weight: 650; }
svg .grid { stroke: var(--rule); stroke-width: 1; }
svg .axis { stroke: var(--axis); stroke-width: 1; }
.wifi { fill: var(--blue); } .mobile { fill: var(--sky); } .roaming { fill: var(--amber); }
.gone { fill: var(--red); } .charging { fill: var(--green); } .front { fill: var(--purple); }
.periodic { fill: var(--soft); } .urgent { fill: var(--red); }
.critical { fill: var(--red); } .high { fill: var(--purple); } .normal { fill: var(--blue); }
.low { fill: var(--green); } .wait { opacity: 0.35; } .share { fill-opacity: 0.85; }
svg .mark { stroke: var(--ink); stroke-width: 1.5; stroke-dasharray: 2 2; }
svg .mark-text { font-size: 11px; }
.outage { fill: var(--band); } .served { fill: var(--blue); } .refused { fill: var(--red); }
svg .level { stroke: var(--ink); stroke-width: 1; stroke-dasharray: 6 4; }
.plate { fill: var(--paper); opacity: 0.88; }
.peak { fill: var(--paper); stroke: var(--ink); stroke-width: 2; }
.legend { display: flex; flex-wrap: wrap; gap: 4px 18px; margin: 12px 0 0; padding: 0; list-style: none;
  font-size: 0.85rem; color: var(--soft); }
.legend svg { display: inline-block; width: 18px; height: 14px; vertical-align: -2px; margin-right: 6px; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: 0.92rem; margin: 16px 0 0;
  width: 100%; }
th, td { text-align: right; padding: 7px 0 7px 14px; border-bottom: 1px solid var(--rule); white-space: nowrap; }
th:first-child, td:first-child { text-align: left; padding-left: 0; font-weight: 600; }
thead th { color: var(--soft); font-weight: 500; }
details { margin: 14px 0 0; font-size: 0.92rem; } summary { cursor: pointer; color: var(--soft); }
details ul { margin: 8px 0 0; padding-left: 20px; max-width: 80ch; } code, pre { font-size: 0.85rem; }
pre { background: var(--card); border: 1px solid var(--rule); border-radius: 10px; padding: 14px 16px;
  overflow-x: auto; }
@media (max-width: 719px) { main { padding: 24px 20px 48px; } h1 { font-size: 1.6rem; } h2 { margin-top: 44px; }
  .tiles { grid-template-columns: 1fr 1fr; } .tiles div:last-child:nth-child(odd) { grid-column: 1 / -1; }
  .tiles dd { font-size: 1.35rem; }
  table { font-size: 0.82rem; } th, td { padding-left: 8px; } }
@media print { body { background: none; } figure, table { break-inside: avoid; } }
`;
