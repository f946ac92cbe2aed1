'use strict';

const { RouetError } = require('./lib/errors');
const native = require('./lib/native');
const { Pool, urlGroup } = require('./lib/pool');

module.exports = {
  Pool,
  RouetError,
  urlGroup,
  /** The library's version, and the foreign function interface that is used. */
  version: native.textAt(native.version()),
  backend: native.backend,
};
