import { expect, test } from 'vitest';
import { paths, routeOf } from './route.ts';

test('every address that is made leads to its screen', () => {
  expect(routeOf('')).toEqual({ screen: 'notes', id: null, aboutReport: null });
  expect(routeOf(paths.note('a/b c'))).toEqual({ screen: 'notes', id: 'a/b c', aboutReport: null });
  expect(routeOf(paths.noteAbout('report-1'))).toMatchObject({
    id: 'new',
    aboutReport: 'report-1',
  });
  expect(routeOf(paths.report('report-1'))).toEqual({ screen: 'reports', id: 'report-1' });
  expect(routeOf(paths.conflict('7'))).toEqual({ screen: 'conflict', entryId: '7' });
  expect(routeOf(paths.sync)).toEqual({ screen: 'sync' });
});

test('an address with a broken escape is taken as it is', () => {
  expect(routeOf('#/notes/50%')).toMatchObject({ id: '50%' });
});
