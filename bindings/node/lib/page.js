'use strict';

/** What the library knows of a page: media type, text, links. */

const layout = require('./layout');
const { Arena, read64, write64 } = require('./memory');
const native = require('./native');

const arena = new Arena(4096);

/** The page asked about last, the library's copy of it, which most often is asked again at once. */
let last = { owner: null, page: 0 };

function forget() {
  if (last.page) native.resultFree(last.page);
  last = { owner: null, page: 0 };
}

/**
 * Gives the library's copy of a page for the time of this turn of the event loop; `describe()` tells
 * of it unless it is there already.
 */
function pageOf(owner, describe) {
  if (last.owner === owner) return last.page;
  const { url, headers, knownEncoding, body } = describe();
  arena.reset();
  const text = (value) => (value === null || value === undefined ? 0 : arena.text(value).address);
  const made = arena.take(8);
  const { size, at } = layout.header;
  const lines = arena.take(Math.max(size * headers.length, 8));
  headers.forEach(([name, value], index) => {
    // Headers are Latin-1 here, and bytes to the library.
    const bytes = (line) => arena.bytes(Buffer.from(`${line}\0`, 'latin1')).address;
    const start = size * index;
    write64(lines.bytes, start + at.name, bytes(name));
    write64(lines.bytes, start + at.value, bytes(value));
    // Up to the NUL.
    write64(lines.bytes, start + at.name_size, 0);
    write64(lines.bytes, start + at.value_size, 0);
  });
  native.check(
    native.resultOfAnswer(
      text(url),
      lines.address,
      headers.length,
      text(knownEncoding),
      body.length > 0 ? native.address(body) : 0,
      body.length,
      made.address,
    ),
  );
  const page = read64(made.bytes, 0);
  if (last.page) native.resultFree(last.page);
  else setImmediate(forget);
  last = { owner, page };
  return page;
}

/** What a function of the library gives that has a second output, a number. */
function askWithCount(question, page) {
  const count = Buffer.alloc(8);
  const start = Number(question(page, native.address(count)));
  return [start, read64(count, 0)];
}

function textOf(page) {
  const [start, size] = askWithCount(native.text, page);
  return native.textAt(start, size);
}

function linksOf(page) {
  const [start, count] = askWithCount(native.links, page);
  const links = Buffer.alloc(8 * count);
  native.copy(start, links.length, links);
  return Array.from({ length: count }, (_, index) => native.textAt(read64(links, 8 * index)));
}

function elementsOf(page) {
  const [start, count] = askWithCount(native.elements, page);
  const { size, at } = layout.element;
  if (count === 0) return [];
  const first = Buffer.alloc(size);
  native.copy(start, size, first);
  // A later library's have more behind these fields.
  const stride = read64(first, at.struct_size);
  const all = Buffer.alloc(stride * count);
  native.copy(start, all.length, all);
  // The few names, and what the references of one element share, are copied once.
  const names = new Map();
  const named = (from) => names.get(from) ?? names.set(from, native.textAt(from)).get(from);
  let rel = { at: 0, text: '' };
  let text = { at: 0, text: '' };
  return Array.from({ length: count }, (_, index) => {
    const field = (name) => read64(all, stride * index + at[name]);
    const sized = (name) => native.textAt(field(name), field(`${name}_size`));
    if (field('rel') !== rel.at) rel = { at: field('rel'), text: sized('rel') };
    if (field('text') !== text.at) text = { at: field('text'), text: sized('text') };
    return {
      url: sized('url'),
      element: named(field('element')),
      attribute: named(field('attribute')),
      rel: rel.text,
      text: text.text,
    };
  });
}

module.exports = {
  pageOf,
  textOf,
  linksOf,
  elementsOf,
  mimetypeOf: (page) => native.textAt(native.mimetype(page)),
  extOf: (page) => native.textAt(native.ext(page)),
  encodingOf: (page) => native.textAt(native.encoding(page)),
  isText: (page) => native.isText(page) === 1,
  couldBeHtml: (page) => native.couldBeHtml(page) === 1,
  isHtml: (page) => native.isHtml(page) === 1,
};
