/* rouet for C++17 and later: the C interface of rouet.h with lifetimes, ranges and functions.
 *
 * Only a header: link with -lrouet, as from C. MIT OR Apache-2.0.
 *
 * In one screen:
 *
 *     #include <iostream>
 *     #include <rouet.hpp>
 *
 *     int main(int argc, char **argv) {                  // any number of URLs
 *       rouet::config config;
 *       config.throttle = std::chrono::milliseconds(200);
 *       rouet::pool pool(config);
 *
 *       int next = 1;
 *       const auto feed = [&] {                          // hands over URLs while there is room
 *         rouet::error fault;
 *         for (rouet::job job; next < argc; next++) {
 *           job.url = argv[next];
 *           if (pool.submit(job, rouet::no_wait, fault) == rouet::status::again) return;
 *           if (fault) std::cerr << fault.what() << '\n';
 *         }
 *         pool.finish();                                 // no more will come
 *       };
 *       feed();
 *       for (const rouet::result &result : pool) {       // takes what is done: that makes room
 *         if (!result.ok()) std::cerr << result.error_message() << '\n';
 *         else
 *           std::cout << result.url() << ' ' << result.status() << ' ' << result.body().size() << '\n';
 *         feed();
 *       }
 *     }
 *
 * What a program meets in its normal course is a value: `submit` and `next` give a status that is
 * ok, again, done or closed. What is wrong is an error, and a function tells of it in one of two
 * ways, as you like: it throws rouet::error, or, given an `error &` as its last argument, it writes
 * it there and does not throw. (std::bad_alloc may still come, as from all that allocates.) In a
 * program compiled without exceptions only those that take an `error &` are there.
 *
 * A program with one thread never waits in submit: room comes when results are taken, which nobody
 * else does. It submits with no_wait until that gives again, takes, and submits again, from within a
 * `for` over the pool too. With a thread that submits and one that takes, both may wait for ever.
 *
 * Any thread may call anything on a pool and on a result, but for what ends, moves or assigns them:
 * no other call on the object may then be running. Text is UTF-8. Text that a result hands out
 * lives as long as the result, and a NUL follows it, but for the body.
 *
 * rouet.h explains the words (pool, stream, job, group, hop), and docs/errors.md the error codes.
 */
#ifndef ROUET_HPP
#define ROUET_HPP

#include <rouet.h>

#include <algorithm>
#include <any>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <deque>
#include <exception>
#include <forward_list>
#include <functional>
#include <iterator>
#include <limits>
#include <memory>
#include <mutex>
#include <optional>
#include <shared_mutex>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#if defined(__cpp_exceptions) || defined(_CPPUNWIND)
#define ROUET_EXCEPTIONS 1
#else
#define ROUET_EXCEPTIONS 0
#endif

namespace rouet {

/// A time in seconds. Takes any std::chrono duration: 500ms, 2s, 0.2s.
using seconds = std::chrono::duration<double>;

/// A point in time, by the system's clock.
using time_point = std::chrono::time_point<std::chrono::system_clock, seconds>;

/// How long submit and next wait. Negative is for ever, and so is more than 24 days.
using wait = std::chrono::milliseconds;
/// Waits until it is done.
inline constexpr wait forever{-1};
/// Never waits.
inline constexpr wait no_wait{0};

/// What a call came to. The first four are the normal course of things, the others are errors.
enum class status : int {
  /// Done as asked.
  ok = POOL_OK,
  /// Not now: the buffer is full, or no result is there yet, and the time to wait is up.
  again = POOL_AGAIN,
  /// The stream was finished or cancelled and all its results were taken: none will come.
  done = POOL_DONE,
  /// The stream was finished or cancelled: it takes no more jobs.
  closed = POOL_CLOSED,
  /// An argument or a field is not what it should be; the error's words name it.
  invalid_argument = POOL_INVALID_ARGUMENT,
  /// The machine gave no thread, descriptor or memory for it; the error's words say which.
  out_of_resources = POOL_OUT_OF_RESOURCES,
  /// A fault in the library; the error has its words. Please report it.
  internal_error = POOL_INTERNAL_ERROR,
};

/// The name of a status in C, as "POOL_AGAIN".
inline const char *name(status which) noexcept {
  return pool_status_name(static_cast<std::int32_t>(which));
}

/// The library's version, as "0.1.0".
inline const char *version() noexcept { return pool_version(); }

/// The POOL_ABI_VERSION the library was built with.
inline std::uint32_t abi_version() noexcept { return pool_abi_version(); }

/// What was wrong with a call: a status, and in what() a sentence that names the field at fault.
/// Thrown, or written to the `error &` a function was given; that of a call without fault is false.
class error : public std::runtime_error {
public:
  /// No error.
  error() : std::runtime_error("") {}
  error(rouet::status status, const std::string &words)
      : std::runtime_error(words), status_(status) {}

  /// What it is: invalid_argument, out_of_resources or internal_error; ok: no error.
  rouet::status status() const noexcept { return status_; }
  /// Whether there is an error.
  explicit operator bool() const noexcept { return status_ != rouet::status::ok; }

private:
  rouet::status status_ = rouet::status::ok;
};

/// A header to send.
struct header {
  /// The name; no line break, no NUL.
  std::string name{};
  /// The value; no line break, no NUL.
  std::string value{};
};

/// What is spoken with servers.
enum class http_version : std::int32_t {
  /// HTTP/2 over TLS where it is offered, HTTP/1.1 otherwise.
  any = POOL_HTTP_ANY,
  /// HTTP/1.1 only.
  http_1_1 = POOL_HTTP_1_1,
  /// HTTP/2 without asking first, in the clear too.
  http_2_prior_knowledge = POOL_HTTP_2_PRIOR_KNOWLEDGE,
};

/// How jobs are done. As it is made it has the library's defaults. Copied by each call it is
/// given to. The fields are those of pool_options_t.
struct options {
  // Generated by make options: fields of a job.
  /// The request method. CONNECT is refused. Default: GET for a request; for a resolve HEAD, or GET
  /// with a body.
  std::optional<std::string> method{};
  /// The headers to send, in their order. Authorization, Cookie and Host are not sent on to another
  /// origin. Proxy-Authorization goes to an HTTP proxy alone, on each hop, and to no server (RFC
  /// 9110, section 11.7.2). A header with an empty value is sent empty. A name or value with a line
  /// break, a NUL or another control character is refused. A header that says where the request
  /// ends or what becomes of its connection is refused too: Content-Length, Transfer-Encoding,
  /// Trailer, Expect, Upgrade, HTTP2-Settings, Proxy-Connection, TE with anything but trailers,
  /// Connection with anything but keep-alive, TE and close. Connection with close closes the
  /// connection behind the answer. A second Host is refused, and so is one that is no host. At most
  /// 1000 entries. Default: none.
  std::vector<header> headers{};
  /// The value of a Cookie header. The cookie is not sent on to another origin. Default: none.
  std::optional<std::string> cookie{};
  /// Sends cookies that answers set on the way with the job's next hops, to the hosts and paths
  /// that they are meant for (RFC 6265). The cookies are forgotten when the attempt ends. A URL may
  /// be met again after a cookie was set. Default: false.
  bool stateful = false;
  /// Sends the User-Agent of a widespread browser instead of rouet/VERSION. A User-Agent in headers
  /// is sent instead of both. Default: false.
  bool spoof_ua = false;
  /// The bytes to send as the request's body. An empty one is sent too. Default: none.
  std::optional<std::string> body{};
  /// The time to look up the name, connect and shake hands, for each hop. Above 0. Default: 5 s.
  seconds connect_timeout{5};
  /// The time for a whole attempt: all hops and the body. Above 0. Default: 30 s.
  seconds timeout{30};
  /// The size of the largest body that is taken, in bytes after decompression. A job with a larger
  /// one ends in body-too-large. At least 1. Default: 256 MiB.
  std::uint64_t max_body_size = 268435456;
  /// Asks for gzip, deflate, br or zstd, and undoes them. Default: false.
  bool compressed = false;
  /// Follows redirections of any kind. false: the answer that redirects is the result. Default:
  /// true.
  bool follow_redirects = true;
  /// The number of redirections that are followed. A job with one more ends in max-redirects.
  /// Default -1: 10 for a request, 20 for a resolve.
  std::int32_t max_redirects = -1;
  /// Follows a Refresh header, whatever its delay, on an answer below 400 that is no redirection
  /// itself. The first such line that leads to what can be requested counts: one to market: or to a
  /// broken URL does not. A job ends where a page refreshes itself, leads back to where the job
  /// was, or leads to what can't be requested. Default: true.
  bool follow_refresh_header = true;
  /// Follows a page's <meta http-equiv="refresh"> in the same way as a Refresh header. The tag is
  /// looked for in the first 1 KiB of an HTML body, or in the first 64 KiB with
  /// follow_js_relocation or canonicalize. A resolve then uses GET. A tag within <noscript> counts
  /// only without follow_js_relocation, and where nothing else leads on. Default: false.
  bool follow_meta_refresh = false;
  /// Follows a page's script in the same way as a Refresh header. The script has to send its reader
  /// elsewhere by plain text such as location = "…" or location.replace("…") within the first 64
  /// KiB of an HTML body. A resolve then uses GET. Default: false.
  bool follow_js_relocation = false;
  /// Takes the target from the URL itself, without a request, where the URL is that of a known kind
  /// of redirection: …?url=…, l.facebook.com/l.php?u=…, AMP caches. The job's group is then that of
  /// the target. Default: false.
  bool infer_redirection = false;
  /// Ends the stack in the URL that the last page calls its own with <link rel="canonical">, if
  /// that is another URL and is told in the first 64 KiB. That URL is not requested. A resolve then
  /// uses GET. Default: false.
  bool canonicalize = false;
  /// Leaves certificates unchecked. Default: false.
  bool insecure = false;
  /// Offers the TLS ciphers of a widespread browser, in its order. Default: false.
  bool spoof_tls_ciphers = false;
  /// The final statuses that are errors, such as invalid-status-404. Default: none.
  std::vector<std::uint16_t> raise_on_statuses{};
  /// The encoding of the text, by a label of the Encoding Standard such as "windows-1251". Default:
  /// it is looked for.
  std::optional<std::string> known_encoding{};
  /// The PEM file of the certificate authorities to trust. Default: the system's.
  std::optional<std::string> ca_file{};
  /// The URL of a proxy, with credentials if it needs them. The URL starts with http://, https://,
  /// socks5:// or socks5h://. The environment's http_proxy and no_proxy are not looked at. Default:
  /// none.
  std::optional<std::string> proxy{};
  /// The places to connect to instead, as "HOST:PORT:CONNECT-TO-HOST:CONNECT-TO-PORT", as in curl.
  /// An empty HOST or PORT matches any. Ports are 1 to 65535, and hosts are written as in a URL
  /// (xn--…). At most 10,000 entries. Default: none.
  std::vector<std::string> connect_to{};
  /// The addresses of hosts, as "HOST:PORT:ADDRESS", or with several addresses and commas between
  /// them, as in curl's --resolve. A HOST of * is any. Jobs of one pool share connections by host
  /// and port: do not give one host different addresses in one pool. At most 10,000 entries.
  /// Default: none.
  std::vector<std::string> dns{};
  /// The local interface, address or host name to connect from. A host name is looked up for each
  /// hop, as the URL's is. Default: any.
  std::optional<std::string> network_interface{};
  /// The choice of HTTP versions to offer. Default: any.
  rouet::http_version http_version = rouet::http_version::any;
  /// Makes a failed attempt again. The wait after the nth attempt is retry_min_wait·4^(n−1), at
  /// most retry_max_wait, varied by a quarter either way. The waiting job occupies no worker, and
  /// its group's throttle still holds. Connections refused, reset or broken off, unreachable hosts
  /// and networks, protocol errors, and names that can't be looked up for now are tried again;
  /// docs/errors.md has the list. Without it retry_on_timeout and retry_on_statuses have no effect,
  /// and are refused. Default: false.
  bool retry = false;
  /// The number of attempts in all, the first included. At least 1. Default: 3.
  std::uint32_t retry_max_attempts = 3;
  /// Tries time-outs again too. Default: false.
  bool retry_on_timeout = false;
  /// The wait after the first attempt. 0 or above. Default: 10 s.
  seconds retry_min_wait{10};
  /// The longest wait, at least retry_min_wait. 0 or above. Default: one day.
  seconds retry_max_wait{86400};
  /// The statuses of a final answer that are tried again too. Default: none.
  std::vector<std::uint16_t> retry_on_statuses{};
  /// Puts *** in place of a user and password in the result's URLs, as submitted and in its stack.
  /// Messages and the log always have *** there. Headers and bodies stay as they came. Default:
  /// false.
  bool mask_credentials = false;
  /// Asks with GET too, at once, where a resolve's HEAD got 400, 403, 404, 405, 406 or 5xx, or no
  /// answer because the connection was closed or reset. Many servers answer HEAD otherwise than
  /// GET. The pool remembers for each host, up to some thousands, what came of it. A host whose GET
  /// got another answer is asked with GET alone from then on. A host whose GET got the same answer
  /// is believed when its HEAD gets that again. 405 and 501 are never believed, because they are
  /// about the method. false: the answer to HEAD is the result. Default: true.
  bool head_fallback = true;
  // End of what is generated.
};

/// What a job is to do.
enum class kind : std::int32_t {
  /// Download: the body is in the result.
  request = POOL_REQUEST,
  /// Find where the URL ends; no body.
  resolve = POOL_RESOLVE,
};

class kept_options;

/// One URL to request or resolve. Copied when submitted.
struct job {
  /// The URL. White space, marks that are not seen (as byte order marks) and quotes around it are
  /// taken off, and http:// is put before it when it has no scheme and starts with a host: a path, a
  /// file's name, a number or a mail address is none. A bad one, or one that is not UTF-8, gives a
  /// result with invalid-url; an empty one is refused, but with passthrough.
  std::string url{};
  /// The politeness key; the empty text "" is unconstrained: no throttle, no limit. Default: the
  /// registrable domain of the URL, or its host when that has none.
  std::optional<std::string> group{};
  /// Comes back in the result.
  std::uint64_t tag = 0;
  /// Comes back in the result; never looked at. Must be good until then.
  void *userdata = nullptr;
  /// How the job is done; pool::options gives the stream's to start from. Must live until the job
  /// was submitted, no longer. Default: as the stream's options say.
  const rouet::options *options = nullptr;
  /// Download or resolve.
  rouet::kind kind = rouet::kind::request;
  /// The same as options, read beforehand, and given instead of them. Must live until the job was
  /// submitted, no longer.
  const rouet::kept_options *kept_options = nullptr;
};

/// What a stream and its engine are doing and have done.
struct stats {
  /// Of the stream: jobs accepted so far.
  std::uint64_t accepted = 0;
  /// Of the stream: results taken so far.
  std::uint64_t delivered = 0;
  /// Of the stream: results so far, taken or not, that were errors.
  std::uint64_t failed = 0;
  /// Of the stream: jobs accepted and not started, those that wait for a retry included.
  std::uint64_t held = 0;
  /// Of the stream: jobs started whose results were not taken.
  std::uint64_t started = 0;
  /// Of the stream: bytes that results not taken hold, all that belongs to them.
  std::uint64_t buffered_bytes = 0;
  /// Of the engine: transfers running.
  std::uint64_t in_flight = 0;
  /// Of the engine: groups that have jobs, or whose throttle has not run out.
  std::uint64_t groups = 0;
  /// Of the engine: connections opened so far, those that came to nothing included.
  std::uint64_t connections = 0;
  /// Of the engine: name look-ups made so far; those answered from the cache are not counted.
  std::uint64_t name_lookups = 0;
};

namespace detail {

/// Text of C's: NULL is empty.
inline std::string_view text(const char *start) noexcept {
  return start ? std::string_view(start) : std::string_view();
}
inline std::string_view text(const char *start, std::size_t size) noexcept {
  return start ? std::string_view(start, size) : std::string_view();
}

/// What a callback left with a result: C has one pointer for it.
struct attachment {
  std::any value;
  std::string failure;
};

} // namespace detail

/// One header of an answer.
struct header_view {
  /// The name, in the case it came in.
  std::string_view name;
  /// The value without the white space around it: the bytes as received, which need not be UTF-8.
  std::string_view value;

  explicit header_view(const pool_header_t &c) noexcept
      : name(detail::text(c.name, c.name_size)), value(detail::text(c.value, c.value_size)) {}
};

/// One entry of a result's stack: a URL the job was at.
struct hop {
  /// The URL as it was requested, or would have been.
  std::string_view url;
  /// What led on from here: "location-header", "refresh-header", "meta-refresh", "js-relocation" or
  /// "infer" (the URL itself); or "hit": this is where the job ended. "canonical", always the last:
  /// what the page before calls itself.
  std::string_view type;
  /// The answer's status; 0: no answer came, or no request was made (infer, canonical).
  std::int32_t status;

  explicit hop(const pool_hop_t &c) noexcept
      : url(detail::text(c.url, c.url_size)), type(detail::text(c.type)), status(c.status) {}
};

/// A reference in a page to something else: of an element, by one of its attributes.
struct element {
  /// Where it leads: absolute, http or https, its query in the encoding of the page.
  std::string_view url;
  /// The name of the element, in lower case, as "img".
  std::string_view name;
  /// The name of the attribute, in lower case, as "srcset".
  std::string_view attribute;
  /// The element's rel, white space in it made one blank; empty: it has none.
  std::string_view rel;
  /// What a reader reads in its place, in one line: the text of an <a> or <button>, with the alt of
  /// the images in it; the alt of an image; empty: nothing.
  std::string_view text;

  explicit element(const pool_element_t &c) noexcept
      : url(detail::text(c.url, c.url_size)), name(detail::text(c.element)),
        attribute(detail::text(c.attribute)), rel(detail::text(c.rel, c.rel_size)),
        text(detail::text(c.text, c.text_size)) {}
};

/// What a result has several of: a range of Views over an array of C's. Lives as long as the
/// result does.
template <typename View, typename C> class list {
public:
  using value_type = View;
  using size_type = std::size_t;

  class iterator {
  public:
    // To older algorithms it is an input iterator: it gives values, not references.
    using iterator_category = std::input_iterator_tag;
    using iterator_concept = std::forward_iterator_tag;
    using value_type = View;
    using difference_type = std::ptrdiff_t;
    using pointer = void;
    using reference = View;

    iterator() noexcept = default;
    explicit iterator(const C *at, std::size_t stride = sizeof(C)) noexcept
        : at_(at), stride_(stride) {}
    View operator*() const { return View(*at_); }
    iterator &operator++() noexcept {
      at_ = list::behind(at_, stride_);
      return *this;
    }
    iterator operator++(int) noexcept {
      const iterator before = *this;
      ++*this;
      return before;
    }
    friend bool operator==(iterator a, iterator b) noexcept { return a.at_ == b.at_; }
    friend bool operator!=(iterator a, iterator b) noexcept { return a.at_ != b.at_; }

  private:
    const C *at_ = nullptr;
    std::size_t stride_ = sizeof(C);
  };
  using const_iterator = iterator;

  list() noexcept = default;
  /// `stride`: the bytes from one entry to the next, which a later library may have more of.
  list(const C *start, std::size_t size, std::size_t stride = sizeof(C)) noexcept
      : start_(start), size_(start ? size : 0), stride_(stride) {}
  iterator begin() const noexcept { return iterator(start_, stride_); }
  iterator end() const noexcept { return iterator(behind(start_, size_ * stride_), stride_); }
  std::size_t size() const noexcept { return size_; }
  bool empty() const noexcept { return size_ == 0; }
  /// The entry at an index below size().
  View operator[](std::size_t index) const { return View(*behind(start_, index * stride_)); }

private:
  static const C *behind(const C *start, std::size_t bytes) noexcept {
    return start ? reinterpret_cast<const C *>(reinterpret_cast<const char *>(start) + bytes)
                 : start;
  }

  const C *start_ = nullptr;
  std::size_t size_ = 0;
  std::size_t stride_ = sizeof(C);
};

/// What came of a job, to be read: what result, which owns it, and the functions of a config see.
/// An empty result has none of what it is asked for: empty text, 0, false.
class result_view {
public:
  result_view(const result_view &) = delete;
  result_view &operator=(const result_view &) = delete;

  /// The job's tag.
  std::uint64_t tag() const noexcept { return c().tag; }
  /// The job's userdata.
  void *userdata() const noexcept { return c().userdata; }
  /// Whether the job was a request or a resolve.
  rouet::kind kind() const noexcept { return static_cast<rouet::kind>(c().kind); }
  /// The URL as it was submitted, but for bytes that are not UTF-8, which are U+FFFD; empty: the job
  /// had none (passthrough).
  std::string_view url() const noexcept { return detail::text(c().url, c().url_size); }
  /// Where the job ended: the last URL of the stack; empty when there is none.
  std::string_view end_url() const noexcept { return detail::text(c().end_url, c().end_url_size); }

  /// The group the job was in, whose turn it waited for: as it was given, or that of its URL
  /// (url_group). Redirections do not change it. Empty text: unconstrained. Nothing: no server was to
  /// be asked, the job having no URL or a bad one.
  std::optional<std::string_view> group() const noexcept {
    if (!c().group) return std::nullopt;
    return std::string_view(c().group, c().group_size);
  }

  /// Whether there is no error, whatever the status.
  bool ok() const noexcept { return c().error_code == nullptr; }
  /// The error's stable name, as "connection-refused"; empty: no error.
  std::string_view error_code() const noexcept { return detail::text(c().error_code); }
  /// What in particular it was, where the name covers several things: of "ssl" it is "expired",
  /// "not-yet-valid", "wrong-name", "unknown-authority", "bad-certificate", "ca-file",
  /// "client-certificate" or "protocol", and there may be more. Empty: nothing more is known.
  std::string_view error_subcode() const noexcept { return detail::text(c().error_subcode); }
  /// What failed, where and why, for people; empty: no error. Of a callback-error, what the
  /// callback said: the words given to fail, or what() of the exception it threw.
  std::string_view error_message() const noexcept {
    const detail::attachment *left = attached();
    if (left && !left->failure.empty()) return left->failure;
    return detail::text(c().error_message);
  }

  /// The status of the last answer; 0: none came.
  std::int32_t status() const noexcept { return c().status; }
  /// The headers of the last answer, in order, case and repeats kept.
  list<header_view, pool_header_t> headers() const noexcept {
    return {c().headers, c().header_count};
  }
  /// The value of the first header of that name, whatever the case of either.
  std::optional<std::string_view> header(std::string_view name) const noexcept {
    const auto lower = [](char byte) {
      return byte >= 'A' && byte <= 'Z' ? static_cast<char>(byte + ('a' - 'A')) : byte;
    };
    for (const header_view each : headers()) {
      if (std::equal(each.name.begin(), each.name.end(), name.begin(), name.end(),
                     [lower](char a, char b) { return lower(a) == lower(b); }))
        return each.value;
    }
    return std::nullopt;
  }
  /// The URLs the job was at, one a hop, the first one first.
  list<hop, pool_hop_t> stack() const noexcept { return {c().stack, c().stack_count}; }
  /// The bytes of the last answer's body, decompressed when the job asked for compression; no NUL
  /// follows them. Empty: none.
  std::string_view body() const noexcept {
    return detail::text(reinterpret_cast<const char *>(c().body), c().body_size);
  }

  /// Why the body may not be all there was: "disconnect" or "coding", as pool_result_t has it; others
  /// may come with later versions. Empty: it is whole, or there is none.
  std::string_view truncated() const noexcept { return detail::text(c().truncated); }

  /// When the last attempt began.
  time_point start_time() const noexcept { return time_point(seconds(c().start_time)); }
  /// When it ended.
  time_point end_time() const noexcept { return time_point(seconds(c().end_time)); }
  /// Of the last attempt, over all its hops: in looking up names.
  seconds name_lookup_time() const noexcept { return seconds(c().name_lookup_time); }
  /// ... in connecting, to a proxy too.
  seconds connect_time() const noexcept { return seconds(c().connect_time); }
  /// ... in TLS handshakes.
  seconds tls_time() const noexcept { return seconds(c().tls_time); }
  /// ... from then to the first byte of the answer.
  seconds wait_time() const noexcept { return seconds(c().wait_time); }
  /// ... from the first byte of the answer to its last.
  seconds receive_time() const noexcept { return seconds(c().receive_time); }
  /// How many attempts were made; 0: none, the job ended before its first.
  std::uint32_t attempts() const noexcept { return c().attempts; }

  /// What the stream's callback attached, if that is a T; nullptr otherwise.
  template <typename T> T *value() const noexcept {
    detail::attachment *left = attached();
    return left ? std::any_cast<T>(&left->value) : nullptr;
  }

  // What follows is found out when it is first asked for, on the caller's thread, and kept.

  /// The media type of the body, in lower case and without parameters, as "text/html": that of the
  /// Content-Type headers, or by its first bytes, file name or URL; empty: unknown, or no body came.
  std::string_view mimetype() const noexcept { return detail::text(pool_result_mimetype(c_)); }
  /// The file extension that fits the body, with its dot, as ".html": that of the file name in
  /// Content-Disposition, of the media type, or the URL's; empty: unknown.
  std::string_view ext() const noexcept { return detail::text(pool_result_ext(c_)); }
  /// Whether the body is text, by its media type, or its bytes when that is unknown. Gzip that
  /// nobody asked for, and the like, is none.
  bool is_text() const noexcept { return pool_result_is_text(c_) != 0; }
  /// Whether the body's media type allows for HTML, or is unknown.
  bool could_be_html() const noexcept { return pool_result_could_be_html(c_) != 0; }
  /// Whether the body is HTML: text/html or application/xhtml+xml, however it begins; of another
  /// XML type, if its root is <html>.
  bool is_html() const noexcept { return pool_result_is_html(c_) != 0; }
  /// The encoding of the body, by its name in the Encoding Standard in lower case, as "utf-8";
  /// empty: the body is no text.
  std::string_view encoding() const noexcept { return detail::text(pool_result_encoding(c_)); }
  /// The body as UTF-8 text, what is malformed in it being U+FFFD; empty: the body is no text.
  std::string_view text() const noexcept {
    std::size_t size = 0;
    const char *start = pool_result_text(c_, &size);
    return detail::text(start, size);
  }
  /// The links of the body, if it is HTML: the http and https URLs of its <a> and <area>, absolute,
  /// each once, in the order of the page.
  list<std::string_view, const char *> links() const noexcept {
    std::size_t count = 0;
    const char *const *start = pool_result_links(c_, &count);
    return {start, count};
  }
  /// All that the body refers to, if it is HTML: by <a>, <img>, srcset, <script>, <link>, <iframe>,
  /// <form> and all others whose attributes have URLs, in the order of the page and as often as it
  /// does. Left out is what is not http or https, what stays within the page (#top), and <a> and
  /// <area> that lead to the page itself.
  list<element, pool_element_t> elements() const noexcept {
    std::size_t count = 0;
    const pool_element_t *start = pool_result_elements(c_, &count);
    return {start, count, start ? start->struct_size : sizeof(pool_element_t)};
  }

  /// The result as C has it; all zeros when it is empty. Its `value` is this wrapper's own.
  const pool_result_t &c() const noexcept {
    static constexpr pool_result_t none{};
    return c_ ? *c_ : none;
  }

protected:
  explicit result_view(const pool_result_t *c) noexcept : c_(c) {}
  ~result_view() = default;

  detail::attachment *attached() const noexcept {
    return static_cast<detail::attachment *>(c().value);
  }

  const pool_result_t *c_;
};

struct page;

/// What came of a job: owns it. Outlives its pool, if need be.
class result : public result_view {
public:
  /// An empty one, for pool::next to fill.
  result() noexcept : result_view(nullptr) {}
  result(result &&other) noexcept : result_view(std::exchange(other.c_, nullptr)) {}
  result &operator=(result &&other) noexcept {
    if (this != &other) {
      reset();
      c_ = std::exchange(other.c_, nullptr);
    }
    return *this;
  }
  ~result() { reset(); }

#if ROUET_EXCEPTIONS
  /// A result of a page of the program's own, as if it had come with status 200: to ask for the
  /// text, links and the like of pages that were kept. invalid_argument: the URL is none, or
  /// known_encoding no encoding.
  static result of_page(const page &kept);
#endif
  /// The same; gives an empty one when there is an error.
  static result of_page(const page &kept, error &fault);

  /// Whether it has something; false of one that is new or was moved from.
  bool has_result() const noexcept { return c_ != nullptr; }
  /// Frees what it has.
  void reset() noexcept {
    if (c_) {
      delete attached();
      pool_result_free(const_cast<pool_result_t *>(std::exchange(c_, nullptr)));
    }
  }

private:
  friend class pool;
  explicit result(pool_result_t *c) noexcept : result_view(c) {}
};

/// A page of the program's own, for result::of_page. Copied by it.
struct page {
  /// Where it was found, which its links and in part its media type and encoding go by. Default:
  /// unknown.
  std::optional<std::string> url{};
  /// The value of its Content-Type header. Default: it had none.
  std::optional<std::string> content_type{};
  /// More of its headers, of which further Content-Type, Content-Disposition and Content-Encoding
  /// count; the last says that the body is still in that coding. No line break, no NUL.
  std::vector<header> headers{};
  /// As in options. Default: it is looked for.
  std::optional<std::string> known_encoding{};
  /// Its bytes, which must live until the call is over.
  std::string_view body{};
};

/// A result as a stream's callback sees it, before it can be taken.
class callback_result : public result_view {
public:
  /// Attaches a value, to be had from the result by value<T>(); one more replaces it. Freed with
  /// the result, taken or not.
  void attach(std::any value) { left_.value = std::move(value); }
  /// Makes the result an error, callback-error, in these words; to throw an exception does too.
  void fail(std::string why) {
    left_.failure = std::move(why);
    failed_ = true;
  }

private:
  friend class pool;
  callback_result(const pool_result_t *c, detail::attachment &left) noexcept
      : result_view(c), left_(left) {}

  detail::attachment &left_;
  bool failed_ = false;
};

/// Sees a result before it can be taken, to save its body for instance, and may attach a value.
/// What it throws makes the result an error, callback-error.
///
/// Called once for each job that has an answer, whatever its status, on threads of its own, 64 at
/// most over the pool, for several results at once. It may take its time: it holds back no
/// transfer, only the room in the stream's buffer that a result takes, and its thread from other
/// callbacks. It may submit jobs and cancel, but must not wait for room or results, nor end or move
/// the pool.
using callback_fn = std::function<void(callback_result &)>;

/// Says how long a group waits, from the end of a job on, before its next one starts; nothing, or
/// less than 0: as the pool's throttle says, and so when it throws, which is logged as an error.
/// The result is what came of that attempt.
///
/// Called on the thread that does the group's transfers, on several at once for several groups: it
/// must be quick and must not call the pool.
using throttle_fn = std::function<std::optional<seconds>(std::string_view group,
                                                         const result_view &result)>;

/// Says how many jobs of a group may be in flight; 0 counts as 1. When it throws, which is logged
/// as an error, domain_parallelism holds. Called when a group gets a job that has none and whose
/// throttle has run out, where and as throttle_fn is.
using parallelism_fn = std::function<std::uint32_t(std::string_view group)>;

/// How much a line of log matters. Each level includes those before it.
enum class log_level : std::int32_t {
  /// Nothing is logged.
  off = POOL_LOG_OFF,
  /// What the library could not do and no result tells.
  error = POOL_LOG_ERROR,
  /// And attempts that failed and will be made again.
  warn = POOL_LOG_WARN,
  /// And the engine's stop, streams opened, finished and cancelled.
  info = POOL_LOG_INFO,
  /// And each hop.
  debug = POOL_LOG_DEBUG,
};

/// Takes one line of log. Called on any thread, on several at once; it must not call the pool. What
/// it throws is lost.
using log_fn = std::function<void(log_level level, std::string_view message)>;

/// How a pool and its stream are set up. As it is made it has the library's defaults. The fields
/// are those of pool_config_t, and each says whose it is: the pool's, or the stream's. Functions are
/// copied. What they refer to must live as long as the pool, and what the pool's functions refer to
/// as long as every pool that shares its engine.
struct config {
  // Generated by make options: fields of a configuration.
  /// Pool. The number of transfers at once, over all streams. Default 0: 64 a core, within the
  /// process's limit of descriptors.
  std::uint32_t max_workers = 0;
  /// Pool. The number of threads that run transfers. There are never more than max_workers. At most
  /// 256. Default 0: one a core.
  std::uint32_t threads = 0;
  /// Pool. The time between the end (and the start) of a group's last job and the start of its
  /// next. 0 or above. Default: 0.2 s.
  seconds throttle{0.2};
  /// Pool. The number of jobs of one group in flight at once. At least 1. Default: 1.
  std::uint32_t domain_parallelism = 1;
  /// Pool. The function that is asked at the end of each attempt at a job how long its group waits,
  /// unless the group has a rule (pool::set_domain_rule). The function may heed a server's
  /// Retry-After. What the function says holds until the next end, or until the group has had
  /// nothing to do for that long. Default: throttle holds.
  rouet::throttle_fn throttle_fn{};
  /// Pool. The function that is asked how many jobs of a group may be in flight, unless the group
  /// has a rule (pool::set_domain_rule). Default: domain_parallelism holds.
  rouet::parallelism_fn parallelism_fn{};
  /// Pool. Lets no job get to an address that is no public server's: the job ends in
  /// forbidden-address. Loopback, private and link-local networks, multicast, the metadata of
  /// clouds, all that IANA has set apart, and addresses of IPv6 that carry one of these
  /// (IPv4-mapped, NAT64, 6to4, Teredo) are not public. This option and https_only, deny_networks,
  /// allow_networks and allowed_ports hold for the address that is connected to, on every hop,
  /// after the name was looked up, whatever named it: a URL, a redirection, dns, connect_to. A
  /// proxy is free of them, because it is the caller's choice. The scheme, port and addresses that
  /// a proxy is asked for are held to them. Names that it is asked for are held to them only with
  /// socks5://, because other proxies look names up themselves. Default: false.
  bool deny_private_addresses = false;
  /// Pool. Asks for https URLs only. A job with another URL, or with a redirection to one, ends in
  /// forbidden-address. Default: false.
  bool https_only = false;
  /// Pool. The networks that are forbidden, as "10.0.0.0/8", "fc00::/7", or an address. A NAT64
  /// prefix of one's own belongs here. The addresses 0.0.0.0 and :: are judged as 127.0.0.1 and
  /// ::1, because Linux connects them to these. At most 10,000 entries. Default: none.
  std::vector<std::string> deny_networks{};
  /// Pool. The networks that are not forbidden, whatever deny_private_addresses and deny_networks
  /// say. Such a list is refused when neither forbids any. To let nothing through but these, deny
  /// "0.0.0.0/0" and "::/0". At most 10,000 entries. Default: none.
  std::vector<std::string> allow_networks{};
  /// Pool. The only ports that may be connected to. A job that leads to another ends in
  /// forbidden-address. Default: any.
  std::vector<std::uint16_t> allowed_ports{};
  /// Stream. Gives results in the order of their jobs, within a window of buffer_size jobs. false:
  /// they come as they are done. Default: false.
  bool ordered = false;
  /// Stream. Gives a job without URL a result without URL, error and answer. false: such a job is
  /// status::invalid_argument. Default: false.
  bool passthrough = false;
  /// Stream. The most jobs that are held and not started, jobs that wait for a retry included, and
  /// as many again that are started and whose results were not taken. The same number bounds the
  /// stream's transfers at once. An ordered stream has this many jobs outstanding in all. At least
  /// 1. Default: 1024.
  std::size_t buffer_size = 1024;
  /// Stream. The bytes of results not taken, beyond which no more jobs are started. The bodies of
  /// those under way come on top. At least 1. Default: 256 MiB.
  std::uint64_t max_buffered_bytes = 268435456;
  /// Stream. The options of jobs that have none of their own. Default: all have their defaults.
  rouet::options options{};
  /// Stream. The function that is called with each result that has an answer, before it can be
  /// taken. Default: none.
  rouet::callback_fn callback{};
  // End of what is generated.
};

namespace detail {

/// Goes through the options side by side: `mine` are rouet::options, `c` are C's. Each field is
/// named once for both directions.
template <typename Visitor, typename Options>
void each_option(Visitor &visit, Options &mine, pool_options_t &c) {
  // Generated by make options: each of a job.
  visit.text("method", mine.method, c.method);
  visit.headers(mine.headers, c.headers, c.header_count);
  visit.text("cookie", mine.cookie, c.cookie);
  visit.flag(mine.stateful, c.stateful);
  visit.flag(mine.spoof_ua, c.spoof_ua);
  visit.bytes(mine.body, c.body, c.body_size);
  visit.time(mine.connect_timeout, c.connect_timeout);
  visit.time(mine.timeout, c.timeout);
  visit.number(mine.max_body_size, c.max_body_size);
  visit.flag(mine.compressed, c.compressed);
  visit.flag(mine.follow_redirects, c.follow_redirects);
  visit.number(mine.max_redirects, c.max_redirects);
  visit.flag(mine.follow_refresh_header, c.follow_refresh_header);
  visit.flag(mine.follow_meta_refresh, c.follow_meta_refresh);
  visit.flag(mine.follow_js_relocation, c.follow_js_relocation);
  visit.flag(mine.infer_redirection, c.infer_redirection);
  visit.flag(mine.canonicalize, c.canonicalize);
  visit.flag(mine.insecure, c.insecure);
  visit.flag(mine.spoof_tls_ciphers, c.spoof_tls_ciphers);
  visit.numbers(mine.raise_on_statuses, c.raise_on_statuses, c.raise_on_status_count);
  visit.text("known_encoding", mine.known_encoding, c.known_encoding);
  visit.text("ca_file", mine.ca_file, c.ca_file);
  visit.text("proxy", mine.proxy, c.proxy);
  visit.texts("connect_to", mine.connect_to, c.connect_to, c.connect_to_count);
  visit.texts("dns", mine.dns, c.dns, c.dns_count);
  visit.text("network_interface", mine.network_interface, c.network_interface);
  visit.number(mine.http_version, c.http_version);
  visit.flag(mine.retry, c.retry);
  visit.number(mine.retry_max_attempts, c.retry_max_attempts);
  visit.flag(mine.retry_on_timeout, c.retry_on_timeout);
  visit.time(mine.retry_min_wait, c.retry_min_wait);
  visit.time(mine.retry_max_wait, c.retry_max_wait);
  visit.numbers(mine.retry_on_statuses, c.retry_on_statuses, c.retry_on_status_count);
  visit.flag(mine.mask_credentials, c.mask_credentials);
  visit.flag(mine.head_fallback, c.head_fallback);
  // End of what is generated.
}

/// The same for a configuration, but for its functions and its options.
template <typename Visitor>
void each_setting(Visitor &visit, const config &mine, pool_config_t &c) {
  // Generated by make options: each of a configuration.
  visit.number(mine.max_workers, c.max_workers);
  visit.number(mine.threads, c.threads);
  visit.time(mine.throttle, c.throttle);
  visit.number(mine.domain_parallelism, c.domain_parallelism);
  visit.flag(mine.ordered, c.ordered);
  visit.flag(mine.passthrough, c.passthrough);
  visit.number(mine.buffer_size, c.buffer_size);
  visit.number(mine.max_buffered_bytes, c.max_buffered_bytes);
  visit.flag(mine.deny_private_addresses, c.deny_private_addresses);
  visit.flag(mine.https_only, c.https_only);
  visit.texts("deny_networks", mine.deny_networks, c.deny_networks, c.deny_network_count);
  visit.texts("allow_networks", mine.allow_networks, c.allow_networks, c.allow_network_count);
  visit.numbers(mine.allowed_ports, c.allowed_ports, c.allowed_port_count);
  // End of what is generated.
}

/// Hands options over to C. What C gets points into those it was made of, and into this.
class to_c {
public:
  to_c() = default;
  to_c(const to_c &) = delete;
  to_c &operator=(const to_c &) = delete;

  /// A field whose text has a NUL within, which C would take for its end; or nullptr.
  const char *cut() const noexcept { return cut_; }

  void text(const char *field, const std::optional<std::string> &mine, const char *&c) {
    if (mine) c = whole(field, *mine);
  }
  void texts(const char *field, const std::vector<std::string> &mine, const char *const *&c,
             std::size_t &count) {
    if (mine.empty()) return;
    std::vector<const char *> &list = lists_.emplace_front();
    for (const std::string &each : mine) list.push_back(whole(field, each));
    c = list.data();
    count = list.size();
  }
  void headers(const std::vector<header> &mine, const pool_header_t *&c, std::size_t &count) {
    for (const header &each : mine)
      headers_.push_back(
          {each.name.c_str(), each.value.c_str(), each.name.size(), each.value.size()});
    c = headers_.data();
    count = headers_.size();
  }
  void bytes(const std::optional<std::string> &mine, const void *&c, std::size_t &size) noexcept {
    if (mine) {
      c = mine->data();
      size = mine->size();
    }
  }
  void numbers(const std::vector<std::uint16_t> &mine, const std::uint16_t *&c,
               std::size_t &count) noexcept {
    c = mine.data();
    count = mine.size();
  }
  void flag(bool mine, std::int32_t &c) noexcept { c = mine ? 1 : 0; }
  void time(seconds mine, double &c) noexcept { c = mine.count(); }
  template <typename Mine, typename C> void number(Mine mine, C &c) noexcept {
    static_assert(sizeof(Mine) == sizeof(C), "nothing is lost");
    c = static_cast<C>(mine);
  }

private:
  const char *whole(const char *field, const std::string &mine) noexcept {
    if (mine.find('\0') != std::string::npos && !cut_) cut_ = field;
    return mine.c_str();
  }

  std::vector<pool_header_t> headers_;
  std::forward_list<std::vector<const char *>> lists_; // whose entries stay where they are
  const char *cut_ = nullptr;
};

/// Options in C's form. They point into those they were made of.
class c_options {
public:
  explicit c_options(const options &mine) {
    pool_options_init(&c_, sizeof c_);
    each_option(to_c_, mine, c_);
  }

  const pool_options_t *get() const noexcept { return &c_; }
  /// As in to_c.
  const char *cut() const noexcept { return to_c_.cut(); }

private:
  pool_options_t c_{}; // so that a library that is older than this header sees no size it knows
  to_c to_c_;
};

/// Reads options of C's.
struct from_c {
  void text(const char *, std::optional<std::string> &mine, const char *c) {
    if (c) mine = c;
  }
  void texts(const char *, std::vector<std::string> &mine, const char *const *c,
             std::size_t count) {
    mine.assign(c, c + count);
  }
  void headers(std::vector<header> &mine, const pool_header_t *c, std::size_t count) {
    mine.clear();
    for (const header_view each : list<header_view, pool_header_t>(c, count))
      mine.push_back({std::string(each.name), std::string(each.value)});
  }
  void bytes(std::optional<std::string> &mine, const void *c, std::size_t size) {
    if (c) mine.emplace(static_cast<const char *>(c), size);
  }
  void numbers(std::vector<std::uint16_t> &mine, const std::uint16_t *c, std::size_t count) {
    mine.assign(c, c + count);
  }
  void flag(bool &mine, std::int32_t c) noexcept { mine = c != 0; }
  void time(seconds &mine, double c) noexcept { mine = seconds(c); }
  template <typename Mine, typename C> void number(Mine &mine, C c) noexcept {
    mine = static_cast<Mine>(c);
  }
};

/// A result that is the library's, lent for the time of a call.
class lent_result : public result_view {
public:
  explicit lent_result(const pool_result_t *c) noexcept : result_view(c) {}
};

/// What the engine calls: shared by the pools of one engine, so that it lives until the last of
/// them was freed. No exception passes from here into the library, which is not of C++.
class engine {
public:
  engine(throttle_fn throttle, parallelism_fn parallelism, std::uint32_t domain_parallelism)
      : throttle_(std::move(throttle)), parallelism_(std::move(parallelism)),
        domain_parallelism_(domain_parallelism) {}

  /// Sets the log function, and frees the former one when no line can reach it any more.
  pool_status_t set_log(pool_t *pool, log_level level, log_fn function) {
    std::unique_ptr<log_fn> next;
    if (function && level != log_level::off) next = std::make_unique<log_fn>(std::move(function));
    const std::unique_lock<std::shared_mutex> lock(mutex_);
    const pool_status_t came_to = pool_set_log(pool, static_cast<std::int32_t>(level),
                                               next ? &engine::write : nullptr, next.get());
    if (came_to == POOL_OK) log_.swap(next);
    return came_to;
  }

  static double throttle(const char *group, const pool_result_t *result, void *self) noexcept {
    auto *const my = static_cast<engine *>(self);
    return my->guarded("throttle_fn", group, -1.0, [&] {
      const std::optional<seconds> said = my->throttle_(group, lent_result(result));
      return said ? said->count() : -1.0;
    });
  }

  static std::uint32_t parallelism(const char *group, void *self) noexcept {
    auto *const my = static_cast<engine *>(self);
    return my->guarded("parallelism_fn", group, my->domain_parallelism_,
                       [&] { return my->parallelism_(group); });
  }

private:
  /// What a function says, or `otherwise` when it throws, which is logged.
  template <typename Result, typename Call>
  Result guarded(const char *which, const char *group, Result otherwise, Call call) noexcept {
#if ROUET_EXCEPTIONS
    try {
      return call();
    } catch (const std::exception &thrown) {
      complain(which, group, thrown.what());
    } catch (...) {
      complain(which, group, "something that is no std::exception");
    }
    return otherwise;
#else
    static_cast<void>(which), static_cast<void>(group), static_cast<void>(otherwise);
    return call();
#endif
  }

  static void write(std::int32_t level, const char *message, void *function) noexcept {
#if ROUET_EXCEPTIONS
    try {
      (*static_cast<log_fn *>(function))(static_cast<log_level>(level), message);
    } catch (...) { // there is nobody left to tell
    }
#else
    (*static_cast<log_fn *>(function))(static_cast<log_level>(level), message);
#endif
  }

#if ROUET_EXCEPTIONS
  void complain(const char *which, const char *group, const char *what) noexcept {
    try {
      const std::shared_lock<std::shared_mutex> lock(mutex_);
      if (log_)
        (*log_)(log_level::error, std::string(which) + " threw for group " + group + ": " + what);
    } catch (...) { // there is nobody left to tell
    }
  }
#endif

  const throttle_fn throttle_;
  const parallelism_fn parallelism_;
  const std::uint32_t domain_parallelism_;
  std::shared_mutex mutex_; // of log_; shared while a line is on its way there
  std::unique_ptr<log_fn> log_;
};

/// The library's way of waiting.
inline std::int32_t milliseconds(wait time) noexcept {
  const auto count = time.count();
  return count < 0 || count > std::numeric_limits<std::int32_t>::max()
             ? -1
             : static_cast<std::int32_t>(count);
}

#if ROUET_EXCEPTIONS
/// What a call gives, unless it tells of an error.
template <typename Call> auto throwing(Call call) {
  error fault;
  if constexpr (std::is_void_v<decltype(call(fault))>) {
    call(fault);
    if (fault) throw fault;
  } else {
    auto gives = call(fault);
    if (fault) throw fault;
    return gives;
  }
}
#endif

} // namespace detail

/// Options that were read and checked, for any number of jobs of any pool: to hand in a job with them
/// costs as little as without options of its own, however many dns and connect_to have. Move-only; one
/// that was moved from has none.
class kept_options {
public:
#if ROUET_EXCEPTIONS
  /// Reads options, which are copied. invalid_argument: one is out of its range.
  explicit kept_options(const options &mine);
#endif
  /// The same; has none when there is an error.
  kept_options(const options &mine, error &fault);
  kept_options(kept_options &&other) noexcept : c_(std::exchange(other.c_, nullptr)) {}
  kept_options &operator=(kept_options &&other) noexcept {
    std::swap(c_, other.c_);
    return *this;
  }
  ~kept_options() { pool_kept_options_free(c_); }

private:
  friend class pool;
  pool_kept_options_t *c_ = nullptr;
};

/// A stream of jobs and the engine it runs on: what pool_new and pool_share give in C. Move-only;
/// one that was moved from is empty, and calls on it are an invalid_argument.
///
/// Each function is there twice: throwing rouet::error, and with an `error &` to write to.
class pool {
public:
  class iterator;
  /// The end of a pool's results.
  struct sentinel {};

#if ROUET_EXCEPTIONS
  /// Starts an engine and opens its first stream.
  pool() : pool(config()) {}
  explicit pool(const config &setup) {
    detail::throwing([&](error &fault) { start(setup, fault); });
  }
#endif
  /// The same; empty when there is an error. invalid_argument: a field of the config;
  /// out_of_resources: no thread or descriptor.
  pool(const config &setup, error &fault) { start(setup, fault); }
  /// An empty one, for another to be moved into.
  explicit pool(std::nullptr_t) noexcept {}

  pool(pool &&other) noexcept
      : c_(std::exchange(other.c_, nullptr)), engine_(std::move(other.engine_)),
        callback_(std::move(other.callback_)) {}
  pool &operator=(pool &&other) noexcept {
    if (this != &other) {
      close();
      c_ = std::exchange(other.c_, nullptr);
      engine_ = std::move(other.engine_);
      callback_ = std::move(other.callback_);
    }
    return *this;
  }
  /// As close.
  ~pool() { close(); }

  /// Ends the pool: cancels what its stream has outstanding, frees the results that were not taken
  /// and, when it was the engine's last, stops and joins the threads. Waits for callbacks under
  /// way, and for nothing of the network. Leaves it empty.
  void close() noexcept {
    if (!c_) return;
    if (callback_) { // the library would free the results, and not know what is attached to them
      pool_cancel(c_);
      pool_result_t *each = nullptr;
      while (pool_next_result(c_, -1, &each) == POOL_OK) result(each).reset();
    }
    pool_free(std::exchange(c_, nullptr));
    callback_.reset();
    engine_.reset();
  }

  /// Whether it is not empty.
  explicit operator bool() const noexcept { return c_ != nullptr; }

  /// The handle, for what is called from C; nullptr when it is empty. It stays the pool's. Results
  /// taken from it by C's functions have no value that the callback attached, which is then lost.
  pool_t *c() const noexcept { return c_; }

#if ROUET_EXCEPTIONS
  /// Opens one more stream on the engine of this pool: its own jobs, order, buffer and results, the
  /// same threads, connections and politeness. The fields of `setup` that are of the pool must be
  /// as they were made, or as this pool was given them; throttle_fn and parallelism_fn must be
  /// empty. The engine lives until its last pool ends.
  pool share(const config &setup = config()) {
    return detail::throwing([&](error &fault) { return share(setup, fault); });
  }
#endif
  /// The same; gives an empty pool when there is an error. invalid_argument: a field of the config;
  /// out_of_resources: no descriptor.
  pool share(const config &setup, error &fault) {
    pool shared(nullptr);
    shared.open(setup, engine_, fault, [this](const pool_config_t *c, pool_t **opened) {
      return pool_share(c_, c, opened);
    });
    return shared;
  }

#if ROUET_EXCEPTIONS
  /// Hands a job to the stream. Waits for room in the buffer, if it must, as long as it is told to.
  /// A program with one thread must not wait for ever: room comes when it takes results.
  ///
  /// ok: accepted; exactly one result will come. again: no room in time; nothing was kept. closed:
  /// the stream was finished or cancelled.
  [[nodiscard]] status submit(const job &work, wait time = forever) {
    return detail::throwing([&](error &fault) { return submit(work, time, fault); });
  }
#endif
  /// The same; gives the error's status when there is one. invalid_argument: a field of the job.
  [[nodiscard]] status submit(const job &work, wait time, error &fault) {
    std::optional<detail::c_options> options;
    if (work.options) options.emplace(*work.options);
    if (options && options->cut()) return refuse(options->cut(), fault);
    const pool_job_t c = c_job(work, options ? options->get() : nullptr);
    return check(pool_submit(c_, &c, detail::milliseconds(time)), fault);
  }

#if ROUET_EXCEPTIONS
  /// Hands over `count` jobs in order and writes to `accepted` how many there was room for: with
  /// no_wait those that fit at once, otherwise it waits, as long as it is told to, until all fit.
  ///
  /// ok: all were accepted. again, closed, or an error: some were not; `accepted` says how many
  /// were, whatever comes of the call. An error is about the job at index `accepted`.
  [[nodiscard]] status submit_many(const job *work, std::size_t count, std::size_t &accepted,
                                   wait time = forever) {
    return detail::throwing(
        [&](error &fault) { return submit_many(work, count, accepted, time, fault); });
  }
#endif
  /// The same; gives the error's status when there is one.
  [[nodiscard]] status submit_many(const job *work, std::size_t count, std::size_t &accepted,
                                   wait time, error &fault) {
    accepted = 0;
    std::vector<pool_job_t> all;
    all.reserve(count);
    std::deque<detail::c_options> options; // jobs one after the other often have the same
    const char *cut = nullptr;
    for (std::size_t i = 0; i < count && !cut; i++) {
      const bool same = i > 0 && work[i].options == work[i - 1].options;
      if (work[i].options && !same) cut = options.emplace_back(*work[i].options).cut();
      if (!cut) all.push_back(c_job(work[i], work[i].options ? options.back().get() : nullptr));
    }
    const status came_to = check(
        pool_submit_many(c_, all.data(), all.size(), detail::milliseconds(time), &accepted), fault);
    return cut && came_to == status::ok ? refuse(cut, fault) : came_to;
  }

#if ROUET_EXCEPTIONS
  /// Takes the next result: the next in order for an ordered stream, the next that is done
  /// otherwise. Waits for one, if it must, as long as it is told to. What `into` had is freed
  /// before.
  ///
  /// ok: `into` has it. again: none in time. done: the stream was finished or cancelled and all
  /// results were taken. But for ok `into` is empty.
  [[nodiscard]] status next(result &into, wait time = forever) {
    return detail::throwing([&](error &fault) { return next(into, time, fault); });
  }
#endif
  /// The same; gives the error's status when there is one.
  [[nodiscard]] status next(result &into, wait time, error &fault) {
    into.reset();
    pool_result_t *taken = nullptr;
    const status came_to =
        check(pool_next_result(c_, detail::milliseconds(time), &taken), fault);
    if (came_to == status::ok) into = adopt(taken);
    return came_to;
  }

#if ROUET_EXCEPTIONS
  /// Takes up to `most` results at once, and 256 at most: waits as next does for the first one,
  /// then takes those that are there. What `into` had is freed before.
  ///
  /// ok: at least one. again, done: as for next; `into` is then empty.
  [[nodiscard]] status next_many(std::vector<result> &into, std::size_t most,
                                 wait time = forever) {
    return detail::throwing([&](error &fault) { return next_many(into, most, time, fault); });
  }
#endif
  /// The same; gives the error's status when there is one. invalid_argument: `most` is 0.
  [[nodiscard]] status next_many(std::vector<result> &into, std::size_t most, wait time,
                                 error &fault) {
    pool_result_t *taken[256];
    most = std::min(most, std::size(taken));
    into.clear();
    into.reserve(most); // what can fail for want of memory, before results are taken
    std::size_t count = 0;
    const status came_to =
        check(pool_next_results(c_, taken, most, detail::milliseconds(time), &count), fault);
    for (std::size_t i = 0; came_to == status::ok && i < count; i++)
      into.push_back(adopt(taken[i]));
    return came_to;
  }

#if ROUET_EXCEPTIONS
  /// The results, as they come, until the stream is done: `for (rouet::result &result : pool)`.
  /// Waits for each for ever. The loop may move a result away, submit jobs without waiting, and end
  /// early: those not taken stay in the stream, for another loop or for next.
  iterator begin();
  sentinel end() noexcept { return {}; }

  /// Says that no more jobs will come: submit gives closed from now on, and next gives done once
  /// all results were taken. May be called again.
  void finish() {
    detail::throwing([&](error &fault) { finish(fault); });
  }
#endif
  /// The same.
  void finish(error &fault) { check(pool_finish(c_), fault); }

#if ROUET_EXCEPTIONS
  /// Finishes the stream and ends what it has outstanding: each job's result comes, promptly, with
  /// the error "cancelled" unless the job was done already. Does not wait. Other streams of the
  /// engine go on. May be called again.
  void cancel() {
    detail::throwing([&](error &fault) { cancel(fault); });
  }
#endif
  /// The same.
  void cancel(error &fault) { check(pool_cancel(c_), fault); }

#if ROUET_EXCEPTIONS
  /// How many accepted jobs' results were not taken yet. A crawl that answers results with new jobs
  /// is drained when it is 0.
  std::size_t pending() const {
    return detail::throwing([&](error &fault) { return pending(fault); });
  }
#endif
  /// The same.
  std::size_t pending(error &fault) const {
    std::size_t count = 0;
    check(pool_pending(c_, &count), fault);
    return count;
  }

#if ROUET_EXCEPTIONS
  /// How the stream does jobs that have no options of their own, to be changed for a job that is to
  /// differ.
  rouet::options options() const {
    return detail::throwing([&](error &fault) { return options(fault); });
  }
#endif
  /// The same.
  rouet::options options(error &fault) const {
    pool_options_t c{};
    rouet::options mine;
    detail::from_c read;
    if (check(pool_options_from(c_, &c, sizeof c), fault) == status::ok)
      detail::each_option(read, mine, c);
    return mine;
  }

#if ROUET_EXCEPTIONS
  /// A descriptor that polls readable while next would not give again: a result is there, or the
  /// stream is done. For poll, epoll, libuv and the like. It is the pool's, made by the first call;
  /// close closes it. After it told of results it may tell of the next up to 1 ms late, while more
  /// are to come: then take until again. An event loop that can only read may read from it: it
  /// never blocks, and gives a byte each time that there is something after there was nothing.
  int event_fd() {
    return detail::throwing([&](error &fault) { return event_fd(fault); });
  }
#endif
  /// The same; -1 when there is an error. out_of_resources: no descriptor is left.
  int event_fd(error &fault) {
    int fd = -1;
    check(pool_event_fd(c_, &fd), fault);
    return fd;
  }

#if ROUET_EXCEPTIONS
  /// Sets the rule of one group, a registrable domain or the name a job gave: `throttle` 0 or
  /// above, `parallelism` at least 1. It holds over all streams of the engine, from the group's
  /// next start on, until it is set anew. What reads as a host ("Ex.com", "http://ex.com/") is taken
  /// for it. invalid_argument: one of them, or a host that is no group of its own, as "www.ex.com",
  /// which is in that of "ex.com" (url_group tells).
  void set_domain_rule(const std::string &domain, seconds throttle, std::uint32_t parallelism = 1) {
    detail::throwing([&](error &fault) { set_domain_rule(domain, throttle, parallelism, fault); });
  }
#endif
  /// The same.
  void set_domain_rule(const std::string &domain, seconds throttle, std::uint32_t parallelism,
                       error &fault) {
    if (domain.find('\0') != std::string::npos)
      refuse("domain", fault);
    else
      check(pool_set_domain_rule(c_, domain.c_str(), throttle.count(), parallelism), fault);
  }

#if ROUET_EXCEPTIONS
  /// Lets no job of a group start any more, over all streams of the engine, until release_group:
  /// `group` is a registrable domain or the name a job gave. Gives how many of its jobs are under
  /// way; these go on, and after this returns none starts. It must not be called by throttle_fn or
  /// parallelism_fn: it waits for the thread on which these run. invalid_argument: as for
  /// set_domain_rule.
  std::uint64_t hold_group(const std::string &group) {
    return detail::throwing([&](error &fault) { return hold_group(group, fault); });
  }
  /// Lets the jobs of a group that is held start again, at the group's pace. Never waits. One that
  /// is not held stays as it is. invalid_argument: as for set_domain_rule.
  void release_group(const std::string &group) {
    detail::throwing([&](error &fault) { release_group(group, fault); });
  }
#endif
  /// The same; 0 when there is an error.
  std::uint64_t hold_group(const std::string &group, error &fault) {
    std::uint64_t in_flight = 0;
    if (group.find('\0') != std::string::npos)
      refuse("group", fault);
    else
      check(pool_hold_group(c_, group.c_str(), &in_flight), fault);
    return in_flight;
  }
  /// The same.
  void release_group(const std::string &group, error &fault) {
    if (group.find('\0') != std::string::npos)
      refuse("group", fault);
    else
      check(pool_release_group(c_, group.c_str()), fault);
  }

#if ROUET_EXCEPTIONS
  /// What the stream and its engine are doing; the figures may be a moment old.
  rouet::stats stats() const {
    return detail::throwing([&](error &fault) { return stats(fault); });
  }
#endif
  /// The same.
  rouet::stats stats(error &fault) const {
    pool_stats_t c{};
    c.struct_size = sizeof c;
    check(pool_stats(c_, &c), fault);
    return {c.accepted,  c.delivered, c.failed,      c.held,        c.started,
            c.buffered_bytes, c.in_flight, c.groups, c.connections, c.name_lookups};
  }

#if ROUET_EXCEPTIONS
  /// Sends what the engine has to say, up to `level`, to `log`; off or an empty function: nowhere
  /// (the default). Holds for all pools of the engine. A line may still reach the former function
  /// while this call runs, but not after it; then it is freed. The function lives until it is
  /// replaced or the engine ends.
  void set_log(log_level level, log_fn log) {
    detail::throwing([&](error &fault) { set_log(level, std::move(log), fault); });
  }
#endif
  /// The same.
  void set_log(log_level level, log_fn log, error &fault) {
    check(engine_ ? engine_->set_log(c_, level, std::move(log))
                  : pool_set_log(nullptr, POOL_LOG_OFF, nullptr, nullptr),
          fault);
  }

private:
  friend class result;
  friend class kept_options;

  static status check(pool_status_t came_to, error &fault) {
    const auto which = static_cast<status>(came_to);
    if (which > status::closed)
      fault = error(which, pool_last_error());
    else if (fault)
      fault = error();
    return which;
  }

  static status refuse(const char *field, error &fault) {
    fault = error(status::invalid_argument, std::string(field) + " has a NUL within");
    return status::invalid_argument;
  }

  void start(const config &setup, error &fault) {
    open(setup,
         std::make_shared<detail::engine>(setup.throttle_fn, setup.parallelism_fn,
                                          setup.domain_parallelism),
         fault, [](const pool_config_t *c, pool_t **opened) { return pool_new(c, opened); });
  }

  template <typename Open>
  void open(const config &setup, std::shared_ptr<detail::engine> engine, error &fault, Open how) {
    const detail::c_options options(setup.options);
    if (options.cut()) {
      refuse(options.cut(), fault);
      return;
    }
    pool_config_t c{};
    pool_config_init(&c, sizeof c);
    detail::to_c write;
    detail::each_setting(write, setup, c);
    if (write.cut()) {
      refuse(write.cut(), fault);
      return;
    }
    std::unique_ptr<callback_fn> callback;
    if (setup.callback) callback = std::make_unique<callback_fn>(setup.callback);
    c.throttle_fn = setup.throttle_fn ? &detail::engine::throttle : nullptr;
    c.parallelism_fn = setup.parallelism_fn ? &detail::engine::parallelism : nullptr;
    c.domain_userdata = engine.get();
    c.options = options.get();
    c.callback = callback ? &pool::see : nullptr;
    c.callback_userdata = callback.get();
    if (check(how(&c, &c_), fault) == status::ok) {
      engine_ = std::move(engine);
      callback_ = std::move(callback);
    }
  }

  static pool_job_t c_job(const job &work, const pool_options_t *options) noexcept {
    pool_job_t c{};
    pool_job_init(&c, sizeof c);
    c.url = work.url.c_str();
    c.url_size = work.url.size();
    if (work.group) {
      c.group = work.group->c_str();
      c.group_size = work.group->size();
    }
    c.tag = work.tag;
    c.userdata = work.userdata;
    c.options = options;
    c.kind = static_cast<std::int32_t>(work.kind);
    c.kept_options = work.kept_options ? work.kept_options->c_ : nullptr;
    return c;
  }

  /// The stream's callback. What it leaves hangs on the result, which frees it.
  static int see(pool_result_t *c, void *function) noexcept {
#if ROUET_EXCEPTIONS
    try {
#endif
      auto left = std::make_unique<detail::attachment>();
      callback_result seen(c, *left);
#if ROUET_EXCEPTIONS
      try {
        (*static_cast<callback_fn *>(function))(seen);
      } catch (const std::exception &thrown) {
        seen.fail(thrown.what());
      } catch (...) {
        seen.fail("it threw something that is no std::exception");
      }
#else
    (*static_cast<callback_fn *>(function))(seen);
#endif
      if (seen.failed_ || left->value.has_value()) c->value = left.release();
      return seen.failed_ ? 1 : 0;
#if ROUET_EXCEPTIONS
    } catch (...) { // no memory to say so
      return 1;
    }
#endif
  }

  /// The owner of a result that was taken. C's callback can't say why it failed: the words that it
  /// left for us take the place of the library's.
  static result adopt(pool_result_t *c) {
    result taken(c);
    detail::attachment *left = taken.attached();
    if (left && !left->failure.empty()) {
      constexpr std::string_view before = "the callback failed: ";
      const std::string_view says = detail::text(c->error_message);
      const auto at = says.rfind(before);
      if (at != says.npos) left->failure.insert(0, says.substr(0, at + before.size()));
    }
    return taken;
  }

  pool_t *c_ = nullptr;
  std::shared_ptr<detail::engine> engine_;
  std::unique_ptr<callback_fn> callback_;
};

inline result result::of_page(const page &kept, error &fault) {
  for (const auto &[field, text] : {std::pair{"url", &kept.url},
                                    std::pair{"content_type", &kept.content_type},
                                    std::pair{"known_encoding", &kept.known_encoding}}) {
    if (*text && (*text)->find('\0') != std::string::npos) {
      pool::refuse(field, fault);
      return {};
    }
  }
  const auto c_text = [](const std::optional<std::string> &text) {
    return text ? text->c_str() : nullptr;
  };
  pool_result_t *made = nullptr;
  if (kept.headers.empty()) {
    pool::check(pool_result_of_page(c_text(kept.url), c_text(kept.content_type),
                                    c_text(kept.known_encoding), kept.body.data(),
                                    kept.body.size(), &made),
                fault);
    return result(made);
  }
  std::vector<pool_header_t> lines;
  const auto add = [&lines](std::string_view name, std::string_view value) {
    lines.push_back({name.data(), value.data(), name.size(), value.size()});
  };
  if (kept.content_type) add("Content-Type", *kept.content_type);
  for (const auto &each : kept.headers) add(each.name, each.value);
  pool::check(pool_result_of_answer(c_text(kept.url), lines.data(), lines.size(),
                                    c_text(kept.known_encoding), kept.body.data(),
                                    kept.body.size(), &made),
              fault);
  return result(made);
}

inline kept_options::kept_options(const options &mine, error &fault) {
  const detail::c_options c(mine);
  if (c.cut())
    pool::refuse(c.cut(), fault);
  else
    pool::check(pool_options_keep(c.get(), &c_), fault);
}

#if ROUET_EXCEPTIONS
inline kept_options::kept_options(const options &mine) {
  detail::throwing([&](error &fault) { *this = kept_options(mine, fault); });
}
#endif

/// The group of a job with that URL, unless it names one of its own: the registrable domain of the URL
/// by the public suffix list, private section included, or its host when that has none. With
/// infer_redirection it is that of the URL that is asked instead. The URL is read as a job's is; empty
/// when there is an error. invalid_argument: it is none.
inline std::string url_group(std::string_view url, error &fault) {
  std::string group(url.size() + 64, '\0');
  for (;;) {
    std::size_t size = 0;
    // A size of 0 would mean: up to the NUL.
    const auto came_to = static_cast<status>(pool_url_group(
        url.empty() ? "" : url.data(), url.size(), &group[0], group.size(), &size));
    if (came_to == status::ok) {
      fault = error();
      group.resize(size);
      return group;
    }
    fault = error(came_to, pool_last_error());
    if (size < group.size()) return {};
    group.resize(size + 1); // its host is longer than the URL was, as those of xn-- are
  }
}
#if ROUET_EXCEPTIONS
/// The same.
inline std::string url_group(std::string_view url) {
  return detail::throwing([&](error &fault) { return url_group(url, fault); });
}
#endif

#if ROUET_EXCEPTIONS
inline result result::of_page(const page &kept) {
  return detail::throwing([&](error &fault) { return of_page(kept, fault); });
}
#endif

#if ROUET_EXCEPTIONS
/// Goes through a pool's results: an input iterator, which owns the result it is at.
class pool::iterator {
public:
  using iterator_category = std::input_iterator_tag;
  using value_type = result;
  using difference_type = std::ptrdiff_t;
  using pointer = result *;
  using reference = result &;

  iterator() noexcept = default;
  result &operator*() const noexcept { return current_; }
  result *operator->() const noexcept { return &current_; }
  iterator &operator++() {
    done_ = pool_->next(current_) != status::ok;
    return *this;
  }
  void operator++(int) { ++*this; }
  friend bool operator==(const iterator &at, sentinel) noexcept { return at.done_; }
  friend bool operator!=(const iterator &at, sentinel) noexcept { return !at.done_; }
  friend bool operator==(sentinel, const iterator &at) noexcept { return at.done_; }
  friend bool operator!=(sentinel, const iterator &at) noexcept { return !at.done_; }

private:
  friend class pool;
  explicit iterator(pool &from) : pool_(&from) { ++*this; }

  pool *pool_ = nullptr;
  mutable result current_; // whoever has the iterator may change the result
  bool done_ = true;
};

inline pool::iterator pool::begin() { return iterator(*this); }
#endif

} // namespace rouet

#endif
