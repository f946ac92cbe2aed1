'use strict';

/** ffi-napi: see ../native.js for what a backend gives. */

const ffi = require('ffi-napi');
const ref = require('ref-napi');

const TYPES = { int: 'int32', uint: 'uint32', size: 'uint64', double: 'double', nothing: 'void' };

exports.name = 'ffi-napi';

exports.open = (path) => {
  // As dlopen's RTLD_NOW; the name's ending is not for it to guess.
  const library = new ffi.DynamicLibrary(path, ffi.DynamicLibrary.FLAGS.RTLD_NOW);
  return (name, result, parameters) => {
    const types = parameters.map((type) => TYPES[type]);
    const call = ffi.ForeignFunction(library.get(name), TYPES[result], types);
    return { call, later: call.async };
  };
};

exports.address = (buffer) => ref.address(buffer);
