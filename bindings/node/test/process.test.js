'use strict';

const assert = require('node:assert/strict');
const test = require('node:test');

const { faults, run, site } = require('./support.js');

const START = `
  const { Pool } = require('./index.js');
  const [site, faults] = process.argv.slice(1);
  const pool = new Pool({ throttle: 0, domainParallelism: 32 });
  function* pages(start) { for (let number = 0; ; number += 1) yield site + start + '?' + number; }
`;
const child = (source, options) => run(START + source, { args: [site, faults], ...options });

test('a pool that is not closed does not keep the process alive', async () => {
  for (const source of [
    'console.log("made")',
    '(async () => { for await (const { status } of pool.request([site + "/empty"])) console.log(status); })()',
    // A run that nobody reads on.
    'pool.request(pages("/bytes/1000")).next().then(({ value }) => console.log(value.status))',
    // One that was never begun.
    'pool.request(pages("/empty")); console.log("made")',
    // One that was left, and one more pool.
    `new Pool(); (async () => { for await (const { status } of pool.request(pages("/bytes/100000"))) {
      console.log(status); break; } })()`,
  ]) {
    const { code, signal, out, err } = await child(source);
    assert.deepEqual({ code, signal, err }, { code: 0, signal: null, err: '' }, source);
    assert.match(out, /^(made|200)\n$/);
  }
});

test('a run keeps the process alive while it is waited for', async () => {
  const { code, out } = await child(`
    (async () => {
      for await (const { status } of pool.request([site + '/slow?ms=700'])) console.log(status);
      console.log('end');
    })();
  `);
  assert.equal(code, 0);
  assert.equal(out, '200\nend\n');
});

test('closing keeps the process alive until it is done', async () => {
  const { code, out, err } = await child(`
    const runs = [pool.request(pages('/hang')), pool.request(pages('/bytes/5000000'), { group: () => '' })];
    runs[0].next().catch(() => {});
    runs[1].next().then(() => pool.close()).then(() => console.log('closed'));
  `);
  assert.deepEqual({ code, out, err }, { code: 0, out: 'closed\n', err: '' });
});

test('the process may exit at any moment', async () => {
  // In the midst of small results, of big ones that another thread copies, while closing, and of TLS.
  for (const [path, after] of [
    ['/hang', ''],
    ['/bytes/1000', ''],
    ['/bytes/3000000', ''],
    ['/bytes/3000000', 'pool.close();'],
    ['/bytes/1000', 'pool.close();'],
    ['/bytes/3000000', 'run.return();'],
  ]) {
    for (const wait of [0, 3, 60]) {
      const { code, signal, out, err } = await child(`
        process.on('unhandledRejection', () => {});
        const run = pool.request(pages(${JSON.stringify(path)}), { bufferSize: 20 });
        (async () => { for await (const { status } of run) ; })().catch(() => {});
        setTimeout(() => { ${after} console.log('exit'); process.exit(0); }, ${wait});
      `);
      const where = `${path} after ${wait} ms ${after}`;
      assert.deepEqual({ code, signal, out, err }, { code: 0, signal: null, out: 'exit\n', err: '' }, where);
    }
  }
});

test('exit code and handlers of others are theirs', async () => {
  const { code, out } = await child(`
    process.on('exit', (code) => console.log('exit', code));
    pool.request(pages('/bytes/1000')).next().then(() => process.exit(7));
  `);
  assert.deepEqual({ code, out }, { code: 7, out: 'exit 7\n' });
});

test('an exception in the body of the loop that nobody catches ends the process', async () => {
  for (const start of ['/bytes/1000', '/bytes/3000000']) {
    const { code, signal, err } = await child(`
      (async () => {
        for await (const { status } of pool.request(pages(${JSON.stringify(start)}))) throw new Error('of the body');
      })();
    `);
    assert.equal(signal, null);
    assert.equal(code, 1);
    assert.match(err, /Error: of the body/);
  }
});

test('an exception of the source that nobody catches ends it too', async () => {
  const { code, err } = await child(`
    function* items() { yield site + '/hang'; throw new Error('of the source'); }
    (async () => { for await (const { error } of pool.request(items())) console.log(error.code); })();
  `);
  assert.equal(code, 1);
  assert.match(err, /Error: of the source/);
});

test('descriptors of the library are not handed on to child processes', async () => {
  const { code, out } = await child(`
    const list = () => {
      const fs = require('node:fs');
      return fs.readdirSync('/proc/self/fd').flatMap((fd) => {
        try { return [fs.readlinkSync('/proc/self/fd/' + fd)]; } catch { return []; }
      });
    };
    const before = list();
    pool.request(pages('/hang')).next();
    setTimeout(() => {
      const ours = list().filter((name) => /^(pipe|socket):/.test(name) && !before.includes(name));
      const { stdout } = require('node:child_process').spawnSync(
        process.execPath, ['-p', 'JSON.stringify((' + list + ')())'], { encoding: 'utf8' },
      );
      const theirs = JSON.parse(stdout);
      console.log(ours.length >= 3, ours.filter((name) => theirs.includes(name)));
      process.exit();
    }, 200);
  `);
  assert.deepEqual({ code, out }, { code: 0, out: 'true []\n' });
});
