'use strict';

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const test = require('node:test');

const { run, site } = require('./support.js');

const names = ['Pool', 'RouetError', 'backend', 'urlGroup', 'version'];
const header = fs.readFileSync(path.join(__dirname, '../../../include/rouet.h'), 'utf8');
const [, version] = header.match(/#define POOL_VERSION "(.*)"/);

test('import and require give the same', async () => {
  const { code, out, err } = await run(
    `import { createRequire } from 'node:module';
    import * as all from 'rouet';
    import { Pool, RouetError, version, backend } from 'rouet';
    const required = createRequire(process.cwd() + '/x.js')('rouet');
    console.log(JSON.stringify(Object.keys(all).filter((name) => !/^(default|module.exports)$/.test(name)).sort()));
    console.log(JSON.stringify(Object.keys(required).sort()));
    console.log(required.Pool === Pool && required.RouetError === RouetError, version, backend);`,
    { esm: true },
  );
  assert.deepEqual({ code, err }, { code: 0, err: '' });
  const lines = out.trim().split('\n');
  assert.deepEqual(JSON.parse(lines[0]), names);
  assert.deepEqual(JSON.parse(lines[1]), names);
  const { backend } = require('../index.js');
  assert.equal(lines[2], `true ${version} ${backend}`);
});

test('a module may await a whole run', async () => {
  const { code, out, err } = await run(
    `import { Pool } from 'rouet';
    const pool = new Pool({ throttle: 0 });
    for await (const { status, item } of pool.request([process.argv[1]])) console.log(status, item);
    await pool.close();
    console.log('end');`,
    { esm: true, args: [`${site}/text`] },
  );
  assert.deepEqual({ code, out, err }, { code: 0, out: `200 ${site}/text\nend\n`, err: '' });
});

test('the interface is the one that is asked for', async () => {
  const source = 'console.log(require("rouet").backend)';
  const { backend } = require('../index.js');
  for (const name of ['koffi', 'ffi-napi']) {
    const { code, out } = await run(source, { env: { ROUET_FFI: name } });
    assert.deepEqual({ code, out }, { code: 0, out: `${name}\n` });
  }
  if (process.env.ROUET_FFI) assert.equal(backend, process.env.ROUET_FFI);
  const none = await run(source, { env: { ROUET_FFI: 'telepathy' } });
  assert.equal(none.code, 1);
  assert.match(none.err, /ROUET_FFI is telepathy.*koffi.*ffi-napi/);
});

test('a library that is not there, or is none', async () => {
  for (const [library, words] of [['/nowhere/librouet.so', /there is no \/nowhere\/librouet.so/], [__filename, /modules\.test\.js/]]) {
    const { code, err } = await run('require("rouet")', { env: { ROUET_LIBRARY: library } });
    assert.equal(code, 1);
    assert.match(err, words);
    assert.match(err, /ROUET_LIBRARY/);
  }
});
