// One process of the app on a phone without a screen: the bundle's entry is evaluated, expo-task-manager's own
// JavaScript is told to run the task, expo-sqlite's own JavaScript has Node's SQLite below it, and Expo's fetch
// Node's. The builtins are those of Hermes.
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { runInContext } from 'node:vm';

const TASK = 'nexus-store.background-sync';
const WARNING = 2;
/** What React Native says of native parts that a context without a screen lacks. */
const EXPECTED = /^Could not access feature flag /;

export class HeadlessApp {
  /** Warnings and errors on the console. @type {string[]} */
  said = [];
  /** Numbers for the icon. @type {number[]} */
  badges = [];
  /** What was asked of the system. @type {Record<string, any>[]} */
  asked = [];
  #context;
  #timers = new Map();
  #lastTimer = 0;
  #results = new Map();
  #databases = [];
  #isAlive = true;

  /**
   * @param {object} options
   * @param {object} options.context a fresh one, with the builtins of Hermes
   * @param {string} options.script the bundle
   * @param {'android' | 'ios'} options.platform
   * @param {string} options.folder where databases are
   * @param {(url: string) => string} options.route where requests go
   */
  constructor({ context, script, platform, folder, route }) {
    this.#context = context;
    Object.assign(context, { host: this.#host(platform, folder, route) });
    const side = readFileSync(join(import.meta.dirname, 'native-side.js'), 'utf8');
    runInContext(side, context, { filename: 'native-side.js' });
    runInContext(script, context, { filename: `${platform}.bundle.js` });
  }

  /**
   * The system begins a run.
   *
   * @param {Record<string, unknown>} run
   * @returns {Promise<{ runId: string, result: string } | null>} what JavaScript answered; null: no such task
   */
  run(run) {
    const eventId = randomUUID();
    const result = new Promise((resolve) => this.#results.set(eventId, resolve));
    const event = JSON.stringify({
      data: run,
      error: null,
      executionInfo: { eventId, taskName: TASK },
    });
    runInContext(`wakeUp(${JSON.stringify(event)})`, this.#context);
    return result;
  }

  /** The system takes the process. */
  kill() {
    this.#isAlive = false;
    for (const stop of this.#timers.values()) stop();
    for (const database of this.#databases.splice(0)) database.close();
  }

  #timer(set, clear) {
    return (callback, delayMs) => {
      const id = (this.#lastTimer += 1);
      const timer = set(() => this.#isAlive && callback(), delayMs);
      this.#timers.set(id, () => clear(timer));
      return id;
    };
  }

  #host(platform, folder, route) {
    const statements = [];
    const clear = (id) => this.#timers.get(id)?.();
    const answerTo = async (url, init) => {
      const { method, headers, text } = JSON.parse(init);
      const answer = await fetch(route(url), { method, headers, body: text, redirect: 'manual' });
      const bytes = [...new Uint8Array(await answer.arrayBuffer())];
      return JSON.stringify({ status: answer.status, headers: [...answer.headers], bytes });
    };
    return {
      platform,
      setTimeout: this.#timer(setTimeout, clearTimeout),
      setInterval: this.#timer(setInterval, clearInterval),
      clearTimeout: clear,
      clearInterval: clear,
      now: () => performance.now(),
      uuid: () => randomUUID(),
      log: (level, text) => {
        if (level >= WARNING && !EXPECTED.test(text)) this.said.push(text);
      },
      bytesOf: (text) => [...Buffer.from(text, 'utf8')],
      textOf: (bytes) => Buffer.from(bytes).toString('utf8'),
      fetch: answerTo,
      sqlite: {
        open: (path) => this.#databases.push(new DatabaseSync(join(folder, path))) - 1,
        exec: (database, sql) => this.#databases[database].exec(sql),
        close: (database) => this.#databases.splice(database, 1, { close() {} })[0].close(),
        prepare: (database, sql) => {
          const statement = this.#databases[database].prepare(sql);
          statement.setReturnArrays(true);
          return statements.push(statement) - 1;
        },
        run: (statement, values) =>
          JSON.stringify(statements[statement].all(...JSON.parse(values))),
      },
      schedule: (request) => void this.asked.push(JSON.parse(request)),
      badge: (count) => void this.badges.push(count),
      finished: (eventId, result) => this.#results.get(eventId)?.(JSON.parse(result)),
    };
  }
}
