import { expect, test } from 'vitest';
import { paths, routeOf } from './route.ts';

test('every address that is made leads to its screen', () => {
  const noReport = { screen: 'notes', aboutReport: null };
  expect(routeOf('')).toEqual({ ...noReport, id: null, stage: 'stored' });
  expect(routeOf(paths.note('a/b c'))).toEqual({ ...noReport, id: 'a/b c', stage: 'stored' });
  expect(routeOf(paths.newNote)).toEqual({ ...noReport, id: null, stage: 'to-begin' });
  expect(routeOf(paths.unsavedNote('a/b c', null))).toEqual({
    ...noReport,
    id: 'a/b c',
    stage: 'new',
  });
  expect(routeOf(paths.unsavedNote('n', 'report&1'))).toEqual({
    screen: 'notes',
    id: 'n',
    stage: 'new',
    aboutReport: 'report&1',
  });
  expect(routeOf(paths.noteAbout('report-1'))).toMatchObject({
    stage: 'to-begin',
    aboutReport: 'report-1',
  });
  expect(routeOf(paths.report('report-1'))).toEqual({ screen: 'reports', id: 'report-1' });
  expect(routeOf(paths.conflict('7'))).toEqual({ screen: 'conflict', entryId: '7' });
  expect(routeOf(paths.sync)).toEqual({ screen: 'sync' });
});

test('an address with a broken escape is taken as it is', () => {
  expect(routeOf('#/notes/50%')).toMatchObject({ id: '50%' });
});
