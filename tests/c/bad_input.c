/* bad_input SITE: whatever a program hands in, it gets a status or a result that says what is
 * wrong with it, and nothing else happens. SITE is the base URL of the test site.
 */
#include "check.h"

#include <float.h>
#include <limits.h>
#include <math.h>
#include <stddef.h>

static const char NOT_UTF8[] = "caf\xe9";
static char page[256]; /* a URL that answers */

static void refused(pool_status_t status, const char *field, int line) {
  CHECK(status == POOL_INVALID_ARGUMENT, "line %d: %s came to %s", line, field,
        pool_status_name((int32_t)status));
  CHECK(strstr(pool_last_error(), field) != NULL, "line %d: \"%s\" does not name %s", line,
        pool_last_error(), field);
}

/* The call is refused, in words that name the field. */
#define REFUSED(call, field) refused((call), field, __LINE__)

static void null_arguments(pool_t *pool) {
  pool_job_t job = job_for(page, 0);
  pool_t *other = NULL;
  pool_result_t *result = NULL;
  pool_stats_t stats = {.struct_size = sizeof stats};
  size_t count = 0;
  int fd = 0;

  REFUSED(pool_options_init(NULL, sizeof(pool_options_t)), "options");
  REFUSED(pool_config_init(NULL, sizeof(pool_config_t)), "config");
  REFUSED(pool_job_init(NULL, sizeof(pool_job_t)), "job");
  REFUSED(pool_new(NULL, NULL), "pool");
  REFUSED(pool_share(NULL, NULL, &other), "pool");
  REFUSED(pool_share(pool, NULL, NULL), "shared");
  pool_options_t options = default_options();
  pool_kept_options_t *kept = NULL;
  REFUSED(pool_options_keep(NULL, &kept), "pool_options_t");
  REFUSED(pool_options_keep(&options, NULL), "kept");
  options.timeout = 0;
  REFUSED(pool_options_keep(&options, &kept), "timeout");
  CHECK(kept == NULL, "what was refused was written");
  pool_kept_options_free(NULL);
  REFUSED(pool_submit(NULL, &job, 0), "pool");
  REFUSED(pool_submit(pool, NULL, 0), "job");
  REFUSED(pool_submit_many(NULL, &job, 1, 0, &count), "pool");
  REFUSED(pool_submit_many(pool, NULL, 1, 0, &count), "job");
  REFUSED(pool_submit_many(pool, &job, 1, 0, NULL), "accepted");
  EXPECT(pool_submit_many(pool, NULL, 0, 0, &count), POOL_OK);
  REFUSED(pool_next_result(NULL, 0, &result), "pool");
  REFUSED(pool_next_result(pool, 0, NULL), "result");
  REFUSED(pool_next_results(NULL, &result, 1, 0, &count), "pool");
  REFUSED(pool_next_results(pool, NULL, 1, 0, &count), "results");
  REFUSED(pool_next_results(pool, &result, 1, 0, NULL), "count");
  REFUSED(pool_next_results(pool, &result, 0, 0, &count), "max");
  _Alignas(pool_result_t) char buffer[64];
  REFUSED(pool_next_packed(NULL, buffer, 64, 0, &count, &count), "pool");
  REFUSED(pool_next_packed(pool, NULL, 64, 0, &count, &count), "buffer");
  REFUSED(pool_next_packed(pool, buffer, 64, 0, NULL, &count), "count");
  REFUSED(pool_next_packed(pool, buffer, 64, 0, &count, NULL), "needed");
  REFUSED(pool_next_packed(pool, buffer + 1, 63, 0, &count, &count), "aligned");
  REFUSED(pool_finish(NULL), "pool");
  REFUSED(pool_cancel(NULL), "pool");
  REFUSED(pool_pending(NULL, &count), "pool");
  REFUSED(pool_pending(pool, NULL), "pending");
  REFUSED(pool_event_fd(NULL, &fd), "pool");
  REFUSED(pool_event_fd(pool, NULL), "fd");
  REFUSED(pool_set_domain_rule(NULL, "example.com", 1, 1), "pool");
  REFUSED(pool_set_domain_rule(pool, NULL, 1, 1), "domain");
  REFUSED(pool_hold_group(NULL, "example.com", NULL), "pool");
  REFUSED(pool_hold_group(pool, NULL, NULL), "group");
  REFUSED(pool_release_group(NULL, "example.com"), "pool");
  REFUSED(pool_release_group(pool, NULL), "group");
  REFUSED(pool_stats(NULL, &stats), "pool");
  REFUSED(pool_stats(pool, NULL), "stats");
  REFUSED(pool_set_log(NULL, POOL_LOG_OFF, NULL, NULL), "pool");
  EXPECT(pool_set_log(pool, POOL_LOG_DEBUG, NULL, NULL), POOL_OK);
  pool_free(NULL);
  pool_result_free(NULL);

  CHECK(other == NULL && result == NULL, "a call that failed wrote its output");
  puts("ok null_arguments");
}

static void struct_sizes(pool_t *pool) {
  const size_t sizes[] = {0, 1, sizeof(size_t), SIZE_MAX / 2, SIZE_MAX};
  for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
    pool_options_t options = default_options();
    pool_config_t config = default_config();
    pool_job_t job = job_for(page, 0);
    pool_stats_t stats = {.struct_size = sizes[i]};
    pool_t *other = NULL;
    size_t count = 0;
    REFUSED(pool_options_init(&options, sizes[i]), "struct_size");
    REFUSED(pool_config_init(&config, sizes[i]), "struct_size");
    REFUSED(pool_job_init(&job, sizes[i]), "struct_size");
    REFUSED(pool_stats(pool, &stats), "struct_size");

    options.struct_size = sizes[i];
    config.options = &options;
    REFUSED(pool_new(&config, &other), "pool_options_t.struct_size");
    REFUSED(pool_share(pool, &config, &other), "pool_options_t.struct_size");
    job.options = &options;
    REFUSED(pool_submit(pool, &job, 0), "pool_options_t.struct_size");
    REFUSED(pool_submit_many(pool, &job, 1, 0, &count), "pool_options_t.struct_size");

    config.struct_size = sizes[i];
    REFUSED(pool_new(&config, &other), "pool_config_t.struct_size");
    REFUSED(pool_share(pool, &config, &other), "pool_config_t.struct_size");
    job.struct_size = sizes[i];
    REFUSED(pool_submit(pool, &job, 0), "pool_job_t.struct_size");
    REFUSED(pool_submit_many(pool, &job, 1, 0, &count), "pool_job_t.struct_size");
    CHECK(other == NULL && count == 0, "a call that failed wrote its output");
  }
  puts("ok struct_sizes");
}

#define BAD_CONFIG(field, value)                    \
  do {                                              \
    pool_config_t config = default_config();        \
    config.field = (value);                         \
    pool_t *other = NULL;                           \
    REFUSED(pool_new(&config, &other), #field);     \
    REFUSED(pool_share(pool, &config, &other), #field); \
    CHECK(other == NULL, "a handle was written");   \
  } while (0)

/* A list of a configuration, and its count, which is named after the list's field. */
static void bad_list(pool_t *pool, const char *const *networks, const uint16_t *ports,
                     size_t count) {
  pool_t *other = NULL;
  pool_config_t deny = default_config(), allow = default_config(), port = default_config();
  deny.deny_networks = allow.allow_networks = networks;
  deny.deny_network_count = allow.allow_network_count = count;
  port.allowed_ports = ports;
  port.allowed_port_count = count;
  REFUSED(pool_new(&deny, &other), "deny_networks");
  REFUSED(pool_share(pool, &deny, &other), "deny_networks");
  REFUSED(pool_new(&allow, &other), "allow_networks");
  REFUSED(pool_share(pool, &allow, &other), "allow_networks");
  REFUSED(pool_new(&port, &other), "allowed_ports");
  REFUSED(pool_share(pool, &port, &other), "allowed_ports");
  CHECK(other == NULL, "a handle was written");
}

static void config_fields(pool_t *pool) {
  BAD_CONFIG(throttle, -1);
  BAD_CONFIG(throttle, -DBL_MIN);
  BAD_CONFIG(throttle, (double)NAN);
  BAD_CONFIG(throttle, (double)INFINITY);
  BAD_CONFIG(throttle, -(double)INFINITY);
  BAD_CONFIG(domain_parallelism, 0);
  BAD_CONFIG(threads, 257);
  BAD_CONFIG(max_workers, UINT32_MAX); /* no process may open so many descriptors */
  BAD_CONFIG(ordered, 2);
  BAD_CONFIG(ordered, -1);
  BAD_CONFIG(passthrough, 2);
  BAD_CONFIG(passthrough, INT32_MIN);
  BAD_CONFIG(buffer_size, 0);
  BAD_CONFIG(max_buffered_bytes, 0);
  BAD_CONFIG(deny_private_addresses, 2);
  BAD_CONFIG(deny_private_addresses, -1);
  BAD_CONFIG(https_only, 2);
  const char *const no_network[] = {"10.0.0.0/8", "10.0.0.1/8"}, *const not_utf8[] = {"\xff", NULL};
  const uint16_t ports[] = {80, 0};
  static const char *const local[] = {"127.0.0.0/8"};
  pool_config_t allowing = default_config(); /* and denying nothing */
  allowing.allow_networks = local;
  allowing.allow_network_count = 1;
  pool_t *none = NULL;
  REFUSED(pool_new(&allowing, &none), "deny_networks");
  bad_list(pool, NULL, NULL, 1);
  bad_list(pool, no_network, ports, 2);
  bad_list(pool, no_network, ports, SIZE_MAX);
  bad_list(pool, not_utf8, ports, 2);
  bad_list(pool, &not_utf8[1], &ports[1], 1);
  /* Fields that are the pool's can't be another stream's. */
  pool_config_t config = default_config();
  pool_t *other = NULL;
  config.throttle = 7;
  REFUSED(pool_share(pool, &config, &other), "throttle");
  config = default_config();
  config.domain_parallelism = 7;
  REFUSED(pool_share(pool, &config, &other), "domain_parallelism");
  config = default_config();
  config.max_workers = 7;
  REFUSED(pool_share(pool, &config, &other), "max_workers");
  config = default_config();
  config.threads = 7;
  REFUSED(pool_share(pool, &config, &other), "threads");
  config = default_config();
  config.deny_private_addresses = 1;
  REFUSED(pool_share(pool, &config, &other), "deny_private_addresses");
  puts("ok config_fields");
}

static void options_refused(pool_t *pool, const pool_options_t *options, const char *field,
                            int line) {
  pool_config_t config = default_config();
  config.options = options;
  pool_t *other = NULL;
  refused(pool_new(&config, &other), field, line);
  refused(pool_share(pool, &config, &other), field, line);
  pool_job_t job = job_for(page, 0);
  job.options = options;
  refused(pool_submit(pool, &job, 0), field, line);
  size_t count = 0;
  refused(pool_submit_many(pool, &job, 1, 0, &count), field, line);
  CHECK(other == NULL && count == 0, "line %d: a call that failed wrote its output", line);
}

/* Options that are the defaults but for what `change`, a statement on `o`, does to them. */
#define BAD_OPTIONS(field, change)                     \
  do {                                                 \
    pool_options_t o = default_options();              \
    change;                                            \
    options_refused(pool, &o, field, __LINE__);        \
  } while (0)

static void options_fields(pool_t *pool) {
  BAD_OPTIONS("connect_timeout", o.connect_timeout = 0);
  BAD_OPTIONS("connect_timeout", o.connect_timeout = -1);
  BAD_OPTIONS("connect_timeout", o.connect_timeout = (double)NAN);
  BAD_OPTIONS("connect_timeout", o.connect_timeout = (double)INFINITY);
  BAD_OPTIONS("timeout", o.timeout = 0);
  BAD_OPTIONS("timeout", o.timeout = -1);
  BAD_OPTIONS("timeout", o.timeout = (double)NAN);
  BAD_OPTIONS("timeout", o.timeout = (double)INFINITY);
  BAD_OPTIONS("retry_min_wait", o.retry_min_wait = -1);
  BAD_OPTIONS("retry_min_wait", o.retry_min_wait = (double)NAN);
  BAD_OPTIONS("retry_min_wait", o.retry_min_wait = (double)INFINITY);
  BAD_OPTIONS("retry_max_wait", o.retry_max_wait = -1);
  BAD_OPTIONS("retry_max_wait", o.retry_max_wait = (double)NAN);
  BAD_OPTIONS("retry_max_wait", o.retry_max_wait = -(double)INFINITY);
  BAD_OPTIONS("retry_max_wait", o.retry = 1; o.retry_max_wait = 1);
  BAD_OPTIONS("retry_max_attempts", o.retry = 1; o.retry_max_attempts = 0);
  BAD_OPTIONS("retry_on_statuses", o.retry_on_status_count = 1);
  BAD_OPTIONS("retry_on_timeout", o.retry_on_timeout = 2);
  /* Without retry these would have no effect. */
  static const uint16_t unavailable[] = {503};
  BAD_OPTIONS("retry_on_statuses", o.retry_on_statuses = unavailable; o.retry_on_status_count = 1);
  BAD_OPTIONS("retry_on_timeout", o.retry_on_timeout = 1);
  BAD_OPTIONS("retry", o.retry = 2);
  BAD_OPTIONS("retry", o.retry = -1);
  BAD_OPTIONS("compressed", o.compressed = 2);
  BAD_OPTIONS("follow_redirects", o.follow_redirects = -1);
  BAD_OPTIONS("max_redirects", o.max_redirects = -2);
  BAD_OPTIONS("max_redirects", o.max_redirects = INT32_MIN);
  BAD_OPTIONS("insecure", o.insecure = 256);
  BAD_OPTIONS("stateful", o.stateful = 2);
  BAD_OPTIONS("spoof_ua", o.spoof_ua = 2);
  BAD_OPTIONS("spoof_tls_ciphers", o.spoof_tls_ciphers = -1);
  BAD_OPTIONS("follow_refresh_header", o.follow_refresh_header = 2);
  BAD_OPTIONS("follow_meta_refresh", o.follow_meta_refresh = 2);
  BAD_OPTIONS("follow_js_relocation", o.follow_js_relocation = 2);
  BAD_OPTIONS("infer_redirection", o.infer_redirection = 2);
  BAD_OPTIONS("canonicalize", o.canonicalize = 2);
  BAD_OPTIONS("mask_credentials", o.mask_credentials = 2);
  BAD_OPTIONS("head_fallback", o.head_fallback = 2);
  static const uint16_t statuses[] = {404, 1000}, none[] = {0};
  BAD_OPTIONS("raise_on_statuses", o.raise_on_status_count = 1);
  BAD_OPTIONS("raise_on_statuses", o.raise_on_statuses = statuses; o.raise_on_status_count = 2);
  BAD_OPTIONS("retry_on_statuses", o.retry = 1; o.retry_on_statuses = none;
              o.retry_on_status_count = 1);
  BAD_OPTIONS("known_encoding", o.known_encoding = "utf-12");
  BAD_OPTIONS("known_encoding", o.known_encoding = "");
  BAD_OPTIONS("known_encoding", o.known_encoding = NOT_UTF8);
  BAD_OPTIONS("http_version", o.http_version = 3);
  BAD_OPTIONS("http_version", o.http_version = -1);

  BAD_OPTIONS("method", o.method = NOT_UTF8);
  BAD_OPTIONS("method", o.method = "");
  BAD_OPTIONS("method", o.method = "CONNECT");
  BAD_OPTIONS("method", o.method = "GET / HTTP/1.1\r\nX: y");
  BAD_OPTIONS("cookie", o.cookie = NOT_UTF8);
  BAD_OPTIONS("cookie", o.cookie = "a=b\r\nX: y");
  BAD_OPTIONS("proxy", o.proxy = NOT_UTF8);
  BAD_OPTIONS("proxy", o.proxy = "gopher://127.0.0.1:70");
  BAD_OPTIONS("network_interface", o.network_interface = NOT_UTF8);
  BAD_OPTIONS("body", o.body_size = 5);

  const char *const not_utf8[] = {"::127.0.0.1:80", NOT_UTF8};
  const char *const with_null[] = {"::127.0.0.1:80", NULL};
  const char *const nonsense[] = {"nonsense"};
  BAD_OPTIONS("connect_to", o.connect_to_count = 1);
  BAD_OPTIONS("connect_to", o.connect_to = not_utf8; o.connect_to_count = 2);
  BAD_OPTIONS("connect_to", o.connect_to = with_null; o.connect_to_count = 2);
  BAD_OPTIONS("connect_to", o.connect_to = nonsense; o.connect_to_count = 1);
  BAD_OPTIONS("connect_to", o.connect_to = nonsense; o.connect_to_count = SIZE_MAX);
  BAD_OPTIONS("dns", o.dns_count = 1);
  BAD_OPTIONS("dns", o.dns = &not_utf8[1]; o.dns_count = 1);
  BAD_OPTIONS("dns", o.dns = &with_null[1]; o.dns_count = 1);
  BAD_OPTIONS("dns", o.dns = nonsense; o.dns_count = 1);
  static const char *const no_dns[] = {"a.com:80:nothost", "a.com:65536:127.0.0.1", "a.com:80:"};
  BAD_OPTIONS("nothost", o.dns = no_dns; o.dns_count = 1);
  BAD_OPTIONS("65536", o.dns = &no_dns[1]; o.dns_count = 1);
  BAD_OPTIONS("dns", o.dns = &no_dns[2]; o.dns_count = 1);
  static const char *const no_connection[] = {"a.com:80:b.com:65536", "a.com:x:b.com:80"};
  BAD_OPTIONS("65536", o.connect_to = no_connection; o.connect_to_count = 1);
  BAD_OPTIONS("connect_to", o.connect_to = &no_connection[1]; o.connect_to_count = 1);
  BAD_OPTIONS("proxy", o.proxy = "http://127.0.0.1:65536");
  BAD_OPTIONS("proxy", o.proxy = "socks5://");
  puts("ok options_fields");
}

static void bad_header(pool_t *pool, pool_header_t header, int line) {
  pool_options_t options = default_options();
  pool_header_t headers[] = {{.name = "Accept", .value = "*/*"}, header};
  options.headers = headers;
  options.header_count = 2;
  options_refused(pool, &options, "headers", line);
}

#define BAD_HEADER(...) bad_header(pool, (pool_header_t){__VA_ARGS__}, __LINE__)

static void headers(pool_t *pool) {
  BAD_OPTIONS("headers", o.header_count = 1);
  pool_header_t some = {.name = "A", .value = "b"};
  BAD_OPTIONS("headers", o.headers = &some; o.header_count = SIZE_MAX);
  BAD_HEADER(.name = NULL, .value = "b");
  BAD_HEADER(.name = "", .value = "b");
  BAD_HEADER(.name = NOT_UTF8, .value = "b");
  BAD_HEADER(.name = "A", .value = NOT_UTF8);
  BAD_HEADER(.name = "A\r\nX", .value = "b");
  BAD_HEADER(.name = "A\nX", .value = "b");
  BAD_HEADER(.name = "A\rX", .value = "b");
  BAD_HEADER(.name = "A\0X", .name_size = 3, .value = "b");
  BAD_HEADER(.name = "A", .value = "b\r\nX: y");
  BAD_HEADER(.name = "A", .value = "b\nX: y");
  BAD_HEADER(.name = "A", .value = "b\rX: y");
  BAD_HEADER(.name = "A", .value = "b\0X", .value_size = 3);
  BAD_HEADER(.name = "A", .value = NULL, .value_size = 3);
  /* What tells where a request ends, and what becomes of its connection. */
  BAD_HEADER(.name = "Content-Length", .value = "3");
  BAD_HEADER(.name = "content-length", .value = "3", .value_size = 1);
  BAD_HEADER(.name = "Transfer-Encoding", .value = "chunked");
  BAD_HEADER(.name = "Transfer-EncodingX", .name_size = 17, .value = "chunked");
  BAD_HEADER(.name = "Connection", .value = "Upgrade");
  BAD_HEADER(.name = "Upgrade", .value = "h2c");
  BAD_HEADER(.name = "HTTP2-Settings", .value = "AAMAAABkAAQAAP__");
  BAD_HEADER(.name = "Expect", .value = "100-continue");
  BAD_HEADER(.name = "TE", .value = "gzip");
  BAD_HEADER(.name = "Trailer", .value = "X-Sum");
  BAD_HEADER(.name = "Host", .value = "a.test/x");
  BAD_HEADER(.name = "A", .value = "\x1b[0m");
  pool_header_t hosts[] = {{.name = "Host", .value = "a.test"}, {.name = "HOST", .value = "b.test"}};
  BAD_OPTIONS("headers", o.headers = hosts; o.header_count = 2);
  puts("ok headers");
}

static void jobs(pool_t *pool) {
  pool_job_t job = job_for(NULL, 0);
  REFUSED(pool_submit(pool, &job, 0), "url");
  job = job_for("", 0);
  REFUSED(pool_submit(pool, &job, 0), "url");
  job = job_for(NULL, 0);
  job.url_size = 5;
  REFUSED(pool_submit(pool, &job, 0), "url");
  /* A bad URL is no bad call: it gives a result, whatever its bytes are. */
  const char *const bad_urls[] = {NOT_UTF8, "\xff\xfe", "http://a.test/\xe9", "/about", "tel:123",
                                  "about.html", "http://a.test:65536/", "\"\""};
  for (size_t i = 0; i < sizeof bad_urls / sizeof bad_urls[0]; i++) {
    job = job_for(bad_urls[i], i);
    EXPECT(pool_submit(pool, &job, 0), POOL_OK);
    pool_result_t *result = take(pool);
    CHECK(result->error_code && strcmp(result->error_code, "invalid-url") == 0, "%s: %s",
          bad_urls[i], result->error_code ? result->error_code : "no error");
    CHECK(result->tag == i && result->attempts == 0, "another job's result");
    CHECK(!result->group && result->group_size == 0 && !result->error_subcode, "no server is asked");
    pool_result_free(result);
  }
  job = job_for(NOT_UTF8, 0);
  EXPECT(pool_submit(pool, &job, 0), POOL_OK);
  pool_result_t *lossy = take(pool);
  CHECK(strcmp(lossy->url, "caf\xef\xbf\xbd") == 0, "it is %s", lossy->url);
  pool_result_free(lossy);
  job = job_for(page, 0);
  job.url_size = SIZE_MAX;
  REFUSED(pool_submit(pool, &job, 0), "url");
  job = job_for(page, 0);
  job.group = NOT_UTF8;
  REFUSED(pool_submit(pool, &job, 0), "group");
  job = job_for(page, 0);
  job.group_size = 5;
  REFUSED(pool_submit(pool, &job, 0), "group");
  job = job_for(page, 0);
  job.kind = 2;
  REFUSED(pool_submit(pool, &job, 0), "kind");
  job.kind = -1;
  REFUSED(pool_submit(pool, &job, 0), "kind");

  /* Of several jobs those before the bad one are in. */
  pool_job_t several[] = {job_for(page, 1), job_for(page, 2), job_for(page, 3)};
  several[1].kind = 9;
  size_t accepted = 99;
  REFUSED(pool_submit_many(pool, several, 3, 0, &accepted), "kind");
  CHECK(accepted == 1, "accepted is %zu", accepted);
  pool_result_t *result = take(pool);
  CHECK(result->tag == 1, "tag %llu", (unsigned long long)result->tag);
  EXPECT_PAGE(result);
  pool_result_free(result);
  puts("ok jobs");
}

static void groups(void) {
  char group[64], same[64];
  size_t size = 99;
  EXPECT(pool_url_group("HTTPS://WWW.Example.co.uk:8080/x", 0, group, sizeof group, &size), POOL_OK);
  CHECK(strcmp(group, "example.co.uk") == 0 && size == 13, "%s, %zu", group, size);
  EXPECT(pool_url_group("http://a.github.io/and more", 18, group, sizeof group, &size), POOL_OK);
  CHECK(strcmp(group, "a.github.io") == 0, "%s", group);
  memset(same, 'x', sizeof same);
  EXPECT(pool_url_group("a.test", 0, same, 7, &size), POOL_OK);
  CHECK(strcmp(same, "a.test") == 0 && same[7] == 'x', "it has room for 7");
  memset(same, 'x', sizeof same);
  size = 99;
  REFUSED(pool_url_group("a.test", 0, same, 6, &size), "size");
  CHECK(size == 6 && same[0] == 'x', "%zu bytes, of which some were written", size);
  REFUSED(pool_url_group("a.test", 0, same, 0, &size), "size");
  size = 99;
  REFUSED(pool_url_group("/about", 0, group, sizeof group, &size), "url");
  REFUSED(pool_url_group(NOT_UTF8, 0, group, sizeof group, &size), "url");
  REFUSED(pool_url_group("", 0, group, sizeof group, &size), "url");
  REFUSED(pool_url_group(NULL, 0, group, sizeof group, &size), "url");
  REFUSED(pool_url_group(NULL, 5, group, sizeof group, &size), "url");
  REFUSED(pool_url_group("a.test", SIZE_MAX, group, sizeof group, &size), "url");
  REFUSED(pool_url_group("a.test", 0, NULL, 0, &size), "group");
  REFUSED(pool_url_group("a.test", 0, group, sizeof group, NULL), "group_size");
  CHECK(size == 99, "a call that failed wrote its output");
  puts("ok groups");
}

static void rules_and_log(pool_t *pool) {
  REFUSED(pool_set_domain_rule(pool, "WWW.Ex.com", 1, 1), "domain");
  REFUSED(pool_set_domain_rule(pool, "ftp://ex.com/", 1, 1), "domain");
  EXPECT(pool_set_domain_rule(pool, "HTTP://Ex.com/", 1, 1), POOL_OK);
  REFUSED(pool_set_domain_rule(pool, "", 1, 1), "domain");
  REFUSED(pool_hold_group(pool, "", NULL), "group");
  REFUSED(pool_hold_group(pool, "WWW.Ex.com", NULL), "group");
  REFUSED(pool_hold_group(pool, NOT_UTF8, NULL), "group");
  REFUSED(pool_release_group(pool, ""), "group");
  EXPECT(pool_release_group(pool, "never-held.test"), POOL_OK);
  REFUSED(pool_set_domain_rule(pool, NOT_UTF8, 1, 1), "domain");
  REFUSED(pool_set_domain_rule(pool, "example.com", -1, 1), "throttle");
  REFUSED(pool_set_domain_rule(pool, "example.com", (double)NAN, 1), "throttle");
  REFUSED(pool_set_domain_rule(pool, "example.com", (double)INFINITY, 1), "throttle");
  REFUSED(pool_set_domain_rule(pool, "example.com", 1, 0), "parallelism");
  REFUSED(pool_set_log(pool, -1, NULL, NULL), "level");
  REFUSED(pool_set_log(pool, 5, NULL, NULL), "level");
  CHECK(strcmp(pool_status_name(-1), "unknown status") == 0, "%s", pool_status_name(-1));
  CHECK(strcmp(pool_status_name(7), "unknown status") == 0, "%s", pool_status_name(7));
  CHECK(strcmp(pool_status_name(INT32_MAX), "unknown status") == 0, "no name for INT32_MAX");
  CHECK(strcmp(pool_status_name(POOL_DONE), "POOL_DONE") == 0, "%s", pool_status_name(POOL_DONE));
  CHECK(strcmp(pool_version(), POOL_VERSION) == 0, "%s", pool_version());
  CHECK(pool_abi_version() == POOL_ABI_VERSION, "%u", (unsigned)pool_abi_version());
  puts("ok rules_and_log");
}

/* What can't be a URL is a result that says so, not a failed call. */
static void bad_urls(pool_t *pool) {
  static const char *const URLS[] = {
      "http://", "https://", "http://[::1", "http://a b/", "ftp://example.com/",
      "javascript:alert(1)", "mailto:a@example.com", "http://example.com:99999/", "//", ":", "%",
      "\xe2\x80\x8b",
  };
  for (size_t i = 0; i < sizeof URLS / sizeof URLS[0]; i++) {
    pool_job_t job = job_for(URLS[i], i);
    EXPECT(pool_submit(pool, &job, -1), POOL_OK);
    pool_result_t *result = take(pool);
    EXPECT_ERROR(result, "invalid-url");
    CHECK(strcmp(result->url, URLS[i]) == 0, "url is %s", result->url);
    CHECK(result->error_message && *result->error_message, "%s: no message", URLS[i]);
    CHECK(result->status == 0 && result->attempts == 0, "%s: attempted", URLS[i]);
    pool_result_free(result);
  }

  static const char WITH_NUL[] = "http://example.com/a\0b";
  pool_job_t job = job_for(WITH_NUL, 0);
  job.url_size = sizeof WITH_NUL - 1;
  EXPECT(pool_submit(pool, &job, -1), POOL_OK);
  pool_result_t *result = take(pool);
  EXPECT_ERROR(result, "invalid-url");
  CHECK(result->url_size == sizeof WITH_NUL - 1, "url_size is %zu", result->url_size);
  CHECK(memcmp(result->url, WITH_NUL, sizeof WITH_NUL) == 0, "url is %s", result->url);
  pool_result_free(result);
  puts("ok bad_urls");
}

/* Sizes no one should come with give a clear answer all the same. */
static void big_things(pool_t *pool) {
  enum { URL_SIZE = 1 << 20, HEADERS = 100000 };
  char *url = malloc(URL_SIZE + 1);
  CHECK(url != NULL, "out of memory");
  for (int in_path = 0; in_path < 2; in_path++) {
    memset(url, 'a', URL_SIZE);
    url[URL_SIZE] = '\0';
    if (in_path) {
      memcpy(url, page, strlen(page));
      url[strlen(page)] = '/';
    }
    pool_job_t job = job_for(url, 0);
    EXPECT(pool_submit(pool, &job, -1), POOL_OK);
    pool_result_t *result = take(pool);
    CHECK(result->error_code || result->status >= 400, "a URL of 1 MB: status %d",
          (int)result->status);
    CHECK(result->url_size == URL_SIZE, "url_size is %zu", result->url_size);
    pool_result_free(result);
  }
  free(url);

  pool_header_t *many = calloc(HEADERS, sizeof *many);
  CHECK(many != NULL, "out of memory");
  for (size_t i = 0; i < HEADERS; i++)
    many[i] = (pool_header_t){.name = "X-Many", .value = "of them"};
  pool_options_t options = default_options();
  options.headers = many;
  options.header_count = HEADERS;
  pool_job_t job = job_for(page, 0);
  job.options = &options;
  pool_status_t status = pool_submit(pool, &job, -1);
  if (status == POOL_OK) {
    pool_result_t *result = take(pool);
    CHECK(result->error_code || result->status > 0, "100,000 headers: no answer and no error");
    pool_result_free(result);
  } else {
    REFUSED(status, "headers");
  }
  free(many);
  puts("ok big_things");
}

/* Numbers that are allowed, however odd. */
static void odd_numbers(void) {
  pool_config_t config = default_config();
  pool_options_t options = default_options();
  options.timeout = options.connect_timeout = 1e15;
  options.retry_min_wait = options.retry_max_wait = 1e15;
  options.retry_max_attempts = UINT32_MAX;
  options.retry = 1;
  options.max_redirects = INT32_MAX;
  options.max_body_size = UINT64_MAX;
  config.options = &options;
  config.throttle = 1e15;
  config.max_buffered_bytes = UINT64_MAX;
  config.buffer_size = SIZE_MAX;
  pool_t *pool = open_pool(&config);
  EXPECT(pool_set_domain_rule(pool, "example.com", 1e18, UINT32_MAX), POOL_OK);
  pool_job_t job = job_for(page, 0);
  EXPECT(pool_submit(pool, &job, INT32_MAX), POOL_OK);
  pool_result_t *result = take(pool);
  EXPECT_PAGE(result);
  pool_result_free(result);
  EXPECT(pool_submit(pool, &job, INT32_MIN), POOL_OK); /* starts in some million years */
  EXPECT(pool_next_result(pool, 10, &result), POOL_AGAIN);
  pool_free(pool);

  options.timeout = options.connect_timeout = 1e-9;
  options.retry = 0;
  config = default_config();
  config.options = &options;
  config.throttle = DBL_MIN;
  pool = open_pool(&config);
  char hang[sizeof page + 8];
  snprintf(hang, sizeof hang, "%.*s/hang", (int)(strlen(page) - strlen("/text")), page);
  job.url = hang;
  double start = now();
  EXPECT(pool_submit(pool, &job, -1), POOL_OK);
  result = take(pool);
  CHECK(result->error_code != NULL, "status %d in no time", (int)result->status);
  CHECK(now() - start < 5, "a time-out of 1 ns took %.1f s", now() - start);
  pool_result_free(result);
  pool_free(pool);
  puts("ok odd_numbers");
}

int main(int argc, char **argv) {
  setvbuf(stdout, NULL, _IOLBF, 0); /* so that all is seen when it crashes */
  CHECK(argc == 2, "Usage: bad_input SITE");
  snprintf(page, sizeof page, "%s/text", argv[1]);
  CHECK(strcmp(pool_last_error(), "") == 0, "\"%s\" before the first error", pool_last_error());
  pool_config_t config = default_config();
  config.throttle = 0;
  pool_t *pool = open_pool(&config);
  null_arguments(pool);
  struct_sizes(pool);
  config_fields(pool);
  options_fields(pool);
  headers(pool);
  jobs(pool);
  groups();
  rules_and_log(pool);
  bad_urls(pool);
  big_things(pool);
  odd_numbers();

  /* After all that the pool works as before. */
  pool_job_t job = job_for(page, 42);
  EXPECT(pool_submit(pool, &job, 0), POOL_OK);
  pool_result_t *result = take(pool);
  EXPECT_PAGE(result);
  pool_result_free(result);
  size_t pending = 99;
  EXPECT(pool_pending(pool, &pending), POOL_OK);
  CHECK(pending == 0, "%zu jobs are pending", pending);
  pool_free(pool);
  puts("ok still_works");
  return 0;
}
