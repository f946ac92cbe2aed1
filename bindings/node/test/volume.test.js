'use strict';

const assert = require('node:assert/strict');
const test = require('node:test');

const { Pool } = require('../index.js');
const { all, descriptors, open, pages, run, site, sleep, until } = require('./support.js');

/** Results to take while memory is watched: a million takes a minute. */
const MANY = Number(process.env.ROUET_TEST_RESULTS ?? 150_000);

const MIB = 1 << 20;
const resident = () => process.memoryUsage.rss();

test('100,000 results, none missing', { timeout: 300_000 }, async (t) => {
  const NUMBER = 100_000;
  const pool = open(t);
  const seen = new Uint8Array(NUMBER);
  let came = 0;
  function* numbers() {
    for (let number = 0; number < NUMBER; number += 1) yield number;
  }
  for await (const { item, status, body, url } of pool.request(numbers(), { key: (number) => `${site}/bytes/1000?${number}` })) {
    if (status !== 200 || body.length !== 1000 || !url.endsWith(`?${item}`)) assert.fail(`${url}: ${status}`);
    seen[item] += 1;
    came += 1;
  }
  assert.equal(came, NUMBER);
  assert.ok(seen.every((times) => times === 1));
});

test(`memory is flat over ${MANY} results`, { timeout: 900_000 }, async (t) => {
  const pool = open(t);
  // What is kept would be this much: bytes of a result at least, and its item.
  const kept = MANY * 1500;
  const sizes = [];
  let came = 0;
  const settings = {
    key: ({ url }) => url,
    group: () => '',
    optionsFor: ({ number }) => (number % 100 === 0 ? { headers: { 'X-A': 'b' } } : undefined),
  };
  function* items() {
    for (let number = 0; number < MANY; number += 1) yield { number, url: `${site}/bytes/1000?${number}` };
  }
  for await (const { status, rawHeaders } of pool.request(items(), settings)) {
    if (status !== 200 || rawHeaders.length === 0) assert.fail(`${status}`);
    came += 1;
    if (came % Math.floor(MANY / 30) === 0) sizes.push(resident());
  }
  assert.equal(came, MANY);
  // The collector lets garbage pile up to some size of its own: it is there after a third.
  const early = Math.max(...sizes.slice(5, 15));
  const late = Math.max(...sizes.slice(20));
  const grown = late - early;
  assert.ok(grown < kept / 4, `from ${early / MIB} to ${late / MIB} MiB`);
  assert.ok(grown < 40 * MIB, `from ${early / MIB} to ${late / MIB} MiB`);
});

test('big bodies are not kept either', { timeout: 120_000 }, async (t) => {
  const pool = open(t);
  let bytes = 0;
  let most = 0;
  for await (const { body } of pool.request(pages(`${site}/bytes/2000000`, 300), { maxBufferedBytes: 20_000_000 })) {
    bytes += body.length;
    most = Math.max(most, resident());
  }
  assert.equal(bytes, 600_000_000);
  assert.ok(most < 450 * MIB, `${most / MIB} MiB`);
});

test('descriptors are flat over many runs', { timeout: 120_000 }, async (t) => {
  const pool = open(t);
  const some = async (times) => {
    for (let time = 0; time < times; time += 1) {
      await all(pool.request(pages(`${site}/empty`, 5)));
      for await (const { status } of pool.request(pages(`${site}/empty`))) {
        assert.equal(status, 200);
        break;
      }
      const signal = AbortSignal.timeout(1);
      await all(pool.request(pages(`${site}/empty`), { signal }));
    }
    await sleep(50);
  };
  await some(20);
  const before = descriptors();
  await some(200);
  // Connections come and go with the load.
  await until(() => descriptors() <= before + 40, `${descriptors()} are near ${before}`);
});

test('pools come and go', { timeout: 120_000 }, async () => {
  const some = async (times) => {
    for (let time = 0; time < times; time += 1) {
      await using(new Pool({ throttle: 0, threads: 1 }), async (pool) => {
        const { results } = await all(pool.request(pages(`${site}/empty?${time}`, 3), { group: () => '' }));
        assert.equal(results.length, 3);
      });
    }
  };
  await some(30);
  const before = { descriptors: descriptors(), resident: resident() };
  await some(300);
  assert.ok(descriptors() <= before.descriptors, `${descriptors()} of ${before.descriptors}`);
  assert.ok(resident() - before.resident < 60 * MIB, `${(resident() - before.resident) / MIB} MiB`);
});

async function using(pool, body) {
  try {
    await body(pool);
  } finally {
    await pool.close();
  }
}

test('a pool that is forgotten goes with the garbage', async () => {
  const source = `
    const { Pool } = require('./index.js');
    const { readdirSync, readFileSync } = require('node:fs');
    const threads = () => readdirSync('/proc/self/task').filter((task) => {
      try { return readFileSync('/proc/self/task/' + task + '/comm', 'utf8').startsWith('rouet'); } catch { return false; }
    }).length;
    async function forget() {
      for (let number = 0; number < 20; number += 1) {
        const pool = new Pool({ threads: 1, throttle: 0 });
        for await (const { status } of pool.request([process.argv[1]])) if (status !== 200) throw new Error(status);
      }
    }
    (async () => {
      await forget();
      const before = threads();
      const end = Date.now() + 20000;
      while (threads() > 0 && Date.now() < end) { gc(); await new Promise((resolve) => setTimeout(resolve, 10)); }
      console.log(before >= 20, threads());
    })();
  `;
  const { code, out, err } = await run(`require('node:v8').setFlagsFromString('--expose-gc'); const gc = require('node:vm').runInNewContext('gc');${source}`, { args: [`${site}/empty`] });
  assert.deepEqual({ code, out, err }, { code: 0, out: 'true 0\n', err: '' });
});

test('a result that is kept keeps no other', async (t) => {
  const pool = open(t);
  const kept = [];
  const before = resident();
  let number = 0;
  for await (const result of pool.request(pages(`${site}/bytes/20000`, 10_000))) {
    number += 1;
    if (number % 100 === 0) kept.push(result);
  }
  assert.equal(kept.length, 100);
  assert.ok(kept.every(({ body }) => body.length === 20_000));
  // They are 2 MB of 200.
  assert.ok(resident() - before < 150 * MIB, `${(resident() - before) / MIB} MiB`);
});
