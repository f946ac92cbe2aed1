'use strict';

const assert = require('node:assert/strict');
const { stat } = require('node:fs/promises');
const test = require('node:test');

// Before pool.js takes its functions from there: how long each call into the library takes, in ms.
const native = require('../lib/native.js');
const calls = {};
for (const name of ['submitMany', 'nextPacked', 'share', 'eventFd', 'finish', 'cancel', 'free', 'stats']) {
  const call = native[name];
  calls[name] = [];
  native[name] = (...values) => {
    const start = performance.now();
    const value = call(...values);
    calls[name].push(performance.now() - start);
    return value;
  };
}

const { all, open, pages, site, sleep } = require('./support.js');

const share = (numbers, part) => numbers.toSorted((a, b) => a - b)[Math.floor(part * (numbers.length - 1))];

/** How late a timer of 1 ms is while something goes on, each time, in ms. */
async function delays(work) {
  const late = [];
  let last = performance.now();
  const timer = setInterval(() => {
    const now = performance.now();
    late.push(now - last - 1);
    last = now;
  }, 1);
  await work();
  clearInterval(timer);
  return late;
}

/** As a loop that is blocked for a while again and again, which the measure must notice. */
async function blocked() {
  for (let times = 0; times < 20; times += 1) {
    for (const end = performance.now() + 20; performance.now() < end; );
    await sleep(1);
  }
}

test('the event loop goes on under load', { timeout: 120_000 }, async (t) => {
  const pool = open(t);
  const load = async () => {
    for (const [path, count] of [['/empty', 20_000], ['/bytes/1000', 20_000], ['/bytes/100000', 2000], ['/bytes/3000000', 100]]) {
      const { length } = (await all(pool.request(pages(site + path, count), { bufferSize: 256 }))).results;
      assert.equal(length, count);
    }
    for (let times = 0; times < 50; times += 1) await all(pool.request(pages(`${site}/empty`, 20)));
    // With much outstanding and much not taken.
    for (let times = 0; times < 20; times += 1) {
      const controller = new AbortController();
      const { signal } = controller;
      const run = pool.request(pages(`${site}/bytes/100000`), { bufferSize: 500, signal });
      await run.next();
      await sleep(30);
      if (times % 2 === 0) await run.return();
      controller.abort();
      await all(run);
    }
  };
  const under = await delays(load);
  const when = await delays(blocked);
  assert.ok(share(when, 0.9) > 10, `the measure sees no blocked loop: ${share(when, 0.9)} ms`);
  assert.ok(under.length > 200);
  t.diagnostic(`late by ${[0.5, 0.9, 0.99, 1].map((part) => share(under, part).toFixed(2)).join(', ')} ms at most (half, 9 in 10, 99 in 100, all)`);
  // The threads of the library and the server want the same cores, and the system lets each go on for
  // some ms: so the median is judged, and the rest by what blocking looks like. On cores to spare
  // nine in ten are below 1 ms.
  assert.ok(share(under, 0.5) < 5, `median ${share(under, 0.5)} ms`);
  assert.ok(share(under, 0.9) < share(when, 0.9), `${share(under, 0.9)} ms, when blocked ${share(when, 0.9)} ms`);

  for (const [name, took] of Object.entries(calls)) {
    t.diagnostic(`${name}: ${took.length} calls, ${[0.5, 0.9, 0.99, 1].map((part) => share(took, part).toFixed(3)).join(', ')} ms`);
    assert.ok(took.length > 0, name);
    // A call that waits for something does so more often than not; one in four may have lost its core.
    assert.ok(share(took, 0.75) < 1, `three in four of ${took.length} calls of ${name}: ${share(took, 0.75)} ms`);
  }
  // It is called often enough to tell that it waits for nothing.
  assert.ok(share(calls.nextPacked, 0.5) < 0.5, `${share(calls.nextPacked, 0.5)} ms`);
});

test('crossings are few', async (t) => {
  const pool = open(t);
  const before = Object.fromEntries(Object.entries(calls).map(([name, took]) => [name, took.length]));
  const { results } = await all(pool.request(pages(`${site}/bytes/100`, 20_000)));
  assert.equal(results.length, 20_000);
  const crossings = Object.entries(calls).reduce((sum, [name, took]) => sum + took.length - before[name], 0);
  assert.ok(crossings < results.length / 2, `${crossings} for ${results.length} results`);
});

test('a source that is always ready starves nobody', async (t) => {
  const pool = open(t);
  async function* later() {
    yield* pages(`${site}/hang`);
  }
  for (const items of [pages(`${site}/hang`), later()]) {
    const run = pool.request(items, { bufferSize: 100_000 });
    const waiting = run.next();
    let ticks = 0;
    const timer = setInterval(() => (ticks += 1), 1);
    await sleep(200);
    clearInterval(timer);
    assert.ok(ticks > 10, `${ticks} ticks of a timer in 200 ms`);
    await run.return();
    await waiting;
  }
});

test('runs that wait take no thread from others', async (t) => {
  const pool = open(t);
  const runs = Array.from({ length: 20 }, () => pool.request([`${site}/hang`], { group: () => '' }));
  const waiting = runs.map((run) => run.next());
  await sleep(50);
  // Were they, there would be none left to look at a file: there are four.
  const late = sleep(5000, null, { ref: false });
  const found = await Promise.race([stat(__filename), late]);
  assert.ok(found?.isFile());
  await Promise.all(runs.map((run) => run.return()));
  await Promise.all(waiting);
});
