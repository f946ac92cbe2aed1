'use strict';

const { inspect, types } = require('node:util');

const layout = require('./layout');
const { Arena } = require('./memory');
const native = require('./native');
const { OPTIONS, POOL, RETRY, STREAM } = require('./table');

const HTTP_VERSIONS = { any: 0, '1.1': 1, '2-prior-knowledge': 2 };

function wrong(name, value, expected) {
  return new TypeError(`${name} is ${inspect(value, { depth: 0 })}: it is ${expected}`);
}

function number(name, value) {
  if (typeof value !== 'number' || Number.isNaN(value)) throw wrong(name, value, 'a number');
  return value;
}

/** The most seconds that some options take: more are most likely milliseconds. */
function seconds(name, value, most) {
  if (number(name, value) > most) {
    throw new TypeError(
      `${name} is ${value}: it is in seconds, ${most} at most; ` +
        `${name}Ms: ${value} says milliseconds, ${name}Ms: ${value * 1000} so many seconds`,
    );
  }
  return value;
}

function integer(name, value, least, most) {
  if (!Number.isInteger(value) || value < least || value > most) {
    throw wrong(name, value, `a whole number from ${least} to ${most}`);
  }
  return value;
}

/** Text that C can read to its NUL. */
function cText(name, value) {
  if (typeof value !== 'string') throw wrong(name, value, 'a string');
  if (value.includes('\0')) throw wrong(name, value, 'text without NUL');
  return value;
}

function list(name, value) {
  if (typeof value === 'string' || typeof value?.[Symbol.iterator] !== 'function') {
    throw wrong(name, value, 'a list');
  }
  return [...value];
}

/** Headers, of any kind, as pairs. */
function pairs(name, value) {
  if (typeof value !== 'object' || value === null) throw wrong(name, value, 'headers');
  return typeof value[Symbol.iterator] === 'function' ? list(name, value) : Object.entries(value);
}

/**
 * A copy of a value that may be read only once, or change: options are encoded when a run begins, but
 * are what they were when it was asked for.
 */
const copies = {
  texts: list,
  numbers: list,
  headers: (name, value) => pairs(name, value).map((pair) => list('a header', pair)),
  bytes: (name, value) => (types.isUint8Array(value) ? Buffer.from(value) : value),
  retry(name, value) {
    if (typeof value !== 'object' || value?.onStatuses === undefined) return value;
    return { ...value, onStatuses: list(`${name}.onStatuses`, value.onStatuses) };
  },
};

/**
 * How each kind of option gets from JavaScript into the struct. What the table says of the option names
 * its field, and that of its length.
 */
const kinds = {
  flag(name, value, to, { field }) {
    if (typeof value !== 'boolean') throw wrong(name, value, 'true or false');
    to.set(field, value ? 1 : 0);
  },
  int(name, value, to, { field }) {
    to.set(field, integer(name, value, -1, 2 ** 31 - 1));
  },
  uint(name, value, to, { field }) {
    to.set(field, integer(name, value, 0, 2 ** 32 - 1));
  },
  size(name, value, to, { field }) {
    to.set(field, integer(name, value, 0, Number.MAX_SAFE_INTEGER));
  },
  seconds(name, value, to, { field, most = Infinity }) {
    to.set(field, seconds(name, value, most));
  },
  milliseconds(name, value, to, { field }) {
    to.set(field, number(name, value) / 1000);
  },
  text(name, value, to, { field }, arena) {
    to.set(field, arena.text(cText(name, value)).address);
  },
  texts(name, value, to, { field, count }, arena) {
    const texts = list(name, value).map((text) => arena.text(cText(`an entry of ${name}`, text)).address);
    if (texts.length === 0) return;
    to.set(field, arena.pointers(texts));
    to.set(count, texts.length);
  },
  numbers(name, value, to, { field, count }, arena) {
    const numbers = list(name, value);
    if (numbers.length === 0) return;
    const piece = arena.take(2 * numbers.length);
    numbers.forEach((number, index) => {
      piece.bytes.writeUInt16LE(integer(`a number of ${name}`, number, 0, 65535), 2 * index);
    });
    to.set(field, piece.address);
    to.set(count, numbers.length);
  },
  headers(name, value, to, { field, count }, arena) {
    const given = pairs(name, value);
    if (given.length === 0) return;
    const { size } = layout.header;
    const lines = arena.take(size * given.length);
    given.forEach(([name, value], index) => {
      const line = arena.struct(layout.header);
      for (const [field, text] of [['name', name], ['value', value]]) {
        const words = arena.text(cText(`the ${field} of a header`, text));
        line.set(field, words.address);
        line.set(`${field}_size`, words.size);
      }
      line.bytes.copy(lines.bytes, size * index);
    });
    to.set(field, lines.address);
    to.set(count, given.length);
  },
  bytes(name, value, to, { field, count }, arena) {
    const bytes = typeof value === 'string' ? Buffer.from(value) : value;
    if (!types.isUint8Array(bytes)) throw wrong(name, value, 'a string, Buffer or Uint8Array');
    to.set(field, arena.bytes(bytes).address);
    to.set(count, bytes.length);
  },
  httpVersion(name, value, to, { field }) {
    if (typeof value !== 'string' || !Object.hasOwn(HTTP_VERSIONS, value)) {
      throw wrong(name, value, `one of ${Object.keys(HTTP_VERSIONS).join(', ')}`);
    }
    to.set(field, HTTP_VERSIONS[value]);
  },
  retry(name, value, to, known, arena) {
    if (typeof value === 'boolean') return kinds.flag(name, value, to, known);
    if (typeof value !== 'object' || value === null) throw wrong(name, value, 'a boolean or an object');
    to.set(known.field, 1);
    fill(RETRY, value, to, arena, 'retry.');
  },
};

/** What a group's rule has. */
const RULE = {
  throttle: POOL.throttle,
  parallelism: { kind: 'uint', field: 'parallelism' },
};

/** What a table says of an option: nothing, if there is none. */
function lookUp(table, name) {
  if (Object.hasOwn(table, name)) return table[name];
  const base = twin(name);
  if (!name.endsWith('Ms') || !Object.hasOwn(table, base) || table[base].kind !== 'seconds') return undefined;
  return { kind: 'milliseconds', field: table[base].field };
}

/** The name of a time in the other unit. */
function twin(name) {
  return name.endsWith('Ms') ? name.slice(0, -2) : `${name}Ms`;
}

/** Writes those of the values that the table has into a struct. */
function fill(table, values, to, arena, prefix = '') {
  for (const [name, value] of Object.entries(values)) {
    if (value === undefined) continue;
    const known = lookUp(table, name);
    if (!known) {
      throw new TypeError(`${prefix}${name} is no option: there are ${Object.keys(table).join(', ')}`);
    }
    if (lookUp(table, twin(name)) && values[twin(name)] !== undefined) {
      throw new TypeError(`${prefix}${name} and ${prefix}${twin(name)} are both given: they say the same`);
    }
    kinds[known.kind](prefix + name, value, to, known, arena);
  }
}

/**
 * Options over others: what is there goes before what is not, a time in either unit before both,
 * headers by name, parts of retry one by one. A cookie goes before a Cookie header, and the other way
 * round. Headers whose value is null are taken away.
 */
function merge(base, own) {
  const merged = { ...base };
  for (const [name, value] of Object.entries(own)) {
    if (value === undefined) continue;
    delete merged[twin(name)];
    merged[name] = value;
  }
  const isCookie = ([name]) => typeof name === 'string' && name.toLowerCase() === 'cookie';
  const mine = own.headers === undefined ? [] : pairs('headers', own.headers).map((pair) => list('a header', pair));
  const theirs = base.headers === undefined ? [] : pairs('headers', base.headers);
  const lower = (name) => (typeof name === 'string' ? name.toLowerCase() : name);
  const names = new Set(mine.map(([name]) => lower(name)));
  if (own.cookie === undefined) {
    if (mine.some(isCookie)) delete merged.cookie;
  } else if (own.cookie !== null) {
    names.add('cookie');
  }
  if (own.headers !== undefined || names.size > 0) {
    merged.headers = [
      ...theirs.filter(([name]) => !names.has(lower(name))),
      ...mine.filter(([, value]) => value !== null),
    ];
  }
  const { retry } = own;
  if (retry === true && typeof base.retry === 'object') merged.retry = base.retry;
  if (typeof retry === 'object' && retry !== null && typeof base.retry === 'object') {
    merged.retry = { ...base.retry };
    for (const [name, value] of Object.entries(retry)) {
      if (value === undefined) continue;
      delete merged.retry[twin(name)];
      merged.retry[name] = value;
    }
  }
  return merged;
}

/** What of a rule is given, in the units of C. */
function readRule(rule, usual) {
  if (typeof rule !== 'object' || rule === null) throw wrong('the rule', rule, 'an object');
  const read = { ...usual };
  fill(RULE, rule, { set: (field, value) => (read[field] = value) });
  return read;
}

/** Divides options up by the tables that have them; they are copies. */
function split(values, ...tables) {
  const parts = tables.map(() => ({}));
  for (const [name, value] of Object.entries(values)) {
    const index = tables.findIndex((table) => lookUp(table, name));
    if (index < 0) {
      const names = tables.flatMap((table) => Object.keys(table)).join(', ');
      throw new TypeError(`${name} is no option: there are ${names}`);
    }
    if (value === undefined) continue;
    const { kind } = lookUp(tables[index], name);
    parts[index][name] = Object.hasOwn(copies, kind) ? copies[kind](name, value) : value;
  }
  return parts;
}

/** The structs as the library sets them up, asked for once. */
const templates = {};
for (const kind of ['options', 'config', 'job']) {
  const { size } = layout[kind];
  templates[kind] = new Arena(size).take(size);
  native.check(native[`${kind}Init`](templates[kind].address, size));
}

/** Makes a struct what pool_options_init and its like make it. */
function fresh(struct, kind) {
  templates[kind].bytes.copy(struct.bytes);
  return struct;
}

/** A pool_options_t; gives its address. */
function encodeOptions(values, arena) {
  const options = fresh(arena.struct(layout.options), 'options');
  fill(OPTIONS, values, options, arena);
  return options.address;
}

/** A pool_config_t of a pool, or of a stream (then `pool` is empty). */
function encodeConfig(pool, stream, options, arena) {
  const config = fresh(arena.struct(layout.config), 'config');
  fill(POOL, pool, config, arena);
  fill(STREAM, stream, config, arena);
  config.set('options', encodeOptions(options, arena));
  return config.address;
}

module.exports = { encodeConfig, encodeOptions, fresh, merge, readRule, split };
