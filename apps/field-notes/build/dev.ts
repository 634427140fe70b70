// `npm run dev -w field-notes`: Vite with the reference server inside.
import { createServer } from 'vite';
import { DEMO_USERS } from '../server/demo-users.ts';
import { fromConfig } from './from-config.ts';

const server = await createServer({ ...fromConfig, server: { port: 5173 } });
await server.listen();
server.printUrls();
const codes = Object.keys(DEMO_USERS).join(' or ');
console.log(`  Sign in with the access code ${codes}.`);
