'use strict';

const { execFileSync } = require('node:child_process');
const path = require('node:path');
const test = require('node:test');

const typescript = path.join(
  path.dirname(require.resolve('typescript/package.json')),
  require('typescript/package.json').bin.tsc,
);

/** Compiles types.ts as strictly as can be; what tsc says goes to the test's output. */
function compile(...options) {
  const strict = ['--noEmit', '--strict', '--exactOptionalPropertyTypes', '--noUncheckedIndexedAccess'];
  const source = path.join(__dirname, 'types.ts');
  const target = ['--target', 'es2022', '--lib', 'es2023,esnext.disposable,esnext.iterator,dom'];
  const all = [...strict, ...target, '--types', 'node', ...options, source];
  try {
    execFileSync(process.execPath, [typescript, ...all], { cwd: path.join(__dirname, '..') });
  } catch (error) {
    throw new Error(`tsc: ${error.stdout}${error.stderr}`);
  }
}

test('types, of an ES module', () => {
  compile('--module', 'nodenext');
});

test('types, of a CommonJS module', () => {
  compile('--module', 'node16', '--moduleDetection', 'legacy');
});
