'use strict';

const assert = require('node:assert/strict');
const test = require('node:test');

const { RouetError } = require('../index.js');
const { all, nothingLeft, one, open, pages, random, site, sleep, until } = require('./support.js');

/** A source that tells whether it was closed. */
function watched(source) {
  const items = {
    closed: 0,
    [Symbol.iterator]: () => ({
      next: () => source.next(),
      return: () => {
        items.closed += 1;
        return {};
      },
    }),
  };
  return items;
}

const underWay = (pool, number) => until(() => pool.stats().accepted >= number, `${number} jobs`);

/** What a run under way gives when it is ended by `end`. */
async function ended(pool, { count = 20, settings, end }) {
  const items = watched(pages(`${site}/hang`));
  const run = pool.request(items, { bufferSize: count, ...settings });
  const taking = all(run);
  await underWay(pool, count);
  end();
  const { results, failure } = await taking;
  assert.equal(items.closed, 1);
  assert.deepEqual(await run.next(), { value: undefined, done: true });
  return { results, failure };
}

test('a signal ends the run: first what is outstanding comes, then the loop throws', async (t) => {
  const pool = open(t);
  for (const reason of [undefined, new Error('enough'), 'a string']) {
    const controller = new AbortController();
    const { results, failure } = await ended(open(t), {
      settings: { signal: controller.signal },
      end: () => controller.abort(reason),
    });
    assert.equal(failure, controller.signal.reason);
    assert.ok(results.length >= 20);
    assert.equal(new Set(results.map(({ url }) => url)).size, results.length);
    for (const { error, errorCode, status } of results) {
      assert.equal(errorCode, 'cancelled');
      assert.equal(error.code, 'cancelled');
      assert.equal(error.cause, failure);
      assert.equal(status, 0);
    }
  }
  // Another run goes on.
  assert.equal((await one(pool, `${site}/empty`)).status, 200);
});

test('each item that was taken gives its one result, however the run ends', async (t) => {
  for (const ordered of [false, true]) {
    const pool = open(t);
    const controller = new AbortController();
    let taken = 0;
    function* items() {
      for (const url of pages(`${site}/slow?ms=30`)) {
        yield { number: taken++, url };
      }
    }
    const timer = setTimeout(() => controller.abort(), 200);
    const { results, failure } = await all(
      pool.request(items(), { key: ({ url }) => url, signal: controller.signal, bufferSize: 77, ordered }),
    );
    clearTimeout(timer);
    assert.equal(failure.name, 'AbortError');
    assert.equal(results.length, taken);
    const numbers = results.map(({ item }) => item.number);
    if (!ordered) numbers.sort((a, b) => a - b);
    assert.deepEqual(numbers, Array.from({ length: taken }, (_, number) => number));
    assert.ok(results.some(({ errorCode }) => errorCode === null));
    assert.ok(results.some(({ errorCode }) => errorCode === 'cancelled'));
    assert.ok(results.every(({ errorCode }) => errorCode === null || errorCode === 'cancelled'));
    const stats = pool.stats();
    assert.equal(stats.accepted, stats.delivered);
  }
});

test('a signal that was aborted before', async (t) => {
  let taken = 0;
  function* items() {
    taken += 1;
    yield `${site}/empty`;
  }
  const run = open(t).request(items(), { signal: AbortSignal.abort('before') });
  assert.deepEqual(await all(run), { results: [], failure: 'before' });
  assert.equal(taken, 0);
  assert.deepEqual(await run.next(), { value: undefined, done: true });
});

test('a signal after the end is nothing', async (t) => {
  const controller = new AbortController();
  const run = open(t).request([`${site}/empty`], { signal: controller.signal });
  const { results } = await all(run);
  controller.abort();
  assert.equal(results[0].error, null);
  assert.deepEqual(await run.next(), { value: undefined, done: true });
});

test('a signal may be for many runs, and time out', async (t) => {
  const pool = open(t);
  const warnings = [];
  const note = (warning) => warnings.push(warning);
  process.on('warning', note);
  const signal = AbortSignal.timeout(300);
  const runs = Array.from({ length: 30 }, () => all(pool.request([`${site}/hang`], { signal })));
  for (const { results, failure } of await Promise.all(runs)) {
    assert.equal(failure.name, 'TimeoutError');
    assert.equal(results[0].error.cause, failure);
  }
  await sleep(0);
  process.off('warning', note);
  assert.deepEqual(warnings, []);
});

test('a signal reaches a run within 50 ms', async (t) => {
  const pool = open(t);
  const took = [];
  for (let times = 0; times < 15; times += 1) {
    const controller = new AbortController();
    const taking = all(pool.request(pages(`${site}/hang`, 200), { signal: controller.signal }));
    await underWay(pool, 200 * (times + 1));
    const start = performance.now();
    controller.abort();
    const { results } = await taking;
    took.push(performance.now() - start);
    assert.equal(results.length, 200);
  }
  took.sort((a, b) => a - b);
  // The median: a machine may be busy now and then. It is 2 ms on an idle one.
  assert.ok(took[7] < 50, `took ${took}`);
});

test('a failure of the source, key, group or optionsFor ends the run, and is thrown', async (t) => {
  const pool = open(t);
  const wrong = new Error('wrong');
  const fail = () => {
    throw wrong;
  };
  let closed = 0;
  function* items(last) {
    try {
      for (const url of pages(`${site}/hang`, 5)) yield url;
      yield last();
    } finally {
      closed += 1;
    }
  }
  async function* later(last) {
    yield* items(last);
  }
  const bad = () => 'bad';
  const failing = (value) => (item) => (item === 'bad' ? fail() : value(item));
  for (const source of [items, later]) {
    for (const [name, run] of Object.entries({
      source: pool.request(source(fail)),
      key: pool.request(source(bad), { key: failing(String) }),
      group: pool.request(source(bad), { group: failing(String) }),
      optionsFor: pool.request(source(bad), { optionsFor: failing(() => undefined) }),
    })) {
      closed = 0;
      const { results, failure } = await all(run);
      assert.equal(failure, wrong, name);
      assert.equal(results.length, 5, name);
      assert.ok(results.every(({ errorCode, error }) => errorCode === 'cancelled' && error.cause === wrong));
      assert.equal(closed, 1, `${name} of ${source.name}`);
      assert.deepEqual(await run.next(), { value: undefined, done: true });
    }
  }
});

test('what key and group give must be text', async (t) => {
  const pool = open(t);
  for (const settings of [{ key: () => 5 }, { group: () => 5 }, { key: () => Symbol('s') }, { key: () => Object.create(null) }]) {
    const { results, failure } = await all(pool.request([`${site}/empty`], settings));
    assert.ok(failure instanceof TypeError, String(failure));
    assert.match(failure.message, new RegExp(Object.keys(settings)[0]));
    assert.equal(results.length, 0);
  }
  const { failure } = await all(pool.request([{ no: 'url' }]));
  assert.ok(failure instanceof TypeError && /key/.test(failure.message));
});

test('a source that can not be opened', async (t) => {
  await nothingLeft(async () => {
    const pool = open(t);
    const wrong = new Error('closed');
    const items = {
      [Symbol.iterator]() {
        throw wrong;
      },
    };
    const run = pool.request(items);
    assert.deepEqual(await all(run), { results: [], failure: wrong });
    assert.deepEqual(await run.next(), { value: undefined, done: true });
    await pool.close();
  });
});

test('a source may end its run from within', async (t) => {
  const pool = open(t);
  const controller = new AbortController();
  let closed = 0;
  function* aborting() {
    try {
      yield* pages(`${site}/hang`, 3);
      controller.abort('within');
      yield `${site}/hang`;
    } finally {
      closed += 1;
    }
  }
  const { results, failure } = await all(pool.request(aborting(), { signal: controller.signal }));
  assert.equal(failure, 'within');
  assert.equal(results.length, 4);
  assert.equal(closed, 1);

  let run;
  function* leaving() {
    try {
      yield `${site}/empty`;
      run.return();
      yield `${site}/empty`;
    } finally {
      closed += 1;
    }
  }
  run = pool.request(leaving());
  assert.deepEqual(await all(run), { results: [] });
  assert.equal(closed, 2);
});

test('what goes wrong in closing a source', async (t) => {
  const pool = open(t);
  const wrong = new Error('not to be closed');
  const source = (fail) => ({
    [Symbol.asyncIterator]: () => {
      let left = 3;
      return {
        next: async () => (left-- > 0 ? { done: false, value: `${site}/hang` } : new Promise(() => {})),
        return: fail,
      };
    },
  });
  for (const fail of [
    () => {
      throw wrong;
    },
    () => Promise.reject(wrong),
  ]) {
    // The reason of the end is what is told.
    const controller = new AbortController();
    setTimeout(() => controller.abort('reason'), 30);
    const { failure } = await all(pool.request(source(fail), { signal: controller.signal }));
    assert.equal(failure, 'reason');
  }
  // Leaving the loop tells of it, as it does of any iterator.
  const items = {
    [Symbol.iterator]: () => ({
      next: () => ({ done: false, value: `${site}/empty` }),
      return: () => {
        throw wrong;
      },
    }),
  };
  const run = pool.request(items);
  await run.next();
  await assert.rejects(run.return(), wrong);
  assert.deepEqual(await run.next(), { value: undefined, done: true });
});

test('break, return and throw leave nothing behind', async (t) => {
  await nothingLeft(async () => {
    const pool = open(t);
    const wrong = new Error('of the body');
    for (const end of ['break', 'throw', 'return', 'close']) {
      const items = watched(pages(`${site}/bytes/20000`));
      const body = async () => {
        for await (const { status } of pool.request(items)) {
          assert.ok(status === 200 || pool.closed);
          if (end === 'break') break;
          if (end === 'throw') throw wrong;
          if (end === 'return') return;
          await pool.close();
        }
      };
      if (end === 'throw') await assert.rejects(body(), wrong);
      else if (end === 'close') await assert.rejects(body(), { code: 'closed' });
      else await body();
      assert.equal(items.closed, 1, end);
    }
    const run = pool.request(pages(`${site}/hang`));
    await assert.rejects(run.throw(wrong), wrong);
  });
});

test('await using of a run and of a pool', async (t) => {
  await nothingLeft(async () => {
    const pool = open(t);
    const run = pool.request(pages(`${site}/empty`));
    await run.next();
    await run[Symbol.asyncDispose]();
    assert.deepEqual(await run.next(), { value: undefined, done: true });
    await pool[Symbol.asyncDispose]();
    assert.equal(pool.closed, true);
  });
});

test('closing the pool ends its runs, and waits for nobody to read them', async (t) => {
  await nothingLeft(async () => {
    const pool = open(t);
    const loop = all(pool.request(pages(`${site}/hang`), { bufferSize: 40 }));
    const unread = pool.request(pages(`${site}/bytes/100`), { bufferSize: 40, group: () => '' });
    const first = await unread.next();
    const unbegun = pool.request(watched(pages(`${site}/empty`)));
    await underWay(pool, 60);
    await until(() => pool.stats().bufferedBytes > 1000, 'results of the one that is not read');
    await pool.close();
    assert.equal(pool.closed, true);
    const { results, failure } = await loop;
    assert.ok(failure instanceof RouetError);
    assert.equal(failure.code, 'closed');
    assert.ok(results.length >= 40);
    assert.ok(results.every(({ error }) => error.code === 'cancelled' && error.cause === failure));
    assert.equal(first.value.status, 200);
    const rest = await all(unread);
    assert.equal(rest.failure.code, 'closed');
    assert.ok(rest.results.some(({ status }) => status === 200));
    assert.equal(rest.results.find(({ status }) => status === 200).body.length, 100);
    assert.deepEqual(await unread.next(), { value: undefined, done: true });
    assert.equal((await all(unbegun)).failure.code, 'closed');
  });
});

test('what a closed pool says', async (t) => {
  const pool = open(t);
  await all(pool.request(pages(`${site}/empty`, 10)));
  await Promise.all([pool.close(), pool.close()]);
  await pool.close();
  assert.equal((await all(pool.request([`${site}/empty`]))).failure.code, 'closed');
  assert.throws(() => pool.setDomainRule('a.test', { throttle: 1 }), { code: 'closed', name: 'RouetError' });
  const stats = pool.stats();
  assert.equal(stats.accepted, 10);
  assert.equal(stats.delivered, 10);
  assert.equal(stats.inFlight + stats.held + stats.started, 0);
});

test('closing the pool within the loop', async (t) => {
  await nothingLeft(async () => {
    const pool = open(t);
    let closing;
    let number = 0;
    await assert.rejects(async () => {
      for await (const { status, errorCode } of pool.request(pages(`${site}/text`))) {
        assert.ok(status === 200 || errorCode === 'cancelled');
        number += 1;
        closing ??= pool.close();
      }
    }, { code: 'closed' });
    assert.ok(number > 0);
    await closing;
  });
});

test('closing and leaving while a big body is on its way over', async (t) => {
  await nothingLeft(async () => {
    for (let times = 0; times < 30; times += 1) {
      const pool = open(t);
      const run = pool.request(pages(`${site}/bytes/6000000`), { bufferSize: 4 });
      const { value } = await run.next();
      assert.equal(value.body.length, 6_000_000);
      const more = run.next();
      await sleep(times % 10);
      if (times % 3 === 0) await run.return();
      const closing = pool.close();
      if (times % 3 === 1) await run.return();
      await closing;
      await more.catch(({ code }) => assert.equal(code, 'closed'));
      // Those that came before the end are whole.
      const { results } = await all(run);
      for (const { body, errorCode } of results) assert.equal(body.length, errorCode ? 0 : 6_000_000);
    }
  });
});

test('aborts at random moments', { timeout: 120_000 }, async (t) => {
  await nothingLeft(async () => {
    const pool = open(t);
    const TIMES = 1000;
    const chance = random(20);
    const below = (most) => Math.floor(chance() * most);
    let left = TIMES;
    const came = { whole: 0, cancelled: 0, left: 0, thrown: 0 };
    async function once() {
      const controller = new AbortController();
      const reason = new Error('random');
      const [path, at] = [['/text', '/slow?ms=3', '/hang', '/bytes/300000'][below(4)], below(8)];
      const settings = { signal: controller.signal, ordered: below(2) === 0, bufferSize: 1 + below(300) };
      let leave = below(4) === 0 ? below(200) : Infinity;
      const seen = new Set();
      let taken = 0;
      function* numbers() {
        for (;;) yield taken++;
      }
      async function* later() {
        for (;;) yield taken++;
      }
      const source = below(2) === 0 ? numbers() : later();
      const run = pool.request(source, { ...settings, key: (number) => `${site}${path}${path.includes('?') ? '&' : '?'}${number}` });
      const timer = setTimeout(() => controller.abort(reason), at);
      try {
        for await (const { item, error, errorCode, body } of run) {
          assert.ok(!seen.has(item), `item ${item} came twice`);
          seen.add(item);
          if (error) {
            assert.equal(errorCode, 'cancelled');
            assert.equal(error.cause, reason);
            came.cancelled += 1;
          } else {
            if (path === '/bytes/300000') assert.equal(body.length, 300_000);
            came.whole += 1;
          }
          leave -= 1;
          if (leave <= 0) {
            came.left += 1;
            return;
          }
        }
        assert.fail('an endless run ended by itself');
      } catch (failure) {
        assert.equal(failure, reason);
        came.thrown += 1;
        // An asynchronous source may have one more on its lips.
        assert.ok(taken - seen.size <= 1, `${seen.size} results of ${taken} items`);
      } finally {
        clearTimeout(timer);
      }
    }
    const several = async () => {
      while (left > 0) {
        left -= 1;
        await once();
      }
    };
    await Promise.all([several(), several(), several(), several()]);
    assert.equal(came.left + came.thrown, TIMES);
    for (const [what, number] of Object.entries(came)) assert.ok(number > 0, `${what}: ${JSON.stringify(came)}`);
    await pool.close();
  });
});

test('leaving the loop waits for an asynchronous source to be closed, and tells of its failure', async (t) => {
  const events = [];
  async function* source() {
    try {
      for (const url of pages(`${site}/text`)) yield url;
    } finally {
      await sleep(20);
      events.push('closed');
      throw new Error('of the cleanup');
    }
  }
  const leave = async () => {
    for await (const { status } of open(t).request(source())) {
      assert.equal(status, 200);
      // As always but while the next item is being looked for: with the library full of items.
      await sleep(50);
      break;
    }
  };
  await assert.rejects(leave, /of the cleanup/);
  assert.deepEqual(events, ['closed']);
});

test('an iterator that gives no object is refused', async (t) => {
  for (const name of [Symbol.iterator, Symbol.asyncIterator]) {
    const items = { [name]: () => ({ next: () => 5 }) };
    const { results, failure } = await all(open(t).request(items));
    assert.ok(failure instanceof TypeError, String(failure));
    assert.match(failure.message, /gave 5/);
    assert.deepEqual(results, []);
  }
});
