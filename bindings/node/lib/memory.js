'use strict';

const { address } = require('./native');

const TWO_32 = 2 ** 32;

/** Memory for C that is handed out piece by piece and taken back all at once. */
class Arena {
  #chunks = [];
  #now = 0;
  #used = 0;

  constructor(size) {
    this.#grow(size);
  }

  #grow(size) {
    const bytes = Buffer.from(new ArrayBuffer(size));
    this.#chunks.push({ bytes, address: address(bytes) });
  }

  /** A piece of zeroed memory. Its bytes stay where they are for as long as the arena lives. */
  take(size) {
    const needed = (Math.max(size, 1) + 7) & ~7;
    while (this.#used + needed > this.#chunks[this.#now].bytes.length) {
      this.#now += 1;
      this.#used = 0;
      if (this.#now === this.#chunks.length) {
        this.#grow(Math.max(needed, this.#chunks[0].bytes.length));
      }
    }
    const chunk = this.#chunks[this.#now];
    const at = this.#used;
    this.#used += needed;
    const bytes = chunk.bytes.subarray(at, at + size);
    bytes.fill(0);
    return { bytes, address: chunk.address + at };
  }

  /** Text with a NUL behind it; gives its address and the bytes before that. */
  text(text) {
    const size = Buffer.byteLength(text);
    const piece = this.take(size + 1);
    piece.bytes.write(text, 0, size, 'utf8');
    return { address: piece.address, size };
  }

  /** A copy of bytes. */
  bytes(bytes) {
    const piece = this.take(bytes.length);
    piece.bytes.set(bytes);
    return piece;
  }

  /** A struct of that layout, zeroed. */
  struct(layout) {
    return new Struct(layout, this.take(layout.size));
  }

  /** An array of pointers. */
  pointers(addresses) {
    const piece = this.take(8 * addresses.length);
    addresses.forEach((address, index) => write64(piece.bytes, 8 * index, address));
    return piece.address;
  }

  /** Takes all pieces back; what one large batch needed is given up. */
  reset() {
    this.#chunks.length = 1;
    this.#now = 0;
    this.#used = 0;
  }
}

/** A C struct in memory of C's. */
class Struct {
  constructor(layout, { bytes, address }) {
    this.layout = layout;
    this.bytes = bytes;
    this.address = address;
  }

  set(field, value) {
    const at = this.layout.at[field];
    switch (this.layout.types[field]) {
      case 'int':
        this.bytes.writeInt32LE(value, at);
        break;
      case 'uint':
        this.bytes.writeUInt32LE(value, at);
        break;
      case 'double':
        this.bytes.writeDoubleLE(value, at);
        break;
      default:
        write64(this.bytes, at, value);
    }
  }
}

/** Numbers up to 2^53, which addresses and sizes are far below. */
function write64(bytes, at, value) {
  bytes.writeUInt32LE(value % TWO_32, at);
  bytes.writeUInt32LE(Math.floor(value / TWO_32), at + 4);
}

function read64(bytes, at) {
  return bytes.readUInt32LE(at) + bytes.readUInt32LE(at + 4) * TWO_32;
}

module.exports = { Arena, read64, write64 };
