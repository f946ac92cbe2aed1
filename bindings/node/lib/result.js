'use strict';

const { inspect } = require('node:util');

const { RouetError } = require('./errors');
const layout = require('./layout');
const { read64 } = require('./memory');
const page = require('./page');

const AT = layout.result.at;
const NOTHING = Buffer.alloc(0);

/**
 * What came of one item. It holds a copy of the library's block (see pool_next_packed), and reads
 * from it what it is asked for.
 */
class Result {
  #block;
  #body;
  #how;
  #kept = {};

  /**
   * @param how what the job was: `kind`, `knownEncoding`, `compressed`, and `cause()`, why it would be
   *   cancelled
   * @param block null: the job was not the library's to do, as `error` tells
   */
  constructor(item, url, how, block, error) {
    this.item = item;
    this.url = url;
    this.#how = how;
    this.#block = block;
    if (error) this.#kept.error = error;
  }

  get errorCode() {
    return this.#block ? this.#text('error_code') : (this.#kept.error?.code ?? null);
  }

  get error() {
    return this.#keep('error', () => {
      const code = this.errorCode;
      if (code === null) return null;
      const cause = code === 'cancelled' ? this.#how.cause() : undefined;
      const subcode = this.#text('error_subcode');
      return RouetError.ofResult(code, this.#text('error_message'), { url: this.url, cause, subcode });
    });
  }

  get status() {
    return this.#block ? this.#block.readInt32LE(AT.status) : 0;
  }

  get endUrl() {
    return this.#keep('endUrl', () => this.#text('end_url', this.#size('end_url_size')));
  }

  get rawHeaders() {
    return this.#keep('rawHeaders', () =>
      this.#array('headers', 'header_count', layout.header, (line, at) => [
        this.#latin1(line + at.name, line + at.name_size),
        this.#latin1(line + at.value, line + at.value_size),
      ]),
    );
  }

  get headers() {
    return this.#keep('headers', () => {
      const headers = new Headers();
      for (const [name, value] of this.rawHeaders) {
        try {
          headers.append(name, value);
        } catch {
          // What Headers does not take is in rawHeaders.
        }
      }
      return headers;
    });
  }

  get stack() {
    return this.#keep('stack', () =>
      this.#array('stack', 'stack_count', layout.hop, (hop, at) => ({
        url: this.#textAt(read64(this.#block, hop + at.url), read64(this.#block, hop + at.url_size)),
        type: this.#textAt(read64(this.#block, hop + at.type)),
        status: this.#block.readInt32LE(hop + at.status),
      })),
    );
  }

  get body() {
    if (!this.#body) {
      const size = this.#size('body_size');
      const at = size > 0 ? read64(this.#block, AT.body) : 0;
      this.#body = size > 0 ? this.#block.subarray(at, at + size) : NOTHING;
    }
    return this.#body;
  }

  get group() {
    return this.#keep('group', () => this.#text('group', this.#size('group_size')));
  }

  get truncated() {
    return this.#block ? this.#text('truncated') : null;
  }

  get attempts() {
    return this.#block ? this.#block.readUInt32LE(AT.attempts) : 0;
  }

  get timings() {
    return this.#keep('timings', () => {
      const seconds = (field) => (this.#block ? this.#block.readDoubleLE(AT[field]) : 0);
      return {
        start: new Date(seconds('start_time') * 1000),
        end: new Date(seconds('end_time') * 1000),
        nameLookup: seconds('name_lookup_time'),
        connect: seconds('connect_time'),
        tls: seconds('tls_time'),
        wait: seconds('wait_time'),
        receive: seconds('receive_time'),
      };
    });
  }

  get mimetype() {
    return this.#ask('mimetype', page.mimetypeOf, null);
  }

  get ext() {
    return this.#ask('ext', page.extOf, null);
  }

  get encoding() {
    return this.#ask('encoding', page.encodingOf, null);
  }

  get isText() {
    return this.#ask('isText', page.isText, false);
  }

  get couldBeHtml() {
    return this.#ask('couldBeHtml', page.couldBeHtml, false);
  }

  get isHtml() {
    return this.#ask('isHtml', page.isHtml, false);
  }

  text() {
    return this.#ask('text', page.textOf, null);
  }

  json() {
    const text = this.text();
    try {
      // Some servers say that it is no text.
      return JSON.parse(text ?? this.body.toString());
    } catch (error) {
      error.message = `${this.endUrl}: ${error.message}`;
      throw error;
    }
  }

  links() {
    return this.#ask('links', page.linksOf, []);
  }

  elements() {
    return this.#ask('elements', page.elementsOf, []);
  }

  [inspect.custom](depth, options) {
    const { item, url, status, endUrl, errorCode, error } = this;
    const shown = { item, url, status, endUrl };
    if (error) Object.assign(shown, { errorCode, message: error.message });
    return `Result ${inspect(shown, { ...options, depth })}`;
  }

  /** What `find` gives, asked for once. */
  #keep(name, find) {
    return name in this.#kept ? this.#kept[name] : (this.#kept[name] = find());
  }

  /** Asks the library about the body, unless the job was to have none or got no answer. */
  #ask(name, question, otherwise) {
    return this.#keep(name, () => {
      if (this.#how.kind === 'resolve' || this.status === 0) return otherwise;
      const describe = () => ({
        // What the page calls itself is not where it was.
        url: this.stack.findLast((hop) => hop.type !== 'canonical')?.url,
        headers: this.rawHeaders.filter(([name]) => this.#tells(name.toLowerCase())),
        knownEncoding: this.#how.knownEncoding,
        body: this.body,
      });
      return question(page.pageOf(this, describe));
    });
  }

  /** Whether a header says what kind of thing the body is. */
  #tells(name) {
    // What was compressed is so no more if it was asked for so.
    const coded = name === 'content-encoding' && !this.#how.compressed;
    return coded || name === 'content-type' || name === 'content-disposition';
  }

  #size(field) {
    return this.#block ? read64(this.#block, AT[field]) : 0;
  }

  #array(field, countField, { size, at }, read) {
    const count = this.#size(countField);
    const start = this.#size(field);
    return Array.from({ length: count }, (_, index) => read(start + size * index, at));
  }

  #text(field, size) {
    const at = this.#size(field);
    return at === 0 ? null : this.#textAt(at, size);
  }

  #textAt(at, size = this.#block.indexOf(0, at) - at) {
    return this.#block.toString('utf8', at, at + size);
  }

  #latin1(at, sizeAt) {
    const start = read64(this.#block, at);
    return this.#block.toString('latin1', start, start + read64(this.#block, sizeAt));
  }
}

module.exports = { Result };
