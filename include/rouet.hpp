/* rouet for C++17 and later: the C interface of rouet.h with lifetimes, ranges and functions.
 *
 * This is only a header: link with -lrouet, as from C. MIT OR Apache-2.0.
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
 * Normal outcomes are values: `submit` and `next` return a status that is ok, again, done or closed.
 * Faults are errors, and each function has two forms for them: one throws rouet::error, the other
 * takes an `error &` as its last argument, writes to it and does not throw. (std::bad_alloc may still
 * come, as from everything that allocates.) A program compiled without exceptions has only the second.
 *
 * A program with one thread must never wait in submit, because only taking results makes room and no
 * other thread does that. It submits with no_wait until that gives again, takes, and submits again,
 * also within a `for` over the pool. With one thread that submits and one that takes, both may wait
 * for ever.
 *
 * Any thread may call any function of a pool or a result, except those that end, move or assign it:
 * no other call on the object may run then. Text is UTF-8. Text from a result lives as long as the
 * result and, except for the body, is followed by a NUL.
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

/// How long submit and next wait. Negative waits for ever, and so does more than 24 days.
using wait = std::chrono::milliseconds;
/// Waits for ever.
inline constexpr wait forever{-1};
/// Never waits.
inline constexpr wait no_wait{0};

/// The outcome of a call. The first four are the normal course of things, the others are errors.
enum class status : int {
  /// The call did what it was asked to.
  ok = POOL_OK,
  /// The buffer is full or no result is there yet, and the time to wait is up.
  again = POOL_AGAIN,
  /// The stream was finished or cancelled and all its results were taken: none will come.
  done = POOL_DONE,
  /// The stream was finished or cancelled: it takes no more jobs.
  closed = POOL_CLOSED,
  /// An argument or a field is wrong; the error's words name it.
  invalid_argument = POOL_INVALID_ARGUMENT,
  /// The machine gave no thread, descriptor or memory; the error's words say which.
  out_of_resources = POOL_OUT_OF_RESOURCES,
  /// The library has a fault; the error describes it. Please report it.
  internal_error = POOL_INTERNAL_ERROR,
};

/// The name of a status in C, such as "POOL_AGAIN".
inline const char *name(status which) noexcept {
  return pool_status_name(static_cast<std::int32_t>(which));
}

/// The library's version, such as "0.1.0".
inline const char *version() noexcept { return pool_version(); }

/// The POOL_ABI_VERSION that the library was built with.
inline std::uint32_t abi_version() noexcept { return pool_abi_version(); }

/// What was wrong with a call: a status, and in what() a sentence that names the field at fault. It
/// is thrown, or written to the `error &` that a function was given, which is false after a call
/// without fault.
class error : public std::runtime_error {
public:
  /// No error.
  error() : std::runtime_error("") {}
  error(rouet::status status, const std::string &words)
      : std::runtime_error(words), status_(status) {}

  /// The kind of error: invalid_argument, out_of_resources or internal_error. ok: no error.
  rouet::status status() const noexcept { return status_; }
  /// Whether there is an error.
  explicit operator bool() const noexcept { return status_ != rouet::status::ok; }

private:
  rouet::status status_ = rouet::status::ok;
};

/// A header to send.
struct header {
  /// The name, without line breaks and NULs.
  std::string name{};
  /// The value, without line breaks and NULs.
  std::string value{};
};

/// The HTTP version to use.
enum class http_version : std::int32_t {
  /// HTTP/2 over TLS if the server takes it, otherwise HTTP/1.1.
  any = POOL_HTTP_ANY,
  /// HTTP/1.1 only.
  http_1_1 = POOL_HTTP_1_1,
  /// HTTP/2 without asking first, also in the clear.
  http_2_prior_knowledge = POOL_HTTP_2_PRIOR_KNOWLEDGE,
};

/// How jobs are done. A new object has the library's defaults. Each call that takes one copies it.
/// The fields are those of pool_options_t.
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
  /// Find where the URL ends, without a body.
  resolve = POOL_RESOLVE,
};

class kept_options;

/// One URL to request or resolve. Copied when submitted.
struct job {
  /// The URL. White space, invisible marks (such as byte order marks) and quotes around it are
  /// removed. A URL without a scheme gets http:// if it starts with a host; a path, a file name, a
  /// number or a mail address does not. A bad URL, or one that is not UTF-8, gives a result with
  /// invalid-url. An empty one is refused, except with passthrough.
  std::string url{};
  /// The politeness key. "" is unconstrained: no throttle, no limit. Default: the URL's registrable
  /// domain, or the host if it has none.
  std::optional<std::string> group{};
  /// A number that comes back in the result.
  std::uint64_t tag = 0;
  /// A pointer that comes back in the result and must be good until then; the library does not look
  /// at it.
  void *userdata = nullptr;
  /// How the job is done; pool::options gives the stream's options to start from. They must live
  /// until the job is submitted, no longer. Default: the stream's options.
  const rouet::options *options = nullptr;
  /// Download or resolve.
  rouet::kind kind = rouet::kind::request;
  /// Options that were read beforehand, instead of `options`. They must live until the job is
  /// submitted, no longer.
  const rouet::kept_options *kept_options = nullptr;
};

/// What a stream and its engine are doing and have done.
struct stats {
  /// Stream: jobs accepted so far.
  std::uint64_t accepted = 0;
  /// Stream: results taken so far.
  std::uint64_t delivered = 0;
  /// Stream: results so far, taken or not, that were errors.
  std::uint64_t failed = 0;
  /// Stream: jobs accepted and not started, including those that wait for a retry.
  std::uint64_t held = 0;
  /// Stream: jobs started whose results were not taken.
  std::uint64_t started = 0;
  /// Stream: bytes held by results that were not taken, with everything that belongs to them.
  std::uint64_t buffered_bytes = 0;
  /// Engine: transfers running.
  std::uint64_t in_flight = 0;
  /// Engine: groups that have jobs, or whose throttle has not run out.
  std::uint64_t groups = 0;
  /// Engine: connections opened so far, including those that failed.
  std::uint64_t connections = 0;
  /// Engine: name look-ups made so far, not counting answers from the cache.
  std::uint64_t name_lookups = 0;
};

namespace detail {

/// C's text; NULL is empty.
inline std::string_view text(const char *start) noexcept {
  return start ? std::string_view(start) : std::string_view();
}
inline std::string_view text(const char *start, std::size_t size) noexcept {
  return start ? std::string_view(start, size) : std::string_view();
}

/// What a callback left with a result; C has only one pointer for it.
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

/// One entry of a result's stack: a URL at which the job was.
struct hop {
  /// The URL as it was requested, or would have been.
  std::string_view url;
  /// What led on from here: "location-header", "refresh-header", "meta-refresh", "js-relocation" or
  /// "infer" (the URL itself). "hit": the job ended here. "canonical", always last: the URL that
  /// the page before declares for itself.
  std::string_view type;
  /// The answer's status. 0: no answer came, or no request was made (infer, canonical).
  std::int32_t status;

  explicit hop(const pool_hop_t &c) noexcept
      : url(detail::text(c.url, c.url_size)), type(detail::text(c.type)), status(c.status) {}
};

/// One reference from a page to something else, by an attribute of an element.
struct element {
  /// Where it leads: absolute, http or https, its query in the page's encoding.
  std::string_view url;
  /// The name of the element in lower case, such as "img".
  std::string_view name;
  /// The name of the attribute in lower case, such as "srcset".
  std::string_view attribute;
  /// The element's rel, with white space made single blanks; empty if it has none.
  std::string_view rel;
  /// What a reader sees in its place, in one line: the text of an <a> or <button> with the alt of
  /// its images; the alt of an image; otherwise empty.
  std::string_view text;

  explicit element(const pool_element_t &c) noexcept
      : url(detail::text(c.url, c.url_size)), name(detail::text(c.element)),
        attribute(detail::text(c.attribute)), rel(detail::text(c.rel, c.rel_size)),
        text(detail::text(c.text, c.text_size)) {}
};

/// A list in a result: a range of Views over an array of C's. Lives as long as the result does.
template <typename View, typename C> class list {
public:
  using value_type = View;
  using size_type = std::size_t;

  class iterator {
  public:
    // Older algorithms see an input iterator, because it gives values, not references.
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
  /// `stride`: the bytes from one entry to the next, of which a later library may have more.
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

/// Reads the result of a job: for result, which owns it, and for the functions of a config. An
/// empty result answers with empty text, 0 or false.
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
  /// The URL as submitted, with U+FFFD for bytes that are not UTF-8. Empty: the job had none
  /// (passthrough).
  std::string_view url() const noexcept { return detail::text(c().url, c().url_size); }
  /// Where the job ended: the last URL of the stack, or empty if there is none.
  std::string_view end_url() const noexcept { return detail::text(c().end_url, c().end_url_size); }

  /// The group whose turn the job waited for: the one it named, or that of its URL (url_group).
  /// Redirections do not change it. Empty text: unconstrained. nullopt: no server was to be asked,
  /// because the URL was missing or bad.
  std::optional<std::string_view> group() const noexcept {
    if (!c().group) return std::nullopt;
    return std::string_view(c().group, c().group_size);
  }

  /// Whether there is no error, whatever the status.
  bool ok() const noexcept { return c().error_code == nullptr; }
  /// The error's stable name, such as "connection-refused"; empty if there is no error.
  std::string_view error_code() const noexcept { return detail::text(c().error_code); }
  /// The particular cause, where an error's name covers several. For "ssl" it is "expired",
  /// "not-yet-valid", "wrong-name", "unknown-authority", "bad-certificate", "ca-file",
  /// "client-certificate" or "protocol", and there may be more. Empty: nothing more is known.
  std::string_view error_subcode() const noexcept { return detail::text(c().error_subcode); }
  /// What failed, where and why, for people; empty if there is no error. For callback-error, what
  /// the callback said: the words it gave to fail, or what() of the exception it threw.
  std::string_view error_message() const noexcept {
    const detail::attachment *left = attached();
    if (left && !left->failure.empty()) return left->failure;
    return detail::text(c().error_message);
  }

  /// The status of the last answer; 0 if none came.
  std::int32_t status() const noexcept { return c().status; }
  /// The headers of the last answer, with their order, case and repeats.
  list<header_view, pool_header_t> headers() const noexcept {
    return {c().headers, c().header_count};
  }
  /// The value of the first header of that name, in any case.
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
  /// The URLs at which the job was, one for each hop, in order.
  list<hop, pool_hop_t> stack() const noexcept { return {c().stack, c().stack_count}; }
  /// The body of the last answer, decompressed if the job asked for compression, without a NUL at
  /// its end. Empty: no body.
  std::string_view body() const noexcept {
    return detail::text(reinterpret_cast<const char *>(c().body), c().body_size);
  }

  /// Why the body may be incomplete: "disconnect" or "coding", as in pool_result_t; later versions
  /// may add others. Empty: it is whole, or there is none.
  std::string_view truncated() const noexcept { return detail::text(c().truncated); }

  /// When the last attempt began.
  time_point start_time() const noexcept { return time_point(seconds(c().start_time)); }
  /// When the last attempt ended.
  time_point end_time() const noexcept { return time_point(seconds(c().end_time)); }
  /// The time the last attempt spent, over all its hops, in looking up names.
  seconds name_lookup_time() const noexcept { return seconds(c().name_lookup_time); }
  /// ... in connecting, also to a proxy.
  seconds connect_time() const noexcept { return seconds(c().connect_time); }
  /// ... in TLS handshakes.
  seconds tls_time() const noexcept { return seconds(c().tls_time); }
  /// ... from then to the first byte of the answer.
  seconds wait_time() const noexcept { return seconds(c().wait_time); }
  /// ... from the first byte of the answer to its last.
  seconds receive_time() const noexcept { return seconds(c().receive_time); }
  /// The number of attempts made; 0 if the job ended before its first.
  std::uint32_t attempts() const noexcept { return c().attempts; }

  /// What the stream's callback attached, if that is a T; otherwise nullptr.
  template <typename T> T *value() const noexcept {
    detail::attachment *left = attached();
    return left ? std::any_cast<T>(&left->value) : nullptr;
  }

  // The functions below compute their answer at the first call, on the caller's thread, and keep
  // it.

  /// The media type of the body, in lower case and without parameters, such as "text/html". It
  /// comes from the Content-Type headers, the first bytes, the file name or the URL. Empty:
  /// unknown, or no body came.
  std::string_view mimetype() const noexcept { return detail::text(pool_result_mimetype(c_)); }
  /// The file extension that fits the body, with its dot, such as ".html". It comes from the file
  /// name in Content-Disposition, the media type or the URL. Empty: unknown.
  std::string_view ext() const noexcept { return detail::text(pool_result_ext(c_)); }
  /// Whether the body is text, by its media type, or by its bytes if that is unknown. Gzip and the
  /// like that nobody asked for is not text.
  bool is_text() const noexcept { return pool_result_is_text(c_) != 0; }
  /// Whether the body's media type allows for HTML or is unknown.
  bool could_be_html() const noexcept { return pool_result_could_be_html(c_) != 0; }
  /// Whether the body is HTML: text/html or application/xhtml+xml, however it begins, and another
  /// XML type if its root is <html>.
  bool is_html() const noexcept { return pool_result_is_html(c_) != 0; }
  /// The encoding of the body, by its lower-case name in the Encoding Standard, such as "utf-8".
  /// Empty: the body is not text.
  std::string_view encoding() const noexcept { return detail::text(pool_result_encoding(c_)); }
  /// The body as UTF-8 text, with U+FFFD for malformed parts. Empty: the body is not text.
  std::string_view text() const noexcept {
    std::size_t size = 0;
    const char *start = pool_result_text(c_, &size);
    return detail::text(start, size);
  }
  /// The links of an HTML body: the http and https URLs of its <a> and <area>, absolute, each once,
  /// in the order of the page.
  list<std::string_view, const char *> links() const noexcept {
    std::size_t count = 0;
    const char *const *start = pool_result_links(c_, &count);
    return {start, count};
  }
  /// Everything that an HTML body refers to: by <a>, <img>, srcset, <script>, <link>, <iframe>,
  /// <form> and all others whose attributes have URLs. Order and repeats are the page's. References
  /// that are not http or https, that stay within the page (#top), and <a> and <area> that lead to
  /// the page itself are left out.
  list<element, pool_element_t> elements() const noexcept {
    std::size_t count = 0;
    const pool_element_t *start = pool_result_elements(c_, &count);
    return {start, count, start ? start->struct_size : sizeof(pool_element_t)};
  }

  /// The result as C has it; all zeros if it is empty. Its `value` belongs to this wrapper.
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

/// Owns the result of a job. It may outlive its pool.
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
  /// Makes a result from a page that the program kept, as if it had come with status 200, to ask
  /// for its text, links and the like. invalid_argument: the URL is not a URL, or known_encoding is
  /// not an encoding.
  static result of_page(const page &kept);
#endif
  /// The same; gives an empty result on an error.
  static result of_page(const page &kept, error &fault);

  /// Whether it holds a result: false for a new object and for one that was moved from.
  bool has_result() const noexcept { return c_ != nullptr; }
  /// Frees the result it holds.
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

/// A page of the program's own for result::of_page, which copies it.
struct page {
  /// Where the page was found; its links, and in part its media type and encoding, depend on it.
  /// Default: unknown.
  std::optional<std::string> url{};
  /// The value of its Content-Type header. Default: it had none.
  std::optional<std::string> content_type{};
  /// More of its headers. Further Content-Type headers, Content-Disposition and Content-Encoding
  /// count; Content-Encoding says that the body is still in that coding. No line breaks, no NULs.
  std::vector<header> headers{};
  /// The encoding, as in options. Default: it is detected.
  std::optional<std::string> known_encoding{};
  /// The bytes of the body, which must live until the call is over.
  std::string_view body{};
};

/// A result as a stream's callback sees it, before it can be taken.
class callback_result : public result_view {
public:
  /// Attaches a value, which the result's value<T>() gives. A second one replaces it. It is freed
  /// with the result, taken or not.
  void attach(std::any value) { left_.value = std::move(value); }
  /// Turns the result into a callback-error with these words, as throwing an exception does.
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

/// Sees a result before it can be taken, for instance to save its body, and may attach a value. An
/// exception from it turns the result into a callback-error.
///
/// The function is called once for each job that has an answer, whatever its status, for several
/// results at once, on threads of its own: at most 64 in the pool. It may take its time: it delays
/// no transfer and holds only its thread and its result's place in the stream's buffer. It may
/// submit jobs and cancel. It must not wait for room or results, or end or move the pool.
using callback_fn = std::function<void(callback_result &)>;

/// Returns how long after the end of a job its group waits before the next one starts. The pool's
/// throttle applies if it returns nullopt or less than 0, or if it throws, which is logged as an
/// error. The result is that of the attempt.
///
/// The function is called on the thread that does the group's transfers, and on several threads at
/// once for several groups. It must be quick and must not call the pool.
using throttle_fn = std::function<std::optional<seconds>(std::string_view group,
                                                         const result_view &result)>;

/// Returns how many jobs of a group may be in flight; 0 counts as 1. If it throws, which is logged
/// as an error, domain_parallelism holds. The function is called when a group without jobs gets one
/// and its throttle has run out. It runs where throttle_fn does, under the same rules.
using parallelism_fn = std::function<std::uint32_t(std::string_view group)>;

/// How much a line of log matters. Each level includes those before it.
enum class log_level : std::int32_t {
  /// Nothing is logged.
  off = POOL_LOG_OFF,
  /// Failures of the library that no result reports.
  error = POOL_LOG_ERROR,
  /// Attempts that failed and will be made again.
  warn = POOL_LOG_WARN,
  /// Streams opened, finished and cancelled, and the engine's stop.
  info = POOL_LOG_INFO,
  /// Each hop.
  debug = POOL_LOG_DEBUG,
};

/// Takes one line of log. The function is called on any thread, several at once, and must not call
/// the pool. Its exceptions are lost.
using log_fn = std::function<void(log_level level, std::string_view message)>;

/// How a pool and its stream are set up. A new object has the library's defaults. The fields are
/// those of pool_config_t, and each says whether it belongs to the pool or to the stream. Functions
/// are copied. What they refer to must live as long as the pool; what the pool's functions refer
/// to, as long as every pool that shares its engine.
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

/// Visits the options side by side: `mine` is a rouet::options, `c` is C's struct. One list of
/// fields serves both directions.
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

/// Does the same for a configuration, except its functions and options.
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

/// Converts options to C's form. C's struct points into the original and into this object.
class to_c {
public:
  to_c() = default;
  to_c(const to_c &) = delete;
  to_c &operator=(const to_c &) = delete;

  /// The field whose text contains a NUL, which would end it for C; or nullptr.
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
  std::forward_list<std::vector<const char *>> lists_; // their entries stay in place
  const char *cut_ = nullptr;
};

/// Options in C's form. They point into the original.
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
  pool_options_t c_{}; // zeros: an older library must see no size that it knows
  to_c to_c_;
};

/// Reads options from C's form.
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

/// A result that the library owns, lent for the time of a call.
class lent_result : public result_view {
public:
  explicit lent_result(const pool_result_t *c) noexcept : result_view(c) {}
};

/// What the engine calls. The pools of one engine share it, and it lives until the last of them is
/// freed. Exceptions stop here: the library is not written in C++.
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
  /// Returns what a function returns, or `otherwise` if it throws, which is logged.
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
    } catch (...) { // nobody is left to tell
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
    } catch (...) { // nobody is left to tell
    }
  }
#endif

  const throttle_fn throttle_;
  const parallelism_fn parallelism_;
  const std::uint32_t domain_parallelism_;
  std::shared_mutex mutex_; // guards log_; shared while a line is on its way there
  std::unique_ptr<log_fn> log_;
};

/// The wait time in the library's form.
inline std::int32_t milliseconds(wait time) noexcept {
  const auto count = time.count();
  return count < 0 || count > std::numeric_limits<std::int32_t>::max()
             ? -1
             : static_cast<std::int32_t>(count);
}

#if ROUET_EXCEPTIONS
/// Returns what a call gives, and throws the error that it reports.
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

/// Options that were read and checked once, for any number of jobs of any pool. Such jobs cost as
/// little to submit as jobs without their own options, however many entries dns and connect_to
/// have. Move-only; an object that was moved from has none.
class kept_options {
public:
#if ROUET_EXCEPTIONS
  /// Reads and copies options. invalid_argument: an option is out of its range.
  explicit kept_options(const options &mine);
#endif
  /// The same; has no options on an error.
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

/// A stream of jobs and its engine: what pool_new and pool_share give in C. Move-only; an object
/// that was moved from is empty, and calls on it give invalid_argument.
///
/// Each function exists twice: one throws rouet::error, the other takes an `error &` to write to.
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
  /// The same; empty on an error. invalid_argument: a field of the config; out_of_resources: no
  /// thread or descriptor.
  pool(const config &setup, error &fault) { start(setup, fault); }
  /// An empty pool, for another to be moved into.
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
  /// Does what close does.
  ~pool() { close(); }

  /// Ends the pool: cancels its stream's outstanding jobs, frees the results that were not taken
  /// and, with the engine's last pool, stops and joins the threads. Waits for callbacks under way,
  /// but never for the network. Leaves the pool empty.
  void close() noexcept {
    if (!c_) return;
    if (callback_) { // the library would free the results without what is attached to them
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

  /// The handle, for calls into C; nullptr if the pool is empty. The pool keeps ownership. Results
  /// taken from it by C's functions lose the values that the callback attached.
  pool_t *c() const noexcept { return c_; }

#if ROUET_EXCEPTIONS
  /// Opens another stream on this pool's engine. The stream has its own jobs, order, buffer and
  /// results, and shares threads, connections and politeness. The pool's fields in `setup` must
  /// have their defaults or the values this pool was given; throttle_fn and parallelism_fn must be
  /// empty. The engine lives until its last pool ends.
  pool share(const config &setup = config()) {
    return detail::throwing([&](error &fault) { return share(setup, fault); });
  }
#endif
  /// The same; gives an empty pool on an error. invalid_argument: a field of the config;
  /// out_of_resources: no descriptor.
  pool share(const config &setup, error &fault) {
    pool shared(nullptr);
    shared.open(setup, engine_, fault, [this](const pool_config_t *c, pool_t **opened) {
      return pool_share(c_, c, opened);
    });
    return shared;
  }

#if ROUET_EXCEPTIONS
  /// Submits a job, and waits up to `time` for room in the buffer. A program with one thread must
  /// not wait for ever, because only taking results makes room.
  ///
  /// ok: accepted; exactly one result will come. again: no room in time; nothing was kept. closed:
  /// the stream was finished or cancelled.
  [[nodiscard]] status submit(const job &work, wait time = forever) {
    return detail::throwing([&](error &fault) { return submit(work, time, fault); });
  }
#endif
  /// The same; gives the error's status on an error. invalid_argument: a field of the job.
  [[nodiscard]] status submit(const job &work, wait time, error &fault) {
    std::optional<detail::c_options> options;
    if (work.options) options.emplace(*work.options);
    if (options && options->cut()) return refuse(options->cut(), fault);
    const pool_job_t c = c_job(work, options ? options->get() : nullptr);
    return check(pool_submit(c_, &c, detail::milliseconds(time)), fault);
  }

#if ROUET_EXCEPTIONS
  /// Submits `count` jobs in order and writes to `accepted` how many found room. The call waits up
  /// to `time` until all fit; no_wait takes those that fit at once.
  ///
  /// ok: all were accepted. again, closed, or an error: only the first `accepted` were. `accepted`
  /// is written whatever the outcome. An error is about the job at index `accepted`.
  [[nodiscard]] status submit_many(const job *work, std::size_t count, std::size_t &accepted,
                                   wait time = forever) {
    return detail::throwing(
        [&](error &fault) { return submit_many(work, count, accepted, time, fault); });
  }
#endif
  /// The same; gives the error's status on an error.
  [[nodiscard]] status submit_many(const job *work, std::size_t count, std::size_t &accepted,
                                   wait time, error &fault) {
    accepted = 0;
    std::vector<pool_job_t> all;
    all.reserve(count);
    std::deque<detail::c_options> options; // successive jobs often have the same
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
  /// Takes the next result: the next in order from an ordered stream, otherwise the next that is
  /// done. Waits up to `time` for one. First frees the result that `into` holds.
  ///
  /// ok: `into` has it. again: none in time. done: the stream was finished or cancelled and all
  /// results were taken. `into` is empty unless the status is ok.
  [[nodiscard]] status next(result &into, wait time = forever) {
    return detail::throwing([&](error &fault) { return next(into, time, fault); });
  }
#endif
  /// The same; gives the error's status on an error.
  [[nodiscard]] status next(result &into, wait time, error &fault) {
    into.reset();
    pool_result_t *taken = nullptr;
    const status came_to =
        check(pool_next_result(c_, detail::milliseconds(time), &taken), fault);
    if (came_to == status::ok) into = adopt(taken);
    return came_to;
  }

#if ROUET_EXCEPTIONS
  /// Takes up to `most` results at once, 256 at most: waits for the first as next does, and adds
  /// those that are there already. First frees the results that `into` holds.
  ///
  /// ok: at least one. again, done: as for next; `into` is then empty.
  [[nodiscard]] status next_many(std::vector<result> &into, std::size_t most,
                                 wait time = forever) {
    return detail::throwing([&](error &fault) { return next_many(into, most, time, fault); });
  }
#endif
  /// The same; gives the error's status on an error. invalid_argument: `most` is 0.
  [[nodiscard]] status next_many(std::vector<result> &into, std::size_t most, wait time,
                                 error &fault) {
    pool_result_t *taken[256];
    most = std::min(most, std::size(taken));
    into.clear();
    into.reserve(most); // allocates first, because it can fail: no result is taken then
    std::size_t count = 0;
    const status came_to =
        check(pool_next_results(c_, taken, most, detail::milliseconds(time), &count), fault);
    for (std::size_t i = 0; came_to == status::ok && i < count; i++)
      into.push_back(adopt(taken[i]));
    return came_to;
  }

#if ROUET_EXCEPTIONS
  /// Gives the results as they come, until the stream is done: `for (rouet::result &result :
  /// pool)`. Waits for each for ever. The loop may move a result away, submit jobs without waiting,
  /// and end early: results that were not taken stay in the stream, for another loop or for next.
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
  /// Finishes the stream and ends its outstanding jobs: each result comes promptly, with the error
  /// "cancelled" unless the job was done already. Does not wait. The engine's other streams go on.
  /// May be called again.
  void cancel() {
    detail::throwing([&](error &fault) { cancel(fault); });
  }
#endif
  /// The same.
  void cancel(error &fault) { check(pool_cancel(c_), fault); }

#if ROUET_EXCEPTIONS
  /// The number of accepted jobs whose results were not taken yet. A crawl that submits new jobs
  /// for its results is over when this is 0.
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
  /// The stream's own options, as a start for a job that is to differ.
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
  /// A descriptor, for poll, epoll, libuv and the like, that is readable while next would not give
  /// again: a result is there, or the stream is done. The first call makes it; it belongs to the
  /// pool, and close closes it. While more results are to come, it may report the next up to 1 ms
  /// late: then take until again. An event loop that can only read may read from it: reading never
  /// blocks, and gives a byte each time something arrives after there was nothing.
  int event_fd() {
    return detail::throwing([&](error &fault) { return event_fd(fault); });
  }
#endif
  /// The same; -1 on an error. out_of_resources: no descriptor is left.
  int event_fd(error &fault) {
    int fd = -1;
    check(pool_event_fd(c_, &fd), fault);
    return fd;
  }

#if ROUET_EXCEPTIONS
  /// Sets the rule of one group, given by a registrable domain or the name from a job: `throttle`
  /// at least 0, `parallelism` at least 1. The rule holds over all streams of the engine, from the
  /// group's next start until it is set anew. A name that reads as a host ("Ex.com",
  /// "http://ex.com/") is taken for that host. invalid_argument: an argument, or a host that is not
  /// a group of its own: "www.ex.com" is in the group "ex.com" (url_group tells).
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
  /// Sends the engine's log, up to `level`, to `log`. off or an empty function, the default, turns
  /// the log off. The call holds for all pools of the engine. The former function may still get a
  /// line while this call runs, but not after it, and is then freed. The function lives until it is
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

  /// The stream's callback. The result owns what it leaves, and frees it.
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

  /// Makes the owner of a result that was taken. C's callback can't say why it failed: the words
  /// that it left for us replace the library's.
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

/// The group that a job with this URL has unless it names its own: the URL's registrable domain by
/// the public suffix list, private section included, or the host if it has none. With
/// infer_redirection, a job's group is that of the inferred URL instead. The URL is read like a
/// job's. Empty on an error. invalid_argument: it is not a URL.
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
    group.resize(size + 1); // its host is longer than the URL was, as xn-- hosts can be
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
/// Goes through a pool's results: an input iterator that owns the current result.
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
