import { useItem } from 'nexus-store/react';
import { reports } from '../app-field.ts';
import { airportOf } from '../model/report.ts';
import { paths } from '../route.ts';

/** The report that a note is about. */
export function ReportCard({ id }: { readonly id: string }) {
  const { value } = useItem(reports, id);
  return (
    <p className="report-card">
      About{' '}
      <a href={paths.report(id)}>
        {value === undefined
          ? id
          : `${value['Wildlife Species']} at ${airportOf(value)}, ${value['Flight Date']}`}
      </a>
    </p>
  );
}
