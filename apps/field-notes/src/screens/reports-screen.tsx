import { useItem, useItems } from 'nexus-store/react';
import { memo, useDeferredValue, useMemo, useState } from 'react';
import { notes, reports } from '../app-field.ts';
import { useMissing } from '../hooks.ts';
import { completeNote, nameOf } from '../model/note.ts';
import { airportOf, DAMAGES, damageOf, matchesReport, type Report } from '../model/report.ts';
import { Failure } from '../parts/failure.tsx';
import { Heading } from '../parts/heading.tsx';
import { Icon } from '../parts/icon.tsx';
import { FilterChips, SearchField, ShowMore, useShownCount } from '../parts/list-tools.tsx';
import { paths } from '../route.ts';
import type { Missing } from '../words/missing-words.ts';

const FILTERS = [
  { value: 'all', label: 'All' },
  ...DAMAGES.map(({ priority, label }) => ({ value: priority as string, label })),
];

/** The field reports that the server has: to look up, and to write notes about. */
export function ReportsScreen({ id }: { readonly id: string | null }) {
  return (
    <div className="split" data-shows={id === null ? 'list' : 'detail'}>
      <ReportList openId={id} />
      <section className="detail" aria-label="Report">
        {id === null ? (
          <p className="empty">Choose a report to read it, or to write a note about it.</p>
        ) : (
          <OpenReport key={id} id={id} />
        )}
      </section>
    </div>
  );
}

function ReportList({ openId }: { readonly openId: string | null }) {
  const [search, setSearch] = useState('');
  const [filter, setFilter] = useState('all');
  const words = useDeferredValue(search.trim());
  const said = DAMAGES.find(({ priority }) => priority === filter)?.said;
  const { status, value, error, refresh } = useItems(reports, {
    ...(said === undefined ? {} : { where: { 'Effect Amount of damage': { in: said } } }),
    orderBy: { field: 'Flight Date', direction: 'descending' },
  });
  const missing = useMissing('the reports');
  const found = useMemo(
    () => (value ?? []).filter((report) => words === '' || matchesReport(report, words)),
    [value, words],
  );
  const { shown, showMore } = useShownCount(`${words} ${filter}`);
  return (
    <section className="list" aria-label="Reports">
      <div className="list-head">
        <Heading title="Reports" takesFocus={openId === null}>
          Reports
        </Heading>
      </div>
      <SearchField label="Search reports" value={search} onChange={setSearch} />
      <FilterChips label="Which reports" options={FILTERS} value={filter} onChange={setFilter} />
      {status === 'failed' && <Failure error={error} onRetry={refresh} />}
      <p className="count" role="status">
        {status === 'loading' ? 'Reading …' : countWords(found.length, missing)}
      </p>
      <ul className="rows">
        {found.slice(0, shown).map((report) => (
          <ReportRow key={report.id} report={report} isOpen={report.id === openId} />
        ))}
      </ul>
      <ShowMore left={found.length - shown} onMore={showMore} />
    </section>
  );
}

function countWords(found: number, missing: Missing | null): string {
  const count = `${found.toLocaleString()} ${found === 1 ? 'report' : 'reports'}`;
  if (missing !== null)
    return found === 0 ? missing.sentence : `${count} so far. ${missing.sentence}`;
  return found === 0 ? 'No report is like that on this device.' : count;
}

const ReportRow = memo(function ReportRow({
  report,
  isOpen,
}: {
  readonly report: Report;
  readonly isOpen: boolean;
}) {
  const { label, priority } = damageOf(report);
  return (
    <li>
      <a className="row" href={paths.report(report.id)} aria-current={isOpen ? 'true' : undefined}>
        <span className="row-top">
          <span className="row-title">{report['Wildlife Species']}</span>
          <time dateTime={report['Flight Date']}>{report['Flight Date']}</time>
        </span>
        <span className="row-site">{airportOf(report)}</span>
        <span className="row-foot">
          <span className="chip" data-priority={priority}>
            {label}
          </span>
          <span className="faint">{report['Aircraft Make Model']}</span>
        </span>
      </a>
    </li>
  );
});

const FACTS: readonly { readonly field: keyof Report; readonly label: string }[] = [
  { field: 'Flight Date', label: 'Date' },
  { field: 'Time of day', label: 'Time of day' },
  { field: 'Origin State', label: 'State' },
  { field: 'Aircraft Make Model', label: 'Aircraft' },
  { field: 'Aircraft Airline Operator', label: 'Operator' },
  { field: 'Phase of flight', label: 'Phase of flight' },
  { field: 'Speed IAS in knots', label: 'Speed in knots' },
  { field: 'Wildlife Size', label: 'Size of the animal' },
  { field: 'Effect Amount of damage', label: 'Damage as reported' },
  { field: 'Cost Total $', label: 'Cost in dollars' },
];

function OpenReport({ id }: { readonly id: string }) {
  const { status, value: report, error, refresh } = useItem(reports, id);
  const { value: about = [] } = useItems(notes, { where: { reportId: id } });
  const missing = useMissing();
  if (status === 'failed') return <Failure error={error} onRetry={refresh} />;
  if (status === 'loading') return <p className="empty">Reading the report …</p>;
  if (report === undefined)
    return <p className="empty">{missing?.sentence ?? 'This report is not on this device.'}</p>;
  return (
    <article className="report">
      <div className="detail-head">
        <a className="back" href={paths.reports}>
          <Icon name="back" />
          <span className="back-label">Reports</span>
        </a>
        <Heading title={report['Wildlife Species']}>{report['Wildlife Species']}</Heading>
      </div>
      <p className="lead">{airportOf(report)}</p>
      <dl className="facts">
        {FACTS.filter(({ field }) => (report[field] ?? '') !== '').map(({ field, label }) => (
          <div key={field}>
            <dt>{label}</dt>
            <dd>{report[field]}</dd>
          </div>
        ))}
      </dl>
      <h2>Notes about it</h2>
      {about.length === 0 ? (
        <p className="faint">{missing?.sentence ?? 'None yet.'}</p>
      ) : (
        <ul className="plain-list">
          {about.map(completeNote).map((note) => (
            <li key={note.id}>
              <a href={paths.note(note.id)}>{nameOf(note)}</a>
            </li>
          ))}
        </ul>
      )}
      <p>
        <a className="button primary" href={paths.noteAbout(id)}>
          <Icon name="plus" />
          Write a note about it
        </a>
      </p>
    </article>
  );
}
