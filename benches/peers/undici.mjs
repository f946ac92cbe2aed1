// undici: what examples/c/throughput.c does, with Node's undici.
//
//     node undici.mjs N CONCURRENCY URL
//
// The undici it takes is the one installed in the working directory.
import { createRequire } from "node:module";
import { join } from "node:path";

const { Pool } = createRequire(join(process.cwd(), "here"))("undici");

const LENGTH = 1024; // of the page

const [number, concurrency] = process.argv.slice(2, 4).map(Number);
const url = process.argv[4];
if (!(number > 0 && concurrency > 0 && url)) {
  console.error("Usage: undici.mjs N CONCURRENCY URL");
  process.exit(2);
}
const start = performance.now();
const before = process.cpuUsage();

const { origin, pathname, search } = new URL(url);
const pool = new Pool(origin, {
  connections: concurrency,
  headersTimeout: 30_000,
  bodyTimeout: 30_000,
});
const target = { method: "GET", path: pathname + search };
let started = 0;
let errors = 0;

async function work() {
  while (started < number) {
    started++;
    try {
      const { statusCode, body } = await pool.request(target);
      const { byteLength } = await body.arrayBuffer();
      if (statusCode !== 200 || byteLength !== LENGTH)
        throw new Error(`status ${statusCode}, ${byteLength} bytes`);
    } catch (error) {
      if (errors++ === 0) console.error(`undici: ${error.message}`);
    }
  }
}
await Promise.all(Array.from({ length: concurrency }, work));
await pool.close();

const wall = (performance.now() - start) / 1e3;
const { user, system } = process.cpuUsage(before);
console.log(
  `${number} requests, ${errors} errors, ${wall.toFixed(3)} s, ` +
    `${(number / wall).toFixed(0)} requests/s, ${((user + system) / number).toFixed(2)} CPU us/request`,
);
process.exitCode = errors > 0 ? 1 : 0;
