'use strict';

/** What the library knows of a page: media type, text, links. */

const { Arena, read64 } = require('./memory');
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
  const { url, contentType, knownEncoding, body } = describe();
  arena.reset();
  const text = (value) => (value === null || value === undefined ? 0 : arena.text(value).address);
  const made = arena.take(8);
  native.check(
    native.resultOfPage(
      text(url),
      // Headers are Latin-1 here, and bytes to the library.
      contentType === null ? 0 : arena.bytes(Buffer.from(`${contentType}\0`, 'latin1')).address,
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

module.exports = {
  pageOf,
  textOf,
  linksOf,
  mimetypeOf: (page) => native.textAt(native.mimetype(page)),
  extOf: (page) => native.textAt(native.ext(page)),
  encodingOf: (page) => native.textAt(native.encoding(page)),
  isText: (page) => native.isText(page) === 1,
  couldBeHtml: (page) => native.couldBeHtml(page) === 1,
  isHtml: (page) => native.isHtml(page) === 1,
};
