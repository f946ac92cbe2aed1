'use strict';

/** The code that docs/guide.md shows, run. tests/docs.rs sees to it that both are the same. */

const assert = require('node:assert/strict');
const test = require('node:test');

const { Pool } = require('../index.js');
const { all, pages, site } = require('./support.js');

test('a run that is ended early', async () => {
  const pool = new Pool({ throttle: 0 });
  const urls = pages(`${site}/hang`, 3);
  const unfinished = [];
  const signal = AbortSignal.timeout(200);
  try {
    for await (const result of pool.request(urls, { signal })) {
      if (result.error?.code === 'cancelled') unfinished.push(result.item);
    }
  } catch (reason) {
    if (reason !== signal.reason) throw reason; // thrown once all results came
  } finally {
    await pool.close();
  }
  assert.equal(unfinished.length, 3);
});

test('URLs that others chose', async () => {
  const pool = new Pool({
    denyPrivateAddresses: true,
    allowedPorts: [80, 443],
    maxBodySize: 8 << 20,
    timeout: 20,
    maxRedirects: 5,
    maskCredentials: true,
  });
  const { results } = await all(pool.request([site]));
  await pool.close();
  assert.equal(results[0].error.code, 'forbidden-address');
});

test('a server that asks for patience', async () => {
  const pool = new Pool({ throttle: 0 });
  const busy = `${site}/status/503?header=Retry-After:1`;
  for await (const result of pool.request([busy])) {
    const seconds = Number(result.headers.get('retry-after')); // NaN for a date
    if ([429, 503].includes(result.status) && seconds > 0) {
      pool.setDomainRule(result.group, { throttle: Math.min(seconds, 60) });
    }
  }
  const began = Date.now();
  const { results } = await all(pool.request([busy, `${site}/text`], { ordered: true }));
  await pool.close();
  assert.equal(results[1].status, 200);
  assert.ok(Date.now() - began > 900);
});
