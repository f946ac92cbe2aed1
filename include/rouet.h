/* rouet: downloads or resolves huge lazy streams of URLs, fast and politely, in bounded memory.
 *
 * Generated from the library's Rust sources: change them, not this file. MIT OR Apache-2.0.
 *
 * In one screen:
 *
 *     #include <rouet.h>
 *     #include <stdio.h>
 *
 *     int main(int argc, char **argv) {                  // any number of URLs
 *       pool_t *pool;
 *       if (pool_new(NULL, &pool) != POOL_OK) {          // default configuration
 *         fprintf(stderr, "%s\n", pool_last_error());
 *         return 1;
 *       }
 *       pool_job_t job;
 *       pool_job_init(&job, sizeof job);
 *       for (int next = 1;;) {
 *         for (; next < argc; next++) {                  // hand over URLs while there is room
 *           job.url = argv[next];
 *           pool_status_t status = pool_submit(pool, &job, 0);
 *           if (status == POOL_AGAIN) break;
 *           if (status != POOL_OK) fprintf(stderr, "%s\n", pool_last_error());
 *         }
 *         if (next == argc) pool_finish(pool);           // no more will come
 *
 *         pool_result_t *result;                         // take what is done: that makes room
 *         if (pool_next_result(pool, -1, &result) != POOL_OK) break;
 *         if (result->error_code) fprintf(stderr, "%s\n", result->error_message);
 *         else printf("%s %d %zu\n", result->url, (int)result->status, result->body_size);
 *         pool_result_free(result);
 *       }
 *       pool_free(pool);
 *     }
 *
 * A program with one thread must never wait in pool_submit, because only taking results makes room
 * and no other thread does that. It submits with a time-out of 0 until POOL_AGAIN, takes, and submits
 * again. With one thread that submits and one that takes, both may wait for ever.
 *
 * Words. A pool is the engine: threads, connections, politeness. A pool_t is a handle on one stream
 * of jobs on that engine: pool_new makes an engine and its first stream, pool_share adds a stream. A
 * job is one URL; each accepted job gives exactly one result: success, error or cancelled. A group is
 * the politeness key of a job, by default the registrable domain of its URL. A hop is one HTTP
 * exchange: a job with redirections has several.
 *
 * Structs start with struct_size. The *_init function sets it to the size that the caller was
 * compiled with. Later versions add fields at the end and know by the size who lacks them.
 *
 * Text is UTF-8, and ends in a NUL where the library hands it out. Where you pass text with a size,
 * a size of 0 means up to the NUL. Flags are 0 or 1. Times are in seconds, except timeout_ms in
 * milliseconds: 0 never waits, negative waits for ever.
 *
 * Any thread may call any function with any handle, except that pool_free must be the last call on
 * its handle. No call blocks on the network. When a call has returned, the library keeps nothing of
 * what you passed but a job's userdata, a log function, and the functions of a configuration.
 *
 * A handle belongs to the process that made it. In a forked child every call with the handle gives
 * POOL_INVALID_ARGUMENT, and pool_free does nothing. Results taken before the fork are in both
 * processes, and the child may make pools of its own. Until the child ends or calls exec, servers
 * see the connections from before the fork as open, and the child must not read from its copy of
 * pool_event_fd. A fork waits until no thread of a pool is at work, usually milliseconds and a second
 * at most, because the child would otherwise inherit locks that are held.
 *
 * The library stays loaded: dlclose is allowed at any time after pool_free but does not unload it,
 * because a name look-up that the system has not given up may still run.
 *
 * Every function that can fail returns a pool_status_t, writes its outputs only on POOL_OK, and
 * leaves a sentence that names the field at fault for pool_last_error. Any of them may give
 * POOL_INTERNAL_ERROR; each one lists its other statuses and what they mean there.
 */


#ifndef ROUET_H
#define ROUET_H

#include <stddef.h>
#include <stdint.h>

// The version of this header; pool_version and pool_abi_version give the library's.
#define POOL_VERSION "0.1.0"


// The version of the C interface. It grows by one when programs must be recompiled.
#define POOL_ABI_VERSION 1

// Download: the body is in the result.
#define POOL_REQUEST 0

// Find where the URL ends, without a body.
#define POOL_RESOLVE 1

// HTTP/2 over TLS if the server takes it, otherwise HTTP/1.1. A host that rejects HTTP/2 (RFC
// 9113, section 7, HTTP_1_1_REQUIRED) is asked again over HTTP/1.1, which it then gets for an
// hour.
#define POOL_HTTP_ANY 0

// HTTP/1.1 only.
#define POOL_HTTP_1_1 1

// HTTP/2 without asking first, also in the clear (RFC 9113, section 3.3).
#define POOL_HTTP_2_PRIOR_KNOWLEDGE 2

// Nothing is logged.
#define POOL_LOG_OFF 0

// Failures of the library that no result reports.
#define POOL_LOG_ERROR 1

// The same, and attempts that failed and will be made again.
#define POOL_LOG_WARN 2

// The same, and streams opened, finished and cancelled, and the engine's stop.
#define POOL_LOG_INFO 3

// The same, and each hop.
#define POOL_LOG_DEBUG 4

// The outcome of a call.
typedef enum pool_status_t {
  // The call did what it was asked to.
  POOL_OK = 0,
  // The buffer is full or no result is there yet, and the time to wait is up.
  POOL_AGAIN = 1,
  // The stream was finished or cancelled and all its results were taken: none will come.
  POOL_DONE = 2,
  // The stream was finished or cancelled: it takes no more jobs.
  POOL_CLOSED = 3,
  // An argument or a field is wrong; pool_last_error names it.
  POOL_INVALID_ARGUMENT = 4,
  // The machine gave no thread, descriptor or memory; pool_last_error says which.
  POOL_OUT_OF_RESOURCES = 5,
  // The library has a fault; pool_last_error describes it. Please report it.
  POOL_INTERNAL_ERROR = 6,
} pool_status_t;

// Options that were read and checked, for any number of jobs of any pool.
typedef struct pool_kept_options_t pool_kept_options_t;

// A handle on one stream of jobs and the engine it runs on.
typedef struct pool_t pool_t;

// One header: of a request in pool_options_t, of an answer in pool_result_t.
typedef struct pool_header_t {
  // The name, in the case it was written in.
  const char *name;
  // The value without the white space around it. An answer's value is the bytes as received,
  // which need not be UTF-8.
  const char *value;
  // The number of bytes in the name. In a request, 0 means up to the NUL.
  size_t name_size;
  // The number of bytes in the value. In a request, 0 means up to the NUL.
  size_t value_size;
} pool_header_t;

// How jobs are done. pool_options_init sets the defaults, and the caller changes fields. Each call
// that takes the struct copies it.
typedef struct pool_options_t {
  // Set by pool_options_init.
  size_t struct_size;
  // The request method. CONNECT is refused. Default NULL: GET for a request; for a resolve HEAD,
  // or GET with a body.
  const char *method;
  // The headers to send, in their order. Authorization, Cookie and Host are not sent on to
  // another origin. Proxy-Authorization goes to an HTTP proxy alone, on each hop, and to no
  // server (RFC 9110, section 11.7.2). A header with an empty value is sent empty. A name or
  // value with a line break, a NUL or another control character is refused. A header that says
  // where the request ends or what becomes of its connection is refused too: Content-Length,
  // Transfer-Encoding, Trailer, Expect, Upgrade, HTTP2-Settings, Proxy-Connection, TE with
  // anything but trailers, Connection with anything but keep-alive, TE and close. Connection
  // with close closes the connection behind the answer. A second Host is refused, and so is one
  // that is no host. Default NULL: none.
  const struct pool_header_t *headers;
  // The number of entries in headers. At most 1000. Default 0.
  size_t header_count;
  // The value of a Cookie header. The cookie is not sent on to another origin. Default NULL:
  // none.
  const char *cookie;
  // 1: sends cookies that answers set on the way with the job's next hops, to the hosts and
  // paths that they are meant for (RFC 6265). The cookies are forgotten when the attempt ends. A
  // URL may be met again after a cookie was set. Default 0.
  int32_t stateful;
  // 1: sends the User-Agent of a widespread browser instead of rouet/VERSION. A User-Agent in
  // headers is sent instead of both. Default 0.
  int32_t spoof_ua;
  // The bytes to send as the request's body. An empty body is sent too, if this is not NULL.
  // Default NULL: none.
  const void *body;
  // The number of bytes in body. Default 0.
  size_t body_size;
  // The time to look up the name, connect and shake hands, for each hop. In seconds, above 0.
  // Default 5.
  double connect_timeout;
  // The time for a whole attempt: all hops and the body. In seconds, above 0. Default 30.
  double timeout;
  // The size of the largest body that is taken, in bytes after decompression. A job with a
  // larger one ends in body-too-large. At least 1. Default 268435456: 256 MiB.
  uint64_t max_body_size;
  // 1: asks for gzip, deflate, br or zstd, and undoes them. Default 0.
  int32_t compressed;
  // 1: follows redirections of any kind. 0: the answer that redirects is the result. Default 1.
  int32_t follow_redirects;
  // The number of redirections that are followed. A job with one more ends in max-redirects.
  // Default -1: 10 for a request, 20 for a resolve.
  int32_t max_redirects;
  // 1: follows a Refresh header, whatever its delay, on an answer below 400 that is no
  // redirection itself. The first such line that leads to what can be requested counts: one to
  // market: or to a broken URL does not. A job ends where a page refreshes itself, leads back to
  // where the job was, or leads to what can't be requested. Default 1.
  int32_t follow_refresh_header;
  // 1: follows a page's `<meta http-equiv="refresh">` in the same way as a Refresh header. The
  // tag is looked for in the first 1 KiB of an HTML body, or in the first 64 KiB with
  // follow_js_relocation or canonicalize. A resolve then uses GET. A tag within `<noscript>`
  // counts only without follow_js_relocation, and where nothing else leads on. Default 0.
  int32_t follow_meta_refresh;
  // 1: follows a page's script in the same way as a Refresh header. The script has to send its
  // reader elsewhere by plain text such as location = "…" or location.replace("…") within the
  // first 64 KiB of an HTML body. A resolve then uses GET. Default 0.
  int32_t follow_js_relocation;
  // 1: takes the target from the URL itself, without a request, where the URL is that of a known
  // kind of redirection: …?url=…, l.facebook.com/l.php?u=…, AMP caches. The job's group is then
  // that of the target. Default 0.
  int32_t infer_redirection;
  // 1: ends the stack in the URL that the last page calls its own with `<link rel="canonical">`,
  // if that is another URL and is told in the first 64 KiB. That URL is not requested. A resolve
  // then uses GET. Default 0.
  int32_t canonicalize;
  // 1: leaves certificates unchecked. Default 0.
  int32_t insecure;
  // 1: offers the TLS ciphers of a widespread browser, in its order. Default 0.
  int32_t spoof_tls_ciphers;
  // The final statuses that are errors, such as invalid-status-404. Default NULL: none.
  const uint16_t *raise_on_statuses;
  // The number of entries in raise_on_statuses. Default 0.
  size_t raise_on_status_count;
  // The encoding of the text, by a label of the Encoding Standard such as "windows-1251".
  // Default NULL: it is looked for.
  const char *known_encoding;
  // The PEM file of the certificate authorities to trust. Default NULL: the system's.
  const char *ca_file;
  // The URL of a proxy, with credentials if it needs them. The URL starts with http://,
  // https://, socks5:// or socks5h://. The environment's http_proxy and no_proxy are not looked
  // at. Default NULL: none.
  const char *proxy;
  // The places to connect to instead, as "HOST:PORT:CONNECT-TO-HOST:CONNECT-TO-PORT", as in
  // curl. An empty HOST or PORT matches any. Ports are 1 to 65535, and hosts are written as in a
  // URL (xn--…). Default NULL: none.
  const char *const *connect_to;
  // The number of entries in connect_to. At most 10,000. Default 0.
  size_t connect_to_count;
  // The addresses of hosts, as "HOST:PORT:ADDRESS", or with several addresses and commas between
  // them, as in curl's --resolve. A HOST of * is any. Jobs of one pool share connections by host
  // and port: do not give one host different addresses in one pool. Default NULL: none.
  const char *const *dns;
  // The number of entries in dns. At most 10,000. Default 0.
  size_t dns_count;
  // The local interface, address or host name to connect from. A host name is looked up for each
  // hop, as the URL's is. Default NULL: any.
  const char *network_interface;
  // The choice of HTTP versions to offer. The value is POOL_HTTP_ANY, POOL_HTTP_1_1 or
  // POOL_HTTP_2_PRIOR_KNOWLEDGE. Default POOL_HTTP_ANY.
  int32_t http_version;
  // 1: makes a failed attempt again. The wait after the nth attempt is retry_min_wait·4^(n−1),
  // at most retry_max_wait, varied by a quarter either way. The waiting job occupies no worker,
  // and its group's throttle still holds. Connections refused, reset or broken off, unreachable
  // hosts and networks, protocol errors, and names that can't be looked up for now are tried
  // again; docs/errors.md has the list. Without it retry_on_timeout and retry_on_statuses have
  // no effect, and are refused. Default 0.
  int32_t retry;
  // The number of attempts in all, the first included. At least 1. Default 3.
  uint32_t retry_max_attempts;
  // 1: tries time-outs again too. Default 0.
  int32_t retry_on_timeout;
  // The wait after the first attempt. In seconds, 0 or above. Default 10.
  double retry_min_wait;
  // The longest wait, at least retry_min_wait. In seconds, 0 or above. Default 86400: one day.
  double retry_max_wait;
  // The statuses of a final answer that are tried again too. Default NULL: none.
  const uint16_t *retry_on_statuses;
  // The number of entries in retry_on_statuses. Default 0.
  size_t retry_on_status_count;
  // 1: puts *** in place of a user and password in the result's URLs, as submitted and in its
  // stack. Messages and the log always have *** there. Headers and bodies stay as they came.
  // Default 0.
  int32_t mask_credentials;
  // 1: asks with GET too, at once, where a resolve's HEAD got 400, 403, 404, 405, 406 or 5xx, or
  // no answer because the connection was closed or reset. Many servers answer HEAD otherwise
  // than GET. The pool remembers for each host, up to some thousands, what came of it. A host
  // whose GET got another answer is asked with GET alone from then on. A host whose GET got the
  // same answer is believed when its HEAD gets that again. 405 and 501 are never believed,
  // because they are about the method. 0: the answer to HEAD is the result. Default 1.
  int32_t head_fallback;
} pool_options_t;

// One entry of a result's stack: a URL at which the job was.
typedef struct pool_hop_t {
  // The URL as it was requested, or would have been.
  const char *url;
  // The number of its bytes, without the NUL.
  size_t url_size;
  // What led on from here: "location-header", "refresh-header", "meta-refresh", "js-relocation"
  // or "infer" (the URL itself). "hit": the job ended here. "canonical", always last: the URL
  // that the page before declares for itself.
  const char *type;
  // The answer's status. 0: no answer came, or no request was made (infer, canonical).
  int32_t status;
} pool_hop_t;

// The result of a job, the caller's until pool_result_free.
//
// The body is one piece of memory. The struct and everything else it points to, except userdata
// and value, are another: block_size bytes from the struct's own address, with the struct, the
// headers, the stack and then all text, each right behind the last. Both can be copied whole.
typedef struct pool_result_t {
  // The size of this struct in the library that made it.
  size_t struct_size;
  // The number of bytes in the block, including this struct.
  size_t block_size;
  // The job's tag.
  uint64_t tag;
  // The job's userdata.
  void *userdata;
  // The URL as submitted, with U+FFFD for bytes that are not UTF-8. NULL: the job had none
  // (passthrough).
  const char *url;
  // The number of its bytes, without the NUL.
  size_t url_size;
  // The error's stable name, such as "connection-refused"; docs/errors.md lists them. NULL:
  // success, whatever the status.
  const char *error_code;
  // What failed, where and why, for people; NULL on success.
  const char *error_message;
  // Where the job ended: the last URL of the stack, or NULL if there is none.
  const char *end_url;
  // The number of its bytes, without the NUL.
  size_t end_url_size;
  // The headers of the last answer, with their order, case and repeats.
  const struct pool_header_t *headers;
  // The number of headers.
  size_t header_count;
  // The URLs at which the job was, one for each hop, in order.
  const struct pool_hop_t *stack;
  // The number of entries in the stack.
  size_t stack_count;
  // The body of the last answer, decompressed if the job asked for compression, without a NUL at
  // its end. NULL: no body.
  const uint8_t *body;
  // The number of bytes in the body.
  size_t body_size;
  // When the last attempt began, in seconds since 1970 UTC.
  double start_time;
  // When the last attempt ended, in the same way.
  double end_time;
  // Seconds the last attempt spent, over all its hops, in looking up names.
  double name_lookup_time;
  // ... in connecting, also to a proxy.
  double connect_time;
  // ... in TLS handshakes.
  double tls_time;
  // ... from then to the first byte of the answer.
  double wait_time;
  // ... from the first byte of the answer to its last.
  double receive_time;
  // POOL_REQUEST or POOL_RESOLVE.
  int32_t kind;
  // The status of the last answer; 0 if none came.
  int32_t status;
  // The number of attempts made; 0 if the job ended before its first.
  uint32_t attempts;
  // What the stream's callback attached by writing it here; NULL without a callback. The library
  // does not look at it.
  void *value;
  // The particular cause, where an error's name covers several. For "ssl" it is "expired",
  // "not-yet-valid", "wrong-name", "unknown-authority", "bad-certificate", "ca-file",
  // "client-certificate" or "protocol", and there may be more. NULL: nothing more is known.
  const char *error_subcode;
  // The group whose turn the job waited for: the one it named, or that of its URL
  // (pool_url_group). Redirections do not change it. "": unconstrained. NULL: no server was to
  // be asked, because the URL was missing or bad.
  const char *group;
  // The number of its bytes, without the NUL.
  size_t group_size;
  // Why the body may be incomplete, in the words of WARC-Truncated (WARC 1.1, section 5.13) and
  // one more; NULL if it is whole or there is none. "disconnect": the connection ended without
  // TLS's goodbye, where only its end marks the body's; most often the body is whole. "coding":
  // the body broke the rules of its Content-Encoding, but its content came whole: the trailer
  // was missing or wrong, or the body was in no coding and is as it came. Later versions may add
  // others.
  const char *truncated;
} pool_result_t;

// Returns how many seconds after the end of a job its group waits before the next one starts.
// Below 0 or NaN: the pool's throttle applies. `result` is the result of that attempt; it is valid
// during the call and must not be freed. The function is called on the thread that does the
// group's transfers, and on several threads at once for several groups. It must be quick, and may
// call only the pool_result functions of the library.
typedef double (*pool_throttle_fn)(const char *group,
                                   const struct pool_result_t *result,
                                   void *userdata);

// Returns how many jobs of a group may be in flight; 0 counts as 1. The function is called when a
// group without jobs gets one and its throttle has run out. It runs where pool_throttle_fn does,
// under the same rules.
typedef uint32_t (*pool_parallelism_fn)(const char *group, void *userdata);

// Sees a result before it can be taken, for instance to save its body, and may attach a value by
// writing result->value. It must write nothing else of the result, and not free it. It returns 0;
// anything else turns the result into a callback-error.
//
// The function is called once for each job that has an answer, whatever its status, for several
// results at once, on threads of its own: at most 64 in the pool. It may take its time: it delays
// no transfer and holds only its thread and its result's place in the stream's buffer. It may
// submit jobs and cancel. It must not wait for room or results, or free the handle. Results that
// still wait for their call when the stream is cancelled end in cancelled; pool_free waits for the
// calls under way. A value attached to a result that nobody takes is lost: call pool_cancel, and
// take until POOL_DONE, before pool_free.
typedef int (*pool_callback_fn)(struct pool_result_t *result, void *userdata);

// How a pool and its stream are set up. pool_config_init sets the defaults, and the caller changes
// fields. The call that takes the struct copies it. Each field says whether it belongs to the pool
// or to the stream.
typedef struct pool_config_t {
  // Set by pool_config_init.
  size_t struct_size;
  // Pool. The number of transfers at once, over all streams. Default 0: 64 a core, within the
  // process's limit of descriptors.
  uint32_t max_workers;
  // Pool. The number of threads that run transfers. There are never more than max_workers. At
  // most 256. Default 0: one a core.
  uint32_t threads;
  // Pool. The time between the end (and the start) of a group's last job and the start of its
  // next. In seconds, 0 or above. Default 0.2.
  double throttle;
  // Pool. The number of jobs of one group in flight at once. At least 1. Default 1.
  uint32_t domain_parallelism;
  // Pool. The function that is asked at the end of each attempt at a job how long its group
  // waits, unless the group has a rule (pool_set_domain_rule). The function may heed a server's
  // Retry-After. What the function says holds until the next end, or until the group has had
  // nothing to do for that long. Default NULL: throttle holds.
  pool_throttle_fn throttle_fn;
  // Pool. The function that is asked how many jobs of a group may be in flight, unless the group
  // has a rule (pool_set_domain_rule). Default NULL: domain_parallelism holds.
  pool_parallelism_fn parallelism_fn;
  // Pool. The pointer that throttle_fn and parallelism_fn are called with. Default NULL.
  void *domain_userdata;
  // Stream. 1: gives results in the order of their jobs, within a window of buffer_size jobs. 0:
  // they come as they are done. Default 0.
  int32_t ordered;
  // Stream. 1: gives a job without URL a result without URL, error and answer. 0: such a job is
  // POOL_INVALID_ARGUMENT. Default 0.
  int32_t passthrough;
  // Stream. The most jobs that are held and not started, jobs that wait for a retry included,
  // and as many again that are started and whose results were not taken. The same number bounds
  // the stream's transfers at once. An ordered stream has this many jobs outstanding in all. At
  // least 1. Default 1024.
  size_t buffer_size;
  // Stream. The bytes of results not taken, beyond which no more jobs are started. The bodies of
  // those under way come on top. At least 1. Default 268435456: 256 MiB.
  uint64_t max_buffered_bytes;
  // Stream. The options of jobs that have none of their own. Default NULL: all have their
  // defaults.
  const struct pool_options_t *options;
  // Stream. The function that is called with each result that has an answer, before it can be
  // taken. Default NULL: none.
  pool_callback_fn callback;
  // Stream. The pointer that callback is called with. Default NULL.
  void *callback_userdata;
  // Pool. 1: lets no job get to an address that is no public server's: the job ends in
  // forbidden-address. Loopback, private and link-local networks, multicast, the metadata of
  // clouds, all that IANA has set apart, and addresses of IPv6 that carry one of these
  // (IPv4-mapped, NAT64, 6to4, Teredo) are not public. This option and https_only,
  // deny_networks, allow_networks and allowed_ports hold for the address that is connected to,
  // on every hop, after the name was looked up, whatever named it: a URL, a redirection, dns,
  // connect_to. A proxy is free of them, because it is the caller's choice. The scheme, port and
  // addresses that a proxy is asked for are held to them. Names that it is asked for are held to
  // them only with socks5://, because other proxies look names up themselves. Default 0.
  int32_t deny_private_addresses;
  // Pool. 1: asks for https URLs only. A job with another URL, or with a redirection to one,
  // ends in forbidden-address. Default 0.
  int32_t https_only;
  // Pool. The networks that are forbidden, as "10.0.0.0/8", "fc00::/7", or an address. A NAT64
  // prefix of one's own belongs here. The addresses 0.0.0.0 and :: are judged as 127.0.0.1 and
  // ::1, because Linux connects them to these. Default NULL: none.
  const char *const *deny_networks;
  // Pool. The number of entries in deny_networks. At most 10,000. Default 0.
  size_t deny_network_count;
  // Pool. The networks that are not forbidden, whatever deny_private_addresses and deny_networks
  // say. Such a list is refused when neither forbids any. To let nothing through but these, deny
  // "0.0.0.0/0" and "::/0". Default NULL: none.
  const char *const *allow_networks;
  // Pool. The number of entries in allow_networks. At most 10,000. Default 0.
  size_t allow_network_count;
  // Pool. The only ports that may be connected to. A job that leads to another ends in
  // forbidden-address. Default NULL: any.
  const uint16_t *allowed_ports;
  // Pool. The number of entries in allowed_ports. Default 0.
  size_t allowed_port_count;
} pool_config_t;

// One URL to request or resolve. pool_job_init sets the defaults, and the caller changes fields.
// Submitting copies the struct.
typedef struct pool_job_t {
  // Set by pool_job_init.
  size_t struct_size;
  // The URL. White space, invisible marks (such as byte order marks) and quotes around it are
  // removed. A URL without a scheme gets http:// if it starts with a host; a path, a file name,
  // a number or a mail address does not. A bad URL, or one that is not UTF-8, gives a result
  // with invalid-url. Default NULL: the job has no URL, which is accepted only with passthrough
  // in pool_config_t; the empty text means the same.
  const char *url;
  // The number of bytes in the URL. Default 0: up to the NUL.
  size_t url_size;
  // The politeness key. "" is unconstrained: no throttle, no limit. Default NULL: the URL's
  // registrable domain, or the host if it has none.
  const char *group;
  // The number of bytes in the group. Default 0: up to the NUL.
  size_t group_size;
  // A number that comes back in the result. Default 0.
  uint64_t tag;
  // A pointer that comes back in the result; the library does not look at it. Default NULL.
  void *userdata;
  // How the job is done; pool_options_from gives the stream's options to start from. Default
  // NULL: the stream's options.
  const struct pool_options_t *options;
  // POOL_REQUEST or POOL_RESOLVE. Default POOL_REQUEST.
  int32_t kind;
  // Options that pool_options_keep has read, instead of `options`. Default NULL.
  const struct pool_kept_options_t *kept_options;
} pool_job_t;

// What a stream and its engine are doing and have done. Set struct_size before pool_stats.
typedef struct pool_stats_t {
  // sizeof(pool_stats_t), set by the caller.
  size_t struct_size;
  // Stream: jobs accepted so far.
  uint64_t accepted;
  // Stream: results taken so far.
  uint64_t delivered;
  // Stream: results so far, taken or not, that were errors.
  uint64_t failed;
  // Stream: jobs accepted and not started, including those that wait for a retry.
  uint64_t held;
  // Stream: jobs started whose results were not taken.
  uint64_t started;
  // Stream: bytes held by results that were not taken, with everything that belongs to them.
  uint64_t buffered_bytes;
  // Engine: transfers running.
  uint64_t in_flight;
  // Engine: groups that have jobs, or whose throttle has not run out.
  uint64_t groups;
  // Engine: connections opened so far, including those that failed.
  uint64_t connections;
  // Engine: name look-ups made so far, not counting answers from the cache.
  uint64_t name_lookups;
} pool_stats_t;

// Takes one line of log. `level` is a POOL_LOG_* value; `message` ends in a NUL and is valid
// during the call. The function is called on any thread, several at once, and must not call the
// library.
typedef void (*pool_log_fn)(int32_t level, const char *message, void *userdata);

// One reference from a page to something else, by an attribute of an element. It belongs to the
// library.
typedef struct pool_element_t {
  // The size of this struct in the library that made it: the next one starts that many bytes
  // after it.
  size_t struct_size;
  // Where it leads: absolute, http or https, its query in the page's encoding.
  const char *url;
  // The number of its bytes, without the NUL.
  size_t url_size;
  // The name of the element in lower case, such as "img".
  const char *element;
  // The name of the attribute in lower case, such as "srcset".
  const char *attribute;
  // The element's rel, with white space made single blanks; "" if it has none.
  const char *rel;
  // The number of its bytes, without the NUL.
  size_t rel_size;
  // What a reader sees in its place, in one line: the text of an `<a>` or `<button>` with the
  // alt of its images; the alt of an image; otherwise "". UTF-8, without NULs.
  const char *text;
  // The number of its bytes, without the NUL.
  size_t text_size;
} pool_element_t;

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

// Returns the library's version, such as "0.1.0". The text is static. Any thread may call it;
// never fails.
const char *pool_version(void);

// Returns the POOL_ABI_VERSION that the library was built with. Any thread may call it; never
// fails.
uint32_t pool_abi_version(void);

// Returns the name of a status, such as "POOL_AGAIN", or "unknown status" for any other number.
// The text is static. Any thread may call it; never fails.
const char *pool_status_name(int32_t status);

// Returns what was wrong with this thread's last call that gave POOL_CLOSED,
// POOL_INVALID_ARGUMENT, POOL_OUT_OF_RESOURCES or POOL_INTERNAL_ERROR: a sentence that names the
// field at fault, or "" before the first such call. The address is the same each time. Only this
// thread may read there, until it ends; its next failing call overwrites the text. Never fails.
const char *pool_last_error(void);

// Writes the defaults into `options`, which stays the caller's. `struct_size` is
// `sizeof(pool_options_t)`. Any thread may call it.
//
// POOL_OK: written. POOL_INVALID_ARGUMENT: NULL, or an unknown size.
//
// Requires:
// `options` is NULL or points to `struct_size` writable bytes.
enum pool_status_t pool_options_init(struct pool_options_t *options, size_t struct_size);

// Writes the defaults into `config`, which stays the caller's. `struct_size` is
// `sizeof(pool_config_t)`. Any thread may call it.
//
// POOL_OK: written. POOL_INVALID_ARGUMENT: NULL, or an unknown size.
//
// Requires:
// `config` is NULL or points to `struct_size` writable bytes.
enum pool_status_t pool_config_init(struct pool_config_t *config, size_t struct_size);

// Writes the defaults into `job`, which stays the caller's. `struct_size` is `sizeof(pool_job_t)`.
// Any thread may call it.
//
// POOL_OK: written. POOL_INVALID_ARGUMENT: NULL, or an unknown size.
//
// Requires:
// `job` is NULL or points to `struct_size` writable bytes.
enum pool_status_t pool_job_init(struct pool_job_t *job, size_t struct_size);

// Reads and checks options once, for jobs to name as kept_options. Such jobs cost as little to
// submit as jobs without their own options, however many entries dns and connect_to have. Writes
// the kept options to `kept`, the caller's until pool_kept_options_free; `options` and what it
// points to are copied. Any thread may call it.
//
// POOL_OK: here they are. POOL_INVALID_ARGUMENT: an option is out of its range, or `options` or
// `kept` is NULL.
//
// Requires:
// `options` points to a pool_options_t as its comments describe; `kept` is writable.
enum pool_status_t pool_options_keep(const struct pool_options_t *options,
                                     struct pool_kept_options_t **kept);

// Frees kept options; jobs submitted with them are unaffected. NULL does nothing. Any thread may
// call it, once, when no other call uses them. Never fails.
//
// Requires:
// `kept` is NULL or came from pool_options_keep, and was not freed.
void pool_kept_options_free(struct pool_kept_options_t *kept);

// Starts an engine and opens its first stream. `config` may be NULL for the defaults. Writes the
// handle to `pool`, the caller's until pool_free. Any thread may call it.
//
// POOL_OK: it runs. POOL_INVALID_ARGUMENT: pool_last_error names the argument or field.
// POOL_OUT_OF_RESOURCES: no thread, descriptor or memory is left.
//
// Requires:
// `config` and what it points to are as pool_config_t says; `pool` is writable.
enum pool_status_t pool_new(const struct pool_config_t *config, struct pool_t **pool);

// Opens another stream on the engine of `pool`. The stream has its own jobs, order, buffer and
// results, and shares threads, connections and politeness. `config` may be NULL for the defaults;
// the pool's fields in it must be as pool_config_init left them or as pool_new got them, and
// throttle_fn and parallelism_fn must be NULL. Writes the handle to `shared`, the caller's until
// pool_free. The engine lives until its last handle ends. Any thread may call it.
//
// POOL_OK: it is open. POOL_INVALID_ARGUMENT: pool_last_error names the argument or field.
//
// Requires:
// `pool` is a live handle; `config` and what it points to are as pool_config_t says; `shared` is
// writable.
enum pool_status_t pool_share(struct pool_t *pool,
                              const struct pool_config_t *config,
                              struct pool_t **shared);

// Ends a handle: cancels its stream's outstanding jobs, frees the results that were not taken and,
// with the engine's last handle, stops and joins the threads. Returns promptly, whatever the
// network does. NULL does nothing. Results that were taken stay the caller's. Any thread may call
// it, but it must be the last call on the handle, with no other call running. In a forked child,
// or when the process is ending, it waits for nothing and leaves the rest to the system: a program
// may also end without it, whatever is under way. Never fails.
//
// Requires:
// `pool` is NULL or a live handle that no other thread is using.
void pool_free(struct pool_t *pool);

// Writes into `options` the stream's own options, as a start for a job that is to differ.
// `struct_size` is `sizeof(pool_options_t)`. What the struct points to lives until pool_free and
// must not be written to. Any thread may call it.
//
// POOL_OK: written. POOL_INVALID_ARGUMENT: NULL, or an unknown size.
//
// Requires:
// `pool` is a live handle; `options` is NULL or points to `struct_size` writable bytes.
enum pool_status_t pool_options_from(struct pool_t *pool,
                                     struct pool_options_t *options,
                                     size_t struct_size);

// Submits a job; the stream copies what it needs. The call waits up to `timeout_ms` for room in
// the buffer; 0 never waits, negative waits for ever. A program with one thread must not wait for
// ever, because only taking results makes room. Any thread may call it, several at once.
//
// POOL_OK: accepted; exactly one result will come. POOL_AGAIN: no room in time; nothing was kept.
// POOL_CLOSED: the stream was finished or cancelled. POOL_INVALID_ARGUMENT: pool_last_error names
// the argument or field; nothing was kept. POOL_OUT_OF_RESOURCES: no memory is left for it;
// nothing was kept.
//
// Requires:
// `pool` is a live handle; `job` and what it points to are as pool_job_t says.
enum pool_status_t pool_submit(struct pool_t *pool,
                               const struct pool_job_t *job,
                               int32_t timeout_ms);

// Submits `count` jobs in order and writes to `accepted` how many found room. The call waits up to
// `timeout_ms` until all fit; 0 takes those that fit at once, negative waits for ever. The jobs
// stay the caller's, as for pool_submit. Any thread may call it, several at once.
//
// POOL_OK: all were accepted. POOL_AGAIN: only the first `accepted` were. POOL_CLOSED,
// POOL_INVALID_ARGUMENT, POOL_OUT_OF_RESOURCES: the job at index `accepted` was refused, those
// before it were accepted. `accepted` is written whatever the status, unless it or another
// argument is NULL.
//
// Requires:
// `pool` is a live handle; `jobs` points to `count` jobs of the first one's struct_size, each as
// pool_job_t says; `accepted` is writable.
enum pool_status_t pool_submit_many(struct pool_t *pool,
                                    const struct pool_job_t *jobs,
                                    size_t count,
                                    int32_t timeout_ms,
                                    size_t *accepted);

// Takes the next result: the next in order from an ordered stream, otherwise the next that is
// done. The call waits up to `timeout_ms` for one; 0 never waits, negative waits for ever. Writes
// it to `result`, the caller's until pool_result_free, also after pool_free. Any thread may call
// it, several at once: each result goes to one of them.
//
// POOL_OK: here it is. POOL_AGAIN: none in time. POOL_DONE: the stream was finished or cancelled
// and all results were taken. POOL_INVALID_ARGUMENT: `pool` or `result` is NULL.
// POOL_OUT_OF_RESOURCES: no memory is left to give it in; it can still be taken later.
//
// Requires:
// `pool` is a live handle; `result` is writable.
enum pool_status_t pool_next_result(struct pool_t *pool,
                                    int32_t timeout_ms,
                                    struct pool_result_t **result);

// Takes up to `max` results at once: waits for the first as pool_next_result does, and adds those
// that are there already. Writes them to `results` and their number to `count`; each is the
// caller's until pool_result_free. Any thread may call it, several at once.
//
// POOL_OK: at least one. POOL_AGAIN and POOL_DONE: as for pool_next_result. POOL_INVALID_ARGUMENT:
// a pointer is NULL, or `max` is 0.
//
// Requires:
// `pool` is a live handle; `results` has room for `max` pointers; `count` is writable.
enum pool_status_t pool_next_results(struct pool_t *pool,
                                     struct pool_result_t **results,
                                     size_t max,
                                     int32_t timeout_ms,
                                     size_t *count);

// Takes results as pool_next_results does, copies as many into `buffer` as fit, and frees them. It
// serves languages for which a call into C is costly. Any thread may call it.
//
// Each result is a pool_result_t followed by its block and its body, block_size bytes in all; the
// next begins there. All its pointers except userdata and value are offsets from its start; 0 is
// NULL. The pool_result functions do not accept it; pool_result_of_page makes one that they do.
//
// POOL_OK: `count` is how many were written: at least one, or none because the next takes more
// than `size` bytes; `needed` is how many bytes the next takes, 0 when there is no next.
// POOL_AGAIN and POOL_DONE: as for pool_next_result; neither is written. POOL_INVALID_ARGUMENT:
// something is NULL, or the buffer is not aligned.
//
// Requires:
// `pool` is a live handle; `buffer` has `size` bytes and the alignment of pool_result_t; `count`
// and `needed` are writable.
enum pool_status_t pool_next_packed(struct pool_t *pool,
                                    void *buffer,
                                    size_t size,
                                    int32_t timeout_ms,
                                    size_t *count,
                                    size_t *needed);

// Says that no more jobs will come: pool_submit gives POOL_CLOSED from now on, and
// pool_next_result gives POOL_DONE once all results were taken. Does not wait. Any thread may call
// it, more than once.
//
// POOL_OK: finished. POOL_INVALID_ARGUMENT: `pool` is NULL.
//
// Requires:
// `pool` is a live handle.
enum pool_status_t pool_finish(struct pool_t *pool);

// Finishes the stream and ends its outstanding jobs: each result comes promptly, with the error
// "cancelled" unless the job was done already. Does not wait. The engine's other streams go on.
// Any thread may call it, more than once.
//
// POOL_OK: cancelled. POOL_INVALID_ARGUMENT: `pool` is NULL.
//
// Requires:
// `pool` is a live handle.
enum pool_status_t pool_cancel(struct pool_t *pool);

// Writes to `pending` the number of accepted jobs whose results were not taken yet. A crawl that
// submits new jobs for its results is over when this is 0. Any thread may call it.
//
// POOL_OK: written. POOL_INVALID_ARGUMENT: `pool` or `pending` is NULL.
//
// Requires:
// `pool` is a live handle; `pending` is writable.
enum pool_status_t pool_pending(struct pool_t *pool, size_t *pending);

// Writes to `fd` a descriptor, for poll, epoll, libuv and the like, that is readable while
// pool_next_result would not give POOL_AGAIN: a result is there, or the stream is done. The first
// call makes it; it belongs to the handle, and pool_free closes it. Any thread may call it. While
// more results are to come, the descriptor may report the next up to 1 ms late, to let a loop that
// wakes up find several: take them with pool_next_results, until POOL_AGAIN.
//
// An event loop that can only read may read from it: reading never blocks, and gives a byte each
// time something arrives after there was nothing. Then take until POOL_AGAIN.
//
// POOL_OK: written. POOL_INVALID_ARGUMENT: `pool` or `fd` is NULL. POOL_OUT_OF_RESOURCES: no
// descriptor is left.
//
// Requires:
// `pool` is a live handle; `fd` is writable.
enum pool_status_t pool_event_fd(struct pool_t *pool, int *fd);

// Tells the group that a job with this URL has unless it names its own: the URL's registrable
// domain by the public suffix list, private section included, or the host if it has none. With
// infer_redirection, a job's group is that of the inferred URL instead. The URL is read like a
// job's; `url_size` is its number of bytes, 0 up to the NUL. Writes the name and a NUL to `group`,
// which has room for `size` bytes, and the name's number of bytes to `group_size`. Any thread may
// call it, and no pool is needed.
//
// POOL_OK: written. POOL_INVALID_ARGUMENT: `url` is not a URL, and pool_last_error says why; or
// `size` is too small, and only `group_size` is written; or a pointer is NULL.
//
// Requires:
// `url` is NULL or has `url_size` bytes, or ends in a NUL; `group` has `size` writable bytes;
// `group_size` is writable.
enum pool_status_t pool_url_group(const char *url,
                                  size_t url_size,
                                  char *group,
                                  size_t size,
                                  size_t *group_size);

// Sets the rule of one group, given by a registrable domain or the name from a job: `throttle` in
// seconds, at least 0, and `parallelism`, at least 1. The rule holds over all streams of the
// engine, from the group's next start until it is set anew. The name is copied. Any thread may
// call it.
//
// A name that reads as a host ("Ex.com", "ex.com.", "bücher.com", `http://ex.com/`) is taken for
// that host.
//
// POOL_OK: set. POOL_INVALID_ARGUMENT: pool_last_error names the argument. A host that is not a
// group of its own is refused too: "www.ex.com" is in the group "ex.com" (pool_url_group tells).
//
// Requires:
// `pool` is a live handle; `domain` ends in a NUL.
enum pool_status_t pool_set_domain_rule(struct pool_t *pool,
                                        const char *domain,
                                        double throttle,
                                        uint32_t parallelism);

// Lets no job of a group start any more, over all streams of the engine, until
// pool_release_group: `group` is a registrable domain or the name a job gave. Writes to
// `in_flight` how many of its jobs are under way; these go on, and after this returns none
// starts. `in_flight` may be NULL. Jobs are accepted and cancelled as ever, and a group may be
// held before it has any. In an ordered stream the results of later jobs wait for those of a
// group that is held. One release ends it, however often the group was held. What reads as a host
// is taken for it, as for pool_set_domain_rule. Any thread may call it, but throttle_fn and
// parallelism_fn may not: it waits for the thread on which these run.
//
// POOL_OK: held. POOL_INVALID_ARGUMENT: pool_last_error names the argument, or says who called.
// POOL_OUT_OF_RESOURCES: a fault in the library, which its log tells of, lost the call.
//
// Requires:
// `pool` is a live handle; `group` ends in a NUL; `in_flight` is NULL or writable.
enum pool_status_t pool_hold_group(struct pool_t *pool, const char *group, uint64_t *in_flight);

// Lets the jobs of a group that is held start again, at the group's pace. It is named as for
// pool_hold_group. One that is not held stays as it is. Never waits. Any thread may call it.
//
// POOL_OK: it is not held. POOL_INVALID_ARGUMENT: pool_last_error names the argument.
//
// Requires:
// `pool` is a live handle; `group` ends in a NUL.
enum pool_status_t pool_release_group(struct pool_t *pool, const char *group);

// Writes to `stats`, which stays the caller's, what the stream and its engine are doing; the
// figures may be a moment old. Any thread may call it.
//
// POOL_OK: written. POOL_INVALID_ARGUMENT: NULL, or an unknown struct_size.
//
// Requires:
// `pool` is a live handle; `stats` has struct_size bytes, and that field is set.
enum pool_status_t pool_stats(struct pool_t *pool, struct pool_stats_t *stats);

// Sends the engine's log, up to `level`, to `log`. NULL or POOL_LOG_OFF, the default, turns the
// log off. The call holds for all streams of the engine. The former function may still get a line
// while this call runs, but not after it. `userdata` stays the caller's. Any thread may call it,
// but not from `log` itself.
//
// POOL_OK: set. POOL_INVALID_ARGUMENT: `pool` is NULL, or `level` is not a POOL_LOG_* value.
//
// Requires:
// `pool` is a live handle; `log` may be called on any thread, with `userdata`, until it is
// replaced or the engine's last handle is freed.
enum pool_status_t pool_set_log(struct pool_t *pool,
                                int32_t level,
                                pool_log_fn log,
                                void *userdata);

// Makes a result from a page that the caller kept, as if it had come with status 200, to ask for
// its text, links and the like. Writes it to `result`, the caller's until pool_result_free. Any
// thread may call it, and no pool is needed.
//
// `url` is where the page was found; its links, and in part its media type and encoding, depend on
// it. The URL is cleaned up like a job's. `content_type` is the value of the Content-Type header,
// and `known_encoding` is as in pool_options_t; each of the three may be NULL. The body is copied;
// it may be NULL if `body_size` is 0.
//
// POOL_OK: here it is. POOL_INVALID_ARGUMENT: `url` is not a URL, `content_type` has a line break,
// `known_encoding` is not an encoding, `body` is NULL and `body_size` not 0, or `result` is NULL.
// POOL_OUT_OF_RESOURCES: no memory is left for the copy.
//
// Requires:
// `url`, `content_type` and `known_encoding` are NULL or end in a NUL; `body` points to
// `body_size` bytes; `result` is writable.
enum pool_status_t pool_result_of_page(const char *url,
                                       const char *content_type,
                                       const char *known_encoding,
                                       const void *body,
                                       size_t body_size,
                                       struct pool_result_t **result);

// Makes a result as pool_result_of_page does, from an answer with all its headers. Several
// Content-Type headers count together, the file name in a Content-Disposition counts for
// pool_result_ext, and a Content-Encoding says that the body is still in that coding. Header sizes
// are as in pool_options_t; `headers` may be NULL if `header_count` is 0.
//
// POOL_OK: here it is. POOL_INVALID_ARGUMENT: `url` is not a URL, a header's name is not a name or
// its value has a line break, `known_encoding` is not an encoding, `headers` or `body` is NULL and
// its number not 0, or `result` is NULL.
//
// Requires:
// `url` and `known_encoding` are NULL or end in a NUL; `headers` points to `header_count` headers,
// as pool_options_t says; `body` points to `body_size` bytes; `result` is writable.
enum pool_status_t pool_result_of_answer(const char *url,
                                         const struct pool_header_t *headers,
                                         size_t header_count,
                                         const char *known_encoding,
                                         const void *body,
                                         size_t body_size,
                                         struct pool_result_t **result);

// Frees a result with its block, its body and everything it was asked for; userdata and value stay
// the caller's. NULL does nothing. Any thread may call it, once, when no thread uses the result
// any more. Never fails.
//
// Requires:
// `result` is NULL or came from pool_next_result, pool_next_results, pool_result_of_page or
// pool_result_of_answer, and was not freed.
void pool_result_free(struct pool_result_t *result);

// Returns the media type of the body, in lower case and without parameters, such as "text/html".
// The Content-Type headers decide (Fetch Standard, "extract a MIME type": the last that is
// well-formed counts). If they are missing, or say unknown/unknown or application/unknown, the
// first bytes of the body decide (MIME Sniffing Standard), and then the extension of its file name
// or URL. NULL: unknown, or no body was asked for or came.
//
// This function and those after it compute their answer at the first call, on the caller's thread,
// and keep it; what they return lives as long as the result. Several threads may ask one result at
// once. They never fail; a NULL result gives NULL or 0.
//
// Requires:
// `result` is NULL or a result that was not freed. The same holds for all functions after this
// one.
const char *pool_result_mimetype(const struct pool_result_t *result);

// Returns the file extension that fits the body, with its dot, such as ".html". The file name in
// Content-Disposition gives it (RFC 6266), if its extension is a usual one; otherwise the media
// type, or the URL if that type says nothing definite. NULL: unknown.
//
// Requires:
// As for pool_result_mimetype.
const char *pool_result_ext(const struct pool_result_t *result);

// Returns 1 if the body is text, by its media type, or by its bytes if that is unknown; otherwise
// 0. Bytes in a coding that was not undone, such as gzip that nobody asked for, are not text.
//
// Requires:
// As for pool_result_mimetype.
int32_t pool_result_is_text(const struct pool_result_t *result);

// Returns 1 if the body's media type allows for HTML or is unknown, otherwise 0.
//
// Requires:
// As for pool_result_mimetype.
int32_t pool_result_could_be_html(const struct pool_result_t *result);

// Returns 1 if the body is HTML, otherwise 0. HTML is text of the media type text/html or
// application/xhtml+xml, however it begins, and of another XML type if its root is `<html>`.
//
// Requires:
// As for pool_result_mimetype.
int32_t pool_result_is_html(const struct pool_result_t *result);

// Returns the encoding of the body, by its lower-case name in the Encoding Standard, such as
// "utf-8" or "windows-1251". It comes from known_encoding, the byte order mark, the Content-Type,
// the page's own declaration, or detection, in this order. A declaration that the bytes contradict
// is passed over, and so is ISO-8859-1 in the Content-Type if the page says something else. NULL:
// the body is not text.
//
// Requires:
// As for pool_result_mimetype.
const char *pool_result_encoding(const struct pool_result_t *result);

// Returns the body as UTF-8 text that ends in a NUL, decoded by the Encoding Standard: malformed
// parts become U+FFFD. Writes its number of bytes without the NUL to `size`, unless that is NULL.
// NULL, and 0: the body is not text, or no memory is left for it.
//
// Requires:
// As for pool_result_mimetype; `size` is NULL or writable.
const char *pool_result_text(const struct pool_result_t *result, size_t *size);

// Returns the links of an HTML body: the http and https URLs of its `<a>` and `<area>`, absolute,
// each once, in the order of the page. Their queries are in the page's encoding, as browsers write
// them (URL Standard). Writes their number to `count`, unless that is NULL. NULL, and 0: there are
// no links, or no memory is left for them. pool_result_elements gives a page's other references.
//
// Requires:
// As for pool_result_mimetype; `count` is NULL or writable.
const char *const *pool_result_links(const struct pool_result_t *result, size_t *count);

// Returns everything that an HTML body refers to: by `<a>`, `<img>`, srcset, `<script>`, `<link>`,
// `<iframe>`, `<form>`, `<source>` and all others whose attributes have URLs, including those of
// SVG and obsolete ones. Order and repeats are the page's. References that are not http or https,
// that stay within the page (`#top`), and `<a>` and `<area>` that lead to the page itself are left
// out. The library does not judge whether a browser would load a reference: see rel. Writes their
// number to `count`, unless that is NULL. NULL, and 0: there are none, or no memory is left for
// them.
//
// Step through the array by the struct_size of its elements, or as an array of pool_element_t in a
// program compiled with the library's own header.
//
// Requires:
// As for pool_result_mimetype; `count` is NULL or writable.
const struct pool_element_t *pool_result_elements(const struct pool_result_t *result,
                                                  size_t *count);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* ROUET_H */
