'use strict';

const { inspect } = require('node:util');

const layout = require('./layout');
const { RouetError } = require('./errors');
const { Arena, read64, write64 } = require('./memory');
const native = require('./native');
const { encodeConfig, merge, readRule, split } = require('./options');
const { Run } = require('./run');
const { OPTIONS, POOL, STREAM } = require('./table');

function snakeCased(name) {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

/** What a run can be told beside options of the library. */
const RUN = { key: {}, group: {}, optionsFor: {}, signal: {} };

/** Handles that were not freed: threads of the library must not outlive the JavaScript around it. */
const live = new Set();
/** Those that a call on another thread is using. */
const lent = new Set();
process.on('exit', () => {
  for (const handle of live) native.cancel(handle);
  for (const handle of live) if (!lent.has(handle)) native.free(handle);
});

/** Pools that nobody holds any more and that were not closed. */
const forgotten = new FinalizationRegistry((handle) => {
  if (live.delete(handle)) native.later.free(handle, () => {});
});

function newHandle(make) {
  const place = new Arena(8).take(8);
  native.check(make(place.address));
  const handle = read64(place.bytes, 0);
  live.add(handle);
  return handle;
}

function freeNow(handle) {
  live.delete(handle);
  native.free(handle);
}

/** On another thread: the last handle's end waits for the engine's. */
function freeLater(handle) {
  live.delete(handle);
  return new Promise((resolve) => native.later.free(handle, () => resolve()));
}

const STREAM_STATS = ['accepted', 'delivered', 'failed', 'held', 'started', 'bufferedBytes'];
const POOL_STATS = ['inFlight', 'groups', 'connections', 'nameLookups'];

function readStats(handle) {
  const stats = new Arena(layout.stats.size).struct(layout.stats);
  stats.set('struct_size', layout.stats.size);
  native.check(native.stats(handle, stats.address));
  return (name) => read64(stats.bytes, layout.stats.at[snakeCased(name)]);
}

/** The group of a job with that URL, unless it names one of its own. */
function urlGroup(url) {
  const text = url instanceof URL ? url.href : url;
  if (typeof text !== 'string') throw new TypeError(`url is ${inspect(url, { depth: 0 })}: it is a string or a URL`);
  const arena = new Arena(4096);
  const given = arena.text(text);
  const length = arena.take(8);
  write64(length.bytes, 0, 0);
  // Of some URLs the host is longer in the end.
  for (let size = given.size + 64; ; size = read64(length.bytes, 0) + 1) {
    const group = arena.take(size);
    // A size of 0 means: up to the NUL, and so to the end of nothing.
    const status = native.urlGroup(given.address, given.size, group.address, size, length.address);
    if (status === native.Status.OK) return group.bytes.toString('utf8', 0, read64(length.bytes, 0));
    if (read64(length.bytes, 0) < size) throw native.refusal(status);
  }
}

function defaultKey(item) {
  if (typeof item === 'string' || item === null || item === undefined) return item;
  if (item instanceof URL) return item.href;
  throw new TypeError(`an item is no string but ${typeof item}: key says where its URL is`);
}

function checkFunction(name, value) {
  if (value !== undefined && typeof value !== 'function') {
    throw new TypeError(`${name} is ${inspect(value, { depth: 0 })}: it is a function of the item`);
  }
}

class Pool {
  #handle;
  #options;
  #rule;
  #runs = new Set();
  #ended = Object.fromEntries(STREAM_STATS.map((name) => [name, 0]));
  #closing = null;

  constructor(settings = {}) {
    const [pool, options] = split(settings, POOL, OPTIONS);
    this.#options = options;
    const arena = new Arena(4096);
    const config = encodeConfig(pool, {}, options, arena);
    const { throttle, throttleMs } = pool;
    this.#rule = readRule({ throttle, throttleMs, parallelism: pool.domainParallelism }, { throttle: 0.2, parallelism: 1 });
    this.#handle = newHandle((place) => native.new(config, place));
    forgotten.register(this, this.#handle, this);
  }

  get closed() {
    return this.#handle === 0;
  }

  request(items, settings = {}) {
    return this.#run('request', items, settings);
  }

  resolve(items, settings = {}) {
    return this.#run('resolve', items, settings);
  }

  #run(kind, items, settings) {
    if (
      typeof items === 'string' ||
      (typeof items?.[Symbol.asyncIterator] !== 'function' &&
        typeof items?.[Symbol.iterator] !== 'function')
    ) {
      throw new TypeError('items is no iterable: it gives the URLs, or what key finds them in');
    }
    const [run, stream, options] = split(settings, RUN, STREAM, OPTIONS);
    const { key = defaultKey, group, optionsFor, signal } = run;
    checkFunction('key', key);
    checkFunction('group', group);
    checkFunction('optionsFor', optionsFor);
    if (signal !== undefined && !(signal instanceof AbortSignal)) {
      throw new TypeError('signal is no AbortSignal');
    }
    const merged = merge(this.#options, options);
    // Here already, to tell what is wrong with them; the arena is to live until the run begins.
    const arena = new Arena(4096);
    const config = { arena, address: encodeConfig({}, stream, merged, arena) };
    return new Run(this.#ofRuns, { kind, items, key, group, optionsFor, signal, config, options: merged });
  }

  setDomainRule(domain, rule = {}) {
    this.#checkOpen();
    if (typeof domain !== 'string' || domain.includes('\0')) {
      throw new TypeError(`domain is ${inspect(domain)}: it is the name of a group`);
    }
    const { throttle, parallelism } = readRule(rule, this.#rule);
    if (parallelism < 1) {
      throw new TypeError(`parallelism is ${inspect(parallelism)}: it is a whole number from 1 on`);
    }
    const name = new Arena(256).text(domain);
    native.check(native.setDomainRule(this.#handle, name.address, throttle, parallelism));
  }

  stats() {
    const stats = { ...this.#ended };
    for (const run of this.#runs) run.addTo(stats);
    const read = this.#handle === 0 ? () => 0 : readStats(this.#handle);
    for (const name of POOL_STATS) stats[name] = read(name);
    return stats;
  }

  close() {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async [Symbol.asyncDispose]() {
    await this.close();
  }

  async #close() {
    const handle = this.#handle;
    this.#handle = 0;
    forgotten.unregister(this);
    const reason = new RouetError('closed', 'the pool was closed');
    const runs = [...this.#runs].map((run) => run.drain(reason));
    await Promise.all([...runs, freeLater(handle)]);
  }

  #checkOpen() {
    if (this.#handle === 0) throw new RouetError('closed', 'the pool was closed');
  }

  /** What a run needs of its pool. */
  #ofRuns = {
    open: (run, { config }) => {
      this.#checkOpen();
      const handle = newHandle((place) => native.share(this.#handle, config.address, place));
      this.#runs.add(run);
      return handle;
    },
    lend: (handle) => lent.add(handle),
    takeBack: (handle) => lent.delete(handle),
    addStats: (handle, stats) => {
      const read = readStats(handle);
      for (const name of STREAM_STATS) stats[name] += read(name);
    },
    /** The run is over; unless it went to its end quietly, much may be left to be freed. */
    release: async (run, handle, quiet) => {
      const read = readStats(handle);
      for (const name of ['accepted', 'delivered', 'failed']) this.#ended[name] += read(name);
      if (quiet && this.#handle !== 0) freeNow(handle);
      else await freeLater(handle);
      this.#runs.delete(run);
    },
  };
}

module.exports = { Pool, urlGroup };
