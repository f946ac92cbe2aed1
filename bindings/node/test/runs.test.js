'use strict';

const assert = require('node:assert/strict');
const test = require('node:test');

const { all, nothingLeft, one, open, pages, site, sleep } = require('./support.js');

/** Items of which it is counted how many were taken, and whether the source was closed. */
function counted(source) {
  const items = {
    taken: 0,
    closed: 0,
    [Symbol.iterator]() {
      return {
        next: () => {
          const next = source.next();
          if (!next.done) items.taken += 1;
          return next;
        },
        return: () => {
          items.closed += 1;
          return source.return?.() ?? {};
        },
      };
    },
  };
  return items;
}

async function* later(items) {
  for (const item of items) {
    await null;
    yield item;
  }
}

test('items come back, each in one result', async (t) => {
  const pool = open(t);
  const items = Array.from({ length: 1000 }, (_, number) => ({ number, at: `${site}/text?${number}` }));
  const seen = new Set();
  for await (const result of pool.request(items, { key: (item) => item.at })) {
    assert.equal(result.error, null);
    assert.equal(result.item, items[result.item.number]);
    assert.equal(result.url, result.item.at);
    assert.equal(result.endUrl, result.url);
    seen.add(result.item);
  }
  assert.equal(seen.size, 1000);
  const stats = pool.stats();
  assert.equal(stats.accepted, 1000);
  assert.equal(stats.delivered, 1000);
  assert.equal(stats.failed, 0);
  assert.equal(stats.held + stats.started + stats.bufferedBytes + stats.inFlight, 0);
  assert.ok(stats.connections >= 1);
  assert.equal(typeof stats.groups, 'number');
  assert.equal(stats.nameLookups, 0);
});

test('sources of all kinds', async (t) => {
  const pool = open(t);
  const url = `${site}/empty`;
  const sources = {
    array: [url, url, url],
    set: new Set([url, `${url}?1`, `${url}?2`]),
    generator: pages(url, 3),
    'async generator': later([url, url, url]),
    'async iterator without return': {
      left: 3,
      [Symbol.asyncIterator]() {
        return { next: async () => ({ done: this.left === 0, value: this.left-- && url }) };
      },
    },
    'objects of class URL': [new URL(url), new URL(url), new URL(url)],
    'without a scheme': Array(3).fill(url.replace('http://', '')),
  };
  for (const [name, source] of Object.entries(sources)) {
    const { results, failure } = await all(pool.request(source));
    assert.equal(failure, undefined, name);
    assert.deepEqual(results.map(({ status }) => status), [200, 200, 200], name);
  }
  for (const none of [[], later([]), new Set()]) assert.deepEqual(await all(pool.request(none)), { results: [] });
});

test('a run goes once', async (t) => {
  const pool = open(t);
  const run = pool.request([`${site}/empty`]);
  assert.equal((await all(run)).results.length, 1);
  assert.deepEqual(await run.next(), { value: undefined, done: true });
  assert.equal((await all(run)).results.length, 0);
});

test('nothing is taken before the first result is asked for', async (t) => {
  const items = counted(pages(`${site}/empty`));
  const run = open(t).request(items);
  await sleep(50);
  assert.equal(items.taken, 0);
  await run.return();
  assert.equal(items.taken, 0);
  assert.deepEqual(await run.next(), { value: undefined, done: true });
});

test('an endless source is taken from as far as there is room, and closed when the loop is left', async (t) => {
  await nothingLeft(async () => {
    const pool = open(t);
    for (const bufferSize of [1, 100, 1024]) {
      for (const ordered of [false, true]) {
        const items = counted(pages(`${site}/bytes/100`));
        let taken = 0;
        for await (const result of pool.request(items, { bufferSize, ordered })) {
          assert.equal(result.status, 200);
          taken += 1;
          if (taken === 10) {
            await sleep(100); // time to take more than there is room for
            break;
          }
        }
        // Results taken ahead of the loop make room once more, and a batch waits.
        const most = 10 + 3 * bufferSize + 3 * 128;
        assert.ok(items.taken <= most, `${items.taken} were taken with a buffer of ${bufferSize}`);
        assert.ok(items.taken >= 10);
        assert.equal(items.closed, 1);
      }
    }
    await pool.close();
  });
});

test('a slow loop has the source wait', async (t) => {
  const items = counted(pages(`${site}/bytes/10`));
  let number = 0;
  for await (const { status } of open(t).request(items, { bufferSize: 10 })) {
    assert.equal(status, 200);
    number += 1;
    assert.ok(items.taken - number <= 3 * 128 + 30 + 256 * 4, `${items.taken} taken for ${number}`);
    if (number % 10 === 0) await sleep(5);
    if (number === 500) break;
  }
});

test('an endless asynchronous source is closed likewise', async (t) => {
  const pool = open(t);
  let taken = 0;
  let closed = false;
  async function* endless() {
    try {
      for (;;) yield `${site}/bytes/100?${(taken += 1)}`;
    } finally {
      closed = true;
    }
  }
  let number = 0;
  for await (const { status } of pool.request(endless(), { bufferSize: 50 })) {
    assert.equal(status, 200);
    number += 1;
    if (number === 200) {
      await sleep(50);
      break;
    }
  }
  assert.ok(closed);
  assert.ok(taken <= 200 + 150 + 3 * 128 + 1024, `${taken}`);
});

test('a slow source holds up no result', async (t) => {
  const pool = open(t);
  const given = [];
  async function* items() {
    for (let number = 0; number < 20; number += 1) {
      // The next item comes only after the result of this one: a batch must not wait for it.
      const done = new Promise((resolve) => given.push(resolve));
      yield { number, url: `${site}/empty?${number}` };
      await done;
    }
  }
  let number = 0;
  for await (const { item } of pool.request(items(), { key: ({ url }) => url })) {
    assert.equal(item.number, number);
    given[number]();
    number += 1;
  }
  assert.equal(number, 20);
});

test('a source that ends long after its last result', async (t) => {
  async function* items() {
    yield `${site}/empty`;
    await sleep(300);
  }
  const { results } = await all(open(t).request(items()));
  assert.equal(results.length, 1);
});

test('leaving the loop does not wait for a source that gives nothing', { timeout: 20_000 }, async (t) => {
  let closed = false;
  async function* items() {
    try {
      yield `${site}/empty`;
      await new Promise(() => {});
    } finally {
      closed = true;
    }
  }
  for await (const { status } of open(t).request(items())) {
    assert.equal(status, 200);
    break;
  }
  assert.equal(closed, false); // it can't be, but the loop goes on
});

test('a job whose group waits holds up no job of another, however small the buffer', async (t) => {
  const pool = open(t, { domainParallelism: 1 });
  // The second waits for the first one's group, and the third for room, which comes without a result.
  const items = [`${site}/slow?ms=5000`, `${site}/slow?ms=5001`, `${site}/empty`];
  const group = (url) => (url.endsWith('empty') ? 'b' : 'a');
  const run = pool.request(items, { bufferSize: 2, group });
  assert.equal((await run.next()).value.url, items[2]);
  await run.return();
});

test('ordered', async (t) => {
  const pool = open(t);
  function* items() {
    for (let number = 0; number < 300; number += 1) {
      yield { number, url: number % 50 === 7 ? '' : `${site}/slow?ms=${(number * 7919) % 20}` };
    }
  }
  let next = 0;
  for await (const { item, errorCode } of pool.request(items(), { key: ({ url }) => url, ordered: true, bufferSize: 64 })) {
    assert.equal(item.number, next);
    assert.equal(errorCode, next % 50 === 7 ? 'invalid-argument' : null);
    next += 1;
  }
  assert.equal(next, 300);
});

test('not ordered unless asked', async (t) => {
  const urls = [`${site}/slow?ms=300`, `${site}/empty`];
  const { results } = await all(open(t).request(urls));
  assert.deepEqual(results.map(({ url }) => url), urls.reverse());
});

test('passthrough', async (t) => {
  const items = [null, { id: 1 }, '', `${site}/text`, undefined, ''];
  const key = (item) => (typeof item === 'object' ? null : item);
  const { results } = await all(open(t).request(items, { key, passthrough: true, ordered: true }));
  assert.deepEqual(results.map(({ item }) => item), items);
  for (const { item, url, status, error, errorCode, body, headers, stack, endUrl, text, attempts } of results) {
    assert.equal(error, null);
    assert.equal(errorCode, null);
    if (item === items[3]) {
      assert.equal(status, 200);
      continue;
    }
    assert.equal(url, null);
    assert.equal(status, 0);
    assert.equal(endUrl, null);
    assert.equal(body.length, 0);
    assert.deepEqual([...headers], []);
    assert.deepEqual(stack, []);
    assert.equal(attempts, 0);
    assert.equal(typeof text, 'function');
  }
  assert.equal(results[0].text(), null);
  assert.equal(results[0].mimetype, null);
});

test('an item without URL is an error unless passthrough', async (t) => {
  const { results, failure } = await all(open(t).request([null, `${site}/text`, ''], { ordered: true }));
  assert.equal(failure, undefined);
  assert.deepEqual(results.map(({ errorCode }) => errorCode), ['invalid-argument', null, 'invalid-argument']);
  assert.match(results[0].error.message, /url/i);
  assert.equal(results[2].item, '');
});

test('several runs at once', async (t) => {
  const pool = open(t);
  await Promise.all(
    Array.from({ length: 8 }, async (_, run) => {
      const { results, failure } = await all(pool.request(pages(`${site}/bytes/${run + 1}`, 500)));
      assert.equal(failure, undefined);
      assert.equal(results.length, 500);
      assert.ok(results.every(({ body, error }) => body.length === run + 1 && error === null));
    }),
  );
  assert.equal(pool.stats().delivered, 4000);
});

test('a loop within a loop', async (t) => {
  const pool = open(t);
  let inner = 0;
  for await (const { url } of pool.request(pages(`${site}/text`, 10))) {
    for await (const { status } of pool.resolve([url, url])) inner += status === 200;
  }
  assert.equal(inner, 20);
});

test('next called many times without waiting', async (t) => {
  const run = open(t).request(pages(`${site}/empty`, 100));
  const results = await Promise.all(Array.from({ length: 150 }, () => run.next()));
  assert.equal(results.filter(({ done }) => !done).length, 100);
  // In the order they were called, the ends at the end.
  assert.ok(results.slice(0, 100).every(({ value }) => value.status === 200));
  assert.ok(results.slice(100).every(({ done, value }) => done && value === undefined));
  const urls = new Set(results.slice(0, 100).map(({ value }) => value.url));
  assert.equal(urls.size, 100);
});

test('next called many times, then return', async (t) => {
  const run = open(t).request(pages(`${site}/hang`));
  const waiting = Array.from({ length: 5 }, () => run.next());
  assert.deepEqual(await run.return('over'), { value: 'over', done: true });
  for (const answer of await Promise.all(waiting)) assert.deepEqual(answer, { value: undefined, done: true });
});

test('the loop body may take its time, and results wait for it', async (t) => {
  const seen = [];
  for await (const { url } of open(t).request(pages(`${site}/bytes/1000`, 30))) {
    seen.push(url);
    await sleep(2);
  }
  assert.equal(new Set(seen).size, 30);
});

test('what makes no sense is told at once', async (t) => {
  const pool = open(t);
  for (const items of [undefined, null, 5, 'http://a.test/', {}]) {
    assert.throws(() => pool.request(items), (error) => error instanceof TypeError && /items/.test(error.message));
  }
  for (const [settings, name] of [
    [{ key: 'url' }, /key/],
    [{ group: 5 }, /group/],
    [{ optionsFor: {} }, /optionsFor/],
    [{ signal: {} }, /signal/],
    [{ signal: new AbortController() }, /signal/],
    [{ ordered: 1 }, /ordered/],
    [{ bufferSize: 'many' }, /bufferSize/],
    [{ throttle: 1 }, /throttle/], // the pool's
    [{ nonsense: 1 }, /nonsense/],
  ]) {
    assert.throws(
      () => pool.request([], settings),
      (error) => error instanceof TypeError && name.test(error.message),
      String(name),
    );
  }
  const { failure } = await all(pool.request([], { bufferSize: 0 }));
  assert.equal(failure.code, 'invalid-argument');
  assert.match(failure.message, /bufferSize/);
  assert.equal((await one(pool, `${site}/empty`)).status, 200);
});
