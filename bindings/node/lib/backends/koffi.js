'use strict';

/** koffi: see ../native.js for what a backend gives. */

const koffi = require('koffi');

const TYPES = { int: 'int32_t', uint: 'uint32_t', size: 'uint64_t', double: 'double', nothing: 'void' };

exports.name = 'koffi';

exports.open = (path) => {
  const library = koffi.load(path);
  return (name, result, parameters) => {
    const call = library.func(name, TYPES[result], parameters.map((type) => TYPES[type]));
    return { call, later: call.async };
  };
};

exports.address = (buffer) => Number(koffi.address(buffer));
