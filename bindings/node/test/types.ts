// What TypeScript makes of the package: compiled, strictly, by types.test.js, and not run.
import { backend, Pool, RouetError, version } from 'rouet';
import type { Failure, Hop, Passthrough, Result, Run, RunOptions, Stats, Success } from 'rouet';

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
function same<A, B>(_: Same<A, B>): void {}

interface Page {
  id: number;
  address?: string;
}
declare const pages: Page[];
declare const slow: AsyncIterable<Page>;

async function narrowing(pool: Pool): Promise<void> {
  for await (const result of pool.request(['http://example.com/'])) {
    same<typeof result, Result<string>>(true);
    if (result.error) {
      same<typeof result, Failure<string>>(true);
      same<typeof result.errorCode, string>(true);
      const code: string = result.error.code;
      code.trim();
    } else {
      same<typeof result, Success<string>>(true);
      same<typeof result.url, string>(true);
      same<typeof result.endUrl, string>(true);
      same<typeof result.body, Buffer>(true);
      const { headers, stack }: { headers: Headers; stack: readonly Hop[] } = result;
      stack.map((hop) => headers.get(hop.url));
    }
    if (result.errorCode === null) same<typeof result, Success<string>>(true);
  }

  const key = (page: Page) => page.address;
  for await (const result of pool.resolve(slow, { key, passthrough: true, ordered: true })) {
    same<typeof result, Result<Page> | Passthrough<Page>>(true);
    if (result.error) {
      same<typeof result, Failure<Page>>(true);
    } else if (result.url === null) {
      same<typeof result, Passthrough<Page>>(true);
      same<typeof result.status, 0>(true);
    } else {
      same<typeof result, Success<Page>>(true);
    }
    const { id }: Page = result.item;
    id.toFixed();
  }
}

async function whatThereIs(): Promise<void> {
  await using pool = new Pool({ throttle: 0.2, maxWorkers: 8, timeout: 10, retry: { maxAttempts: 2 } });
  const settings = {
    key: (page: Page) => page.address,
    group: (page: Page) => String(page.id),
    optionsFor: (page: Page) => (page.id > 1 ? { headers: { accept: 'text/html' } } : undefined),
    signal: AbortSignal.timeout(1000),
    headers: new Headers(),
    raiseOnStatuses: new Set([404]),
    httpVersion: '1.1',
  } satisfies RunOptions<Page>;
  const run: Run<Result<Page> | Passthrough<Page>> = pool.request(pages, settings);
  await using again = pool.resolve([new URL('http://example.com/')]);
  await again.next();
  await run.return();
  pool.setDomainRule('example.com', { throttle: 1 });
  const stats: Stats = pool.stats();
  const error: Error = new RouetError('closed', version + backend + stats.accepted + pool.closed);
  throw error;
}

function mistakes(pool: Pool): void {
  // @ts-expect-error: where is the URL?
  pool.request(pages);
  // @ts-expect-error: and here
  pool.request(pages, { ordered: true });
  // @ts-expect-error: a misspelt option
  new Pool({ thottle: 1 });
  // @ts-expect-error: not a number
  pool.request(['x'], { timeout: '1' });
  // @ts-expect-error: not the items' type
  pool.request(['x'], { key: (page: Page) => page.address });
  // @ts-expect-error: not something to loop over
  pool.request(1);
  // @ts-expect-error: it can't be set
  pool.closed = true;
}

export { mistakes, narrowing, whatThereIs };
