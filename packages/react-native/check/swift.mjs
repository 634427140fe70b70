// Parses the Swift sources with a grammar: nothing here can compile them, but a syntax error fails.
import { readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';

const require = createRequire(import.meta.url);
const folder = join(import.meta.dirname, '../ios');

/** @returns {string[]} one line for each place that does not parse */
export function syntaxErrors(source, name = 'source') {
  const Parser = require('tree-sitter');
  const parser = new Parser();
  parser.setLanguage(require('tree-sitter-swift'));
  // The whole text at once is limited to 32 KiB by the binding; a callback is not.
  const tree = parser.parse((index) => source.slice(index, index + 4096));
  const errors = [];
  const visit = (node) => {
    if (node.isError || node.isMissing) {
      const { row, column } = node.startPosition;
      errors.push(
        `${name}:${row + 1}:${column + 1}: ${node.isMissing ? `missing ${node.type}` : 'syntax error'}`,
      );
    } else if (node.hasError) node.children.forEach(visit);
  };
  visit(tree.rootNode);
  return errors;
}

/** @returns {{ passed: number, failed: number, skipped: number }} */
export function testSwift() {
  let failed = 0;
  const names = readdirSync(folder, { recursive: true }).filter((name) => name.endsWith('.swift'));
  for (const name of names) {
    const errors = syntaxErrors(readFileSync(join(folder, name), 'utf8'), name);
    if (errors.length > 0) failed += 1;
    for (const error of errors) console.error(error);
  }
  // The grammar does find errors.
  const broken = syntaxErrors('func a(_ b: Int) -> Int { b + }\n').length;
  if (broken === 0) failed += 1;
  console.log(`swift: ${names.length - failed + 1} passed, ${failed} failed (syntax only)`);
  return { passed: names.length - failed + 1, failed, skipped: 0 };
}

if (process.argv[1] === import.meta.filename) process.exitCode = testSwift().failed > 0 ? 1 : 0;
