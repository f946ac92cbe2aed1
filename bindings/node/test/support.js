'use strict';

/** What the tests share: local servers, pools that need not be polite to them, and counts. */

const { spawn } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { setTimeout: sleep } = require('node:timers/promises');

const { Pool } = require('../index.js');

const program = process.env.ROUET_SITE ?? path.join(__dirname, '../../../target/release/site');
const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'rouet-'));
process.on('exit', () => fs.rmSync(folder, { recursive: true, force: true }));

let servers = 0;

/** Starts the test site with these words; gives "http://127.0.0.1:PORT". It ends with the process. */
function serve(...words) {
  const told = path.join(folder, `port-${(servers += 1)}`);
  const out = fs.openSync(told, 'w');
  const server = spawn(program, words, { stdio: ['ignore', out, 'inherit'] });
  fs.closeSync(out);
  if (!server.pid) throw new Error(`no test site: ${program} can't be run; ROUET_SITE says where it is`);
  server.unref();
  process.on('exit', () => server.kill());
  for (let tries = 0; tries < 1000; tries += 1) {
    const port = fs.readFileSync(told, 'utf8');
    if (port.endsWith('\n')) return `http://127.0.0.1:${port.trim()}`;
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 10);
  }
  throw new Error(`${program} ${words.join(' ')} tells no port`);
}

const urls = {};
const started = (name, ...words) => (urls[name] ??= serve(...words));

/** A pool that need not be polite to the test site, closed at the end of the test. */
function open(t, settings = {}) {
  const pool = new Pool({ throttle: 0, domainParallelism: 32, ...settings });
  t.after(() => pool.close());
  return pool;
}

/** A path's URLs, with the numbers 0, 1, 2 … behind a question mark. */
function* pages(start, count = Infinity) {
  const mark = start.includes('?') ? '&' : '?';
  for (let number = 0; number < count; number += 1) yield `${start}${mark}${number}`;
}

/** Takes all of a run's results; `failure` is what it threw in the end. */
async function all(run) {
  const results = [];
  try {
    for await (const result of run) results.push(result);
  } catch (failure) {
    return { results, failure };
  }
  return { results };
}

/** The result of a single URL. */
async function one(pool, url, settings) {
  const { results, failure } = await all(pool.request([url], settings));
  if (failure) throw failure;
  if (results.length !== 1) throw new Error(`${results.length} results`);
  return results[0];
}

/** Waits until something holds. */
async function until(holds, what, seconds = 20) {
  for (const end = Date.now() + 1000 * seconds; Date.now() < end; await sleep(5)) {
    if (await holds()) return;
  }
  throw new Error(`after ${seconds} s still not: ${what}`);
}

const descriptors = () => fs.readdirSync('/proc/self/fd').length;

/** The library's threads. */
const threads = () =>
  fs.readdirSync('/proc/self/task').filter((task) => {
    try {
      return fs.readFileSync(`/proc/self/task/${task}/comm`, 'utf8').startsWith('rouet');
    } catch {
      return false; // ended meanwhile
    }
  }).length;

/** Fails if there are more descriptors or threads after it than before; pools keep theirs until closed. */
async function nothingLeft(body) {
  // The event loop's own, opened when first used.
  const warm = new Pool();
  await all(warm.request(['http://127.0.0.1:1/']));
  await warm.close();
  const before = { descriptors: descriptors(), threads: threads() };
  await body();
  await until(
    () => descriptors() <= before.descriptors && threads() <= before.threads,
    `no more descriptors and threads than ${JSON.stringify(before)}`,
  );
}

/** Runs a program in a Node of its own; gives how it ended and what it said. */
function run(source, { args = [], esm = false, env = {}, seconds = 60 } = {}) {
  const flags = [...(global.gc ? ['--expose-gc'] : []), `--input-type=${esm ? 'module' : 'commonjs'}`];
  const child = spawn(process.execPath, [...flags, '-e', source, '--', ...args], {
    cwd: path.join(__dirname, '..'),
    env: { ...process.env, NODE_TEST_CONTEXT: undefined, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let [out, err] = ['', ''];
  child.stdout.on('data', (text) => (out += text));
  child.stderr.on('data', (text) => (err += text));
  return new Promise((resolve) => {
    const limit = setTimeout(() => child.kill('SIGKILL'), 1000 * seconds);
    child.on('close', (code, signal) => {
      clearTimeout(limit);
      resolve({ code, signal, out, err });
    });
  });
}

/** Numbers from 0 to 1 that are the same each time. */
function random(seed) {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

module.exports = {
  all,
  descriptors,
  folder,
  nothingLeft,
  one,
  open,
  pages,
  random,
  run,
  serve,
  sleep,
  threads,
  until,
  /** A site, and one that misbehaves; each is started when first asked for. */
  get site() {
    return started('site', 'serve');
  },
  get faults() {
    return started('faults', 'faults');
  },
};
