'use strict';

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const test = require('node:test');

const { Pool, urlGroup } = require('../index.js');
const { all, folder, open, pages, serve, sleep, until } = require('./support.js');

const log = path.join(folder, 'log');
const site = serve('serve', '--log', log);

/** What the site was asked under this path: when each request came, in seconds. */
async function asked(start, count) {
  const lines = () =>
    fs.readFileSync(log, 'utf8').split('\n').slice(0, -1).map((line) => line.split('\t')).filter(([, , , at]) => at.startsWith(start));
  await until(() => lines().length >= count, `${count} requests of ${start} in the log`);
  return lines().map(([at]) => Number(at) / 1e6).sort((a, b) => a - b);
}

const gaps = (times) => times.slice(1).map((time, index) => time - times[index]);

/** The server sees requests later than they are sent, and not all by as much: it is given this. */
const TOLERANCE = 0.04;

test('a group waits for its throttle, over all runs of the pool', async (t) => {
  const pool = open(t, { throttle: 0.15, domainParallelism: 1 });
  const runs = [0, 1].map(() => all(pool.request(pages(`${site}/empty?throttle`, 4))));
  for (const { results } of await Promise.all(runs)) assert.ok(results.every(({ status }) => status === 200));
  // And on, in the next run.
  await all(pool.request(pages(`${site}/empty?throttle`, 1)));
  const times = await asked('/empty?throttle', 9);
  assert.equal(times.length, 9);
  for (const gap of gaps(times)) assert.ok(gap >= 0.15 - TOLERANCE, `${gaps(times)}`);
});

test('the default is polite', async (t) => {
  const pool = new Pool();
  t.after(() => pool.close());
  await all(pool.request(pages(`${site}/empty?default`, 4)));
  for (const gap of gaps(await asked('/empty?default', 4))) assert.ok(gap >= 0.2 - TOLERANCE, `${gap}`);
});

test('groups', async (t) => {
  const pool = open(t, { throttle: undefined, throttleMs: 3_600_000, domainParallelism: 1 });
  pool.setDomainRule('ruled', { throttle: 0, parallelism: 8 });
  // One job of each other group is all that an hour's throttle lets through.
  const groups = [...Array(30).fill('ruled'), ...Array(30).fill(''), null, 'of its own'];
  const items = groups.map((group, number) => ({ group, url: `${site}/empty?group${number}` }));
  const { results, failure } = await all(
    pool.request(items, { key: ({ url }) => url, group: (item) => item.group }),
  );
  assert.equal(failure, undefined);
  assert.equal(results.length, items.length);
  assert.ok(results.every(({ error }) => error === null));
  // And a second one of such a group waits.
  const run = pool.request([`${site}/empty`], { group: () => 'of its own' });
  const first = await Promise.race([run.next(), sleep(200)]);
  assert.equal(first, undefined);
  await run.return();
});

test("a URL's group, and a result's", async (t) => {
  for (const [url, group] of [
    ['http://www.example.com/', 'example.com'],
    ['HTTPS://WWW.Example.co.uk:8080/x', 'example.co.uk'],
    [new URL('http://a.someone.github.io/'), 'someone.github.io'],
    ['bücher.de', 'xn--bcher-kva.de'],
    ['http://127.0.0.1:8080/', '127.0.0.1'],
    [`${'é.'.repeat(50)}test`, `${'xn--9ca.'.repeat(50)}test`],
  ]) {
    assert.equal(urlGroup(url), group);
  }
  for (const url of ['', '/about', 'ftp://a.test/', 'http://a.test/\ud800', 'a\0b.test']) {
    assert.throws(() => urlGroup(url), { code: 'invalid-argument', name: 'RouetError' }, url);
  }
  for (const url of [5, null, undefined, {}]) assert.throws(() => urlGroup(url), TypeError);
  const items = [[`${site}/empty`, null], [`${site}/empty`, 'own'], [`${site}/empty`, ''], ['/about', 'own'], [null, null]];
  const { results } = await all(
    open(t).request(items, { key: ([url]) => url, group: ([, group]) => group, passthrough: true, ordered: true }),
  );
  assert.deepEqual(results.map(({ group }) => group), ['127.0.0.1', 'own', '', null, null]);
  const pool = open(t);
  for (const name of ['Ex.com', 'ex.com.', 'http://ex.com/', 'bücher.com', 'a group']) pool.setDomainRule(name, { throttle: 0 });
  for (const name of ['www.ex.com', 'http://ex.com/x', 'ex.com:8080', 'ftp://ex.com']) {
    assert.throws(() => pool.setDomainRule(name, { throttle: 0 }), { code: 'invalid-argument' }, name);
  }
});

test('what in particular is wrong with TLS', async (t) => {
  const secure = site.replace('http:', 'https:'); // where none is spoken
  const [result] = (await all(open(t).request([secure]))).results;
  assert.equal(result.errorCode, 'ssl');
  assert.equal(result.error.subcode, 'protocol');
  const [refused] = (await all(open(t).request(['http://127.0.0.1:1/']))).results;
  assert.equal(refused.error.subcode, null);
});

test('a rule of a domain', async (t) => {
  const pool = open(t, { throttle: undefined, throttleMs: 3_600_000, domainParallelism: 1 });
  pool.setDomainRule('127.0.0.1', { throttle: 0.1 });
  await all(pool.request(pages(`${site}/empty?ruled`, 4)));
  for (const gap of gaps(await asked('/empty?ruled', 4))) assert.ok(gap >= 0.1 - TOLERANCE && gap < 60);
  for (const [domain, rule, name] of [
    [5, {}, /domain/],
    ['a\0b', {}, /domain/],
    ['a.test', { throttle: '1' }, /throttle/],
    ['a.test', { parallelism: 0 }, /parallelism/],
    ['a.test', { parallelism: 1.5 }, /parallelism/],
    ['a.test', { throtle: 1 }, /throtle is no option: there are throttle, parallelism/],
    ['a.test', { Throttle: 1 }, /Throttle is no option/],
    ['a.test', { domainParallelism: 2 }, /domainParallelism is no option/],
    ['a.test', { throttle: 500 }, /throttle is 500: it is in seconds.*throttleMs: 500 /],
    ['a.test', { throttle: 1, throttleMs: 1000 }, /both given/],
    ['a.test', { throttleMs: '5' }, /throttleMs/],
    ['a.test', 5, /the rule/],
    ['a.test', null, /the rule/],
  ]) {
    assert.throws(() => pool.setDomainRule(domain, rule), (error) => error instanceof TypeError && name.test(error.message));
  }
  assert.throws(() => pool.setDomainRule('a.test', { throttle: -1 }), { code: 'invalid-argument' });
});

test('what is not given in a rule is as in the pool', async (t) => {
  const pool = open(t, { throttle: 0.1, domainParallelism: 3 });
  pool.setDomainRule('a', { parallelism: 1 });
  pool.setDomainRule('b', { throttle: 0 });
  const run = (group) => all(pool.request(pages(`${site}/slow?ms=100&rule-${group}`, 6), { group: () => group }));
  await Promise.all([run('a'), run('b')]);
  for (const gap of gaps(await asked('/slow?ms=100&rule-a', 6))) assert.ok(gap >= 0.2 - TOLERANCE, `a: ${gap}`);
  // Three at once: some come together.
  const times = await asked('/slow?ms=100&rule-b', 6);
  assert.ok(gaps(times).some((gap) => gap < 0.09), `${gaps(times)}`);
});

test('parallelism is kept', async (t) => {
  const pool = open(t, { throttle: 0, domainParallelism: 2 });
  let most = 0;
  const watch = setInterval(() => (most = Math.max(most, pool.stats().inFlight)), 5);
  const { results } = await all(pool.request(pages(`${site}/slow?ms=50`, 12)));
  clearInterval(watch);
  assert.equal(results.length, 12);
  assert.equal(most, 2);
});
