'use strict';

const assert = require('node:assert/strict');
const { execFileSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');
const test = require('node:test');

const layout = require('../lib/layout.js');
const { Arena } = require('../lib/memory.js');
const native = require('../lib/native.js');
const options = require('../lib/options.js');
const table = require('../lib/table.js');
const { folder } = require('./support.js');

const include = path.join(__dirname, '../../../include');
const header = fs.readFileSync(path.join(include, 'rouet.h'), 'utf8');

const STRUCTS = ['element', 'header', 'options', 'config', 'job', 'hop', 'result', 'stats'];

/** The fields of a struct, as the header has them. */
function fieldsOf(name) {
  const [, body] = header.match(new RegExp(`typedef struct pool_${name}_t \\{\\n(.*?)\\n\\} pool_${name}_t;`, 's'));
  return [...body.replace(/^ *\/\/.*$/gm, '').matchAll(/(\w+);$/gm)].map(([, field]) => field);
}

/** What a C compiler makes of the structs: {name: {size, fields: {name: [offset, size, kind]}}}. */
function compiled() {
  const kind = (field) =>
    `_Generic((${field}), double: "double", int32_t: "int", uint32_t: "uint", uint64_t: "uint64", default: "pointer")`;
  const lines = STRUCTS.flatMap((name) => [
    `printf("%s{\\"size\\":%zu,\\"fields\\":{", "${name === STRUCTS[0] ? '' : ','}\\"${name}\\":", sizeof(pool_${name}_t));`,
    ...fieldsOf(name).map(
      (field, index) =>
        `printf("${index ? ',' : ''}\\"${field}\\":[%zu,%zu,\\"%s\\"]", offsetof(pool_${name}_t, ${field}), ` +
        `sizeof(((pool_${name}_t *)0)->${field}), ${kind(`((pool_${name}_t *)0)->${field}`)});`,
    ),
    'printf("}}");',
  ]);
  const source = path.join(folder, 'layout.c');
  const program = path.join(folder, 'layout');
  fs.writeFileSync(
    source,
    `#include <stdio.h>\n#include "rouet.h"\nint main(void) {\nprintf("{");\n${lines.join('\n')}\nprintf("}");\n}\n`,
  );
  execFileSync(process.env.CC ?? 'cc', ['-std=c11', '-Wall', '-Werror', '-I', include, source, '-o', program]);
  return JSON.parse(execFileSync(program, { encoding: 'utf8' }));
}

test('the structs lie where the header has them', () => {
  for (const [name, { size, fields }] of Object.entries(compiled())) {
    const { at, types, size: ours } = layout[name];
    assert.deepEqual(Object.keys(at), Object.keys(fields), `fields of pool_${name}_t`);
    assert.equal(ours, size, `sizeof(pool_${name}_t)`);
    for (const [field, [offset, bytes, type]] of Object.entries(fields)) {
      const told = `pool_${name}_t.${field}`;
      assert.equal(at[field], offset, told);
      assert.equal({ int: 4, uint: 4 }[types[field]] ?? 8, bytes, told);
      // size_t is uint64_t or not, by the machine's taste.
      if (types[field] === 'size') assert.ok(['uint64', 'pointer'].includes(type), told);
      else assert.equal(type, types[field], told);
    }
  }
});

test('no struct of the header is forgotten', () => {
  const names = [...header.matchAll(/^typedef struct pool_(\w+)_t \{$/gm)].map(([, name]) => name);
  assert.deepEqual(names.sort(), [...STRUCTS].sort());
});

/** The fields in which a struct of C's differs from what its _init function makes. */
function changed(name, address) {
  const { size, at, types } = layout[name];
  const arena = new Arena(1024);
  const made = Buffer.alloc(size);
  native.copy(address, size, made);
  const plain = options.fresh(arena.struct(layout[name]), name).bytes;
  const width = (field) => ({ int: 4, uint: 4 })[types[field]] ?? 8;
  return Object.keys(at).filter(
    (field) => !made.subarray(at[field], at[field] + width(field)).equals(plain.subarray(at[field], at[field] + width(field))),
  );
}

/** One of each, none of them the default. */
const OPTIONS = {
  method: 'PUT', headers: { A: 'b' }, cookie: 'a=b', stateful: true, spoofUa: true, body: 'b',
  connectTimeout: 1, timeout: 2, maxBodySize: 3, compressed: true, followRedirects: false, maxRedirects: 4,
  followRefreshHeader: false, followMetaRefresh: true, followJsRelocation: true, inferRedirection: true,
  canonicalize: true, insecure: true, spoofTlsCiphers: true, raiseOnStatuses: [404], knownEncoding: 'utf-8',
  caFile: '/ca', proxy: 'http://a.test', connectTo: ['a.test:1:b.test:2'], dns: ['a.test:1:127.0.0.1'],
  networkInterface: '127.0.0.1', httpVersion: '1.1',
  retry: { maxAttempts: 5, onTimeout: true, minWait: 1, maxWait: 2, onStatuses: [503] }, maskCredentials: true,
  headFallback: false,
};
const STREAM = { ordered: true, passthrough: true, bufferSize: 5, maxBufferedBytes: 6 };
const POOL = {
  maxWorkers: 7, threads: 8, throttle: 9, domainParallelism: 10, denyPrivateAddresses: true,
  httpsOnly: true, denyNetworks: ['10.0.0.0/8'], allowNetworks: ['10.0.0.1'], allowedPorts: [80],
};

const without = (fields, ...names) => fields.filter((field) => !names.includes(field));

test('each option of the header can be set', () => {
  const arena = new Arena(4096);
  assert.deepEqual(
    changed('options', options.encodeOptions(OPTIONS, arena)),
    without(fieldsOf('options'), 'struct_size'),
  );
  assert.deepEqual(
    changed('config', options.encodeConfig(POOL, STREAM, OPTIONS, arena)),
    // A function of the library's threads can't be one of JavaScript's.
    without(
      fieldsOf('config'),
      'struct_size', 'throttle_fn', 'parallelism_fn', 'domain_userdata', 'callback', 'callback_userdata',
    ),
  );
  for (const [fields, values] of [[table.OPTIONS, OPTIONS], [table.STREAM, STREAM], [table.POOL, POOL]]) {
    assert.deepEqual(Object.keys(fields), Object.keys(values));
  }
});

test('nothing is set that was not given', () => {
  const arena = new Arena(4096);
  assert.deepEqual(changed('options', options.encodeOptions({ headers: {}, dns: [], raiseOnStatuses: [] }, arena)), []);
  assert.deepEqual(changed('config', options.encodeConfig({}, {}, {}, arena)), ['options']);
});

test('the functions of the library are there, but those of no use here', () => {
  const declared = [...header.matchAll(/^(?:[\w ]+[ *])(pool_\w+)\(/gm)].map(([, name]) => name);
  assert.ok(declared.length > 25);
  const source = fs.readFileSync(path.join(__dirname, '../lib/native.js'), 'utf8');
  const used = new Set([...source.matchAll(/'(pool_\w+)'/g)].map(([, name]) => name));
  assert.deepEqual(
    declared.filter((name) => !used.has(name)).sort(),
    [
      // Runs take results packed, and know what is pending; options are merged and encoded here; a log
      // would call JavaScript from the library's threads.
      'pool_kept_options_free', 'pool_next_result', 'pool_next_results', 'pool_options_from',
      'pool_options_keep', 'pool_pending',
      // They wait for a thread of the library's, which JavaScript's must not.
      'pool_hold_group', 'pool_release_group',
      // All of an answer's headers count, not one alone.
      'pool_result_of_page', 'pool_set_log', 'pool_status_name', 'pool_submit',
    ].sort(),
  );
});
