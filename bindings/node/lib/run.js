'use strict';

const { setMaxListeners } = require('node:events');
const net = require('node:net');
const { inspect } = require('node:util');

const { RouetError } = require('./errors');
const layout = require('./layout');
const { Arena, read64 } = require('./memory');
const native = require('./native');
const { encodeOptions, fresh, merge } = require('./options');
const { Result } = require('./result');

const { Status } = native;

/** Jobs handed over at once: reading their URLs must not hold up the event loop. */
const BATCH = 128;
/** Results are taken ahead of the loop up to so many bytes; a larger one comes by itself. */
const BUFFER_SIZE = 256 << 10;
/** The library says when there are results, not when there is room: that is asked for so often, in ms. */
const ROOM = 20;

const KINDS = { request: 0, resolve: 1 };

// Shared by all runs, because what is put there is used at once.
const buffer = new Arena(BUFFER_SIZE).take(BUFFER_SIZE);
const numbers = new Arena(16).take(16);
const [first, second] = [numbers.address, numbers.address + 8];

/** What a function of the item gave: text, or null for nothing. */
function textOrNothing(name, value, meaning) {
  if (value === undefined || value === null || typeof value === 'string') return value ?? null;
  throw new TypeError(`${name} gave ${inspect(value)}: it gives ${meaning}, a string`);
}

/** What an iterator gave, which is not to be taken for an item. */
function checked(given) {
  if (typeof given === 'object' && given !== null) return given;
  throw new TypeError(`the iterator of the items gave ${inspect(given)}: it gives an object`);
}

function itemOptions(options) {
  if (typeof options === 'object') return options;
  throw new TypeError(`optionsFor gave ${inspect(options)}: it gives an object`);
}

/** What keeps a job's place while it is under way: its number is the job's tag. */
class Slot {
  constructor(item, url, group, options) {
    this.item = item;
    this.url = url;
    this.group = group;
    this.options = options;
    /** What the job is, if not as the run says. */
    this.how = null;
    /** Why the library did not take it. */
    this.refused = null;
  }
}

/**
 * One run, as an asynchronous iterator over its results.
 *
 * Items are pulled and handed over while the library has room (`#pump`); when it has none, after
 * results were taken. Results are taken a batch at a time when the loop asks for one and none is
 * left, at most once a turn of the event loop, so that nothing else on it starves.
 */
class Run {
  #pool;
  #settings;
  #how;
  #handle = 0;
  #socket = null;
  #begun = false;
  #over = false;

  // Items on their way in.
  #source = null;
  #isAsync = false;
  #asking = false;
  #pulling = false;
  #exhausted = false;
  #finished = false;
  #stopped = false;
  #slots = [];
  #unused = [];
  #pending = [];
  #jobs = null;
  #stalled = null;
  #room = null;
  #arena = null;

  // Results on their way out.
  #ready = [];
  #next = 0;
  #waiting = [];
  #more = false;
  #looking = false;
  #busy = false;
  #draining = false;

  #ended = false;
  #failure = null;
  #gone;
  #freed = new Promise((resolve) => {
    this.#gone = resolve;
  });
  #onAbort = () => this.#fail(this.#settings.signal.reason);

  constructor(pool, settings) {
    this.#pool = pool;
    this.#settings = settings;
    this.#how = this.#howOf(settings.options);
  }

  [Symbol.asyncIterator]() {
    return this;
  }

  next() {
    if (!this.#begun) {
      this.#begun = true;
      try {
        this.#begin();
      } catch (error) {
        this.#close();
        return Promise.reject(error);
      }
    }
    if (this.#waiting.length === 0 && this.#next < this.#ready.length) {
      return Promise.resolve({ value: this.#shift(), done: false });
    }
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject });
      this.#serve();
    });
  }

  return(value) {
    this.#begun = true;
    this.#ready.length = this.#next = 0;
    if (this.#failure) this.#failure.told = true;
    const said = this.#stop();
    this.#close();
    this.#serve();
    return Promise.all([said, this.#freed]).then(() => ({ value, done: true }));
  }

  throw(error) {
    return this.return().then(() => {
      throw error;
    });
  }

  async [Symbol.asyncDispose]() {
    await this.return();
  }

  /** What the pool does to its runs when it is closed: gives a promise that the handle is gone. */
  drain(error) {
    this.#draining = true;
    this.#fail(error);
    this.#serve();
    this.#look();
    return this.#freed;
  }

  addTo(stats) {
    if (this.#handle !== 0) this.#pool.addStats(this.#handle, stats);
  }

  #howOf(options) {
    const cause = () => this.#failure?.reason;
    return { kind: this.#settings.kind, knownEncoding: options.knownEncoding, compressed: options.compressed, cause };
  }

  #begin() {
    const { signal, items } = this.#settings;
    signal?.throwIfAborted();
    this.#handle = this.#pool.open(this, this.#settings);
    native.check(native.eventFd(this.#handle, first));
    const fd = native.dup(numbers.bytes.readInt32LE(0));
    if (fd < 0) throw new RouetError('out-of-resources', 'no descriptor is left');
    // The pipe is the library's own: what is read from it says only that there is something.
    const onread = { buffer: Buffer.alloc(8), callback: () => (this.#signalled(), true) };
    this.#socket = new net.Socket({ fd, readable: true, writable: false, onread });
    this.#socket.on('error', (error) => this.#fail(error));
    this.#socket.unref();
    if (signal) {
      setMaxListeners(0, signal); // it may well be for many runs
      signal.addEventListener('abort', this.#onAbort);
    }

    this.#arena = new Arena(32 << 10);
    // One behind the other, as C wants them.
    const jobs = new Arena(BATCH * layout.job.size);
    this.#jobs = Array.from({ length: BATCH }, () => jobs.struct(layout.job));
    this.#isAsync = typeof items[Symbol.asyncIterator] === 'function';
    this.#source = this.#isAsync ? items[Symbol.asyncIterator]() : items[Symbol.iterator]();
    this.#pump();
  }

  // ---- items in ----

  /** Pulls items and hands them over for as long as there is room. */
  #pump() {
    if (this.#isAsync) {
      this.#pull();
      return;
    }
    if (this.#stopped || this.#stalled) return;
    try {
      while (this.#pending.length < BATCH && !this.#exhausted && !this.#stopped) {
        const { done, value } = this.#ask();
        if (done) this.#exhausted = true;
        else this.#push(value);
      }
    } catch (error) {
      this.#fail(error);
    }
    if (this.#stopped) this.#stop().catch(() => {}); // by the source itself, which could not be told yet
    // The next batch in another turn.
    else if (this.#handOver() && !this.#finished) setImmediate(() => this.#pump());
  }

  /** The same for an asynchronous source, a loop of its own. */
  async #pull() {
    if (this.#pulling) return;
    this.#pulling = true;
    let flushing = false;
    try {
      while (!this.#stopped && !this.#stalled && !this.#exhausted) {
        const { done, value } = await this.#askLater();
        if (done) this.#exhausted = true;
        // What comes after a failure is cancelled with the rest.
        else if (!this.#stopped || (this.#failure && !this.#over)) this.#push(value);
        if (this.#stopped) break;
        if (this.#exhausted || this.#pending.length >= BATCH) {
          this.#handOver();
          // Also for a source that is always ready.
          await new Promise(setImmediate);
        } else if (!flushing) {
          // What comes in this turn goes together.
          flushing = true;
          setImmediate(() => {
            flushing = false;
            if (!this.#stopped && !this.#stalled) this.#handOver();
          });
        }
      }
      this.#pulling = false;
    } catch (error) {
      this.#pulling = false;
      this.#fail(error);
    }
  }

  /** The source's next; a source that fails has ended itself. */
  #ask() {
    this.#asking = true;
    try {
      return checked(this.#source.next());
    } catch (error) {
      this.#exhausted = true;
      throw error;
    } finally {
      this.#asking = false;
    }
  }

  async #askLater() {
    this.#asking = true;
    try {
      return checked(await this.#source.next());
    } catch (error) {
      this.#exhausted = true;
      throw error;
    } finally {
      this.#asking = false;
    }
  }

  #push(item) {
    const { key, group, optionsFor } = this.#settings;
    const url = textOrNothing('key', key(item), "the item's URL");
    const name = textOrNothing('group', group?.(item), "the name of the item's group");
    const slot = new Slot(item, url || null, name, optionsFor?.(item));
    const place = this.#unused.pop() ?? this.#slots.length;
    this.#slots[place] = slot;
    this.#pending.push(place);
  }

  /** Hands what was pulled to the library; false: there is no room for all of it, or it failed. */
  #handOver() {
    try {
      while (this.#stalled || this.#pending.length > 0) {
        this.#stalled ??= this.#encoded();
        if (!this.#submit(this.#stalled)) {
          this.#askForRoom();
          return false;
        }
        this.#stalled = null;
      }
      if (this.#exhausted && !this.#finished) {
        this.#finished = true;
        native.check(native.finish(this.#handle));
      }
      return true;
    } catch (error) {
      this.#fail(error);
      return false;
    }
  }

  /** There is room when a job starts, too, of which the library says nothing. */
  #askForRoom() {
    this.#room ??= setTimeout(() => {
      this.#room = null;
      this.#resume();
    }, ROOM).unref();
  }

  #encoded() {
    const places = this.#pending;
    this.#pending = [];
    this.#arena.reset();
    places.forEach((place, index) => this.#encode(place, index));
    return { places, done: 0 };
  }

  #submit(batch) {
    const { places } = batch;
    while (batch.done < places.length) {
      const start = this.#jobs[batch.done].address;
      const status = native.submitMany(this.#handle, start, places.length - batch.done, 0, first);
      if (status === Status.CLOSED) return false;
      batch.done += read64(numbers.bytes, 0);
      if (status === Status.AGAIN) return false;
      if (status === Status.OK) continue;
      const refusal = native.refusal(status);
      if (status !== Status.INVALID_ARGUMENT) throw refusal;
      // Those before it were accepted.
      this.#refuse(places[batch.done], batch.done, refusal);
    }
    return true;
  }

  #encode(place, index) {
    const slot = this.#slots[place];
    const job = this.#job(place, index);
    job.set('kind', KINDS[this.#settings.kind]);
    if (slot.url !== null) {
      const url = this.#arena.text(slot.url);
      job.set('url', url.address);
      job.set('url_size', url.size);
    }
    if (slot.group !== null) {
      const group = this.#arena.text(slot.group);
      job.set('group', group.address);
      job.set('group_size', group.size);
    }
    if (!slot.options) return;
    try {
      const merged = merge(this.#settings.options, itemOptions(slot.options));
      slot.how = this.#howOf(merged);
      job.set('options', encodeOptions(merged, this.#arena));
    } catch (error) {
      this.#refuse(place, index, error);
    }
  }

  /** Puts a job that fails at once in a refused one's place, so that its error comes in its turn. */
  #refuse(place, index, error) {
    const slot = this.#slots[place];
    if (slot.refused) throw error; // its stand-in was refused too
    const why = error?.message ?? String(error);
    slot.refused = RouetError.ofResult('invalid-argument', why, { url: slot.url });
    const job = this.#job(place, index);
    const none = this.#arena.text(':');
    job.set('url', none.address);
    job.set('group', none.address + 1); // the empty text
  }

  /** The job at that place of the batch, for the item of that slot. */
  #job(place, index) {
    const job = fresh(this.#jobs[index], 'job');
    job.set('tag', place);
    return job;
  }

  // ---- results out ----

  #shift() {
    const result = this.#ready[this.#next];
    this.#ready[this.#next] = undefined;
    this.#next += 1;
    if (this.#next === this.#ready.length) {
      this.#ready.length = 0;
      this.#next = 0;
    }
    return result;
  }

  /** Gives results to those who wait for them, and sees to it that more come. */
  #serve() {
    while (this.#waiting.length > 0 && this.#next < this.#ready.length) {
      this.#waiting.shift().resolve({ value: this.#shift(), done: false });
    }
    if (this.#over) {
      for (const { resolve, reject } of this.#waiting.splice(0)) {
        const failure = this.#failure;
        if (failure && !failure.told) {
          failure.told = true;
          reject(failure.reason);
        } else {
          resolve({ value: undefined, done: true });
        }
      }
      return;
    }
    if (this.#waiting.length > 0 || this.#draining) {
      this.#socket.ref();
      if (this.#more) this.#look();
    } else {
      this.#socket?.unref();
    }
  }

  /** The library says that there is something. */
  #signalled() {
    this.#more = true;
    if (this.#over || this.#busy || this.#looking) return;
    if (this.#waiting.length > 0 || this.#draining) this.#take();
  }

  /** Takes results in the next turn of the event loop. */
  #look() {
    if (this.#looking || this.#busy || this.#over) return;
    this.#looking = true;
    setImmediate(() => {
      this.#looking = false;
      if (!this.#over && !this.#busy) this.#take();
    });
  }

  #take() {
    const status = native.nextPacked(
      this.#handle, buffer.address, BUFFER_SIZE, 0, first, second,
    );
    this.#more = false;
    if (status === Status.OK) {
      const count = read64(numbers.bytes, 0);
      // Once nothing goes in any more, only POOL_AGAIN says that something will still come.
      this.#more = read64(numbers.bytes, 8) > 0 || this.#stopped || this.#finished;
      for (let at = 0, taken = 0; taken < count; taken += 1) {
        const size = read64(buffer.bytes, at + layout.result.at.block_size);
        // A copy of its own: one result that is kept does not keep the others.
        this.#give(Buffer.from(buffer.bytes.subarray(at, at + size)));
        at += size;
      }
      if (count === 0) {
        this.#takeLarge(read64(numbers.bytes, 8));
        return;
      }
    } else if (status === Status.DONE) {
      this.#end();
    } else if (status !== Status.AGAIN) {
      this.#fail(native.refusal(status));
    }
    this.#resume();
    this.#serve();
  }

  /** Takes a result that does not fit into the buffer: on another thread, as copying it takes a while. */
  #takeLarge(size) {
    const block = Buffer.allocUnsafeSlow(size);
    const counts = new Arena(16).take(16);
    this.#busy = true;
    this.#pool.lend(this.#handle);
    const done = (error, status) => {
      this.#busy = false;
      this.#pool.takeBack(this.#handle);
      if (this.#over) {
        this.#free();
        return;
      }
      if (error) this.#fail(error);
      else if (status !== Status.OK) this.#fail(new RouetError('internal-error', `status ${status}`));
      else if (read64(counts.bytes, 0) === 1) this.#give(block);
      this.#more = true;
      this.#resume();
      this.#serve();
    };
    const { address } = counts;
    native.later.nextPacked(this.#handle, native.address(block), size, 0, address, address + 8, done);
  }

  #give(block) {
    const place = block.readUInt32LE(layout.result.at.tag);
    const { item, url, how, refused } = this.#release(place);
    const result = refused
      ? new Result(item, url, this.#how, null, refused)
      : new Result(item, url, how ?? this.#how, block, null);
    this.#ready.push(result);
  }

  #release(place) {
    const slot = this.#slots[place];
    this.#slots[place] = undefined;
    this.#unused.push(place);
    return slot;
  }

  /** Hands over what there was no room for, now that results were taken. */
  #resume() {
    if (!this.#stalled || this.#stopped || this.#over) return;
    if (this.#handOver() && !this.#finished) setImmediate(() => this.#pump());
  }

  /** All that was accepted has come; what was not never will. */
  #end() {
    this.#ended = true;
    const { places = [], done = 0 } = this.#stalled ?? {};
    for (const place of [...places.slice(done), ...this.#pending]) {
      const { item, url, refused } = this.#release(place);
      const rest = { url, cause: this.#failure?.reason };
      const error = refused ?? RouetError.ofResult('cancelled', 'cancelled before it was begun', rest);
      this.#ready.push(new Result(item, url, this.#how, null, error));
    }
    this.#close();
  }

  // ---- ends ----

  /** Has the outstanding results come at once, and the loop fail after them. */
  #fail(reason) {
    if (this.#over || this.#failure) return;
    this.#failure = { reason, told: false };
    this.#stop().catch(() => {}); // the first failure is the one that is told
    native.cancel(this.#handle);
  }

  /** Pulls no more items, and closes the source. */
  async #stop() {
    this.#stopped = true;
    // One that stops the run from within can be told only when it has come back.
    if (!this.#source || this.#exhausted || (this.#asking && !this.#isAsync)) return;
    this.#exhausted = true;
    const asking = this.#asking;
    const said = this.#source.return?.();
    // One that is still looking for its next item, maybe for ever, hears of it only after that.
    if (asking) said?.catch?.(() => {});
    else await said;
  }

  #close() {
    if (this.#over) return;
    this.#over = true;
    clearTimeout(this.#room);
    this.#settings.signal?.removeEventListener('abort', this.#onAbort);
    this.#socket?.destroy();
    this.#slots = [];
    if (!this.#busy) this.#free();
  }

  #free() {
    const quiet = this.#ended && !this.#failure;
    this.#gone(this.#handle === 0 ? null : this.#pool.release(this, this.#handle, quiet));
    this.#handle = 0;
  }
}

module.exports = { Run };
