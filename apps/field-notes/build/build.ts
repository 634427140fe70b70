// `npm run build -w field-notes`: the app into `dist`.
import { buildApp } from './build-app.ts';

await buildApp();
