#!/usr/bin/env node
// crawl: follows the links of one site, politely, and writes its pages to disk.
//
//     node crawl.mjs [--pages N] [--throttle SECONDS] URL FOLDER
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { parseArgs } from 'node:util';

import { Pool } from 'rouet';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { pages: { type: 'string', default: '100' }, throttle: { type: 'string', default: '0.2' } },
});
const [start, folder] = positionals;
const most = Number(values.pages);
if (positionals.length !== 2 || !(most > 0) || !URL.canParse(start)) {
  console.error('Usage: crawl [--pages N] [--throttle SECONDS] URL FOLDER');
  process.exit(2);
}
const { origin } = new URL(start);

/** URLs to fetch: those put in come out once each, until as many results came as URLs went out. */
class Frontier {
  #seen = new Set();
  #waiting = [];
  #out = 0;
  #wake = () => {};

  add(url) {
    const { href } = Object.assign(new URL(url), { hash: '' });
    if (this.#seen.has(href) || this.#seen.size >= most) return;
    this.#seen.add(href);
    this.#waiting.push(href);
    this.#wake();
  }

  done() {
    this.#out -= 1;
    this.#wake();
  }

  async *[Symbol.asyncIterator]() {
    for (;;) {
      const next = this.#waiting.shift();
      if (next) {
        this.#out += 1;
        yield next;
      } else if (this.#out === 0) {
        return;
      } else {
        await new Promise((resolve) => {
          this.#wake = resolve;
        });
      }
    }
  }
}

/** A file for the page: its number, because two may be called alike, and its name. */
function fileOf(url, ext, number) {
  const { pathname, search } = new URL(url);
  const name = (pathname + search).replace(/[^\w.-]+/g, '_').replace(/^[_.]+|_+$/g, '') || 'index';
  const ending = ext && !name.endsWith(ext) ? ext : '';
  return path.join(folder, `${number}-${name.slice(0, 200)}${ending}`);
}

await mkdir(folder, { recursive: true });
const frontier = new Frontier();
frontier.add(start);
let [pages, bytes, failed] = [0, 0, 0];

const pool = new Pool({
  throttle: Number(values.throttle),
  compressed: true,
  followMetaRefresh: true,
});
try {
  for await (const result of pool.request(frontier)) {
    if (result.error || result.status !== 200) {
      failed += 1;
      console.error(`\r${result.url}: ${result.error?.message ?? `status ${result.status}`}`);
    } else {
      pages += 1;
      bytes += result.body.length;
      await writeFile(fileOf(result.endUrl, result.ext, pages), result.body);
      for (const link of result.links()) {
        if (new URL(link).origin === origin) frontier.add(link);
      }
    }
    frontier.done();
    process.stderr.write(`\r${pages} pages, ${failed} failed, ${(bytes / 1024).toFixed(0)} KiB `);
  }
} finally {
  await pool.close();
}
process.stderr.write('\n');
if (failed > 0) process.exitCode = 1;
