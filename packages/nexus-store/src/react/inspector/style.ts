/** The look of the inspector. It lives in a shadow root: nothing of it reaches the app, nor the reverse. */
export const STYLE: string = /* css */ `
:host { all: initial; display: block; block-size: 100%; min-block-size: 0; }
.inspector {
  color-scheme: light dark;
  --ground: light-dark(#f6f6f3, #121316);
  --surface: light-dark(#ffffff, #1a1c20);
  --raised: light-dark(#fbfbf9, #202328);
  --line: light-dark(#e5e4df, #2c2f36);
  --ink: light-dark(#1d1e22, #ecebe7);
  --soft: light-dark(#5d5f66, #a3a6ae);
  --accent: light-dark(#2f5fd0, #8fb0ff);
  --on-accent: light-dark(#ffffff, #10131c);
  --critical: light-dark(#c02b50, #ff7d99);
  --high: light-dark(#b35a00, #f7a94f);
  --normal: light-dark(#2f5fd0, #7ea6ff);
  --low: light-dark(#6c7280, #8e95a3);
  --good: light-dark(#1d7a4f, #5fcf98);
  --warn: light-dark(#9a5b00, #f2b35c);
  --bad: light-dark(#b3243f, #ff8095);
  --busy: light-dark(#2f5fd0, #8fb0ff);
  --conflict: light-dark(#7b3fb8, #c79bff);
  --mono: ui-monospace, 'SF Mono', 'Cascadia Mono', Menlo, Consolas, monospace;
  container-type: inline-size;
  block-size: 100%;
  overflow: auto;
  background: var(--ground);
  color: var(--ink);
  font: 14px/1.45 system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif;
  font-variant-numeric: tabular-nums;
  -webkit-text-size-adjust: 100%;
}
.inspector[data-theme='light'] { color-scheme: light; }
.inspector[data-theme='dark'] { color-scheme: dark; }
.frame { display: grid; gap: 12px; padding: 12px; max-inline-size: 1680px; margin: 0 auto; box-sizing: border-box; min-block-size: 100%; align-content: start; }
*, *::before, *::after { box-sizing: border-box; }
h2, h3, h4, p, dl, dd, dt, ul, ol, pre, figure, fieldset, legend { margin: 0; padding: 0; border: 0; }
ul, ol { list-style: none; }
h2 { font-size: 19px; font-weight: 650; letter-spacing: -0.01em; line-height: 1.2; }
h3 { font-size: 12px; font-weight: 650; letter-spacing: 0.06em; text-transform: uppercase; color: var(--soft); }
h3:focus { outline: none; }
h4 { display: flex; align-items: center; gap: 8px; font-size: 13px; font-weight: 600; }
small { font-size: 12px; color: var(--soft); }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; border-radius: 6px; }

/* ---- parts that return ---- */
button, select { font: inherit; color: var(--ink); background: var(--surface); border: 1px solid var(--line); border-radius: 8px; padding: 5px 11px; min-block-size: 32px; cursor: pointer; transition: border-color .15s; }
button:hover, select:hover { border-color: var(--soft); }
button.primary { background: var(--accent); border-color: var(--accent); color: var(--on-accent); font-weight: 600; }
button.danger { background: var(--bad); border-color: var(--bad); color: var(--on-accent); }
.actions { display: flex; flex-wrap: wrap; gap: 6px; align-items: center; }
.swatch { inline-size: 8px; block-size: 8px; border-radius: 3px; background: var(--tint, var(--low)); flex: none; }
[data-group='critical'] { --tint: var(--critical); }
[data-group='high'] { --tint: var(--high); }
[data-group='normal'] { --tint: var(--normal); }
[data-group='low'] { --tint: var(--low); }
[data-group='sending'] { --tint: var(--busy); }
[data-group='backing-off'], [data-group='after'], [data-group='oldest'] { --tint: var(--warn); }
[data-group='conflict'] { --tint: var(--conflict); }
[data-group='dead'] { --tint: var(--bad); }
[data-tone='good'] { --tint: var(--good); }
[data-tone='warn'] { --tint: var(--warn); }
[data-tone='bad'] { --tint: var(--bad); }
[data-tone='busy'] { --tint: var(--busy); }
[data-tone='quiet'] { --tint: var(--low); }
.panel, .why, .meters, .masthead { background: var(--surface); border: 1px solid var(--line); border-radius: 14px; padding: 14px 16px; min-inline-size: 0; }
.panel { display: grid; gap: 14px; align-content: start; }
.panel-head { display: flex; justify-content: space-between; align-items: center; gap: 8px; min-block-size: 32px; }
.empty { color: var(--soft); padding: 6px 0; max-inline-size: 46ch; }

/* ---- head ---- */
.masthead { display: grid; grid-template-columns: 1fr; gap: 12px; position: relative; overflow: hidden; }
.headline { display: flex; gap: 12px; align-items: center; min-inline-size: 0; }
.headline p { color: var(--soft); }
.lamp { inline-size: 12px; block-size: 12px; border-radius: 50%; background: var(--mood); box-shadow: 0 0 0 4px color-mix(in srgb, var(--mood) 20%, transparent); flex: none; margin: 4px; }
[data-mood='calm'] { --mood: var(--good); }
[data-mood='busy'] { --mood: var(--busy); }
[data-mood='waiting'] { --mood: var(--warn); }
[data-mood='stopped'] { --mood: var(--bad); }
[data-mood='busy'] .lamp { animation: breathe 1.4s ease-in-out infinite; }
.controls { display: flex; flex-wrap: wrap; gap: 8px; align-items: center; }
.switch { display: flex; flex: 1 1 100%; background: var(--ground); border: 1px solid var(--line); border-radius: 9px; padding: 2px; }
.switch legend { position: absolute; inline-size: 1px; block-size: 1px; overflow: hidden; clip-path: inset(50%); }
.switch label { position: relative; flex: 1; text-align: center; cursor: pointer; }
.switch input { position: absolute; inset: 0; opacity: 0; margin: 0; cursor: pointer; }
.switch span { display: block; padding: 3px 10px; border-radius: 7px; color: var(--soft); min-block-size: 26px; }
.switch input:checked + span { background: var(--surface); color: var(--ink); font-weight: 600; box-shadow: 0 1px 2px rgb(0 0 0 / .16); }
.switch input[value='offline']:checked + span { color: var(--bad); }
.switch input[value='slow']:checked + span { color: var(--warn); }
.switch input:focus-visible + span { outline: 2px solid var(--accent); }
.progress { position: absolute; inset-inline: 0; inset-block-end: 0; block-size: 3px; background: color-mix(in srgb, var(--busy) 16%, transparent); }
.progress i { display: block; block-size: 100%; background: var(--busy); transition: inline-size .25s ease-out; }

.controls > button { flex: 1 1 auto; }
.notice { grid-column: 1 / -1; font-size: 13px; color: var(--warn); border-inline-start: 3px solid currentColor; padding-inline-start: 10px; max-inline-size: 100ch; }

/* ---- meters ---- */
.meters { display: grid; gap: 12px; align-content: center; }
.stack { display: flex; gap: 2px; block-size: 8px; border-radius: 4px; overflow: hidden; background: var(--ground); }
.stack i { flex: 0 0 0; background: var(--tint); transition: flex-grow .35s ease-out; }
.numbers { display: grid; grid-template-columns: repeat(4, minmax(0, 1fr)); gap: 10px 12px; }
.numbers dt { display: flex; align-items: center; gap: 6px; font-size: 12px; color: var(--soft); white-space: nowrap; }
.numbers dd { font-size: 20px; font-weight: 600; letter-spacing: -0.01em; line-height: 1.25; }
.numbers [data-none] dd { color: var(--soft); font-weight: 500; }
.numbers [data-none] .swatch { background: var(--line); }

/* ---- why ---- */
.why { display: grid; gap: 6px; }
.why ol { display: grid; gap: 6px; }
.why em { font-style: normal; color: var(--accent); }
.why .failure { color: var(--bad); }

/* ---- tabs ---- */
.tabs { display: grid; grid-auto-flow: column; grid-auto-columns: 1fr; gap: 2px; background: var(--surface); border: 1px solid var(--line); border-radius: 12px; padding: 3px; position: sticky; inset-block-start: 8px; z-index: 2; box-shadow: 0 4px 16px rgb(0 0 0 / .06); }
.tabs button { border: 0; background: none; border-radius: 9px; color: var(--soft); padding: 5px 4px; min-block-size: 36px; font-size: 13px; }
.tabs button[aria-current] { background: var(--ground); color: var(--ink); font-weight: 600; }
.badge { display: inline-block; margin-inline-start: 5px; padding: 0 6px; border-radius: 9px; background: var(--bad); color: var(--on-accent); font-size: 11px; font-weight: 700; line-height: 17px; }
.board { display: grid; gap: 12px; min-inline-size: 0; }
.column { display: contents; }
.column > [data-tab] { display: none; }
.frame[data-tab='queue'] [data-tab='queue'], .frame[data-tab='dead'] [data-tab='dead'],
.frame[data-tab='activity'] [data-tab='activity'], .frame[data-tab='wake-ups'] [data-tab='wake-ups'] { display: grid; }

/* ---- queue ---- */
.group { display: grid; gap: 4px; }
.rows { display: grid; }
.row { border-block-start: 1px solid var(--line); }
.group .row:first-child, .panel > .rows .row:first-child { border-block-start: 0; }
.row summary { display: grid; grid-template-columns: auto minmax(0, 1fr) auto; grid-template-areas: 'bead names age' 'bead note note'; column-gap: 10px; row-gap: 2px; padding: 6px; margin-inline: -6px; border-radius: 8px; cursor: pointer; align-items: center; list-style: none; }
.row summary::-webkit-details-marker { display: none; }
.row summary:hover { background: var(--raised); }
.lane { display: inline-flex; align-items: center; margin-inline-start: 10px; vertical-align: middle; }
.row summary > .bead { grid-area: bead; }
.bead { display: block; inline-size: 8px; block-size: 8px; border-radius: 50%; border: 2px solid color-mix(in srgb, var(--tint, var(--soft)) 55%, transparent); flex: none; }
.lane .bead { margin-inline-start: 4px; position: relative; }
.lane .bead::before { content: ''; position: absolute; inset-inline-end: calc(100% + 2px); inset-block-start: 1px; inline-size: 4px; block-size: 2px; background: color-mix(in srgb, var(--soft) 45%, transparent); }
.lane small { margin-inline-start: 5px; font-size: 11px; }
.bead.first, .events .bead, .runs .bead, .pulse .bead, .lane-list .bead { inline-size: 10px; block-size: 10px; background: var(--tint, var(--soft)); border-color: transparent; background-clip: padding-box; }
.bead.first { inline-size: 14px; block-size: 14px; }
.lane-list .bead { background: none; border-color: var(--tint, var(--soft)); }
.bead[data-state='dead'] { --tint: var(--bad); background: var(--bad); border-color: transparent; }
.bead[data-state='conflict'] { --tint: var(--conflict); background: var(--conflict); border-color: transparent; }
.bead[data-state='claimed'] { --tint: var(--busy); background: var(--busy); animation: breathe 1.4s ease-in-out infinite; }
.bead.first[data-place='backing-off'], .bead.first[data-place='after'] { background: none; border-color: var(--tint); border-style: dashed; }
.names { grid-area: names; min-inline-size: 0; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.names b { font-weight: 600; }
.entity { font-family: var(--mono); font-size: 12.5px; color: var(--soft); }
.age { grid-area: age; font-size: 12px; color: var(--soft); white-space: nowrap; }
.note { grid-area: note; display: flex; flex-wrap: wrap; gap: 4px 8px; align-items: center; font-size: 12px; color: var(--soft); }
.note:empty { display: none; }
.tag { padding: 0 7px; border-radius: 6px; background: var(--ground); border: 1px solid var(--line); color: var(--soft); line-height: 18px; font-size: 12px; }
.tag.warn { color: var(--warn); border-color: color-mix(in srgb, var(--warn) 35%, transparent); }
.tag.bad { color: var(--bad); border-color: color-mix(in srgb, var(--bad) 35%, transparent); }
.tag.lift { color: var(--critical); border-color: color-mix(in srgb, var(--critical) 35%, transparent); }
.row-actions { padding: 0 0 10px 24px; }
.row-actions button { min-block-size: 28px; padding: 2px 10px; font-size: 13px; }
.body { display: grid; gap: 12px; padding: 6px 0 14px 24px; }
.body dl { display: grid; gap: 3px; }
.body dl div { display: grid; grid-template-columns: 92px minmax(0, 1fr); gap: 8px; font-size: 13px; }
.body dt { color: var(--soft); }
.body dd { overflow-wrap: anywhere; }
.body .said { font-size: 13px; color: var(--soft); overflow-wrap: anywhere; }
.lane-list { display: grid; gap: 5px; padding: 10px 12px; background: var(--raised); border: 1px solid var(--line); border-radius: 10px; }
.lane-list li { display: flex; align-items: center; gap: 8px; font-size: 13px; color: var(--soft); }
.lane-list li[data-current] { color: var(--ink); }
.body pre { font: 12px/1.5 var(--mono); background: var(--raised); border: 1px solid var(--line); border-radius: 10px; padding: 10px 12px; overflow: auto; max-block-size: 260px; white-space: pre-wrap; overflow-wrap: anywhere; }
.select { font-size: 13px; color: var(--soft); }
.select select { padding: 4px 6px; }
.pager { display: flex; gap: 6px; font-size: 12px; color: var(--soft); padding-block-start: 4px; }
.pager button { min-block-size: 28px; padding: 2px 9px; font-size: 12px; }

/* ---- activity ---- */
.pulse { display: grid; gap: 6px; }
.pulse svg { inline-size: 100%; block-size: 52px; display: block; }
.pulse rect { fill: var(--tint); }
.pulse .ground { fill: var(--line); }
.pulse figcaption { display: flex; flex-wrap: wrap; gap: 4px 14px; font-size: 12px; color: var(--soft); }
.pulse figcaption span { display: inline-flex; align-items: center; gap: 5px; }
.pulse figcaption small { margin-inline-start: auto; }
.events { display: grid; max-block-size: 420px; overflow: auto; margin-inline: -6px; padding-inline: 6px; }
.events li { display: grid; grid-template-columns: auto auto minmax(0, 1fr); column-gap: 9px; align-items: center; padding: 5px 0; border-block-start: 1px solid var(--line); font-size: 13px; animation: arrive .3s ease-out; }
.events li:first-child { border-block-start: 0; }
.events b { font-weight: 600; }
.events time { font-size: 12px; color: var(--soft); }
.events p { display: flex; flex-wrap: wrap; gap: 0 9px; align-items: baseline; min-inline-size: 0; }
.events span { color: var(--soft); font-size: 12.5px; overflow-wrap: anywhere; }

/* ---- wake-ups ---- */
.timeline { display: grid; gap: 6px; }
.track { display: grid; grid-template-columns: 60px minmax(0, 1fr); gap: 8px; align-items: center; }
.rail { position: relative; block-size: 20px; border-radius: 6px; background: var(--ground); }
.rail i { position: absolute; inset-block: 3px; border-radius: 3px; background: var(--tint); opacity: .9; }
.axis { display: flex; justify-content: space-between; padding-inline-start: 68px; }
.runs { display: grid; gap: 5px; }
.runs li { display: grid; grid-template-columns: auto auto minmax(0, 1fr); column-gap: 9px; align-items: center; font-size: 13px; }
.runs b { font-weight: 600; white-space: nowrap; }
.runs span { color: var(--soft); }

/* ---- foot ---- */
.foot { display: flex; flex-wrap: wrap; gap: 8px 16px; justify-content: space-between; align-items: center; padding: 0 4px 4px; }
.foot .message { color: var(--soft); min-block-size: 21px; overflow-wrap: anywhere; }
.check { font-size: 13px; color: var(--soft); display: inline-flex; align-items: center; gap: 5px; cursor: pointer; }
.check input { inline-size: 16px; block-size: 16px; margin: 0; accent-color: var(--accent); }

@keyframes breathe { 50% { opacity: .45; } }
@keyframes arrive { from { translate: 0 -5px; } }
@media (prefers-reduced-motion: reduce) { * { animation: none !important; transition: none !important; } }

/* Where people have colours of their own: what is chosen and what colour tells stay visible. */
@media (forced-colors: active) {
  .switch input:checked + span, .tabs button[aria-current='true'], button.primary, button.danger { forced-color-adjust: none; background: Highlight; color: HighlightText; }
  .switch input:focus-visible + span { outline: 2px solid CanvasText; outline-offset: 2px; }
  .lane-list li[data-current] b { text-decoration: underline; }
  .badge { border: 1px solid CanvasText; }
  .lamp, .swatch, .bead, .stack i, .rail i, .progress i, .pulse rect { forced-color-adjust: none; }
}

@container (min-width: 620px) {
  .frame { padding: 16px; gap: 14px; }
  .masthead { grid-template-columns: minmax(0, 1fr) auto; align-items: center; }
  .numbers { grid-template-columns: repeat(8, minmax(0, auto)); justify-content: space-between; }
  .switch, .controls > button { flex: none; }
  .row summary { grid-template-columns: auto minmax(0, 1fr) minmax(0, 1.3fr) auto; grid-template-areas: 'bead names note age'; }
  .note { justify-content: flex-end; }
  .row[data-state='dead'] { display: grid; grid-template-columns: minmax(0, 1fr) auto; align-items: start; }
  .row-actions { padding: 3px 0 3px 12px; }
}
@container (min-width: 980px) {
  .tabs { display: none; }
  .board { grid-template-columns: minmax(0, 1.55fr) minmax(0, 1fr); align-items: start; }
  .column { display: grid; gap: 14px; }
  .column > [data-tab] { display: grid; }
  .top { display: grid; grid-template-columns: minmax(0, 1.55fr) minmax(0, 1fr); gap: 14px; }
}
.top { display: grid; gap: 12px; }
@container (min-width: 980px) { .top { gap: 14px; } }
`;
