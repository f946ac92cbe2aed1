/**
 * Downloads or resolves huge lazy streams of URLs, fast and politely, in bounded memory.
 *
 * @example
 * const pool = new Pool({ throttle: 0.2 });
 * for await (const result of pool.request(urls)) {
 *   if (result.error) console.error(result.error.message);
 *   else console.log(result.url, result.status, result.body.length);
 * }
 * await pool.close();
 */

/** The library's version, as "0.1.0". */
export const version: string;

/** The foreign function interface in use. The environment's ROUET_FFI forces one. */
export const backend: 'koffi' | 'ffi-napi';

/**
 * How jobs are done. Times are in seconds, or in milliseconds under the same name with Ms behind it
 * (one of the two); sizes are in bytes. `undefined`: the default.
 *
 * Those of a run go before the pool's, and those of an item before both, one by one: headers by name,
 * parts of `retry` too. A `cookie` goes before a Cookie header, and the other way round.
 */
export interface Options {
  /** The request method, but CONNECT. Default: GET for a request; for a resolve HEAD, or GET with a body. */
  method?: string;
  /**
   * Headers to send, in their order, 1000 at most. Authorization, Cookie and Host are
   * not sent on to another origin; Proxy-Authorization goes to an HTTP proxy alone. What says
   * where a request ends and what becomes of its connection is refused: Content-Length,
   * Transfer-Encoding, Trailer, Expect, Upgrade, HTTP2-Settings, Proxy-Connection, TE but for
   * trailers, Connection but for keep-alive, TE and close (which closes it behind the answer), a
   * second Host and one that is no host. A value of null, in what goes before others: this header
   * is not sent. Default: none.
   */
  headers?: Headers | Iterable<readonly [string, string | null]> | Record<string, string | null>;
  /** The value of a Cookie header, not sent on to another origin. Default: none. */
  cookie?: string;
  /**
   * Cookies that answers set on the way are sent with the job's next hops, to the hosts and paths
   * they are meant for (RFC 6265). They are forgotten when the attempt ends. Default: false.
   */
  stateful?: boolean;
  /** Send the User-Agent of a widespread browser instead of rouet/VERSION. Default: false. */
  spoofUa?: boolean;
  /** What to send as the request's body; a string as UTF-8. Default: none. */
  body?: string | Uint8Array;
  /** Seconds to look up the name, connect and shake hands, each hop; above 0, at most 60. Default: 5. */
  connectTimeout?: number;
  /** The same in milliseconds, without a most. */
  connectTimeoutMs?: number;
  /** Seconds for a whole attempt, all hops and the body; above 0, at most 600. Default: 30. */
  timeout?: number;
  /** The same in milliseconds, without a most. */
  timeoutMs?: number;
  /** The largest body taken, after decompression; beyond: body-too-large. Default: 256 MiB. */
  maxBodySize?: number;
  /** Ask for gzip, deflate, br or zstd, and undo them. Default: false. */
  compressed?: boolean;
  /** Follow redirections, of any kind. Default: true. */
  followRedirects?: boolean;
  /**
   * How many redirections are followed before max-redirects. Default: 10 for a request, 20 for a
   * resolve.
   */
  maxRedirects?: number;
  /**
   * Follow a Refresh header on an answer below 400 that is no redirection itself, whatever its
   * delay. Several such lines: the first that leads to what can be requested. A page that refreshes
   * itself, or leads back to where the job was, or to what can't be requested, is where a job ends.
   * Default: true.
   */
  followRefreshHeader?: boolean;
  /**
   * Follow a page's `<meta http-equiv="refresh">` likewise, looked for in the first 1 KiB of an HTML
   * body, or 64 KiB with followJsRelocation or canonicalize; a resolve then uses GET. One within
   * `<noscript>` counts only without followJsRelocation and where nothing else leads on.
   * Default: false.
   */
  followMetaRefresh?: boolean;
  /**
   * Follow a page's script likewise that sends its reader elsewhere by plain text such as
   * `location = "…"` within the first 64 KiB; a resolve then uses GET. Default: false.
   */
  followJsRelocation?: boolean;
  /**
   * Take the target from the URL itself, without a request, where the URL is that of a known kind
   * of redirection; the job's group is then that of the target. Default: false.
   */
  inferRedirection?: boolean;
  /**
   * The stack ends in the URL that the last page calls its own with `<link rel="canonical">`. It is
   * not requested. A resolve then uses GET. Default: false.
   */
  canonicalize?: boolean;
  /** Certificates go unchecked. Default: false. */
  insecure?: boolean;
  /** Offer the TLS ciphers of a widespread browser, in its order. Default: false. */
  spoofTlsCiphers?: boolean;
  /** Final statuses that are errors: invalid-status-404. Default: none. */
  raiseOnStatuses?: Iterable<number>;
  /**
   * The encoding of the text, by a label of the Encoding Standard such as "windows-1251": it is
   * then not looked for. Default: none.
   */
  knownEncoding?: string;
  /** A PEM file of the certificate authorities to trust. Default: the system's. */
  caFile?: string;
  /**
   * A proxy: http://, https://, socks5:// or socks5h://, with credentials if it needs them. The
   * environment's are not looked at. Default: none.
   */
  proxy?: string;
  /**
   * "HOST:PORT:CONNECT-TO-HOST:CONNECT-TO-PORT", as in curl: connect there instead. An empty HOST
   * or PORT matches any. Default: none.
   */
  connectTo?: Iterable<string>;
  /**
   * "HOST:PORT:ADDRESS", or several addresses with commas between, as in curl's --resolve. A HOST
   * of * is any. Jobs of one pool share connections by host and port: do not give one host different
   * addresses in one pool. Default: none.
   */
  dns?: Iterable<string>;
  /** The local interface, address or host name to connect from. Default: any. */
  networkInterface?: string;
  /**
   * "any": HTTP/2 over TLS, HTTP/1.1 otherwise; "2-prior-knowledge": HTTP/2 without asking first, in
   * the clear too. Default: "any".
   */
  httpVersion?: 'any' | '1.1' | '2-prior-knowledge';
  /**
   * A failed attempt is made again after minWait·4^(n−1) seconds, at most maxWait, varied by a
   * quarter either way. Made again: connections refused, reset or broken off, unreachable hosts and
   * networks, protocol errors, and names that can't be looked up for now. Default: false.
   */
  retry?: boolean | Retry;
  /**
   * The result's URLs, as submitted and in its stack, have `***` in place of a user and password.
   * Messages and the log always do. Headers and bodies stay as they came. Default: false.
   */
  maskCredentials?: boolean;
  /**
   * A resolve whose HEAD got 400, 403, 404, 405, 406 or 5xx, or no answer because the connection was
   * closed or reset, asks with GET too, at once, and the pool remembers of the host what came of it.
   * false: the answer to HEAD is the result. Default: true.
   */
  headFallback?: boolean;
}

/** How failed attempts are made again. */
export interface Retry {
  /** Attempts in all, the first included; at least 1. Default: 3. */
  maxAttempts?: number;
  /** Time-outs are tried again too. Default: false. */
  onTimeout?: boolean;
  /** Seconds to wait after the first attempt; 0 to 600. Default: 10. */
  minWait?: number;
  /** The same in milliseconds, without a most. */
  minWaitMs?: number;
  /** The longest wait, in seconds; at least minWait. Default: 86400, one day. */
  maxWait?: number;
  /** The same in milliseconds. */
  maxWaitMs?: number;
  /** Statuses of a final answer that are tried again too. Default: none. */
  onStatuses?: Iterable<number>;
}

/** How a pool is set up; what it has of {@link Options} are the defaults of its runs. */
export interface PoolOptions extends Options {
  /**
   * Transfers at once, over all runs. Default: 64 a core, within the process's limit of descriptors.
   */
  maxWorkers?: number;
  /** Threads that run transfers, 256 at most, and never more than maxWorkers. Default: one a core. */
  threads?: number;
  /**
   * Seconds between the end (and the start) of a group's last job and the start of its next; 0 to 60,
   * as more are most likely milliseconds. Default: 0.2.
   */
  throttle?: number;
  /** The same in milliseconds, without a most. */
  throttleMs?: number;
  /** Jobs of one group in flight at once; at least 1. Default: 1. */
  domainParallelism?: number;
  /**
   * Jobs that lead to an address that is no public server's end in forbidden-address: loopback,
   * private and link-local networks, multicast, the metadata of clouds, all that IANA has set apart,
   * and addresses of IPv6 that carry one of these (IPv4-mapped, NAT64, 6to4, Teredo). This and the
   * fields below hold for the address that is connected to, on every hop, after the name was looked
   * up, whatever named it: a URL, a redirection, dns, connectTo. A proxy is free of them, being the
   * caller's choice; of what it is asked for, scheme, port and addresses are held to them, but names
   * only with socks5://, as the others look names up themselves. Default: false.
   */
  denyPrivateAddresses?: boolean;
  /**
   * Networks that are forbidden, as "10.0.0.0/8", "fc00::/7", or an address; 10,000 at most. A NAT64
   * prefix of one's own belongs here. Default: none.
   */
  denyNetworks?: Iterable<string>;
  /**
   * Networks that are not forbidden, whatever the two above say; 10,000 at most. Refused when neither
   * forbids any. Default: none.
   */
  allowNetworks?: Iterable<string>;
  /** The only ports that may be connected to; others end in forbidden-address. Default: any. */
  allowedPorts?: Iterable<number>;
  /** URLs that are no https, and redirections to one, end in forbidden-address. Default: false. */
  httpsOnly?: boolean;
}

/** How a run is done; what it has of {@link Options} goes before the pool's. */
export interface RunOptions<T> extends Options {
  /**
   * Finds the URL of an item. White space, marks that are not seen (as byte order marks) and quotes
   * around it are taken off, and http:// is put before it when it has no scheme and starts with a
   * host: a path, a file's name, a number or a mail address is none. A bad one gives a result with
   * invalid-url. Default: an item that is a string or a URL is its own.
   */
  key?: (item: T) => string | null | undefined;
  /** Results come in the order of the items, within a window of bufferSize. Default: false. */
  ordered?: boolean;
  /**
   * Items without URL (key gives null, undefined or "") give a result without URL, error and answer.
   * Default: false: they give invalid-argument.
   */
  passthrough?: boolean;
  /**
   * Jobs held and not started, and again jobs started whose results were not taken, so that it also
   * bounds the run's transfers at once; at least 1. Default: 1024.
   */
  bufferSize?: number;
  /**
   * Bytes of results not taken, beyond which no more jobs are started; the bodies of those under way
   * come on top. Default: 256 MiB.
   */
  maxBufferedBytes?: number;
  /**
   * When it is aborted, what is outstanding comes at once as "cancelled", with the signal's reason as
   * the error's cause; then the loop throws that reason.
   */
  signal?: AbortSignal;
  /**
   * The politeness key of an item: jobs of one group wait for each other. "": it waits for none.
   * Default (also for undefined and null): the registrable domain of the URL, or its host.
   */
  group?: (item: T) => string | null | undefined;
  /** How the job of one item is done where that is not as the run says: see {@link Options}. */
  optionsFor?: (item: T) => Options | null | undefined;
}

/** The throttle and the parallelism of one group. */
export interface DomainRule {
  /** Seconds; 0 to 60. Default: the pool's. */
  throttle?: number;
  /** The same in milliseconds, without a most. */
  throttleMs?: number;
  /** At least 1. Default: the pool's. */
  parallelism?: number;
}

/** What a pool is doing and has done; the figures may be a moment old. */
export interface Stats {
  /** Jobs accepted so far. */
  accepted: number;
  /** Results taken from the library so far, a few ahead of the loops. */
  delivered: number;
  /** Results so far, taken or not, that were errors. */
  failed: number;
  /** Jobs accepted and not started, those that wait for a retry included. */
  held: number;
  /** Jobs started whose results were not taken. */
  started: number;
  /** Bytes that results not taken hold, all that belongs to them. */
  bufferedBytes: number;
  /** Transfers running. */
  inFlight: number;
  /** Groups that have jobs, or whose throttle has not run out. */
  groups: number;
  /** Connections opened so far. */
  connections: number;
  /** Name look-ups made so far, those answered from the cache not counted. */
  nameLookups: number;
}

/** One URL that a job was at. */
export interface Hop {
  url: string;
  /**
   * What led on from here, "infer" the URL itself; "hit": this is where the job ended; "canonical",
   * always the last: what the page before calls itself.
   */
  type:
    | 'hit'
    | 'location-header'
    | 'refresh-header'
    | 'meta-refresh'
    | 'js-relocation'
    | 'infer'
    | 'canonical';
  /** 0: no answer came, or no request was made (infer, canonical). */
  status: number;
}

/** When the last attempt was, and where its seconds went, over all its hops. */
export interface Timings {
  start: Date;
  end: Date;
  nameLookup: number;
  /** To a proxy too. */
  connect: number;
  tls: number;
  /** From then to the first byte of the answer. */
  wait: number;
  /** From the first byte of the answer to its last. */
  receive: number;
}

/**
 * Why a job has no answer, or a call was refused.
 *
 * Codes of jobs: docs/errors.md. Of calls: "invalid-argument", "closed", "out-of-resources",
 * "internal-error".
 */
export class RouetError extends Error {
  constructor(code: string, message: string, rest?: { url?: string | null; cause?: unknown; subcode?: string | null });
  readonly name: 'RouetError';
  /** A stable name, as "connection-refused". */
  readonly code: string;
  /**
   * What in particular it was, where the code covers several things: of "ssl" it is "expired",
   * "not-yet-valid", "wrong-name", "unknown-authority", "bad-certificate", "ca-file",
   * "client-certificate" or "protocol", and there may be more. null: nothing more is known.
   */
  readonly subcode: string | null;
  /** The URL of the job, as it was handed in. */
  readonly url: string | null;
}

/** A reference in a page to something else: of an element, by one of its attributes. */
export interface Element {
  /** Where it leads: absolute, http or https, its query in the encoding of the page. */
  url: string;
  /** The name of the element, in lower case, as "img". */
  element: string;
  /** The name of the attribute, in lower case, as "srcset". */
  attribute: string;
  /** The element's rel, white space in it made one blank; "": it has none. */
  rel: string;
  /**
   * What a reader reads in its place, in one line: the text of an <a> or <button>, with the alt of the
   * images in it; the alt of an image; "": nothing.
   */
  text: string;
}

/** What all results have. All of it is JavaScript's own and can be kept. */
interface ResultBase<T> {
  /** What the URL was taken from. */
  readonly item: T;
  /** Where the job ended: the last URL of the stack; null when there is none. */
  readonly endUrl: string | null;
  /** The status of the last answer; 0: none came. */
  readonly status: number;
  /** The headers of the last answer; what Headers does not take is only in rawHeaders. */
  readonly headers: Headers;
  /** Names and values in their order, their bytes read as Latin-1; case and repeats kept. */
  readonly rawHeaders: readonly (readonly [string, string])[];
  /** The URLs the job was at, one a hop, the first one first. */
  readonly stack: readonly Hop[];
  /** The body of the last answer, decompressed if the job asked for compression. */
  readonly body: Buffer;
  /**
   * Why the body may not be all there was. "disconnect": the connection ended without TLS's goodbye,
   * where nothing but its end tells that of the body; most often it is whole. "coding": it was not as
   * Content-Encoding has it, but what is in it came whole: there was no trailer, or a wrong one, or
   * the body was in no coding and is as it came. Others may come with later versions. null: it is
   * whole, or there is none.
   */
  readonly truncated: 'disconnect' | 'coding' | (string & {}) | null;
  readonly timings: Timings;
  /** How many attempts were made; 0: the job ended before its first. */
  readonly attempts: number;
  /**
   * The group the job was in, whose turn it waited for: what `group` gave, or that of its URL
   * ({@link urlGroup}). Redirections do not change it. "": it waited for none; null: no server was to
   * be asked, there being no URL or a bad one.
   */
  readonly group: string | null;
  /**
   * The media type, in lower case and without parameters: as the Content-Type headers say (Fetch
   * Standard, "extract a MIME type"); without one, as the first bytes of the body (MIME Sniffing
   * Standard) or the extension of its file name or URL tell. null: unknown.
   */
  readonly mimetype: string | null;
  /**
   * The file extension that fits the body, with its dot: that of the file name in
   * Content-Disposition, of the media type, or the URL's. null: unknown.
   */
  readonly ext: string | null;
  /** The encoding by its name in the Encoding Standard, in lower case; null: it is no text. */
  readonly encoding: string | null;
  /**
   * By the media type, or the bytes when that is unknown; gzip that nobody asked for, and the like,
   * is none.
   */
  readonly isText: boolean;
  /** Whether the media type allows for HTML, or is unknown. */
  readonly couldBeHtml: boolean;
  /**
   * Whether it is text/html or application/xhtml+xml, however it begins; of another XML type, if its
   * root is <html>.
   */
  readonly isHtml: boolean;
  /** The body decoded; what is malformed becomes U+FFFD. null: it is no text. */
  text(): string | null;
  /** The body as JSON; throws a SyntaxError that names the URL. */
  json(): any;
  /**
   * The http and https URLs of the page's <a> and <area>, absolute, each once, in its order; their
   * queries in the encoding of the page, as browsers write them.
   */
  links(): readonly string[];
  /**
   * All that the page refers to: by <a>, <img>, srcset, <script>, <link>, <iframe>, <form> and all
   * others whose attributes have URLs, in its order and as often as it does. Left out is what is not
   * http or https, what stays within the page (`#top`), and <a> and <area> that lead to the page
   * itself.
   */
  elements(): readonly Element[];
}

/** An answer, whatever its status. */
export interface Success<T> extends ResultBase<T> {
  /** The URL as it was handed in. */
  readonly url: string;
  readonly endUrl: string;
  readonly error: null;
  readonly errorCode: null;
}

/** No answer, or one that was not wanted (invalid-status-404 …), which is then there all the same. */
export interface Failure<T> extends ResultBase<T> {
  readonly url: string | null;
  readonly error: RouetError;
  readonly errorCode: string;
}

/** An item without URL, in a run with passthrough. */
export interface Passthrough<T> extends ResultBase<T> {
  readonly url: null;
  readonly endUrl: null;
  readonly status: 0;
  readonly error: null;
  readonly errorCode: null;
}

/** What came of one item: `error`, then `url`, tell which. */
export type Result<T> = Success<T> | Failure<T>;

/** One run: loop over it once. */
export interface Run<R> {
  [Symbol.asyncIterator](): this;
  next(): Promise<IteratorResult<R, undefined>>;
  return(): Promise<IteratorReturnResult<undefined>>;
  throw(error?: unknown): Promise<IteratorReturnResult<undefined>>;
  [Symbol.asyncDispose](): Promise<void>;
}

type Items<T> = Iterable<T> | AsyncIterable<T>;

/** What begins a run: an item that is neither a string nor a URL needs a `key`. */
interface Start {
  (items: Items<string>, options?: RunOptions<string> & { passthrough?: false }): Run<Result<string>>;
  (items: Items<URL>, options?: RunOptions<URL> & { passthrough?: false }): Run<Result<URL>>;
  <T>(
    items: Items<T>,
    options: RunOptions<T> & { key: (item: T) => string; passthrough?: false },
  ): Run<Result<T>>;
  <T>(
    items: Items<T>,
    options: RunOptions<T> & ([T] extends [string | URL | null | undefined] ? unknown : Keyed<T>),
  ): Run<Result<T> | Passthrough<T>>;
}

type Keyed<T> = Required<Pick<RunOptions<T>, 'key'>>;

/**
 * The group of a job with that URL, unless `group` names one of its own: the registrable domain of the
 * URL by the public suffix list, private section included, or its host when that has none. With
 * inferRedirection it is that of the URL that is asked instead. The URL is read as a job's is; throws a
 * {@link RouetError} ("invalid-argument") when it is none.
 */
export function urlGroup(url: string | URL): string;

/**
 * The engine: threads, connections, politeness. Any number of runs may use it at once, under the
 * same politeness. One that is not closed does not keep the process alive once nothing runs.
 */
export class Pool {
  /** Throws a TypeError or {@link RouetError} that names the option. */
  constructor(options?: PoolOptions);

  /**
   * Downloads the URLs of the items, politely, and gives each item back with what came of it, as they
   * are done. Items are pulled as there is room for them: they may be without end, may come slowly,
   * or depend on results. Each gives exactly one result; but for those that come after the run has
   * ended. Leaving the loop early ends the run, and so does {@link Run.return} for one that is not
   * looped over.
   *
   * Nothing happens before the loop begins. The loop throws, after the results outstanding came as
   * "cancelled", what the items, `key`, `group` or `optionsFor` threw, or the signal's reason.
   */
  request: Start;

  /**
   * Finds where the URLs of the items end, by HEAD where that will do, and as little of the page as it
   * takes where not: it is {@link request}, but for the body.
   */
  resolve: Start;

  /**
   * Sets the rule of one group, a registrable domain or the name that `group` gave. It holds over all
   * runs, from the group's next start on, until it is set anew. What reads as a host ("Ex.com",
   * "http://ex.com/") is taken for it; a host that is no group of its own, as "www.ex.com", which is in
   * that of "ex.com" ({@link urlGroup} tells), is refused.
   */
  setDomainRule(domain: string, rule: DomainRule): void;

  /** What the pool is doing; the counts of its runs only, once it is closed. */
  stats(): Stats;

  /** Whether {@link close} was called. */
  readonly closed: boolean;

  /**
   * Ends the pool. Runs under way are cancelled: what they have outstanding comes as "cancelled", then
   * their loops throw "closed". Resolves when the engine's threads have ended.
   */
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}
