import { defineConfig } from 'vite';
import { conditions } from './build/conditions.ts';
import { referenceServer } from './build/reference-server-plugin.ts';
import { serviceWorker } from './build/service-worker-plugin.ts';

export default defineConfig({
  resolve: { conditions },
  plugins: [serviceWorker(), referenceServer()],
  oxc: { jsx: { runtime: 'automatic' } },
  build: {
    target: 'es2023',
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
    // React and the whole store: all of it is needed before the first screen.
    chunkSizeWarningLimit: 700,
    rolldownOptions: {
      onwarn: (warning, warn) => {
        // The hooks say 'use client' to servers that render components; a page has no need of it.
        if (warning.code !== 'MODULE_LEVEL_DIRECTIVE') warn(warning);
      },
    },
  },
});
