'use strict';

/** What the documents show runs, and the examples do what they say. */

const assert = require('node:assert');
const { execFile, spawn } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { after, before, test } = require('node:test');
const { promisify } = require('node:util');

const root = path.join(__dirname, '..');
const scratch = fs.mkdtempSync(path.join(os.tmpdir(), 'rouet-node-'));
let port;
let site;

before(async () => {
  const file = path.join(scratch, 'port');
  const program = process.env.ROUET_SITE ?? path.join(root, '../../target/release/site');
  site = spawn(program, ['serve', '--port-file', file, '--log', path.join(scratch, 'log')]);
  while (!fs.existsSync(file) || fs.readFileSync(file, 'utf8') === '') {
    assert.equal(site.exitCode, null, 'the site runs');
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  port = Number(fs.readFileSync(file, 'utf8'));
});
after(() => {
  site.kill();
  fs.rmSync(scratch, { recursive: true });
});

/** Runs a program; gives what it wrote and its exit status. */
async function run(file, ...options) {
  try {
    const { stdout, stderr } = await promisify(execFile)(process.execPath, [file, ...options]);
    return { stdout, stderr, code: 0 };
  } catch ({ stdout, stderr, code }) {
    return { stdout, stderr, code };
  }
}

test('the program of the README', async () => {
  const readme = fs.readFileSync(path.join(root, 'README.md'), 'utf8');
  const [, program] = readme.match(/```js\n([^]*?)```/);
  // Within the package, which then finds itself; and every host is the site.
  const file = path.join(root, `readme-${process.pid}.mjs`);
  fs.writeFileSync(
    file,
    program.replace('new Pool({', `new Pool({ connectTo: ['::127.0.0.1:${port}'],`),
  );
  try {
    const { stdout, stderr, code } = await run(file);
    assert.equal(code, 0, stderr);
    const lines = stdout.trim().split('\n').sort();
    assert.equal(lines.length, 2, stdout + stderr);
    assert.match(lines[0], /^1 \d+ http:\/\/example\.com\/ \d+ /);
    assert.match(lines[1], /^2 \d+ http:\/\/example\.org\/about \d+ /);
  } finally {
    fs.unlinkSync(file);
  }
});

test('no figure is left open in the README', () => {
  const readme = fs.readFileSync(path.join(root, 'README.md'), 'utf8');
  for (const [row, figure] of readme.matchAll(/^\|.*\| \**([^|*]+?)\** \|[^|]*\|$/gm)) {
    if (!/CPU|---/.test(row)) assert.match(figure, /^[\d.]+$/, row);
  }
});

test('throughput', async () => {
  const program = path.join(root, 'examples/throughput.mjs');
  const good = await run(program, 300, 8, `http://127.0.0.1:${port}/text`);
  assert.equal(good.code, 0, good.stderr);
  assert.match(good.stdout, /^300 requests, 0 errors, \S+ s, \d+ requests\/s, \S+ CPU us\/request$/m);
  const bad = await run(program, 20, 2, `http://127.0.0.1:${port}/nowhere`);
  assert.equal(bad.code, 1);
  assert.match(bad.stdout, /^20 requests, 20 errors, /);
  assert.match(bad.stderr, /status 404/);
  assert.equal((await run(program)).code, 2);
});

test('crawl', async () => {
  const program = path.join(root, 'examples/crawl.mjs');
  const folder = path.join(scratch, 'pages');
  const page = (body) =>
    `http://127.0.0.1:${port}/status/200?header=Content-Type:text/html&body=${encodeURIComponent(body)}`;
  const leaf = page('<p>leaf</p>').replaceAll('&', '&amp;');
  const links = [leaf, leaf, '/status/404', 'http://elsewhere.invalid/', 'mailto:x@y.example'];
  const start = page(links.map((link) => `<a href="${link}">x</a>`).join(''));
  const { stderr, code } = await run(program, '--throttle', 0, start, folder);
  // The page that is not there is told of, and the other site is not asked.
  assert.equal(code, 1, stderr);
  assert.match(stderr, /\/status\/404: status 404/);
  assert.match(stderr, /2 pages, 1 failed/);
  const bodies = fs.readdirSync(folder).map((name) => fs.readFileSync(path.join(folder, name), 'utf8'));
  assert.equal(bodies.length, 2);
  assert.ok(bodies.includes('<p>leaf</p>'), bodies.join('\n'));
  assert.equal((await run(program, 'nonsense')).code, 2);
});
