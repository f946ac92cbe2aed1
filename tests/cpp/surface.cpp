// surface SITE FAULTS: all that rouet.hpp has, in use. The arguments are the URLs of the test site
// and of the server that misbehaves.
#include "check.hpp"

#include <array>
#include <atomic>
#include <condition_variable>
#include <mutex>
#include <poll.h>
#include <set>
#include <stdexcept>
#include <thread>
// Older clangs can't compile the views of libstdc++.
#if __cplusplus >= 202002L && !(defined(__clang__) && __clang_major__ < 16)
#include <ranges>
#define HAS_VIEWS
#endif

using namespace std::chrono_literals;
using rouet::status;

namespace {

std::string site, faults;

// A configuration that does not wait between requests, as all go to one host.
rouet::config fast() {
  rouet::config config;
  config.throttle = 0s;
  config.domain_parallelism = 8;
  return config;
}

// A result that must come within a minute.
rouet::result take(rouet::pool &pool) {
  rouet::result result;
  SAME(pool.next(result, 1min), status::ok);
  CHECK(result.has_result(), "next gave nothing");
  return result;
}

rouet::result fetch(rouet::pool &pool, const rouet::job &job) {
  SAME(pool.submit(job, 1min), status::ok);
  return take(pool);
}

std::string percent_encoded(const std::string &text) {
  std::string encoded;
  for (const char byte : text) {
    const char *digits = "0123456789abcdef";
    encoded += '%';
    encoded += digits[byte >> 4 & 15];
    encoded += digits[byte & 15];
  }
  return encoded;
}

// The URL of a page of the site with those headers and that body.
std::string page(const std::string &headers, const std::string &body) {
  return site + "/status/200?" + headers + "&body=" + percent_encoded(body);
}

// The error that a call throws.
template <typename Call> rouet::error thrown_by(Call call) {
  try {
    call();
  } catch (const rouet::error &error) {
    CHECK(error, "an error that is none was thrown");
    return error;
  }
  CHECK(false, "nothing was thrown");
  return {};
}

bool has(std::string_view text, std::string_view part) {
  return text.find(part) != text.npos;
}

// An error whose words have a part, such as the field at fault.
void expect(const rouet::error &error, status what, std::string_view part) {
  SAME(error.status(), what);
  CHECK(has(error.what(), part), "the words are: " << error.what());
}

void the_library() {
  SAME(std::string(rouet::version()), POOL_VERSION);
  SAME(rouet::abi_version(), std::uint32_t{POOL_ABI_VERSION});
  SAME(std::string(rouet::name(status::closed)), "POOL_CLOSED");
  static_assert(!std::is_copy_constructible_v<rouet::pool> &&
                std::is_nothrow_move_constructible_v<rouet::pool> &&
                std::is_nothrow_move_assignable_v<rouet::pool>);
  static_assert(!std::is_copy_constructible_v<rouet::result> &&
                std::is_nothrow_move_constructible_v<rouet::result> &&
                std::is_nothrow_move_assignable_v<rouet::result>);
  static_assert(!std::is_constructible_v<rouet::result_view, rouet::result &&>);
#ifdef HAS_VIEWS
  static_assert(std::input_iterator<rouet::pool::iterator>);
  static_assert(std::ranges::input_range<rouet::pool &>);
  static_assert(std::ranges::forward_range<decltype(rouet::result().headers())>);
#endif
}

// As they are made, options, config and job say what the library's own defaults are.
void defaults() {
  const rouet::options mine;
  pool_options_t c;
  SAME(pool_options_init(&c, sizeof c), POOL_OK);
  CHECK(!mine.method && !c.method && mine.headers.empty() && !c.headers && !mine.cookie &&
            !c.cookie && !mine.body && !c.body && mine.raise_on_statuses.empty() &&
            !c.raise_on_statuses && !mine.known_encoding && !c.known_encoding && !mine.ca_file &&
            !c.ca_file && !mine.proxy && !c.proxy && mine.connect_to.empty() && !c.connect_to &&
            mine.dns.empty() && !c.dns && !mine.network_interface && !c.network_interface &&
            mine.retry_on_statuses.empty() && !c.retry_on_statuses,
        "a pointer is set by default");
  SAME(mine.stateful, c.stateful != 0);
  SAME(mine.spoof_ua, c.spoof_ua != 0);
  SAME(mine.connect_timeout.count(), c.connect_timeout);
  SAME(mine.timeout.count(), c.timeout);
  SAME(mine.max_body_size, c.max_body_size);
  SAME(mine.compressed, c.compressed != 0);
  SAME(mine.follow_redirects, c.follow_redirects != 0);
  SAME(mine.max_redirects, c.max_redirects);
  SAME(mine.follow_refresh_header, c.follow_refresh_header != 0);
  SAME(mine.follow_meta_refresh, c.follow_meta_refresh != 0);
  SAME(mine.follow_js_relocation, c.follow_js_relocation != 0);
  SAME(mine.infer_redirection, c.infer_redirection != 0);
  SAME(mine.canonicalize, c.canonicalize != 0);
  SAME(mine.head_fallback, c.head_fallback != 0);
  SAME(mine.insecure, c.insecure != 0);
  SAME(mine.spoof_tls_ciphers, c.spoof_tls_ciphers != 0);
  SAME(static_cast<std::int32_t>(mine.http_version), c.http_version);
  SAME(mine.retry, c.retry != 0);
  SAME(mine.retry_max_attempts, c.retry_max_attempts);
  SAME(mine.retry_on_timeout, c.retry_on_timeout != 0);
  SAME(mine.retry_min_wait.count(), c.retry_min_wait);
  SAME(mine.retry_max_wait.count(), c.retry_max_wait);
  SAME(mine.mask_credentials, c.mask_credentials != 0);

  const rouet::config setup;
  pool_config_t d;
  SAME(pool_config_init(&d, sizeof d), POOL_OK);
  CHECK(!setup.throttle_fn && !d.throttle_fn && !setup.parallelism_fn && !d.parallelism_fn &&
            !setup.callback && !d.callback && !d.options,
        "a function is set by default");
  SAME(setup.max_workers, d.max_workers);
  SAME(setup.threads, d.threads);
  SAME(setup.throttle.count(), d.throttle);
  SAME(setup.domain_parallelism, d.domain_parallelism);
  SAME(setup.ordered, d.ordered != 0);
  SAME(setup.passthrough, d.passthrough != 0);
  SAME(setup.buffer_size, d.buffer_size);
  SAME(setup.max_buffered_bytes, d.max_buffered_bytes);
  SAME(setup.deny_private_addresses, d.deny_private_addresses != 0);
  SAME(setup.https_only, d.https_only != 0);
  SAME(setup.deny_networks.size(), d.deny_network_count);
  SAME(setup.allow_networks.size(), d.allow_network_count);
  SAME(setup.allowed_ports.size(), d.allowed_port_count);

  const rouet::job work;
  pool_job_t j;
  SAME(pool_job_init(&j, sizeof j), POOL_OK);
  CHECK(work.url.empty() && !j.url && !work.group && !j.group && !work.options && !j.options &&
            !work.userdata && !j.userdata,
        "a pointer is set by default");
  SAME(work.tag, j.tag);
  SAME(static_cast<std::int32_t>(work.kind), j.kind);
}

// Every option goes into the library and comes out of it as it was.
void each_option_gets_through() {
  rouet::options set;
  set.method = "PUT";
  set.headers = {{"X-One", "1"}, {"X-Two", ""}, {"x-one", "again"}};
  set.cookie = "a=b";
  set.stateful = true;
  set.spoof_ua = true;
  set.body = std::string("a\0b", 3);
  set.connect_timeout = 1500ms;
  set.timeout = 2.5s;
  set.max_body_size = 12345;
  set.compressed = true;
  set.follow_redirects = false;
  set.max_redirects = 7;
  set.follow_refresh_header = false;
  set.follow_meta_refresh = true;
  set.follow_js_relocation = true;
  set.infer_redirection = true;
  set.canonicalize = true;
  set.head_fallback = false;
  set.insecure = true;
  set.spoof_tls_ciphers = true;
  set.raise_on_statuses = {404, 410};
  set.known_encoding = "windows-1251";
  set.ca_file = "/etc/ssl/certs/ca-certificates.crt";
  set.proxy = "socks5h://user:word@127.0.0.1:1";
  set.connect_to = {"::127.0.0.1:1", "a.example:80:b.example:81"};
  set.dns = {"c.example:80:127.0.0.1"};
  set.network_interface = "lo";
  set.http_version = rouet::http_version::http_1_1;
  set.retry = true;
  set.retry_max_attempts = 9;
  set.retry_on_timeout = true;
  set.retry_min_wait = 0.25s;
  set.retry_max_wait = 1h;
  set.retry_on_statuses = {503, 429, 500};
  set.mask_credentials = true;

  rouet::config config;
  config.options = set;
  const rouet::pool pool(config);
  const rouet::options got = pool.options();
  SAME(*got.method, *set.method);
  SAME(got.headers.size(), set.headers.size());
  for (std::size_t i = 0; i < set.headers.size(); i++) {
    SAME(got.headers[i].name, set.headers[i].name);
    SAME(got.headers[i].value, set.headers[i].value);
  }
  SAME(*got.cookie, *set.cookie);
  SAME(got.stateful, set.stateful);
  SAME(got.spoof_ua, set.spoof_ua);
  SAME(*got.body, *set.body);
  SAME(got.connect_timeout, set.connect_timeout);
  SAME(got.timeout, set.timeout);
  SAME(got.max_body_size, set.max_body_size);
  SAME(got.compressed, set.compressed);
  SAME(got.follow_redirects, set.follow_redirects);
  SAME(got.max_redirects, set.max_redirects);
  SAME(got.follow_refresh_header, set.follow_refresh_header);
  SAME(got.follow_meta_refresh, set.follow_meta_refresh);
  SAME(got.follow_js_relocation, set.follow_js_relocation);
  SAME(got.infer_redirection, set.infer_redirection);
  SAME(got.canonicalize, set.canonicalize);
  SAME(got.head_fallback, set.head_fallback);
  SAME(got.insecure, set.insecure);
  SAME(got.spoof_tls_ciphers, set.spoof_tls_ciphers);
  CHECK(got.raise_on_statuses == set.raise_on_statuses, "statuses");
  SAME(*got.known_encoding, *set.known_encoding);
  SAME(*got.ca_file, *set.ca_file);
  SAME(*got.proxy, *set.proxy);
  CHECK(got.connect_to == set.connect_to && got.dns == set.dns, "connect_to or dns");
  SAME(*got.network_interface, *set.network_interface);
  CHECK(got.http_version == set.http_version, "http_version");
  SAME(got.retry, set.retry);
  SAME(got.retry_max_attempts, set.retry_max_attempts);
  SAME(got.retry_on_timeout, set.retry_on_timeout);
  SAME(got.mask_credentials, set.mask_credentials);
  SAME(got.retry_min_wait, set.retry_min_wait);
  SAME(got.retry_max_wait, set.retry_max_wait);
  CHECK(got.retry_on_statuses == set.retry_on_statuses, "statuses");

  const rouet::options none = rouet::pool(fast()).options();
  CHECK(!none.method && !none.body && none.headers.empty() && !none.proxy, "what was not set is");

  // An empty body is not none.
  set = {};
  set.body = "";
  config.options = set;
  const rouet::options empty = rouet::pool(config).options();
  CHECK(empty.body && empty.body->empty(), "the empty body is lost");
}

// Every number of a configuration reaches the field it is of: the library names it when it is bad,
// or when a second stream has another.
void each_field_of_a_config_gets_through() {
  const auto refused = [](const char *field, auto set) {
    rouet::config config;
    set(config);
    expect(thrown_by([&] { rouet::pool pool(config); }), status::invalid_argument, field);
  };
  refused("threads", [](rouet::config &config) { config.threads = 257; });
  refused("throttle", [](rouet::config &config) { config.throttle = -1s; });
  refused("domain_parallelism", [](rouet::config &config) { config.domain_parallelism = 0; });
  refused("buffer_size", [](rouet::config &config) { config.buffer_size = 0; });
  refused("max_buffered_bytes", [](rouet::config &config) { config.max_buffered_bytes = 0; });
  refused("deny_networks", [](rouet::config &config) { config.deny_networks = {"10.0.0.1/8"}; });
  refused("deny_networks", [](rouet::config &config) {
    config.deny_networks = {std::string("10.0.0.0\0", 9)};
  });
  refused("allow_networks", [](rouet::config &config) { config.allow_networks = {"none"}; });
  refused("deny_networks", [](rouet::config &config) { config.allow_networks = {"10.0.0.0/8"}; });
  refused("retry_on_statuses",
          [](rouet::config &config) { config.options.retry_on_statuses = {503}; });
  refused("Content-Length",
          [](rouet::config &config) { config.options.headers = {{"Content-Length", "3"}}; });
  refused("allowed_ports", [](rouet::config &config) { config.allowed_ports = {80, 0}; });

  rouet::config config;
  config.max_workers = 3;
  config.threads = 2;
  config.throttle = 300ms;
  config.domain_parallelism = 4;
  rouet::pool pool(config);
  CHECK(pool.share(config), "the same again");
  const auto differs = [&](const char *field, auto set) {
    rouet::config other = config;
    set(other);
    expect(thrown_by([&] { pool.share(other); }), status::invalid_argument, field);
  };
  differs("max_workers", [](rouet::config &other) { other.max_workers = 5; });
  differs("threads", [](rouet::config &other) { other.threads = 1; });
  differs("throttle", [](rouet::config &other) { other.throttle = 400ms; });
  differs("domain_parallelism", [](rouet::config &other) { other.domain_parallelism = 5; });
  differs("deny_private_addresses",
          [](rouet::config &other) { other.deny_private_addresses = true; });
  differs("https_only", [](rouet::config &other) { other.https_only = true; });
  differs("deny_networks", [](rouet::config &other) { other.deny_networks = {"10.0.0.0/8"}; });
  differs("allow_networks", [](rouet::config &other) { other.allow_networks = {"10.0.0.0/8"}; });
  differs("allowed_ports", [](rouet::config &other) { other.allowed_ports = {443}; });
}

void results() {
  rouet::config config = fast();
  config.options.headers = {{"X-Mark", "one"}};
  rouet::pool pool(config);
  int mark = 0;
  rouet::job job = job_for(site + "/redirect/2", 77);
  job.userdata = &mark;
  rouet::result result = fetch(pool, job);
  SAME(result.tag(), 77U);
  SAME(result.userdata(), static_cast<void *>(&mark));
  CHECK(result.kind() == rouet::kind::request, "the kind");
  SAME(result.url(), job.url);
  SAME(result.end_url(), site + "/echo");
  CHECK(result.ok() && result.error_code().empty() && result.error_message().empty(), "an error");
  SAME(result.status(), 200);
  SAME(result.attempts(), 1U);
  SAME(*result.header("CONTENT-type"), "application/json");
  CHECK(!result.header("Content-Typ") && !result.header("X-None"), "a header that is not there");
  CHECK(result.headers().size() > 1 && !result.headers().empty(), "headers");
  bool seen = false;
  for (const rouet::header_view header : result.headers())
    seen = seen || (header.name == "content-type" && header.value == "application/json");
  CHECK(seen, "content-type is not among the headers");
  SAME(result.headers()[0].name, (*result.headers().begin()).name);
  SAME(result.stack().size(), 3U);
  SAME(result.stack()[0].url, job.url);
  SAME(result.stack()[0].type, "location-header");
  SAME(result.stack()[0].status, 302);
  SAME(result.stack()[2].type, "hit");
  CHECK(has(result.body(), "[\"x-mark\",\"one\"]"), result.body());
  SAME(result.truncated(), "");
  SAME(result.mimetype(), "application/json");
  SAME(result.ext(), ".json");
  CHECK(result.is_text() && !result.is_html() && !result.could_be_html(), "what it is");
  CHECK(result.links().empty() && result.links().begin() == result.links().end(), "links of JSON");
  CHECK(result.value<int>() == nullptr, "a value without a callback");
  CHECK(result.start_time().time_since_epoch() > std::chrono::hours(24 * 365 * 50) &&
            result.end_time() >= result.start_time(),
        "the times");
  const auto spent = result.name_lookup_time() + result.connect_time() + result.tls_time() +
                     result.wait_time() + result.receive_time();
  CHECK(spent > 0s && spent <= result.end_time() - result.start_time() + 1s,
        "spent " << spent.count());
  CHECK(result.connect_time() > 0s && result.wait_time() > 0s && result.tls_time() == 0s &&
            result.name_lookup_time() >= 0s && result.receive_time() >= 0s,
        "the phases");
  // What is said to be in gzip and is not.
  rouet::job plain = job_for(site + "/status/200?body=plain&header=Content-Encoding:gzip", 78);
  rouet::options undone = config.options;
  undone.compressed = true;
  plain.options = &undone;
  const rouet::result marked = fetch(pool, plain);
  SAME(marked.body(), "plain");
  SAME(marked.truncated(), "coding");
  SAME(result.c().status, 200);

  // A page in another encoding, with links, and a NUL in it.
  const std::string body("<title>\xcf\xf0\xe8</title>\0<a href=/a>1</a>"
                         "<a href='http://b.example/'>2</a>",
                         66);
  result = fetch(pool, job_for(page("header=Content-Type:text/html;charset=windows-1251", body)));
  SAME(result.body(), body);
  CHECK(result.is_html() && result.could_be_html(), "it is HTML");
  SAME(result.encoding(), "windows-1251");
  CHECK(has(result.text(), "При"), result.text());
  SAME(result.text().size(), body.size() + 3); // three letters of two bytes now
  std::vector<std::string> links;
  for (const std::string_view link : result.links()) links.emplace_back(link);
  CHECK(links == (std::vector<std::string>{site + "/a", "http://b.example/"}), links.size());
  SAME(result.links()[1], "http://b.example/");

  // The same page, kept and asked again.
  rouet::page kept;
  kept.url = "http://b.example/x/";
  kept.content_type = "text/html;charset=windows-1251";
  kept.body = body;
  rouet::result again = rouet::result::of_page(kept);
  SAME(again.status(), 200);
  SAME(again.text(), result.text());
  SAME(again.links()[0], "http://b.example/a");
  kept.known_encoding = "koi8-r";
  SAME(rouet::result::of_page(kept).encoding(), "koi8-r");
  CHECK(rouet::result::of_page({}).body().empty(), "nothing is known");

  // All that a page refers to, and of an answer's headers more than one.
  rouet::page whole;
  whole.url = "http://b.example/x/";
  whole.content_type = "text/plain";
  whole.headers = {{"Content-Type", "text/html;charset=koi8-r"},
                   {"Content-Disposition", "inline; filename=page.xhtml"}};
  whole.body = "<a href=/a rel=next>one <b>two</b></a><img srcset='/i, /j 2x' alt=i>";
  again = rouet::result::of_page(whole);
  SAME(again.mimetype(), "text/html");
  SAME(again.encoding(), "koi8-r");
  SAME(again.ext(), ".xhtml");
  std::string shown;
  for (const rouet::element each : again.elements())
    shown += std::string(each.name) + ' ' + std::string(each.attribute) + ' ' +
             std::string(each.url) + ' ' + std::string(each.rel) + ' ' + std::string(each.text) +
             '\n';
  SAME(shown, "a href http://b.example/a next one two\n"
              "img srcset http://b.example/i  i\nimg srcset http://b.example/j  i\n");
  SAME(again.elements().size(), 3u);
  SAME(again.elements()[2].url, "http://b.example/j");
  CHECK(rouet::result().elements().empty(), "an empty result has none");
  kept.known_encoding = "klingon";
  rouet::error fault;
  CHECK(!rouet::result::of_page(kept, fault).has_result() &&
            fault.status() == rouet::status::invalid_argument && has(fault.what(), "klingon"),
        fault.what());
  kept.known_encoding.reset();
  kept.content_type->push_back('\0');
  CHECK(!rouet::result::of_page(kept, fault).has_result() && has(fault.what(), "content_type"),
        fault.what());
  kept.content_type.reset();
  kept.url = "http://";
  try {
    rouet::result::of_page(kept);
    CHECK(false, "no URL, and no error");
  } catch (const rouet::error &thrown) {
    CHECK(has(thrown.what(), "http://"), thrown.what());
  }

  // Errors, and bytes that no C string has.
  result = fetch(pool, job_for("http://127.0.0.1:1/"));
  CHECK(!result.ok(), "nothing listens there");
  SAME(result.error_code(), "connection-refused");
  CHECK(has(result.error_message(), "127.0.0.1:1"), result.error_message());
  SAME(result.status(), 0);
  const std::string with_nul("http://\0.example/\0", 18);
  result = fetch(pool, job_for(with_nul));
  SAME(result.url(), with_nul);
  SAME(result.error_code(), "invalid-url");

  job = job_for(site + "/text");
  job.kind = rouet::kind::resolve;
  result = fetch(pool, job);
  CHECK(result.ok() && result.kind() == rouet::kind::resolve && result.body().empty(), "a resolve");

  // What is empty says so.
  rouet::result moved = std::move(result);
  CHECK(moved.has_result() && !result.has_result(), "the move"); // NOLINT: that is the question
  CHECK(result.url().empty() && result.ok() && result.status() == 0 && result.headers().empty() &&
            result.text().empty() && result.links().empty() && result.mimetype().empty() &&
            !result.is_text() && result.stack().empty() && result.body().empty() &&
            !result.value<int>() && result.c().url == nullptr,
        "an empty result has something");
  rouet::result &itself = moved;
  moved = std::move(itself);
  CHECK(moved.has_result(), "moved onto itself, it is lost");
  moved.reset();
  moved.reset();
  CHECK(!moved.has_result(), "reset");
}

void options_of_a_job() {
  rouet::config config = fast();
  config.passthrough = true;
  config.options.method = "OPTIONS";
  rouet::pool pool(config);
  rouet::options options = pool.options();
  options.headers.push_back({"X-Own", "yes"});
  options.body = "sent";
  rouet::job job = job_for(site + "/echo");
  job.options = &options;
  rouet::result result = fetch(pool, job);
  CHECK(has(result.body(), "\"OPTIONS\"") && has(result.body(), "[\"x-own\",\"yes\"]") &&
            has(result.body(), "\"body\":\"sent\""),
        result.body());
  job.options = nullptr;
  result = fetch(pool, job);
  CHECK(has(result.body(), "\"OPTIONS\"") && !has(result.body(), "x-own"), result.body());
  rouet::kept_options first(options), kept = std::move(first);
  options.headers.clear();
  job.kept_options = &kept;
  for (int time = 0; time < 2; time++) {
    result = fetch(pool, job);
    CHECK(has(result.body(), "[\"x-own\",\"yes\"]") && has(result.body(), "\"body\":\"sent\""),
          result.body());
  }
  job.options = &options;
  expect(thrown_by([&] { (void)pool.submit(job); }), status::invalid_argument, "kept_options");
  options.timeout = 0s;
  expect(thrown_by([&] { rouet::kept_options refused(options); }), status::invalid_argument, "timeout");
  result = fetch(pool, rouet::job());
  CHECK(result.ok() && result.url().empty() && result.c().url == nullptr, "passthrough");
}

// What is wrong is told in two ways, in the same words.
void both_ways_to_tell() {
  rouet::config bad;
  bad.throttle = -1s;
  expect(thrown_by([&] { rouet::pool pool(bad); }), status::invalid_argument, "throttle");
  rouet::error error;
  CHECK(!error, "a new error is one");
  rouet::pool none(bad, error);
  CHECK(!none && error, "no error");
  expect(error, status::invalid_argument, "throttle");
  rouet::pool pool(fast(), error);
  CHECK(pool && !error, "the error stays: " << error.what());

  rouet::options options;
  rouet::job job = job_for(site + "/text");
  job.options = &options;
  // A text that C would cut short is refused, in whatever option it is.
  const std::string cut("a\0b", 3);
  const std::pair<const char *, std::function<void()>> cuts[] = {
      {"method", [&] { options.method = cut; }},
      {"cookie", [&] { options.cookie = cut; }},
      {"known_encoding", [&] { options.known_encoding = cut; }},
      {"ca_file", [&] { options.ca_file = cut; }},
      {"proxy", [&] { options.proxy = cut; }},
      {"network_interface", [&] { options.network_interface = cut; }},
      {"connect_to", [&] { options.connect_to = {"::a:1", cut}; }},
      {"dns", [&] { options.dns = {cut}; }},
      {"header", [&] { options.headers = {{cut, "value"}}; }}, // this one the library refuses
      {"header", [&] { options.headers = {{"name", cut}}; }},
  };
  for (const auto &[field, set] : cuts) {
    options = {};
    set();
    expect(thrown_by([&] { static_cast<void>(pool.submit(job)); }), status::invalid_argument,
           field);
    error = {};
    SAME(pool.submit(job, rouet::forever, error), status::invalid_argument);
    expect(error, status::invalid_argument, field);
    rouet::config config;
    config.options = options;
    expect(thrown_by([&] { rouet::pool refused(config); }), status::invalid_argument, field);
  }
  options = {};
  options.timeout = 0s;
  expect(thrown_by([&] { static_cast<void>(pool.submit(job)); }), status::invalid_argument,
         "timeout");
  options = {};
  SAME(pool.submit(job, rouet::forever, error), status::ok);
  CHECK(!error, "the error stays: " << error.what());

  job.options = nullptr;
  job.url.clear();
  expect(thrown_by([&] { static_cast<void>(pool.submit(job)); }), status::invalid_argument, "URL");
  job = job_for("http://caf\xe9.example/");
  SAME(pool.submit(job), status::ok); // a bad URL is no bad call
  rouet::result lossy;
  while (pool.next(lossy) == status::ok && lossy.url() != "http://caf\xef\xbf\xbd.example/") continue;
  SAME(lossy.error_code(), "invalid-url");
  SAME(lossy.error_subcode(), "");
  CHECK(!lossy.group(), "no server is asked");

  SAME(rouet::url_group("HTTPS://WWW.Example.co.uk:8080/x"), "example.co.uk");
  SAME(rouet::url_group("b\xc3\xbc" "cher.de"), "xn--bcher-kva.de");
  SAME(rouet::url_group("http://[::ffff:10.0.0.1]/"), "[::ffff:a00:1]");
  std::string many, in_ascii;
  for (int i = 0; i < 50; i++) {
    many += "\xc3\xa9.";
    in_ascii += "xn--9ca.";
  }
  SAME(rouet::url_group(many + "a-b"), in_ascii + "a-b");
  for (const char *url : {"/about", "", "ftp://a.example/", "http://caf\xe9.example/"}) {
    expect(thrown_by([&] { rouet::url_group(url); }), status::invalid_argument, "url");
    SAME(rouet::url_group(url, error), "");
    expect(error, status::invalid_argument, "url");
  }
  SAME(rouet::url_group("a.example", error), "a.example");
  CHECK(!error, "the error stays: " << error.what());
  pool.set_domain_rule("http://Ruled.example/", 0s);
  expect(thrown_by([&] { pool.set_domain_rule("www.ruled.com", 0s); }), status::invalid_argument,
         "ruled.com");

  SAME(pool.hold_group("http://Held.example/"), 0U);
  pool.release_group("held.example");
  expect(thrown_by([&] { static_cast<void>(pool.hold_group("")); }), status::invalid_argument,
         "group");
  expect(thrown_by([&] { static_cast<void>(pool.hold_group(cut)); }), status::invalid_argument,
         "group");
  expect(thrown_by([&] { pool.release_group("www.ruled.com"); }), status::invalid_argument,
         "ruled.com");
  expect(thrown_by([&] { pool.release_group(cut); }), status::invalid_argument, "group");

  expect(thrown_by([&] { pool.set_domain_rule("", 0s); }), status::invalid_argument, "domain");
  expect(thrown_by([&] { pool.set_domain_rule(cut, 0s); }), status::invalid_argument, "domain");
  expect(thrown_by([&] { pool.set_domain_rule("a.example", -1s); }), status::invalid_argument,
         "throttle");
  pool.set_domain_rule("a.example", 0s, 0, error);
  expect(error, status::invalid_argument, "parallelism");
  expect(thrown_by([&] { pool.set_log(static_cast<rouet::log_level>(9), [](auto, auto) {}); }),
         status::invalid_argument, "level");
  std::vector<rouet::result> results;
  expect(thrown_by([&] { static_cast<void>(pool.next_many(results, 0)); }),
         status::invalid_argument, "max");
  rouet::config shared;
  shared.throttle = 5s;
  expect(thrown_by([&] { pool.share(shared); }), status::invalid_argument, "throttle");
  shared = fast();
  shared.throttle_fn = [](auto, auto &) { return std::nullopt; };
  CHECK(!pool.share(shared, error), "a second throttle_fn");
  expect(error, status::invalid_argument, "throttle_fn");

  // All calls on a pool that is none.
  rouet::pool empty(nullptr);
  CHECK(!empty && empty.c() == nullptr, "it is none");
  rouet::result result;
  std::size_t accepted = 9;
  const std::function<void()> calls[] = {
      [&] { static_cast<void>(empty.submit(job)); },
      [&] { static_cast<void>(empty.submit_many(&job, 1, accepted)); },
      [&] { static_cast<void>(empty.next(result)); },
      [&] { static_cast<void>(empty.next_many(results, 4)); },
      [&] { static_cast<void>(empty.share()); },
      [&] { static_cast<void>(empty.pending()); },
      [&] { static_cast<void>(empty.options()); },
      [&] { static_cast<void>(empty.event_fd()); },
      [&] { static_cast<void>(empty.stats()); },
      [&] { empty.finish(); },
      [&] { empty.cancel(); },
      [&] { empty.set_domain_rule("a.example", 0s); },
      [&] { static_cast<void>(empty.hold_group("a.example")); },
      [&] { empty.release_group("a.example"); },
      [&] { empty.set_log(rouet::log_level::debug, [](auto, auto) {}); },
      [&] { for (rouet::result &each : empty) each.reset(); },
  };
  for (const auto &call : calls) expect(thrown_by(call), status::invalid_argument, "pool is NULL");
  SAME(accepted, 0U);
  SAME(empty.event_fd(error), -1);
  SAME(empty.pending(error), 0U);
  empty.close();
}

void many_at_once() {
  rouet::config config = fast();
  config.buffer_size = 8;
  rouet::pool pool(config);
  rouet::options first, second;
  first.headers = {{"X-Own", "first"}};
  second.headers = {{"X-Own", "second"}};
  std::vector<rouet::job> jobs;
  for (std::uint64_t i = 0; i < 100; i++) {
    jobs.push_back(job_for(site + "/echo", i));
    // By threes: none, the first's, the second's, so that some are alike and some are not.
    const std::uint64_t which = i / 3 % 3;
    if (which > 0) jobs.back().options = which == 1 ? &first : &second;
    jobs.back().group = "";
  }
  std::vector<int> seen(jobs.size());
  std::vector<rouet::result> results;
  std::size_t next = 0;
  bool again = false;
  for (std::size_t taken = 0; taken < jobs.size();) {
    std::size_t accepted = 0;
    const status came_to =
        pool.submit_many(jobs.data() + next, jobs.size() - next, accepted, rouet::no_wait);
    CHECK(came_to == status::ok || came_to == status::again, rouet::name(came_to));
    again = again || came_to == status::again;
    next += accepted;
    SAME(pool.next_many(results, 5, 1min), status::ok);
    CHECK(!results.empty() && results.size() <= 5, results.size());
    for (const rouet::result &result : results) {
      const std::uint64_t which = result.tag() / 3 % 3;
      const bool right = which == 0   ? !has(result.body(), "x-own")
                         : which == 1 ? has(result.body(), "[\"x-own\",\"first\"]")
                                      : has(result.body(), "[\"x-own\",\"second\"]");
      CHECK(right, result.tag() << ": " << result.body());
      seen[result.tag()]++;
    }
    taken += results.size();
  }
  CHECK(again, "a hundred jobs fit into a buffer of 8");
  for (const int times : seen) SAME(times, 1);
  SAME(pool.next_many(results, 5, rouet::no_wait), status::again);
  CHECK(results.empty(), "results of none");

  // Those before a bad one are in, whether the library refuses it or we do.
  std::size_t accepted = 9;
  std::vector<rouet::job> bad = {job_for(site + "/text"), job_for(""), job_for(site + "/text")};
  expect(thrown_by([&] { static_cast<void>(pool.submit_many(bad.data(), 3, accepted)); }),
         status::invalid_argument, "URL");
  SAME(accepted, 1U);
  rouet::options cut;
  cut.method = std::string("\0", 1);
  bad[1] = job_for(site + "/text");
  bad[1].options = &cut;
  rouet::error error;
  SAME(pool.submit_many(bad.data(), 3, accepted, rouet::forever, error), status::invalid_argument);
  expect(error, status::invalid_argument, "method");
  SAME(accepted, 1U);
  SAME(pool.pending(), 2U);
  accepted = 9;
  SAME(pool.submit_many(nullptr, 0, accepted), status::ok);
  SAME(accepted, 0U);
}

void ranges() {
  rouet::config config = fast();
  config.ordered = true;
  rouet::pool pool(config);
  for (std::uint64_t i = 0; i < 6; i++) SAME(pool.submit(job_for(site + "/text", i)), status::ok);
  std::vector<rouet::result> kept;
  std::uint64_t next = 0;
  for (rouet::result &result : pool) { // left early, with a result moved away
    SAME(result.tag(), next++);
    kept.push_back(std::move(result));
    if (next == 3) break;
  }
  SAME(pool.pending(), 3U);
  for (const rouet::result &result : pool) { // goes on where that ended, and adds a job
    SAME(result.tag(), next++);
    if (next == 4) SAME(pool.submit(job_for(site + "/text", 6), rouet::no_wait), status::ok);
    if (next == 5) pool.finish();
  }
  SAME(next, 7U);
  for (rouet::result &result : pool) CHECK(false, "a result after all: " << result.url());
  SAME(pool.submit(job_for(site + "/text")), status::closed);
  rouet::result result;
  SAME(pool.next(result), status::done);
  pool.close();
  for (const rouet::result &each : kept) SAME(each.text().size(), 20000U); // outlives the pool

#ifdef HAS_VIEWS
  rouet::pool other(fast());
  for (const char *path : {"/text", "/nowhere", "/echo"})
    SAME(other.submit(job_for(site + path)), status::ok);
  other.finish();
  std::size_t good = 0;
  for (rouet::result &each :
       other | std::views::filter([](const rouet::result &r) { return r.status() == 200; }))
    good += each.body().size() > 9;
  SAME(good, 2U);
#endif
#if __cplusplus >= 202002L
  rouet::config designated{.throttle = 10ms, .options = {.method = "POST", .body = "x"}};
  rouet::pool third(designated);
  SAME(third.submit({.url = site + "/echo", .tag = 3}), status::ok);
  CHECK(has(take(third).body(), "\"POST\""), "designated initializers");
#endif
}

void waits() {
  rouet::config config = fast();
  config.buffer_size = 1;
  rouet::pool pool(config);
  rouet::result result = fetch(pool, job_for(site + "/text"));
  SAME(pool.next(result, rouet::no_wait), status::again);
  CHECK(!result.has_result(), "what it had stays");
  SAME(pool.next(result, 1ms), status::again);
  const rouet::job hang = job_for(faults + "/silence");
  SAME(pool.submit(hang, rouet::no_wait), status::ok);
  // Once the first has started. C's int has no room for so many: they are not to become 0.
  SAME(pool.submit(hang, rouet::wait(std::int64_t{1} << 32)), status::ok);
  SAME(pool.submit(hang, 1ms), status::again);
  SAME(pool.pending(), 2U);
  const rouet::stats stats = pool.stats();
  SAME(stats.accepted, 3U);
  SAME(stats.delivered, 1U);
  SAME(stats.failed, 0U);
  SAME(stats.held, 1U);
  SAME(stats.started, 1U);
  SAME(stats.buffered_bytes, 0U);
  SAME(stats.name_lookups, 0U);
  // The figures of the engine may be a moment old.
  const auto came_true = [&pool] {
    const rouet::stats now = pool.stats();
    return now.in_flight == 1 && now.groups == 1 && now.connections >= 1;
  };
  for (int i = 0; i < 6000 && !came_true(); i++) std::this_thread::sleep_for(10ms);
  CHECK(came_true(), pool.stats().in_flight << " in flight, " << pool.stats().groups << " groups");
  std::thread canceller([&] {
    std::this_thread::sleep_for(50ms);
    pool.cancel();
  });
  SAME(pool.submit(hang), status::closed); // wakes who waits
  canceller.join();
  int cancelled = 0;
  for (const rouet::result &each : pool) cancelled += each.error_code() == "cancelled";
  SAME(cancelled, 2);
}

void event_descriptor() {
  rouet::pool pool(fast());
  const int fd = pool.event_fd();
  CHECK(fd >= 0 && pool.event_fd() == fd, "the descriptor");
  pollfd wait{fd, POLLIN, 0};
  SAME(poll(&wait, 1, 0), 0);
  SAME(pool.submit(job_for(site + "/text")), status::ok);
  SAME(poll(&wait, 1, 60000), 1);
  rouet::result result;
  SAME(pool.next(result, rouet::no_wait), status::ok);
}

void two_streams() {
  std::atomic<int> asked{0};
  rouet::config config = fast();
  config.throttle_fn = [&asked](std::string_view, const rouet::result_view &) {
    asked++;
    return std::nullopt;
  };
  std::optional<rouet::pool> first(config);
  rouet::config of_second = fast();
  of_second.ordered = true;
  of_second.options.headers = {{"X-Stream", "second"}};
  rouet::pool second = first->share(of_second);
  SAME(first->submit(job_for(site + "/echo", 1)), status::ok);
  SAME(second.submit(job_for(site + "/echo", 2)), status::ok);
  const rouet::result of_first = take(*first), of_other = take(second);
  CHECK(of_first.tag() == 1 && !has(of_first.body(), "x-stream"), of_first.body());
  CHECK(of_other.tag() == 2 && has(of_other.body(), "[\"x-stream\",\"second\"]"), of_other.body());
  // The engine, and the functions it calls, outlive the pool they came with.
  first.reset();
  const int before = asked;
  CHECK(before >= 2, "throttle_fn was asked " << before << " times");
  CHECK(fetch(second, job_for(site + "/text")).ok(), "the engine has ended");
  CHECK(asked > before, "the function has ended");
  rouet::pool third = second.share();
  CHECK(third, "a third");
}

void moves() {
  std::atomic<int> calls{0};
  rouet::config config = fast();
  config.callback = [&calls](rouet::callback_result &) { calls++; };
  rouet::pool one(config);
  SAME(one.submit(job_for(site + "/slow?ms=50")), status::ok);
  rouet::pool two = std::move(one); // with a job under way, and its callback to come
  CHECK(!one && two, "the move");   // NOLINT: that is the question
  CHECK(take(two).ok(), "it moved away from its job");
  one = rouet::pool(config);
  SAME(one.submit(job_for(faults + "/silence")), status::ok);
  one = std::move(two); // ends what it had
  CHECK(fetch(one, job_for(site + "/text")).ok(), "the pool that moved twice");
  rouet::pool &itself = one;
  one = std::move(itself);
  CHECK(fetch(one, job_for(site + "/text")).ok(), "moved onto itself");
  SAME(calls.load(), 3);
}

// Something that counts how many of it there are.
struct counted {
  static std::atomic<int> alive;
  std::string text;
  explicit counted(std::string from) : text(std::move(from)) { alive++; }
  counted(const counted &other) : text(other.text) { alive++; }
  ~counted() { alive--; }
};
std::atomic<int> counted::alive{0};

void callbacks() {
  rouet::config config = fast();
  config.callback = [](rouet::callback_result &result) {
    switch (result.tag()) {
    case 0: break; // leaves nothing
    case 1:
      result.attach(1);
      result.attach(counted(std::string(result.text().substr(0, 4)))); // in place of the other
      break;
    case 2: throw std::runtime_error("the disk is full");
    case 3: throw 3;
    case 4:
      result.attach(counted("kept"));
      result.fail("it would rather not");
      break;
    default: result.attach(counted("not taken"));
    }
  };
  rouet::pool pool(config);
  std::vector<rouet::result> results;
  for (std::uint64_t i = 0; i < 5; i++) results.push_back(fetch(pool, job_for(site + "/text", i)));
  CHECK(results[0].ok() && !results[0].value<counted>(), "nothing was left");
  CHECK(results[1].ok() && !results[1].value<int>(), "an int is no counted");
  SAME(results[1].value<counted>()->text, std::string(results[1].text().substr(0, 4)));
  const std::string before = site + "/text: the callback failed: ";
  for (std::size_t i = 2; i < 5; i++) {
    SAME(results[i].error_code(), "callback-error");
    SAME(results[i].status(), 200); // the answer is there all the same
  }
  SAME(results[2].error_message(), before + "the disk is full");
  SAME(results[3].error_message(), before + "it threw something that is no std::exception");
  SAME(results[4].error_message(), before + "it would rather not");
  SAME(results[4].value<counted>()->text, "kept");
  SAME(counted::alive.load(), 2);
  rouet::result moved = std::move(results[4]);
  results.clear();
  SAME(counted::alive.load(), 1);
  moved.reset();
  SAME(counted::alive.load(), 0);

  // What is attached to results that nobody takes is freed with the pool.
  for (std::uint64_t i = 0; i < 10; i++) SAME(pool.submit(job_for(site + "/text", 9)), status::ok);
  while (counted::alive < 5) std::this_thread::sleep_for(1ms);
  pool = rouet::pool(nullptr);
  SAME(counted::alive.load(), 0);

  // A callback may submit, and may take its time while the pool ends.
  std::mutex mutex;
  std::condition_variable changed;
  bool within = false;
  rouet::pool crawl(nullptr);
  config.callback = [&](rouet::callback_result &result) {
    if (result.tag() < 3)
      SAME(crawl.submit(job_for(site + "/text", result.tag() + 1), rouet::no_wait), status::ok);
    if (result.tag() == 9) {
      {
        const std::lock_guard<std::mutex> lock(mutex);
        within = true;
      }
      changed.notify_one();
      std::this_thread::sleep_for(50ms);
      result.attach(counted("late"));
    }
  };
  crawl = rouet::pool(config);
  SAME(crawl.submit(job_for(site + "/text", 0)), status::ok);
  std::set<std::uint64_t> tags; // the next may well be done before the one that submitted it
  for (int i = 0; i < 4; i++) tags.insert(take(crawl).tag());
  CHECK(tags == (std::set<std::uint64_t>{0, 1, 2, 3}), tags.size());
  SAME(crawl.pending(), 0U);
  SAME(crawl.submit(job_for(site + "/text", 9)), status::ok);
  std::unique_lock<std::mutex> lock(mutex);
  changed.wait(lock, [&] { return within; });
  crawl.close();
  SAME(counted::alive.load(), 0);

  // C may take results too: it is then C's to know of values. Here there is none.
  rouet::pool plain(fast());
  SAME(plain.submit(job_for(site + "/text")), status::ok);
  pool_result_t *raw = nullptr;
  SAME(pool_next_result(plain.c(), 60000, &raw), POOL_OK);
  pool_result_free(raw);
}

void pace() {
  std::mutex mutex;
  std::vector<std::string> log;
  std::set<std::string> groups;
  rouet::config config = fast();
  config.throttle = 2s; // far more than a busy machine takes for a job
  config.domain_parallelism = 1;
  config.options.connect_to = {"::" + site.substr(site.find("//") + 2)};
  config.throttle_fn = [&](std::string_view group,
                           const rouet::result_view &result) -> std::optional<rouet::seconds> {
    {
      const std::lock_guard<std::mutex> lock(mutex);
      groups.emplace(group);
    }
    CHECK(result.url().size() > 7 && !result.text().empty(), "the result is empty");
    if (group == "quick.example" || group == "odd.example") return 0ms;
    if (group == "bad.example") throw std::runtime_error("no pace");
    return std::nullopt;
  };
  config.parallelism_fn = [](std::string_view group) -> std::uint32_t {
    if (group == "odd.example") throw 7;
    return 1;
  };
  rouet::pool pool(config);
  pool.set_log(rouet::log_level::debug, [&](rouet::log_level, std::string_view line) {
    const std::lock_guard<std::mutex> lock(mutex);
    log.emplace_back(line);
    throw std::runtime_error("a log that fails");
  });
  // The time between the end of one job of a host and the start of the next.
  const auto gap = [&](const std::string &host, const std::string &path = "/text") {
    SAME(pool.submit(job_for("http://" + host + path, 1)), status::ok);
    SAME(pool.submit(job_for("http://" + host + path, 2)), status::ok);
    const rouet::result first = take(pool), second = take(pool);
    CHECK(first.ok() && second.ok(), first.error_message() << second.error_message());
    return second.start_time() - first.end_time();
  };
  // The clock of dates is not the clock that the throttle goes by.
  CHECK(gap("slow.example") > 1900ms, "the pool's throttle does not hold");
  CHECK(gap("bad.example") > 1900ms, "nor where throttle_fn throws");
  CHECK(gap("odd.example", "/slow?ms=600") > -300ms, "two run at once where parallelism_fn throws");
  const auto quick = gap("quick.example");
  CHECK(quick < 1900ms, "what throttle_fn says does not hold: " << quick.count());
  pool.set_domain_rule("ruled.example", 0s);
  CHECK(gap("ruled.example") < 1900ms, "the rule does not hold");
  SAME(groups.count("bad.example"), 1U);
  rouet::job job = job_for("http://slow.example/text");
  job.group = "a group";
  CHECK(fetch(pool, job).ok(), "a job with a group");
  SAME(groups.count("a group"), 1U);
  // The empty group is no group: nothing is waited for.
  pool.set_domain_rule("slow.example", 1h);
  job.group = "";
  for (int i = 0; i < 3; i++) CHECK(fetch(pool, job).ok(), "a job without a group");
  SAME(groups.count(""), 0U);

  // What was thrown was logged, beside the library's own lines.
  pool.set_log(rouet::log_level::off, nullptr);
  const auto logged = [&](std::string_view part) {
    return std::any_of(log.begin(), log.end(), [&](auto &line) { return has(line, part); });
  };
  CHECK(logged("throttle_fn threw for group bad.example: no pace"), log.size());
  CHECK(logged("parallelism_fn threw for group odd.example: something"), log.size());
  CHECK(logged("http://slow.example/text"), log.size());
  const std::size_t lines = log.size();
  CHECK(fetch(pool, job_for("http://last.example/text")).ok(), "one more");
  SAME(log.size(), lines);

  // A log function that is replaced is freed.
  const auto held = std::make_shared<int>(0);
  pool.set_log(rouet::log_level::info, [held](auto, auto) { ++*held; });
  SAME(held.use_count(), 2);
  {
    const rouet::pool opened = pool.share(); // which is logged
    CHECK(*held > 0, "nothing was logged");
  }
  pool.set_log(rouet::log_level::error, [](auto, auto) {});
  SAME(held.use_count(), 1);
}

// Threads submit to one pool and take from it, all at once.
void threads() {
  rouet::config config = fast();
  config.buffer_size = 64;
  config.callback = [](rouet::callback_result &result) { result.attach(result.tag()); };
  rouet::pool pool(config);
  constexpr std::uint64_t each = 200;
  std::array<std::atomic<int>, 4 * each> seen{};
  std::atomic<int> producing{4};
  std::vector<std::thread> all;
  for (std::uint64_t thread = 0; thread < 4; thread++) {
    all.emplace_back([&, thread] {
      for (std::uint64_t i = 0; i < each; i++) {
        rouet::job job = job_for(site + "/text", thread * each + i);
        job.group = "";
        SAME(pool.submit(job), status::ok);
      }
      if (--producing == 0) pool.finish();
    });
    all.emplace_back([&] {
      for (const rouet::result &result : pool) {
        CHECK(result.ok(), result.error_message());
        SAME(*result.value<std::uint64_t>(), result.tag());
        seen[result.tag()]++;
      }
    });
  }
  for (std::thread &thread : all) thread.join();
  for (const std::atomic<int> &times : seen) SAME(times.load(), 1);
}

} // namespace

int main(int argc, char **argv) {
  std::cout << std::unitbuf; // so that all is seen when it crashes
  CHECK(argc == 3, "Usage: surface SITE FAULTS");
  site = argv[1];
  faults = argv[2];
  const std::pair<const char *, void (*)()> parts[] = {
      {"the_library", the_library},
      {"defaults", defaults},
      {"each_option_gets_through", each_option_gets_through},
      {"each_field_of_a_config_gets_through", each_field_of_a_config_gets_through},
      {"results", results},
      {"options_of_a_job", options_of_a_job},
      {"both_ways_to_tell", both_ways_to_tell},
      {"many_at_once", many_at_once},
      {"ranges", ranges},
      {"waits", waits},
      {"event_descriptor", event_descriptor},
      {"two_streams", two_streams},
      {"moves", moves},
      {"callbacks", callbacks},
      {"pace", pace},
      {"threads", threads},
  };
  for (const auto &[part, run] : parts) {
    run();
    std::cout << "ok " << part << '\n';
  }
}
