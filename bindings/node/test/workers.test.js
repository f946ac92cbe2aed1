'use strict';

const assert = require('node:assert/strict');
const path = require('node:path');
const test = require('node:test');
const { Worker } = require('node:worker_threads');

const { backend } = require('../index.js');
const { all, nothingLeft, open, pages, site, sleep } = require('./support.js');

const START = `
  const { parentPort, workerData } = require('node:worker_threads');
  const { Pool } = require(workerData.module);
  const { site } = workerData;
  const pool = new Pool({ throttle: 0, domainParallelism: 16, threads: 1 });
  function* pages(start, count) {
    for (let number = 0; number < count; number += 1) yield site + start + '?' + number;
  }
`;

/** Runs this in a thread; gives what it posts, and how it ended. */
function start(source) {
  const worker = new Worker(START + source, {
    eval: true,
    workerData: { module: path.join(__dirname, '../index.js'), site },
  });
  const messages = [];
  worker.on('message', (message) => messages.push(message));
  let failure;
  worker.on('error', (error) => (failure = error));
  const over = new Promise((resolve) => worker.on('exit', (code) => resolve({ code, failure, messages })));
  return { worker, over, messages };
}

test('several threads at once, and the main one', async (t) => {
  await nothingLeft(async () => {
    const pool = open(t);
    const workers = Array.from({ length: 4 }, (_, worker) =>
      start(`
        (async () => {
          const seen = new Set();
          for await (const { url, status, body } of pool.request(pages('/bytes/${worker + 1}', 2000))) {
            if (status === 200 && body.length === ${worker + 1}) seen.add(url);
          }
          await pool.close();
          parentPort.postMessage(seen.size);
        })();
      `),
    );
    const { results } = await all(pool.request(pages(`${site}/text`, 500)));
    assert.equal(results.length, 500);
    for (const { over } of workers) {
      const { code, failure, messages } = await over;
      assert.equal(failure, undefined);
      assert.deepEqual({ code, messages }, { code: 0, messages: [2000] });
    }
    await pool.close();
  });
});

test('a thread ends by itself without its pool being closed, and leaves nothing', async () => {
  await nothingLeft(async () => {
    const { code, failure, messages } = await start(`
      pool.request(pages('/hang', 1)).next();
      const run = pool.request(pages('/bytes/1000', Infinity), { group: () => '' });
      run.next().then(({ value }) => { parentPort.postMessage(value.status); process.exit(); });
    `).over;
    assert.deepEqual({ code, failure, messages }, { code: 0, failure: undefined, messages: [200] });
  });
});

test('an exception in a thread ends that thread alone', async () => {
  await nothingLeft(async () => {
    const { code, failure } = await start(`
      (async () => {
        for await (const result of pool.request(pages('/bytes/1000', Infinity))) throw new Error('of the body');
      })();
    `).over;
    assert.equal(code, 1);
    assert.equal(failure.message, 'of the body');
  });
});

// Over ffi-napi it may not: a call that is interrupted ends the process, which is ffi-napi's own fault.
const [how, end] =
  backend === 'koffi' ? ['be terminated', ({ worker }) => worker.terminate()] : ['end itself', ({ over }) => over];

test(`a thread may ${how} at any moment`, async (t) => {
  const pool = open(t);
  for (const what of ['/bytes/1000', '/hang', '/bytes/3000000']) {
    for (const wait of [0, 20, 100]) {
      const thread = start(`
        if ('${backend}' !== 'koffi') setTimeout(() => process.exit(), 50 + ${wait});
        (async () => {
          const run = pool.request(pages('${what}', Infinity), { bufferSize: 20 });
          parentPort.postMessage('begun');
          for await (const { status } of run) ;
        })();
      `);
      while (thread.messages.length === 0) await sleep(1);
      await sleep(wait);
      await end(thread);
      assert.equal((await thread.over).failure, undefined);
    }
  }
  // The others go on as if nothing had been.
  const { results } = await all(pool.request(pages(`${site}/text`, 100)));
  assert.ok(results.length === 100 && results.every(({ status }) => status === 200));
});

test('results can not be posted, but what they hold can', async (t) => {
  const [result] = (await all(open(t).request([`${site}/text`]))).results;
  const { url, status, body } = structuredClone({ url: result.url, status: result.status, body: result.body });
  assert.deepEqual({ url, status }, { url: `${site}/text`, status: 200 });
  assert.ok(Buffer.from(body).equals(result.body));
});
