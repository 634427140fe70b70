import type { ProjectFiles } from './project-files.ts';
import {
  definitionsIn,
  pluginId,
  plistArray,
  relativeImports,
  type Definition,
} from './source-scan.ts';

/** What the doctor found of one thing. */
export interface Finding {
  readonly level: 'ok' | 'warning' | 'problem';
  readonly message: string;
  /** What to do; null if nothing is. */
  readonly fix: string | null;
}

interface Manifest {
  readonly main?: string | null;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
}

const OURS = '@nexus-store/react-native';
const DEFAULT_ID = 'nexus-store.sync';
const LIMIT = 500;

const ok = (message: string): Finding => ({ level: 'ok', message, fix: null });
const warning = (message: string, fix: string): Finding => ({ level: 'warning', message, fix });
const problem = (message: string, fix: string): Finding => ({ level: 'problem', message, fix });

/** Looks at an app's folder: packages, entry file, Info.plist, AndroidManifest. Changes nothing. */
export function diagnose(files: ProjectFiles): readonly Finding[] {
  const text = files.read('package.json');
  if (text === undefined)
    return [problem('there is no package.json', 'Run it in the folder of the app, or name it.')];
  const manifest = manifestIn(text);
  if (manifest === undefined)
    return [problem('package.json is no JSON, or not what npm reads', 'Repair it.')];
  const { findings, definition } = entryFindings(files, manifest);
  return [
    ...packageFindings(files, manifest),
    ...findings,
    ...iosFindings(files, idOf(definition?.id)),
    ...androidFindings(files),
  ];
}

function manifestIn(text: string): Manifest | undefined {
  try {
    const json = JSON.parse(text) as Manifest | null;
    const isManifest = typeof json === 'object' && json !== null && !Array.isArray(json);
    return isManifest && typeof (json.main ?? '') === 'string' ? json : undefined;
  } catch {
    return undefined;
  }
}

/** Null if it stands in the source as something else than a text. */
function idOf(named: string | null | undefined): string | null {
  return named === undefined ? DEFAULT_ID : named;
}

function packageFindings(files: ProjectFiles, manifest: Manifest): readonly Finding[] {
  const all = { ...manifest.devDependencies, ...manifest.dependencies };
  const findings: Finding[] = [];
  const need = (name: string, fix: string): void => {
    if (!(name in all)) findings.push(problem(`${name} is missing`, fix));
    else if (files.installed(name) !== undefined) findings.push(ok(`${name} is installed`));
    else findings.push(problem(`${name} is in package.json, and not in node_modules`, INSTALL));
  };
  need('nexus-store', 'npm install nexus-store');
  const isOverAnother = 'expo-background-task' in all || 'react-native-background-fetch' in all;
  if (OURS in all || !isOverAnother) need(OURS, `npx expo install ${OURS} expo-task-manager`);
  if (OURS in all) need('expo-task-manager', 'npx expo install expo-task-manager');
  if (OURS in all && !('expo' in all) && !('expo-modules-core' in all))
    need('expo', 'npx install-expo-modules@latest');
  const versions = ['nexus-store', OURS].map((name) => installedVersion(files, name));
  const [core, phone] = versions;
  if (core !== undefined && phone !== undefined && core !== phone)
    findings.push(
      problem(
        `nexus-store is ${core} and ${OURS} is ${phone}`,
        'Install the same version of both: they share types and tables.',
      ),
    );
  return findings;
}

const INSTALL =
  'Install what package.json names: npm install, or what your package manager has for it.';

function installedVersion(files: ProjectFiles, name: string): string | undefined {
  try {
    return (JSON.parse(files.installed(name) ?? '{}') as { version?: string }).version;
  } catch {
    return undefined; // whoever starts the app hears of it
  }
}

const AT_SCOPE =
  'Call defineBackgroundSync at module scope of a file that the entry file imports: a headless start evaluates nothing else.';

function entryFindings(
  files: ProjectFiles,
  manifest: Manifest,
): { readonly findings: readonly Finding[]; readonly definition?: Definition } {
  const main = manifest.main ?? 'index';
  if (main.startsWith('expo-router/'))
    return {
      findings: [
        problem(
          'the entry file is that of expo-router, which loads routes when they are shown',
          'Make index.js with two lines, import "./field" (where defineBackgroundSync is called) and import "expo-router/entry", and set "main": "index.js".',
        ),
      ],
    };
  const isExpoEntry = /(^|\/)expo\/AppEntry(\.js)?$/.test(main);
  const entry = files.resolve('package.json', isExpoEntry ? './App' : `./${main}`);
  if (entry === undefined)
    return {
      findings: [problem(`the entry file ${main} is not there`, 'Correct "main" in package.json.')],
    };
  const reached = reachedFrom(files, entry);
  const found = reached.flatMap((path) =>
    definitionsIn(files.read(path) ?? '').map((definition) => ({ path, definition })),
  );
  const good = found.find(({ definition }) => definition.isAtModuleScope);
  const [first] = found;
  if (first === undefined)
    return {
      findings: [problem(`nothing that ${entry} imports calls defineBackgroundSync`, AT_SCOPE)],
    };
  if (good === undefined)
    return {
      findings: [problem(`${first.path} calls defineBackgroundSync inside a function`, AT_SCOPE)],
      definition: first.definition,
    };
  const findings = [ok(`${good.path} defines background sync at module scope`)];
  const usesOurs = reached.some((path) => (files.read(path) ?? '').includes(OURS));
  if (!usesOurs)
    findings.push(
      problem(
        `nothing that ${entry} imports, imports ${OURS}`,
        `Add import '${OURS}' before defineBackgroundSync is called: it defines the task and chooses the platform.`,
      ),
    );
  return { findings, definition: good.definition };
}

/** The entry file and what it imports by relative paths, itself first. */
function reachedFrom(files: ProjectFiles, entry: string): readonly string[] {
  const reached = [entry];
  for (let next = 0; next < reached.length && reached.length < LIMIT; next++) {
    const from = reached[next] as string;
    for (const specifier of relativeImports(files.read(from) ?? '')) {
      const path = files.resolve(from, specifier);
      if (path !== undefined && !reached.includes(path)) reached.push(path);
    }
  }
  return reached;
}

function iosFindings(files: ProjectFiles, id: string | null): readonly Finding[] {
  const plists = files.oneBelow('ios', 'Info.plist');
  if (plists.length === 0) return pluginFindings(files, id);
  const ids = id === null ? [] : [id, `${id}.soon`, `${id}.critical`];
  const rebuild =
    'With Expo, add the plugin to app.json and run npx expo prebuild; else see docs/guides/react-native.md.';
  return plists.flatMap((path) => {
    const plist = files.read(path) ?? '';
    const lacks = (key: string, wanted: readonly string[]): Finding => {
      const missing = wanted.filter((one) => plistArray(plist, key)?.includes(one) !== true);
      return missing.length === 0
        ? ok(`${path}: ${key} is complete`)
        : problem(`${path}: ${key} lacks ${missing.join(', ')}`, rebuild);
    };
    return [
      lacks('UIBackgroundModes', ['fetch', 'processing']),
      ...(id === null
        ? [warning(`the id of defineBackgroundSync is no plain text`, COMPARE(path))]
        : [
            lacks('BGTaskSchedulerPermittedIdentifiers', ids),
            lacks('NexusStoreSyncIdentifiers', ids),
          ]),
    ];
  });
}

const COMPARE = (path: string): string =>
  `It was not compared with ${path}: both must say the same.`;

function pluginFindings(files: ProjectFiles, id: string | null): readonly Finding[] {
  const names = ['app.json', 'app.config.js', 'app.config.ts'];
  const texts = names.flatMap((name) => {
    const text = files.read(name);
    return text === undefined ? [] : [{ name, text }];
  });
  if (texts.length === 0)
    return [warning('there is no ios folder and no app.json', 'iOS was not looked at.')];
  const plugin = texts.find(({ text }) => text.includes(OURS));
  if (plugin === undefined)
    return [problem(`the config plugin is not in app.json`, `Add "${OURS}" to expo.plugins.`)];
  return [
    ok(`the config plugin of ${OURS} is in the app's configuration`),
    ...idFindings(plugin.name, id, idOf(pluginId(plugin.text, OURS))),
  ];
}

/** iOS is told the identifiers of the plugin, and asked for those of the definition. */
function idFindings(
  name: string,
  defined: string | null,
  given: string | null,
): readonly Finding[] {
  if (defined === null)
    return [warning(`the id of defineBackgroundSync is no plain text`, COMPARE(name))];
  if (given === null)
    return [
      warning(`the id of the config plugin in ${name} is no plain text`, COMPARE('the code')),
    ];
  if (defined === given) return [ok(`${name} and defineBackgroundSync have the same id`)];
  return [
    problem(
      `${name} gives the config plugin the id ${given}, and defineBackgroundSync has ${defined}: iOS would refuse every wake-up`,
      `Write ["${OURS}", { "id": "${defined}" }] in expo.plugins.`,
    ),
  ];
}

/** Of WorkManager's own manifest: without these, nothing runs, or not after a reboot. */
const NEEDED = [
  'android.permission.RECEIVE_BOOT_COMPLETED',
  'android.permission.WAKE_LOCK',
  'android.permission.ACCESS_NETWORK_STATE',
  'androidx.work.impl.background.systemjob.SystemJobService',
  'androidx.work.WorkManagerInitializer',
];

function androidFindings(files: ProjectFiles): readonly Finding[] {
  const path = 'android/app/src/main/AndroidManifest.xml';
  const manifest = files.read(path);
  if (manifest === undefined) return [];
  const tags = manifest.match(/<[^!][^>]*>/g) ?? [];
  const removed = tags.filter((tag) => /tools:node\s*=\s*"remove"/.test(tag));
  const lost = NEEDED.filter((name) => removed.some((tag) => tag.includes(`"${name}"`)));
  return lost.length === 0
    ? [ok(`${path} leaves WorkManager what it needs`)]
    : [
        problem(
          `${path} removes ${lost.join(', ')}`,
          'Take the line with tools:node="remove" out.',
        ),
      ];
}
