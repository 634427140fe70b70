import type { Plugin } from 'vite';
import { createFieldServer } from '../server/field-server.ts';

/** In development the server's part runs inside Vite, in memory, with a few reports: one origin, no CORS. */
export function referenceServer(): Plugin {
  return {
    name: 'field-notes:reference-server',
    apply: 'serve',
    configureServer: async (server) => {
      const field = await createFieldServer({ database: ':memory:', hasSampleReports: true });
      server.middlewares.use((request, response, next) => {
        field.answer(request, response).then((isAnswered) => {
          if (!isAnswered) next();
        }, next);
      });
      server.httpServer?.on('close', () => void field.close());
    },
  };
}
