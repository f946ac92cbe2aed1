/* guide SITE PROXY: the functions that docs/guide.md shows, against the test site and a proxy. */
#define _POSIX_C_SOURCE 200809L

#include <rouet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "check.h"

/* Waits as long as the server asks for, an hour at most. */
static double heed_retry_after(const char *group, const pool_result_t *result, void *userdata) {
  (void)group, (void)userdata;
  if (result->status == 429 || result->status == 503) {
    for (size_t i = 0; i < result->header_count; i++) {
      if (strcasecmp(result->headers[i].name, "retry-after") != 0) continue;
      double seconds = strtod(result->headers[i].value, NULL); /* 0 for a date */
      if (seconds > 0) return seconds < 3600 ? seconds : 3600;
    }
  }
  return -1; /* as throttle says */
}

static pool_t *open_patient(void) {
  static const uint16_t busy[] = {429, 503};
  pool_options_t options;
  pool_options_init(&options, sizeof options);
  options.retry = 1;
  options.retry_on_statuses = busy;
  options.retry_on_status_count = 2;
  options.retry_min_wait = 0; /* the group waits, not the job */
  options.retry_max_wait = 0;
  pool_config_t config;
  pool_config_init(&config, sizeof config);
  config.options = &options; /* copied by pool_new */
  config.throttle_fn = heed_retry_after;
  pool_t *pool;
  return pool_new(&config, &pool) == POOL_OK ? pool : NULL;
}

/* Ends a pool early. What was done is handled as ever. */
static void stop(pool_t *pool, void (*handle)(const pool_result_t *),
                 void (*unfinished)(const char *url)) {
  pool_cancel(pool);
  pool_result_t *result;
  while (pool_next_result(pool, -1, &result) == POOL_OK) {
    int cancelled = result->error_code && strcmp(result->error_code, "cancelled") == 0;
    if (cancelled) unfinished(result->url);
    else handle(result);
    pool_result_free(result);
  }
  pool_free(pool);
}

static pool_t *open_resolver(void) {
  pool_options_t options;
  pool_options_init(&options, sizeof options);
  options.infer_redirection = 1;   /* …/l.php?u=TARGET: no request to the tracker */
  options.follow_meta_refresh = 1; /* and by page, which needs GET */
  options.follow_js_relocation = 1;
  options.retry = 1;
  pool_config_t config;
  pool_config_init(&config, sizeof config);
  config.options = &options;
  pool_t *pool;
  return pool_new(&config, &pool) == POOL_OK ? pool : NULL;
}

static void print_hops(const pool_result_t *result) {
  for (size_t i = 0; i < result->stack_count; i++)
    printf("%d %s %s\n", (int)result->stack[i].status, result->stack[i].type, result->stack[i].url);
  if (result->error_code) printf("%s\n", result->error_message);
}

static pool_t *open_proxied(const char *proxy) {
  pool_options_t options;
  pool_options_init(&options, sizeof options);
  options.proxy = proxy; /* "socks5h://USER:PASSWORD@127.0.0.1:9050" */
  pool_config_t config;
  pool_config_init(&config, sizeof config);
  config.options = &options;
  pool_t *pool;
  return pool_new(&config, &pool) == POOL_OK ? pool : NULL;
}

static pool_t *open_for_strangers(void) {
  static const uint16_t ports[] = {80, 443};
  pool_options_t options;
  pool_options_init(&options, sizeof options);
  options.max_body_size = 8 << 20;
  options.timeout = 20;
  options.max_redirects = 5;
  options.mask_credentials = 1;
  pool_config_t config;
  pool_config_init(&config, sizeof config);
  config.options = &options;
  config.deny_private_addresses = 1;
  config.allowed_ports = ports;
  config.allowed_port_count = 2;
  pool_t *pool;
  return pool_new(&config, &pool) == POOL_OK ? pool : NULL;
}

/* Hands over a job that differs from the others of its stream. */
static pool_status_t submit_with_key(pool_t *pool, const char *url, const char *key) {
  pool_header_t header = {.name = "Authorization", .value = key};
  pool_options_t options;
  pool_options_from(pool, &options, sizeof options); /* those of the stream */
  options.headers = &header;
  options.header_count = 1;
  pool_job_t job;
  pool_job_init(&job, sizeof job);
  job.url = url;
  job.options = &options;
  return pool_submit(pool, &job, 0); /* copies all of it */
}

static int handled, left;

static void handle(const pool_result_t *result) {
  EXPECT_PAGE(result);
  handled++;
}

static void unfinished(const char *url) {
  CHECK(strstr(url, "/hang") != NULL, "%s", url);
  left++;
}

static const char *at(const char *site, const char *path) {
  static char url[400];
  snprintf(url, sizeof url, "%s%s", site, path);
  return url;
}

static void submit(pool_t *pool, const char *url, int kind) {
  CHECK(pool != NULL, "%s", pool_last_error());
  pool_job_t job = job_for(url, 0);
  job.kind = kind;
  EXPECT(pool_submit(pool, &job, 0), POOL_OK);
}

/* Three attempts at what stays busy, and the group waits as long as the server says. */
static void check_patience(const char *site) {
  pool_t *pool = open_patient();
  submit(pool, at(site, "/status/503?header=Retry-After:1"), POOL_REQUEST);
  pool_result_t *busy = take(pool);
  CHECK(busy->attempts == 3 && busy->status == 503, "%u attempts", busy->attempts);
  submit(pool, at(site, "/text"), POOL_REQUEST);
  pool_result_t *next = take(pool);
  EXPECT_PAGE(next);
  double waited = next->start_time - busy->end_time;
  CHECK(waited > 0.9, "%f s", waited);
  pool_result_free(busy);
  pool_result_free(next);
  pool_free(pool);
}

static void check_stop(const char *site) {
  pool_t *pool = open_pool(NULL);
  submit(pool, at(site, "/text"), POOL_REQUEST);
  pool_stats_t stats = {.struct_size = sizeof stats};
  do { /* until it is done, and not taken */
    pause_ms(5);
    EXPECT(pool_stats(pool, &stats), POOL_OK);
  } while (stats.buffered_bytes == 0);
  submit(pool, at(site, "/hang"), POOL_REQUEST);
  stop(pool, handle, unfinished);
  CHECK(handled == 1 && left == 1, "%d handled, %d left", handled, left);
}

int main(int argc, char **argv) {
  CHECK(argc == 3, "%d arguments", argc - 1);
  const char *site = argv[1], *proxy = argv[2];
  check_patience(site);
  check_stop(site);

  pool_t *pool = open_resolver();
  submit(pool, at(site, "/redirect/1"), POOL_RESOLVE);
  pool_result_t *result = take(pool);
  CHECK(result->stack_count == 2, "%zu hops", result->stack_count);
  print_hops(result);
  pool_result_free(result);
  pool_free(pool);

  pool = open_proxied(proxy);
  submit(pool, "http://rouet.invalid/text", POOL_REQUEST); /* only the proxy knows that name */
  result = take(pool);
  EXPECT_PAGE(result);
  pool_result_free(result);
  pool_free(pool);

  pool = open_for_strangers();
  submit(pool, at(site, "/text"), POOL_REQUEST);
  result = take(pool);
  EXPECT_ERROR(result, "forbidden-address");
  pool_result_free(result);
  pool_free(pool);

  pool = open_pool(NULL);
  EXPECT(submit_with_key(pool, at(site, "/echo"), "Bearer secret"), POOL_OK);
  result = take(pool);
  EXPECT_PAGE(result);
  CHECK(strstr(pool_result_text(result, NULL), "Bearer secret"), "it was not sent");
  pool_result_free(result);
  pool_free(pool);
  return 0;
}
