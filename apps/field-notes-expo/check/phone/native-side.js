// What the native half of React Native and Expo puts into a context before the app's bundle is evaluated, as far as
// a headless start needs it. Evaluated in the context itself, so that its objects are of that world; `host` does the
// work. A native module that is not written out here is there, and does nothing.
(() => {
  const { host } = globalThis;
  delete globalThis.host;
  const soon = Promise.resolve();
  Object.assign(globalThis, {
    global: globalThis,
    HermesInternal: {
      hasPromise: () => true,
      useEngineQueue: () => true,
      getRuntimeProperties: () => ({}),
    },
    RN$Bridgeless: true,
    RN$registerCallableModule: () => {},
    setTimeout: host.setTimeout,
    clearTimeout: host.clearTimeout,
    setInterval: host.setInterval,
    clearInterval: host.clearInterval,
    requestAnimationFrame: (callback) => host.setTimeout(() => callback(0), 16),
    cancelAnimationFrame: host.clearTimeout,
    queueMicrotask: (callback) => void soon.then(callback),
    nativePerformanceNow: host.now,
    performance: { now: host.now },
    nativeLoggingHook: (text, level) => host.log(level, text),
    console: Object.fromEntries(
      [
        'log',
        'info',
        'debug',
        'warn',
        'error',
        'assert',
        'trace',
        'group',
        'groupEnd',
        'table',
      ].map((name, level) => [
        name,
        (...parts) => host.log(level, parts.map((part) => part?.stack ?? String(part)).join(' ')),
      ]),
    ),
  });

  // Hermes has these; a context of Node does not.
  globalThis.TextEncoder ??= class TextEncoder {
    encode(text = '') {
      return Uint8Array.from(host.bytesOf(String(text)));
    }
  };

  /** Answers every call with nothing. */
  const nothing = (name) =>
    new Proxy(
      {},
      {
        get: (known, key) => {
          if (typeof key === 'symbol' || key === 'then' || key === '$$typeof') return known[key];
          if (key === 'getConstants') return () => CONSTANTS[name] ?? {};
          return (known[key] ??= () => undefined);
        },
        has: () => true,
      },
    );

  const CONSTANTS = {
    PlatformConstants: {
      reactNativeVersion: { major: 0, minor: 86, patch: 3, prerelease: null },
      Version: 36,
      Release: '16',
      uiMode: 'normal',
      isTesting: false,
      forceTouchAvailable: false,
      osVersion: '26.0',
      systemName: 'iOS',
      interfaceIdiom: 'phone',
    },
    DeviceInfo: {
      Dimensions: {
        window: { width: 400, height: 800, scale: 2, fontScale: 1 },
        screen: { width: 400, height: 800, scale: 2, fontScale: 1 },
        windowPhysicalPixels: { width: 800, height: 1600, scale: 2, fontScale: 1, densityDpi: 320 },
        screenPhysicalPixels: { width: 800, height: 1600, scale: 2, fontScale: 1, densityDpi: 320 },
      },
    },
    SourceCode: { scriptURL: 'file:///bundle.js' },
    I18nManager: { isRTL: false, doLeftAndRightSwapInRTL: true },
    AppState: { initialAppState: 'background' },
    StatusBarManager: { HEIGHT: 24, DEFAULT_BACKGROUND_COLOR: 0 },
  };

  const ABSENT = new Set([
    'NativePerformanceCxx',
    'NativeReactNativeFeatureFlagsCxx',
    'NativeUnimoduleProxy',
  ]);
  const turboModules = new Map();
  globalThis.__turboModuleProxy = (name) => {
    // As on a phone: what the app did not install is not there.
    if (ABSENT.has(name) || /^EX[A-Z]|^Expo/.test(name)) return null;
    if (name === 'NativeMicrotasksCxx')
      return { queueMicrotask: (callback) => void soon.then(callback) };
    if (!turboModules.has(name)) turboModules.set(name, nothing(name));
    return turboModules.get(name);
  };
  globalThis.nativeModuleProxy = new Proxy(
    {},
    { get: (_, name) => globalThis.__turboModuleProxy(name) },
  );

  // ---- Expo --------------------------------------------------------------------------------------

  class EventEmitter {
    #listeners = new Map();

    addListener(event, listener) {
      const all = this.#listeners.get(event) ?? new Set();
      this.#listeners.set(event, all.add(listener));
      return { remove: () => all.delete(listener) };
    }

    removeListener(event, listener) {
      this.#listeners.get(event)?.delete(listener);
    }

    removeAllListeners(event) {
      this.#listeners.delete(event);
    }

    emit(event, ...parts) {
      for (const listener of [...(this.#listeners.get(event) ?? [])]) listener(...parts);
    }

    listenerCount(event) {
      return this.#listeners.get(event)?.size ?? 0;
    }
  }
  class SharedObject extends EventEmitter {
    release() {}
  }
  class SharedRef extends SharedObject {}
  class NativeModule extends EventEmitter {}

  const native = (name, members) =>
    Object.assign(new NativeModule(), { __expo_module_name__: name }, members);
  const later = async (call) => {
    await new Promise((resolve) => host.setTimeout(resolve, 0));
    return call();
  };

  class NativeDatabase extends SharedObject {
    constructor(path) {
      super();
      this.path = path;
    }
    initAsync = () => later(() => void (this.handle = host.sqlite.open(this.path)));
    execAsync = (sql) => later(() => host.sqlite.exec(this.handle, sql));
    closeAsync = () => later(() => host.sqlite.close(this.handle));
    prepareAsync = (statement, sql) =>
      later(() => {
        statement.handle = host.sqlite.prepare(this.handle, sql);
        return statement;
      });
  }
  class NativeStatement extends SharedObject {
    runAsync = (_database, parameters) =>
      later(() => {
        const values = Object.keys(parameters).map((key) => parameters[key]);
        this.rows = JSON.parse(host.sqlite.run(this.handle, JSON.stringify(values)));
        const [first = []] = this.rows;
        return { lastInsertRowId: 0, changes: 0, firstRowValues: first };
      });
    getAllAsync = () => later(() => this.rows.slice(1));
    getColumnNamesAsync = async () => [];
    resetAsync = () => later(() => undefined);
    finalizeAsync = () => later(() => undefined);
  }

  class NativeResponse extends SharedObject {
    answer = { url: '', status: 0, headers: [], bytes: [] };
    get url() {
      return this.answer.url;
    }
    get status() {
      return this.answer.status;
    }
    get statusText() {
      return '';
    }
    get redirected() {
      return false;
    }
    get bodyUsed() {
      return false;
    }
    get _rawHeaders() {
      return this.answer.headers;
    }
    async startStreaming() {
      return Uint8Array.from(this.answer.bytes);
    }
    cancelStreaming() {}
  }
  class NativeRequest extends SharedObject {
    constructor(response) {
      super();
      this.response = response;
    }
    async start(url, { method, headers }, body) {
      const text = body === null ? null : host.textOf(Array.from(body));
      const answer = await host.fetch(url, JSON.stringify({ method, headers, text }));
      this.response.answer = { url, ...JSON.parse(answer) };
      return this.response;
    }
    cancel() {}
  }

  const never = () => ({ remove() {} });
  const modules = {
    NexusStoreBackgroundSync: native('NexusStoreBackgroundSync', {
      platform: host.platform,
      supportsExpedited: host.platform === 'android',
      schedule: async (request) => (
        host.schedule(JSON.stringify(request)),
        { ok: true, effect: 'added', weakened: [] }
      ),
      cancel: async () => true,
      pending: async () => [],
      deviceFacts: async () => ({ isConnected: true, isMetered: false, appState: 'headless' }),
      runLog: async () => [],
      forceRun: async () => true,
      setKeepAwake: async () => {},
    }),
    ExpoTaskManager: native('ExpoTaskManager', {
      EVENT_NAME: 'TaskManager.executeTask',
      notifyTaskFinishedAsync: async (_name, { eventId, result }) =>
        host.finished(eventId, JSON.stringify(result)),
      unregisterTaskAsync: async () => {},
    }),
    ExpoSQLite: native('ExpoSQLite', {
      defaultDatabaseDirectory: '',
      bundledExtensions: {},
      ensureDatabasePathExistsAsync: async () => {},
      NativeDatabase,
      NativeStatement,
      NativeSession: SharedObject,
    }),
    ExpoFetchModule: native('ExpoFetchModule', { NativeRequest, NativeResponse }),
    ExpoBattery: native('ExpoBattery', {
      isSupported: true,
      getBatteryLevelAsync: async () => 0.8,
      getBatteryStateAsync: async () => 1,
      isLowPowerModeEnabledAsync: async () => false,
      addListener: never,
    }),
    ExpoNetwork: native('ExpoNetwork', {
      getNetworkStateAsync: async () => ({
        isConnected: true,
        isInternetReachable: true,
        type: 'WIFI',
      }),
      addListener: never,
    }),
    ExpoBadgeModule: native('ExpoBadgeModule', {
      setBadgeCountAsync: async (count) => (host.badge(count), true),
      getBadgeCountAsync: async () => 0,
    }),
  };
  const others = new Map();
  globalThis.expo = {
    EventEmitter,
    SharedObject,
    SharedRef,
    NativeModule,
    uuidv4: host.uuid,
    uuidv5: host.uuid,
    getViewConfig: () => ({ validAttributes: {}, directEventTypes: {} }),
    modules: new Proxy(modules, {
      get: (known, name) => {
        if (typeof name === 'symbol' || Object.hasOwn(known, name)) return known[name];
        if (!others.has(name))
          others.set(name, Object.assign(new NativeModule(), { __expo_module_name__: name }));
        return others.get(name);
      },
    }),
  };

  globalThis.wakeUp = (event) =>
    modules.ExpoTaskManager.emit('TaskManager.executeTask', JSON.parse(event));
})();
