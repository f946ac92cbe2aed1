'use strict';

/** ffi-napi: see ../native.js for what a backend gives. */

const { isMainThread } = require('node:worker_threads');

const ffi = require('ffi-napi');
const ref = require('ref-napi');

const TYPES = { int: 'int32', uint: 'uint32', size: 'uint64', double: 'double', nothing: 'void' };

exports.name = 'ffi-napi';

/** In a worker that ends meanwhile, a call on another thread would end the process: a fault of ffi-napi. */
function inTheNextTurn(call) {
  return (...values) => {
    const callback = values.pop();
    setImmediate(callback, null, call(...values));
  };
}

exports.open = (path) => {
  // As dlopen's RTLD_NOW; the name's ending is not for it to guess.
  const library = new ffi.DynamicLibrary(path, ffi.DynamicLibrary.FLAGS.RTLD_NOW);
  return (name, result, parameters) => {
    const types = parameters.map((type) => TYPES[type]);
    const call = ffi.ForeignFunction(library.get(name), TYPES[result], types);
    return { call, later: isMainThread ? call.async : inTheNextTurn(call) };
  };
};

exports.address = (buffer) => ref.address(buffer);
