import { fileURLToPath } from 'node:url';
import type { InlineConfig } from 'vite';

/** Node reads the configuration itself, so that it finds the packages' sources as this script does. */
export const fromConfig: InlineConfig = {
  root: fileURLToPath(new URL('..', import.meta.url)),
  configLoader: 'native',
};
