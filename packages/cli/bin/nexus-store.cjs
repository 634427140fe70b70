#!/usr/bin/env node
'use strict';
// The entry of the command. It must be readable by every Node in use, however old, so that it can say
// what is missing: plain JavaScript of 2015, and nothing is loaded before the version is known.

var LEAST = [22, 13];

var version = process.versions.node;
var found = version.split('.').map(Number);

if (found[0] < LEAST[0] || (found[0] === LEAST[0] && found[1] < LEAST[1])) {
  refuse(
    'cli/unsupported-node',
    'nexus-store needs Node ' +
      LEAST.join('.') +
      ' or newer, and this is Node ' +
      version +
      '. Install a newer one from https://nodejs.org, or run "npx node@24 ' +
      process.argv[1] +
      '".',
  );
} else {
  quiet();
  import('#main').catch(function (error) {
    var isDebug = Boolean(process.env.NEXUS_STORE_DEBUG);
    var reason = error instanceof Error ? (isDebug ? error.stack : error.message) : String(error);
    refuse('cli/damaged', 'nexus-store could not start, install it again: ' + reason);
  });
}

/** Node 22 calls its SQLite experimental on every start. Other warnings are shown. */
function quiet() {
  var emit = process.emitWarning;
  process.emitWarning = function (warning) {
    var text = warning instanceof Error ? warning.message : String(warning);
    if (text.indexOf('SQLite is an experimental feature') === 0) return;
    emit.apply(process, arguments);
  };
}

function refuse(code, message) {
  var isJson = process.argv.indexOf('--json') !== -1;
  if (isJson) console.log(JSON.stringify({ error: { code: code, message: message } }));
  else console.error('nexus-store: ' + message);
  process.exitCode = 1;
}
