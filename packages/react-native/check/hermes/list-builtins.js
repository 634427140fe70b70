// Prints what the engine has, as JSON: names by the object that owns them. Run by the engine itself.
(function () {
  var getProto = Object.getPrototypeOf;
  var roots = {};
  var skip = {
    print: 1,
    gc: 1,
    load: 1,
    quit: 1,
    debugger: 1,
    setTimeout: 1,
    clearTimeout: 1,
    setImmediate: 1,
    createHeapSnapshot: 1,
    loadSegment: 1,
    queueMicrotask: 1,
    console: 1,
    process: 1,
    require: 1,
    module: 1,
    exports: 1,
    globalThis: 1,
    HermesInternal: 1,
    performance: 1,
    fetch: 1,
    navigator: 1,
    crypto: 1,
    WebAssembly: 1,
    global: 1,
  };
  Object.getOwnPropertyNames(globalThis).forEach(function (name) {
    if (!skip[name]) roots[name] = globalThis[name];
  });
  var out = {};
  out['globalThis'] = Object.keys(roots).sort();
  function list(o) {
    return Object.getOwnPropertyNames(o).concat(Object.getOwnPropertySymbols(o).map(String)).sort();
  }
  function add(path, o) {
    out[path] = list(o);
  }
  Object.keys(roots).forEach(function (name) {
    var v = roots[name];
    if ((typeof v !== 'function' && typeof v !== 'object') || v === null) return;
    add(name, v);
    if (typeof v === 'function' && v.prototype) add(name + '.prototype', v.prototype);
  });
  add('%ArrayIteratorPrototype%', getProto([][Symbol.iterator]()));
  add('%IteratorPrototype%', getProto(getProto([][Symbol.iterator]())));
  add('%MapIteratorPrototype%', getProto(new Map().entries()));
  add('%SetIteratorPrototype%', getProto(new Set().entries()));
  add('%StringIteratorPrototype%', getProto(''[Symbol.iterator]()));
  add('%TypedArray%', getProto(Uint8Array));
  add('%TypedArray%.prototype', getProto(Uint8Array.prototype));
  add('%GeneratorPrototype%', getProto(function* () {}).prototype);
  add(
    '%AsyncFunctionPrototype%',
    getProto(async function () {}),
  );
  print(JSON.stringify(out));
})();
