/** Outlines on a grid of 24, drawn for this app. */
const OUTLINES = {
  account: 'M12 12a4 4 0 1 0 0-8 4 4 0 0 0 0 8zM4.5 20c1.2-3.4 4-5 7.5-5s6.3 1.6 7.5 5',
  back: 'M14.5 5.5 8 12l6.5 6.5',
  camera:
    'M4 8h3.2l1.6-2.5h6.4L16.8 8H20a1 1 0 0 1 1 1v9.5a1 1 0 0 1-1 1H4a1 1 0 0 1-1-1V9a1 1 0 0 1 1-1zM12 16.8a3.4 3.4 0 1 0 0-6.8 3.4 3.4 0 0 0 0 6.8z',
  claimed: 'M12 19V6M6.5 11.5 12 6l5.5 5.5',
  conflict: 'M6 4v5a4 4 0 0 0 4 4h4a4 4 0 0 1 4 4v3M18 4v5a4 4 0 0 1-2 3.4M6 20v-3a4 4 0 0 1 2-3.4',
  dead: 'M12 4 2.8 19.5h18.4zM12 10v4.2M12 16.9v.1',
  draft: 'M4.5 19.5 5.5 15 15.5 5l3.5 3.5-10 10zM13 7.5l3.5 3.5',
  fold: 'M5.5 9 12 15.5 18.5 9',
  notes: 'M6 3.5h9l4 4v13H6zM15 3.5v4h4M9 12h7M9 16h5',
  offline:
    'M4 4l16 16M5 12.5a10 10 0 0 1 4-2.6M19 12.5a10 10 0 0 0-5.4-3M8.5 16a5 5 0 0 1 6.5-.4M12 19.5v.1',
  pending: 'M12 7v5l3 2M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18z',
  plus: 'M12 5v14M5 12h14',
  remove: 'M6 6l12 12M18 6 6 18',
  reports: 'M4 19.5V10M9.5 19.5V4.5M15 19.5v-7M20.5 19.5V8',
  search: 'M10.5 17a6.5 6.5 0 1 0 0-13 6.5 6.5 0 0 0 0 13zM15.5 15.5 20 20',
  sync: 'M4.5 10A8 8 0 0 1 19 8M19.5 14A8 8 0 0 1 5 16M19.5 3.5V8H15M4.5 20.5V16H9',
  unfold: 'M5.5 15 12 8.5 18.5 15',
  synced: 'M5 12.5l4.5 4.5L19 7.5',
} as const;

export type IconName = keyof typeof OUTLINES;

/** Says nothing by itself: words stand beside it, or its button has a label. */
export function Icon({ name }: { readonly name: IconName }) {
  return (
    <svg className="icon" viewBox="0 0 24 24" aria-hidden="true" focusable="false">
      <path d={OUTLINES[name]} />
    </svg>
  );
}
