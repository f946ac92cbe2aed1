'use strict';

const assert = require('node:assert/strict');
const net = require('node:net');
const test = require('node:test');
const { inspect } = require('node:util');

const { RouetError } = require('../index.js');
const { all, faults, one, open, pages, site } = require('./support.js');

/** A server that answers each request with these bytes. */
async function answering(t, bytes) {
  const server = net.createServer((socket) => {
    socket.on('error', () => {});
    socket.on('data', () => socket.end(bytes));
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => server.close());
  return `http://127.0.0.1:${server.address().port}/`;
}

const head = (...lines) => Buffer.from(`HTTP/1.1 200 OK\r\nConnection: close\r\n${lines.join('\r\n')}\r\n\r\n`, 'latin1');

test('a result has all of it', async (t) => {
  const pool = open(t);
  const before = Date.now() - 1000;
  const item = { id: 7, at: `${site}/redirect-to?url=/status/203?body=caf%25C3%25A9%26header=X-A:1%26header=x-a:2%26header=content-type:text/html` };
  const { results: [result] } = await all(pool.request([item], { key: ({ at }) => at }));
  assert.equal(result.item, item);
  assert.equal(result.url, item.at);
  assert.equal(result.status, 203);
  assert.equal(result.error, null);
  assert.equal(result.errorCode, null);
  assert.ok(result.endUrl.startsWith(`${site}/status/203?body=`));
  assert.ok(result.headers instanceof Headers);
  assert.equal(result.headers.get('X-A'), '1, 2');
  assert.deepEqual(result.rawHeaders.filter(([name]) => /x-a/i.test(name)), [['x-a', '1'], ['x-a', '2']]);
  assert.deepEqual(result.stack, [
    { url: item.at, type: 'location-header', status: 302 },
    { url: result.endUrl, type: 'hit', status: 203 },
  ]);
  assert.ok(Buffer.isBuffer(result.body));
  assert.equal(result.body.toString(), 'café');
  assert.equal(result.text(), 'café');
  assert.equal(result.encoding, 'utf-8');
  assert.equal(result.mimetype, 'text/html');
  assert.equal(result.ext, '.html');
  assert.equal(result.isText, true);
  assert.equal(result.couldBeHtml, true);
  assert.equal(result.isHtml, true);
  assert.equal(result.attempts, 1);
  const { start, end, ...spans } = result.timings;
  assert.ok(before <= start && start <= end && end <= Date.now() + 1000, inspect(result.timings));
  assert.deepEqual(Object.keys(spans), ['nameLookup', 'connect', 'tls', 'wait', 'receive']);
  for (const [name, span] of Object.entries(spans)) assert.ok(span >= 0 && span < 60, `${name}: ${span}`);
  assert.ok(spans.wait > 0);
  assert.match(inspect(result), /Result \{.*status: 203/s);
});

test('headers: odd bytes, repeats, cookies, names that Headers refuses', async (t) => {
  const pool = open(t);
  const url = await answering(
    t,
    Buffer.concat([
      head(
        'Set-Cookie: a=1; Path=/', 'set-cookie: b=2, c', 'X-Odd: caf\xe9 \xff', 'X-Twice: 1', 'X-TWICE: 2', 'X-Empty:',
        'X(Y): refused by Headers', 'Content-Length: 2',
      ),
      Buffer.from('ok'),
    ]),
  );
  const result = await one(pool, url);
  assert.equal(result.error, null);
  assert.deepEqual(result.headers.getSetCookie(), ['a=1; Path=/', 'b=2, c']);
  assert.equal(result.headers.get('x-odd'), 'caf\xe9 \xff');
  assert.equal(result.headers.get('x-twice'), '1, 2');
  assert.equal(result.headers.get('x-empty'), '');
  const raw = Object.fromEntries(result.rawHeaders);
  assert.equal(raw['X-Odd'], 'caf\xe9 \xff');
  assert.equal(raw['X-TWICE'], '2');
  assert.equal(raw['X(Y)'], 'refused by Headers');
  assert.equal(result.rawHeaders.filter(([name]) => name.toLowerCase() === 'set-cookie').length, 2);
});

test('many headers', async (t) => {
  const result = await one(open(t), `${site}/headers?count=500&size=100`);
  assert.equal(result.rawHeaders.filter(([name]) => name.startsWith('x-')).length, 500);
  assert.equal(result.headers.get('x-499'), 'v'.repeat(100));
});

test('text in other encodings', async (t) => {
  const pool = open(t);
  const russian = Buffer.from([0xcf, 0xf0, 0xe8, 0xe2, 0xe5, 0xf2]); // Привет
  const declared = await answering(
    t, Buffer.concat([head('Content-Type: text/html; charset=windows-1251'), Buffer.from('<p>'), russian]),
  );
  let result = await one(pool, declared);
  assert.equal(result.encoding, 'windows-1251');
  assert.equal(result.text(), '<p>Привет');
  assert.equal(result.text(), '<p>Привет'); // kept
  const wide = await answering(
    t, Buffer.concat([head('Content-Type: text/plain'), Buffer.from('\ufeffzażółć', 'utf16le')]),
  );
  result = await one(pool, wide);
  assert.equal(result.encoding, 'utf-16le');
  assert.equal(result.text(), 'zażółć');
  const silent = await answering(t, Buffer.concat([head('Content-Type: text/plain'), russian]));
  result = await one(pool, silent, { knownEncoding: 'windows-1251' });
  assert.equal(result.text(), 'Привет');
  // Of one item alone.
  const { results } = await all(
    pool.request([silent, `${silent}#other`], {
      optionsFor: (url) => (url.endsWith('#other') ? { knownEncoding: 'koi8-r' } : { knownEncoding: 'windows-1251' }),
      ordered: true,
    }),
  );
  assert.deepEqual(results.map(({ encoding }) => encoding), ['windows-1251', 'koi8-r']);
  assert.equal(results[0].text(), 'Привет');
  assert.notEqual(results[1].text(), 'Привет');
});

test('a NUL in a text, and a body that is none', async (t) => {
  const pool = open(t);
  const nul = await answering(t, Buffer.concat([head('Content-Type: text/plain; charset=utf-8'), Buffer.from('a\0b')]));
  assert.equal((await one(pool, nul)).text(), 'a\0b');
  const image = await answering(t, Buffer.concat([head('Content-Type: image/png'), Buffer.from([0x89, 0x50, 0x4e, 0x47])]));
  const result = await one(pool, image);
  assert.equal(result.text(), null);
  assert.equal(result.isText, false);
  assert.equal(result.encoding, null);
  assert.equal(result.mimetype, 'image/png');
  assert.equal(result.ext, '.png');
  assert.deepEqual(result.links(), []);
});

test('json', async (t) => {
  const pool = open(t);
  const result = await one(pool, `${site}/echo?a=b`, { headers: { 'X-Sent': 'é' } });
  const echo = result.json();
  assert.equal(echo.path, '/echo?a=b');
  assert.ok(echo.headers.some(([name]) => name === 'x-sent'));
  const image = await answering(t, Buffer.concat([head('Content-Type: image/png'), Buffer.from('[1,"ü"]')]));
  assert.deepEqual((await one(pool, image)).json(), [1, 'ü']);
  const text = await one(pool, `${site}/text`);
  assert.throws(() => text.json(), (error) => error instanceof SyntaxError && error.message.includes(text.endUrl));
});

test('links', async (t) => {
  const pool = open(t);
  const page = '<!doctype html><html><body><a href="/a">1</a><a href="b#c">2</a><a href="/a">3</a><a href="mailto:x@y.test">4</a>' +
    '<a href="http://other.test/é">5</a></body></html>';
  const url = await answering(t, Buffer.concat([head('Content-Type: text/html; charset=utf-8'), Buffer.from(page)]));
  const result = await one(pool, `${url}folder/page`);
  assert.equal(result.isHtml, true);
  const links = result.links();
  assert.deepEqual(links.slice(0, 1), [`${url}a`]);
  assert.ok(links[1].startsWith(`${url}folder/b`), links[1]);
  assert.equal(links.at(-1), 'http://other.test/%C3%A9');
  assert.equal(links.length, 3);
  assert.equal(result.links(), links); // kept
});

test('all that a page refers to', async (t) => {
  const pool = open(t);
  // In windows-1251, in which E6 is ж.
  const page = Buffer.concat([
    Buffer.from('<link rel="preload  stylesheet" href=/s.css><a href="?q='),
    Buffer.from([0xe6]),
    Buffer.from('" rel=next>one <b>two</b></a><img srcset="/i, /j 2x" alt=picture><script src=//o.test/x></script>' +
      '<form action=/f></form><a href="mailto:x@y.test">x</a>'),
  ]);
  const url = await answering(t, Buffer.concat([head('Content-Type: text/html; charset=windows-1251'), page]));
  const result = await one(pool, url);
  assert.deepEqual(result.elements(), [
    { url: `${url}s.css`, element: 'link', attribute: 'href', rel: 'preload stylesheet', text: '' },
    { url: `${url}?q=%E6`, element: 'a', attribute: 'href', rel: 'next', text: 'one two' },
    { url: `${url}i`, element: 'img', attribute: 'srcset', rel: '', text: 'picture' },
    { url: `${url}j`, element: 'img', attribute: 'srcset', rel: '', text: 'picture' },
    { url: 'http://o.test/x', element: 'script', attribute: 'src', rel: '', text: '' },
    { url: `${url}f`, element: 'form', attribute: 'action', rel: '', text: '' },
  ]);
  assert.equal(result.elements(), result.elements()); // kept
  assert.deepEqual((await one(pool, `${site}/text`)).elements(), []);
});

test('all headers of a body count', async (t) => {
  const pool = open(t);
  const lines = [
    'Content-Type: text/plain; charset=koi8-r',
    'Content-Type: text/html; charset=gbk',
    'Content-Type: text/html',
    'Content-Disposition: attachment; filename="r\u00e9sum\u00e9.pdf"',
  ];
  const many = await answering(t, Buffer.concat([head(...lines), Buffer.from('<a href=/x>x</a>')]));
  const result = await one(pool, many);
  assert.equal(result.mimetype, 'text/html');
  assert.equal(result.encoding, 'gbk');
  assert.equal(result.ext, '.pdf');
  assert.equal(result.links().length, 1);
  for (const compressed of [false, true]) {
    const gzip = await one(pool, `${site}/gzip`, { compressed });
    assert.equal(gzip.isText, compressed);
    assert.equal(gzip.text() !== null, compressed);
  }
});

test('pages of many kinds', async (t) => {
  const pool = open(t);
  const urls = Array.from({ length: 20 }, (_, n) => `${site}/page/${n}`);
  const { results } = await all(pool.request(urls));
  const encodings = new Set();
  let html = 0;
  for (const result of results) {
    assert.equal(result.error, null);
    if (!result.isHtml) continue;
    html += 1;
    encodings.add(result.encoding);
    assert.ok(result.links().length > 0 && result.links().every((link) => link.startsWith('http://')));
    assert.match(result.text(), /<a /);
    assert.equal(result.ext, '.html');
  }
  assert.ok(html >= 5 && encodings.size >= 2, `${html} of HTML, in ${[...encodings]}`);
});

test('results can be asked after their pool is closed, in any order', async (t) => {
  const pool = open(t);
  const { results } = await all(pool.request(pages(`${site}/text`, 50)));
  await pool.close();
  const texts = new Set();
  for (const result of [...results, ...results.reverse()]) texts.add(result.text());
  assert.equal(texts.size, 1);
  assert.equal([...texts][0], results[0].body.toString());
  assert.equal(results[0].mimetype, 'text/plain');
});

test('big bodies come whole, among small ones', async (t) => {
  const pool = open(t);
  const sizes = [300_000, 10, 5_000_000, 262_144, 262_000, 1, 20_000_000, 0, 3_000_001];
  const urls = sizes.map((size) => `${site}/bytes/${size}`);
  const { results } = await all(pool.request([...urls, ...urls], { ordered: true }));
  assert.deepEqual(results.map(({ body }) => body.length), [...sizes, ...sizes]);
  const whole = results[6].body;
  for (const { body, url, endUrl, status } of results) {
    assert.ok(body.equals(whole.subarray(0, body.length)), url); // the site's bytes follow one pattern
    assert.equal(endUrl, url);
    assert.equal(status, 200);
  }
});

test('compression is undone when asked for', async (t) => {
  const pool = open(t);
  const known = (await one(pool, `${site}/text`)).body;
  for (const coding of ['gzip', 'deflate', 'br', 'zstd']) {
    const result = await one(pool, `${site}/${coding}`, { compressed: true });
    assert.ok(result.body.equals(known), coding);
    assert.ok((await one(pool, `${site}/${coding}`)).body.length < known.length, coding);
  }
});

test('a body that may not be all there was is marked', async (t) => {
  const pool = open(t);
  const url = `${site}/status/200?body=plain&header=Content-Encoding:gzip`;
  const marked = await one(pool, url, { compressed: true });
  assert.equal(marked.body.toString(), 'plain');
  assert.equal(marked.truncated, 'coding');
  assert.equal((await one(pool, url)).truncated, null);
  assert.equal((await one(pool, 'http://')).truncated, null);
});

test('errors have codes, and all the rest answers too', async (t) => {
  const pool = open(t);
  for (const [url, options, code] of [
    ['http://', {}, 'invalid-url'],
    ['ftp://127.0.0.1/', {}, 'invalid-url'],
    ['http://127.0.0.1:1/', {}, 'connection-refused'],
    ['http://nowhere.invalid/', { dns: ['nowhere.invalid:80:127.0.0.1'], connectTo: ['nowhere.invalid:80:127.0.0.1:1'] }, 'connection-refused'],
    [`${faults}/close`, {}, 'connection-aborted'],
    [`${faults}/garbage`, {}, 'protocol-error'],
    [`${faults}/silence`, { timeout: 0.1 }, 'read-timeout'],
    [`${faults}/stall`, { timeout: 0.1 }, 'timeout'],
    [`${site}/redirect/4`, { maxRedirects: 3 }, 'max-redirects'],
    [`${site}/loop/a`, {}, 'infinite-redirects'],
    [`${site}/self`, {}, 'self-redirect'],
    [`${site}/status/404`, { raiseOnStatuses: [404] }, 'invalid-status-404'],
    [`${site}/bytes/1000`, { maxBodySize: 999 }, 'body-too-large'],
    [`${site}/gzip-corrupt`, { compressed: true }, 'invalid-gzip'],
    [`${site}/br-corrupt`, { compressed: true }, 'invalid-encoding'],
  ]) {
    const result = await one(pool, url, options);
    assert.equal(result.errorCode, code, url);
    const { error } = result;
    assert.ok(error instanceof RouetError && error instanceof Error);
    assert.equal(error.code, code);
    assert.equal(error.url, url);
    assert.equal(error.name, 'RouetError');
    assert.ok(error.message.length > 5 && error.stack.includes(error.message));
    assert.equal(error.cause, undefined);
    assert.equal(result.error, error);
    for (const getter of ['endUrl', 'mimetype', 'ext', 'encoding']) {
      assert.ok(result[getter] === null || typeof result[getter] === 'string', `${url}: ${getter}`);
    }
    for (const getter of ['isText', 'couldBeHtml', 'isHtml']) assert.equal(typeof result[getter], 'boolean');
    assert.ok(result.headers instanceof Headers && Buffer.isBuffer(result.body));
    assert.ok(Array.isArray(result.stack) && Array.isArray(result.rawHeaders) && Array.isArray(result.links()));
    assert.ok(result.text() === null || typeof result.text() === 'string');
    if (code === 'invalid-status-404') assert.equal(result.status, 404);
    assert.ok(result.timings.start instanceof Date && result.attempts >= 0);
    assert.match(inspect(result), new RegExp(`errorCode: '${code}'`));
  }
});

test('an unanswered result has nothing of an answer', async (t) => {
  const result = await one(open(t), 'http://127.0.0.1:1/');
  assert.equal(result.status, 0);
  assert.equal(result.body.length, 0);
  assert.deepEqual([...result.headers], []);
  assert.deepEqual(result.rawHeaders, []);
  assert.deepEqual(result.links(), []);
  assert.equal(result.text(), null);
  assert.equal(result.mimetype, null);
  assert.equal(result.isText, false);
  assert.throws(() => result.json(), SyntaxError);
});

test('retries', async (t) => {
  const retry = { minWait: 0, maxWait: 0, maxAttempts: 4 };
  const result = await one(open(t), `${faults}/flaky/node/2`, { retry });
  assert.equal(result.error, null);
  assert.equal(result.attempts, 3);
  const status = await one(open(t), `${faults}/flaky-status/node/1/503`, { retry: { ...retry, onStatuses: [503] } });
  assert.equal(status.status, 200);
  assert.equal(status.attempts, 2);
});

test('resolve finds where URLs end, without a body', async (t) => {
  const pool = open(t);
  const urls = [`${site}/redirect/3`, `${site}/text`, `${site}/redirect/25`, `${site}/redirect/11`, '127.0.0.1:1'];
  const { results } = await all(pool.resolve(urls, { ordered: true }));
  const [three, none, many, eleven, refused] = results;
  assert.deepEqual(three.stack.map(({ type, status }) => [type, status]), [
    ['location-header', 302], ['location-header', 302], ['location-header', 302], ['hit', 200],
  ]);
  assert.equal(three.endUrl, `${site}/echo`);
  assert.equal(three.stack.at(-1).url, three.endUrl);
  assert.deepEqual(none.stack, [{ url: urls[1], type: 'hit', status: 200 }]);
  assert.equal(many.errorCode, 'max-redirects');
  assert.equal(eleven.error, null); // a request would follow 10
  assert.equal(refused.errorCode, 'connection-refused');
  for (const result of results) {
    assert.equal(result.body.length, 0);
    assert.equal(result.text(), null);
    assert.equal(result.mimetype, null);
    assert.deepEqual(result.links(), []);
  }
});
