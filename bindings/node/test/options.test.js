'use strict';

const assert = require('node:assert/strict');
const test = require('node:test');

const { Pool, RouetError } = require('../index.js');
const { all, one, open, pages, site } = require('./support.js');

/** What the test site saw of a request. */
async function echoed(pool, options, path = '/echo') {
  const result = await one(pool, `${site}${path}`, options);
  assert.equal(result.error, null);
  const echo = result.json();
  echo.header = (name) => echo.headers.filter(([given]) => given === name).map(([, value]) => value);
  return echo;
}

test('options reach the server', async (t) => {
  const pool = open(t);
  const echo = await echoed(pool, {
    method: 'PUT',
    body: Buffer.from('b\0dy'),
    headers: { 'X-Plain': 'a', 'X-Text': 'é' },
    cookie: 'c=1',
    spoofUa: true,
  });
  assert.equal(echo.method, 'PUT');
  assert.equal(echo.body_length, 4);
  assert.equal(echo.body, 'b\0dy');
  assert.deepEqual(echo.header('x-plain'), ['a']);
  assert.deepEqual(echo.header('cookie'), ['c=1']);
  assert.match(echo.header('user-agent')[0], /Mozilla/);
  assert.match((await echoed(pool, {})).header('user-agent')[0], /^rouet\//);
  assert.equal((await echoed(pool, { method: 'POST', body: 'é' })).body, 'é');
  assert.equal((await echoed(pool, { httpVersion: '2-prior-knowledge' })).version, 'HTTP/2.0');
  assert.equal((await echoed(pool, { httpVersion: '1.1' })).version, 'HTTP/1.1');
  const port = new URL(site).port;
  const elsewhere = await one(pool, 'http://a.test/echo', { connectTo: [`a.test:80:127.0.0.1:${port}`] });
  assert.equal(elsewhere.json().host, 'a.test');
  const resolved = await one(pool, `http://b.test:${port}/echo`, { dns: [`b.test:${port}:127.0.0.1`] });
  assert.equal(resolved.json().host, `b.test:${port}`);
  assert.equal((await one(pool, `${site}/redirect/1`, { followRedirects: false })).status, 302);
  assert.equal((await one(pool, `${site}/redirect/1`, { maxRedirects: 0 })).errorCode, 'max-redirects');
  assert.equal((await one(pool, `${site}/empty`, { networkInterface: '127.0.0.1' })).status, 200);
});

test('headers in each of their forms, in order', async (t) => {
  const pool = open(t);
  for (const headers of [
    [['X-B', '1'], ['X-A', '2'], ['X-B', '3']],
    new Map([['X-B', '1'], ['X-A', '2']]),
    { 'X-B': '1', 'X-A': '2' },
    new Headers({ 'X-B': '1', 'X-A': '2' }),
  ]) {
    const { header } = await echoed(pool, { headers });
    assert.deepEqual(header('x-a'), ['2']);
    assert.equal(header('x-b')[0], '1');
    assert.equal(header('x-b').length, Array.isArray(headers) ? 2 : 1);
  }
});

test("an item's options go before the run's, and those before the pool's", async (t) => {
  const pool = open(t, { headers: { 'X-Of': 'pool' }, cookie: 'of=pool', timeout: 20 });
  const of = [
    undefined,
    null,
    {},
    { headers: { 'X-Of': 'item' }, cookie: undefined },
    { method: 'PUT', body: 'body' },
  ];
  const { results } = await all(
    pool.request([0, 1, 2, 3, 4], {
      key: (number) => `${site}/echo?${number}`,
      optionsFor: (number) => of[number],
      headers: { 'X-Of': 'run' },
      cookie: undefined,
      ordered: true,
    }),
  );
  const saw = results.map((result) => {
    const { method, headers, body } = result.json();
    return { method, body, ...Object.fromEntries(headers) };
  });
  assert.deepEqual(saw.map((echo) => echo['x-of']), ['run', 'run', 'run', 'item', 'run']);
  // What is undefined is as if it were not there.
  assert.deepEqual(saw.map((echo) => echo.cookie), Array(5).fill('of=pool'));
  assert.deepEqual(saw.map(({ method }) => method), ['GET', 'GET', 'GET', 'GET', 'PUT']);
  assert.equal(saw[4].body, 'body');
  assert.equal((await echoed(pool)).header('x-of')[0], 'pool');
});

test("an item's options merge with the run's, and those with the pool's", async (t) => {
  const port = new URL(site).port;
  const pool = open(t, {
    headers: { 'X-Pool': '1', 'X-Of': 'pool', 'User-Agent': 'spinner/1', Cookie: 'of=pool' },
    connectTo: [`::127.0.0.1:${port}`],
    timeout: 20,
    retry: { minWait: 0, maxAttempts: 2 },
  });
  const of = {
    none: undefined,
    empty: {},
    header: { headers: [['x-of', 'item'], ['X-OF', 'again']] },
    map: { headers: new Map([['X-OF', 'map']]) },
    removed: { headers: { 'x-pool': null, 'X-RUN': null } },
    cookie: { cookie: 'of=item' },
    time: { timeoutMs: 900_000, retry: { onStatuses: [503] } },
    retry: { retry: true },
  };
  const expected = { 'x-pool': '1', 'x-run': '2', 'x-of': 'run', 'user-agent': 'spinner/1', cookie: 'of=pool' };
  const others = {
    header: { 'x-of': 'itemagain' },
    map: { 'x-of': 'map' },
    removed: { 'x-pool': undefined, 'x-run': undefined },
    cookie: { cookie: 'of=item' },
  };
  const run = pool.request(Object.keys(of), {
    key: (name) => `http://${name}.test/echo`,
    headers: { 'X-Run': '2', 'x-of': 'run' },
    optionsFor: (name) => of[name],
  });
  const { results, failure } = await all(run);
  assert.equal(failure, undefined);
  for (const result of results) {
    assert.equal(result.error, null, result.error?.message);
    const saw = {};
    for (const [name, value] of result.json().headers) saw[name] = (saw[name] ?? '') + value;
    for (const [name, value] of Object.entries({ ...expected, ...others[result.item] })) {
      assert.equal(saw[name], value, `${result.item}: ${name}`);
    }
  }
  // What is retried is still so when an item says on which statuses.
  const again = await all(
    pool.request(['http://a.test/status/503'], { optionsFor: () => ({ retry: { onStatuses: [503] } }) }),
  );
  assert.equal(again.results[0].attempts, 2);
  const not = await all(
    pool.request(['http://a.test/status/503'], { retry: { onStatuses: [503] }, optionsFor: () => ({ retry: false }) }),
  );
  assert.equal(not.results[0].attempts, 1);
});

test('times are in seconds, or in milliseconds by name; what is absurd is refused', async (t) => {
  for (const [name, value] of [['throttle', 500], ['throttle', 61], ['timeout', 30_000], ['connectTimeout', 5000], ['retry', { minWait: 1000 }]]) {
    const named = (error) => error instanceof TypeError && /is in seconds, \d+ at most; \S+Ms: \d+ says milliseconds/.test(error.message);
    assert.throws(() => new Pool({ [name]: value }), named, name);
    if (name !== 'throttle') assert.throws(() => open(t).request([], { [name]: value }), named, name);
  }
  for (const settings of [{ timeout: 1, timeoutMs: 1000 }, { retry: { minWait: 1, minWaitMs: 1000 } }, { throttle: 0, throttleMs: 0 }]) {
    assert.throws(() => new Pool(settings), /both given/);
  }
  for (const name of ['followRedirectsMs', 'Ms', 'methodMs', 'timeoutMsMs']) {
    assert.throws(() => new Pool({ [name]: 1 }), new RegExp(`${name} is no option`));
  }
  const pool = open(t, { throttle: undefined, throttleMs: 3_600_000, timeoutMs: 100 });
  assert.equal((await one(pool, `${site}/slow?ms=2000`, { group: () => '' })).errorCode, 'read-timeout');
  assert.equal((await one(pool, `${site}/slow?ms=300`, { timeout: 20, group: () => '' })).error, null);
});

test('what frames a request is refused, and so is what has no effect', async (t) => {
  for (const [settings, words] of [
    [{ headers: { 'Content-Length': '3' } }, /Content-Length/],
    [{ headers: { 'transfer-encoding': 'chunked' } }, /transfer-encoding/],
    [{ dns: ['a.com:80:nothost'] }, /nothost/],
    [{ connectTo: ['a.com:80:b.com:65536'] }, /65536/],
    [{ allowNetworks: ['127.0.0.0/8'] }, /allowNetworks .* denyNetworks/],
  ]) {
    assert.throws(() => new Pool(settings), (error) => error.code === 'invalid-argument' && words.test(error.message));
  }
  const bad = ['/about', 'about.html', 'tel:123', 'http://a.test/\ud800', '"'];
  const { results } = await all(open(t).request(bad));
  assert.deepEqual(results.map(({ errorCode }) => errorCode), bad.map(() => 'invalid-url'));
  const quoted = await all(open(t).request([`\ufeff"${site}/text"\u200b`]));
  assert.equal(quoted.results[0].endUrl, `${site}/text`);
});

test('a wrong option of an item is an error of that item alone', async (t) => {
  const pool = open(t);
  const wrong = [
    [{ timeout: 'soon' }, /timeout/],
    [{ nonsense: 1 }, /nonsense/],
    [{ headers: { 'X-A': 'a\nb' } }, /header/],
    [{ proxy: 'nonsense://' }, /proxy/],
    [{ knownEncoding: 'klingon' }, /knownEncoding/],
    [{ timeout: -1 }, /timeout/],
    [{ ordered: true }, /ordered/],
    [5, /optionsFor/],
    ['GET', /optionsFor/],
  ];
  for (const ordered of [true, false]) {
    const items = Array.from({ length: 3 * wrong.length }, (_, number) => number);
    const { results, failure } = await all(
      pool.request(items, {
        key: () => `${site}/empty`,
        optionsFor: (number) => (number % 3 === 1 ? wrong[(number - 1) / 3][0] : { method: 'GET' }),
        ordered,
      }),
    );
    assert.equal(failure, undefined);
    assert.equal(results.length, items.length);
    if (ordered) assert.deepEqual(results.map(({ item }) => item), items);
    for (const { item, url, error, errorCode, status, body, stack, attempts } of results) {
      if (item % 3 !== 1) {
        assert.equal(error, null);
        assert.equal(status, 200);
        continue;
      }
      assert.equal(errorCode, 'invalid-argument');
      assert.ok(error instanceof RouetError);
      assert.equal(error.code, 'invalid-argument');
      assert.match(error.message, wrong[(item - 1) / 3][1]);
      assert.equal(error.url, url);
      assert.equal(url, `${site}/empty`);
      assert.equal(status + body.length + stack.length + attempts, 0);
    }
  }
});

test('what no option can be is a TypeError that names it', () => {
  const pool = new Pool();
  const wrong = {
    method: [5, 'a\0b'],
    headers: [5, 'X: y', null, [['X-A', 5]], { 'X-A': undefined }],
    cookie: [{}, 'a\0b'],
    stateful: [1, 'yes', null],
    body: [5, {}, [1, 2]],
    connectTimeout: ['5', NaN, null],
    timeout: [5n, {}, Object.create(null)],
    maxBodySize: [-1, 1.5, 2 ** 60, '1'],
    maxRedirects: [1.5, -2, 2 ** 31],
    raiseOnStatuses: [404, '404', [70000], ['404']],
    knownEncoding: [5],
    connectTo: ['a:1:b:2', [5], 5],
    dns: ['a:1:127.0.0.1'],
    httpVersion: ['3', 1.1, 'toString'],
    retry: [1, null, 'yes', { maxAttempts: -1 }, { nonsense: 1 }, { onStatuses: 503 }],
    toString: [1],
    nonsense: [1],
  };
  for (const [name, values] of Object.entries(wrong)) {
    for (const value of values) {
      const named = (error) => error instanceof TypeError && error.message.includes(name === 'headers' ? 'header' : name);
      assert.throws(() => pool.request([], { [name]: value }), named, name);
      assert.throws(() => new Pool({ [name]: value }), named, name);
    }
  }
  for (const [name, value] of [['maxWorkers', -1], ['threads', '1'], ['throttle', null], ['domainParallelism', 1.5], ['bufferSize', 5], ['key', String]]) {
    assert.throws(() => new Pool({ [name]: value }), (error) => error instanceof TypeError && error.message.includes(name), name);
  }
  return pool.close();
});

test('addresses, ports and schemes can be forbidden', async (t) => {
  const port = Number(new URL(site).port);
  for (const [settings, code] of [
    [{ denyPrivateAddresses: true }, 'forbidden-address'],
    [{ denyNetworks: ['127.0.0.0/8'] }, 'forbidden-address'],
    [{ denyPrivateAddresses: true, allowNetworks: ['127.0.0.1'] }, null],
    [{ allowedPorts: [80, 443] }, 'forbidden-address'],
    [{ allowedPorts: new Set([80, port]) }, null],
    [{ httpsOnly: true }, 'forbidden-address'],
  ]) {
    const { results } = await all(open(t, settings).request([`${site}/empty`]));
    assert.equal(results[0].errorCode, code, JSON.stringify(settings));
  }
});

test('what the library refuses is an error that names the option as it is written here', async (t) => {
  for (const [name, value] of [['threads', 1000], ['throttle', -1], ['domainParallelism', 0], ['proxy', 'nonsense://'], ['connectTo', ['nonsense']], ['connectTimeout', 0], ['denyNetworks', ['10.0.0.1/8']], ['allowNetworks', ['none']], ['allowedPorts', [80, 0]]]) {
    assert.throws(
      () => new Pool({ [name]: value }),
      (error) => error instanceof RouetError && error.code === 'invalid-argument' && error.message.includes(name),
      name,
    );
  }
  const pool = open(t);
  for (const [name, value] of [['bufferSize', 0], ['maxBufferedBytes', 0], ['knownEncoding', 'klingon'], ['connectTimeout', 0]]) {
    const { results, failure } = await all(pool.request([`${site}/empty`], { [name]: value }));
    assert.equal(results.length, 0);
    assert.ok(failure instanceof RouetError && failure.code === 'invalid-argument' && failure.message.includes(name), name);
  }
});

test('the options of a pool may be changed after it was made, and change nothing', async (t) => {
  const settings = { cookie: 'a=1', headers: [['x-one', '1']] };
  const pool = open(t, settings);
  settings.cookie = 'a=2';
  settings.headers[0][1] = '2';
  settings.headers.push(['x-two', '2']);
  const echo = await echoed(pool, {});
  assert.deepEqual(echo.header('cookie'), ['a=1']);
  assert.deepEqual(echo.header('x-one'), ['1']);
  assert.deepEqual(echo.header('x-two'), []);
});

test('lists that can be read only once are read once', async (t) => {
  const once = () => new Map([['x-once', '1']]).entries();
  for (const [poolSettings, settings] of [[{ headers: once() }, {}], [{}, { headers: once() }]]) {
    const pool = open(t, poolSettings);
    assert.deepEqual((await echoed(pool, settings)).header('x-once'), ['1']);
    if (poolSettings.headers) assert.deepEqual((await echoed(pool, settings)).header('x-once'), ['1']);
  }
  const raiseOnStatuses = [404].values();
  const { results } = await all(open(t).request([`${site}/status/404`], { raiseOnStatuses }));
  assert.equal(results[0].errorCode, 'invalid-status-404');
});

test('a large body and many options of many items', async (t) => {
  const pool = open(t);
  const body = Buffer.alloc(300_000, 'x');
  let number = 0;
  for await (const result of pool.request(pages(`${site}/echo`, 100), { optionsFor: () => ({ method: 'POST', body }) })) {
    assert.equal(result.error, null);
    assert.equal(result.json().body_length, body.length);
    number += 1;
  }
  assert.equal(number, 100);
});
