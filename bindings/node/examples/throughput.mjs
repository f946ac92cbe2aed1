#!/usr/bin/env node
// throughput: fetches one URL over and over as fast as the pool can, and says how fast that was.
//
//     node throughput.mjs N CONCURRENCY URL
//
// Only for servers of your own: it waits for nothing between two requests.
import { Pool } from 'rouet';

const [number, concurrency] = process.argv.slice(2, 4).map(Number);
const url = process.argv[4];
if (!(number > 0 && concurrency > 0 && url && process.argv.length === 5)) {
  console.error('Usage: throughput N CONCURRENCY URL');
  process.exit(2);
}
const start = performance.now();
const before = process.cpuUsage();

const pool = new Pool({
  throttle: 0,
  domainParallelism: concurrency,
  maxWorkers: concurrency,
  threads: 1, // one URL is one group, and a group stays on one thread
});
function* urls() {
  for (let i = 0; i < number; i += 1) yield url;
}
const bufferSize = Math.max(concurrency, 1024); // it bounds them too
let taken = 0;
let failed = 0;
for await (const { status, error } of pool.request(urls(), { bufferSize })) {
  taken += 1;
  if (error || status !== 200) {
    failed += 1;
    if (failed === 1) console.error(`throughput: status ${status}: ${error?.message ?? 'not 200'}`);
  }
}
await pool.close();

const seconds = (performance.now() - start) / 1000;
const { user, system } = process.cpuUsage(before);
console.log(
  `${taken} requests, ${failed} errors, ${seconds.toFixed(3)} s, ` +
    `${Math.round(taken / seconds)} requests/s, ` +
    `${((user + system) / taken).toFixed(2)} CPU us/request`,
);
if (failed > 0) process.exitCode = 1;
