'use strict';

/**
 * The library, through one of two foreign function interfaces.
 *
 * A backend (backends/*.js) has a `name`; `open(path)`, which opens a shared library and gives a
 * function (name, result type, parameter types) that gives a C function's `call` and `later`, the same
 * on another thread with a callback at its end; and `address(buffer)`, where a Buffer's bytes are.
 * Addresses are numbers: no machine has any above 2^53. Types: int, uint (32 bits), size (64 bits,
 * pointers too), double, nothing.
 */

const fs = require('node:fs');
const path = require('node:path');

const { RouetError } = require('./errors');

const BACKENDS = ['koffi', 'ffi-napi'];

const NAMES = { linux: 'librouet.so', darwin: 'librouet.dylib' };

function backend() {
  const forced = process.env.ROUET_FFI;
  if (forced && !BACKENDS.includes(forced)) {
    throw new Error(`ROUET_FFI is ${forced}, which is none of ${BACKENDS.join(', ')}`);
  }
  const failures = [];
  for (const name of forced ? [forced] : BACKENDS) {
    try {
      return require(`./backends/${name}`);
    } catch (error) {
      failures.push(`${name}: ${error.message.split('\n')[0]}`);
    }
  }
  throw new Error(
    `rouet finds no foreign function interface; "npm install koffi" installs one. ${failures.join('; ')}`,
  );
}

/** Where the library may be, in the order it is looked for. */
function places() {
  const name = NAMES[process.platform];
  if (!name || !['x64', 'arm64'].includes(process.arch)) {
    throw new Error(`rouet does not run on ${process.platform}-${process.arch}`);
  }
  const root = path.join(__dirname, '..');
  return [
    // Of this package, as it is published.
    path.join(root, 'prebuilds', `${process.platform}-${process.arch}`, name),
    // Of the repository this is part of.
    path.join(root, '../../target/release', name),
    // Installed.
    name,
  ];
}

function openLibrary(ffi) {
  const given = process.env.ROUET_LIBRARY;
  const failures = [];
  for (const place of given ? [given] : places()) {
    if (path.isAbsolute(place) && !fs.existsSync(place)) {
      failures.push(`there is no ${place}`);
      continue;
    }
    try {
      return ffi.open(place);
    } catch (error) {
      failures.push(`${place}: ${error.message}`);
    }
  }
  throw new Error(
    `rouet finds no library; ROUET_LIBRARY may say where it is. ${failures.join('; ')}`,
  );
}

const ffi = backend();
const { address } = ffi;
const library = openLibrary(ffi);
const libc = ffi.open(process.platform === 'darwin' ? 'libSystem.dylib' : 'libc.so.6');

const ABI = 1;
const abi = library('pool_abi_version', 'uint', []).call();
if (abi !== ABI) {
  throw new Error(`rouet's library has ABI version ${abi}; this package was written for ${ABI}`);
}

/** What calls come to: pool_status_t. */
const Status = { OK: 0, AGAIN: 1, DONE: 2, CLOSED: 3, INVALID_ARGUMENT: 4, OUT_OF_RESOURCES: 5 };

const functions = {
  optionsInit: ['pool_options_init', 'uint', ['size', 'size']],
  configInit: ['pool_config_init', 'uint', ['size', 'size']],
  jobInit: ['pool_job_init', 'uint', ['size', 'size']],
  new: ['pool_new', 'uint', ['size', 'size']],
  share: ['pool_share', 'uint', ['size', 'size', 'size']],
  free: ['pool_free', 'nothing', ['size']],
  submitMany: ['pool_submit_many', 'uint', ['size', 'size', 'size', 'int', 'size']],
  nextPacked: ['pool_next_packed', 'uint', ['size', 'size', 'size', 'int', 'size', 'size']],
  finish: ['pool_finish', 'uint', ['size']],
  cancel: ['pool_cancel', 'uint', ['size']],
  eventFd: ['pool_event_fd', 'uint', ['size', 'size']],
  urlGroup: ['pool_url_group', 'uint', ['size', 'size', 'size', 'size', 'size']],
  setDomainRule: ['pool_set_domain_rule', 'uint', ['size', 'size', 'double', 'uint']],
  stats: ['pool_stats', 'uint', ['size', 'size']],
  lastError: ['pool_last_error', 'size', []],
  version: ['pool_version', 'size', []],
  resultOfAnswer: ['pool_result_of_answer', 'uint', Array(7).fill('size')],
  resultFree: ['pool_result_free', 'nothing', ['size']],
  mimetype: ['pool_result_mimetype', 'size', ['size']],
  ext: ['pool_result_ext', 'size', ['size']],
  encoding: ['pool_result_encoding', 'size', ['size']],
  isText: ['pool_result_is_text', 'int', ['size']],
  couldBeHtml: ['pool_result_could_be_html', 'int', ['size']],
  isHtml: ['pool_result_is_html', 'int', ['size']],
  text: ['pool_result_text', 'size', ['size', 'size']],
  links: ['pool_result_links', 'size', ['size', 'size']],
  elements: ['pool_result_elements', 'size', ['size', 'size']],
};

const native = {};
/** The same functions on another thread, with a callback at the end. */
const later = {};
for (const [name, [symbol, result, parameters]] of Object.entries(functions)) {
  const { call, later: onThread } = library(symbol, result, parameters);
  native[name] = call;
  later[name] = onThread;
}

const memcpy = libc('memcpy', 'size', ['size', 'size', 'size']).call;
const strlen = libc('strlen', 'size', ['size']).call;
/** A descriptor of its own, which on Linux child processes are not given (F_DUPFD_CLOEXEC). */
const dup =
  process.platform === 'linux'
    ? ((fcntl) => (fd) => fcntl(fd, 1030, 0))(libc('fcntl', 'int', ['int', 'int', 'int']).call)
    : libc('dup', 'int', ['int']).call;

/** Copies bytes from C's memory into a Buffer. */
function copy(from, size, to) {
  if (size > 0) memcpy(address(to), from, size);
}

/** The text at an address that ends in a NUL; null for NULL. */
function textAt(from, size = from ? Number(strlen(from)) : 0) {
  if (!from) return null;
  const bytes = Buffer.allocUnsafe(size);
  copy(from, size, bytes);
  return bytes.toString();
}

const CODES = {
  [Status.CLOSED]: 'closed',
  [Status.INVALID_ARGUMENT]: 'invalid-argument',
  [Status.OUT_OF_RESOURCES]: 'out-of-resources',
};

/** What is wrong with the last call, which came to `status`. */
function refusal(status) {
  return new RouetError(CODES[status] ?? 'internal-error', camelCased(textAt(native.lastError())));
}

/** C's names of fields, as connect_timeout, as they are here. */
function camelCased(message) {
  return message.replace(/(?<![\w/.])[a-z]+(?:_[a-z]+)+(?![\w/.])/g, (name) =>
    name.replace(/_(.)/g, (_, letter) => letter.toUpperCase()),
  );
}

/** Throws unless a call came to POOL_OK. */
function check(status) {
  if (status !== Status.OK) throw refusal(status);
}

module.exports = {
  ...native,
  later,
  Status,
  address,
  check,
  copy,
  dup,
  refusal,
  textAt,
  backend: ffi.name,
};
