'use strict';

const table = require('./table');

/** Where the fields of the C structs lie: include/rouet.h on a 64-bit machine. */

const SIZES = { pointer: 8, size: 8, uint64: 8, double: 8, int: 4, uint: 4 };

/** A struct's size, and each field's offset and type; `fields` as [name, type] in C's order. */
function struct(fields) {
  let end = 0;
  const at = {};
  const types = {};
  for (const [name, type] of fields) {
    const size = SIZES[type];
    at[name] = Math.ceil(end / size) * size;
    types[name] = type;
    end = at[name] + size;
  }
  return { size: Math.ceil(end / 8) * 8, at, types };
}

/** Fields as text: a line a type. */
function fields(text) {
  return text.trim().split('\n').flatMap((line) => {
    const [type, names] = line.trim().split(': ');
    return names.split(' ').map((name) => [name, type]);
  });
}

exports.header = struct(fields(`
  pointer: name value
  size: name_size value_size`));

exports.options = struct(table.optionsFields);

exports.config = struct(table.configFields);

exports.job = struct(fields(`
  size: struct_size
  pointer: url
  size: url_size
  pointer: group
  size: group_size
  uint64: tag
  pointer: userdata options
  int: kind
  pointer: kept_options`));

exports.hop = struct(fields(`
  pointer: url
  size: url_size
  pointer: type
  int: status`));

exports.element = struct(fields(`
  size: struct_size
  pointer: url
  size: url_size
  pointer: element attribute rel
  size: rel_size
  pointer: text
  size: text_size`));

exports.result = struct(fields(`
  size: struct_size block_size
  uint64: tag
  pointer: userdata url
  size: url_size
  pointer: error_code error_message end_url
  size: end_url_size
  pointer: headers
  size: header_count
  pointer: stack
  size: stack_count
  pointer: body
  size: body_size
  double: start_time end_time name_lookup_time connect_time tls_time wait_time receive_time
  int: kind status
  uint: attempts
  pointer: value error_subcode group
  size: group_size
  pointer: truncated`));

exports.stats = struct(fields(`
  size: struct_size
  uint64: accepted delivered failed held started buffered_bytes in_flight groups connections
  uint64: name_lookups`));
