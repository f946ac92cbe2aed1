/* exhausted WHAT SITE FAULTS: WHAT takes more memory than the process may have, by the soft limit that it
 * was started with (ulimit -S -v). What there is no memory for is told by an error; the process lives,
 * each accepted job has one result, and with memory the next job is done and what was not found is
 * found.
 */
#include "check.h"

#include <sys/resource.h>

enum { HOARD = 4096 };

static const char *site, *faults;
static pool_t *pool;
/* What the process was started with. */
static struct rlimit tight;
/* Results that are kept, to take the memory. */
static pool_result_t *hoard[HOARD];
static size_t hoarded;
static bool is_cancelled;
static uint64_t accepted, taken, without_memory;

static void limit(void) { CHECK(setrlimit(RLIMIT_AS, &tight) == 0, "setrlimit"); }

static void lift(void) {
  struct rlimit usual = tight;
  usual.rlim_cur = usual.rlim_max;
  CHECK(setrlimit(RLIMIT_AS, &usual) == 0, "setrlimit");
}

static void free_hoard(void) {
  while (hoarded > 0) pool_result_free(hoard[--hoarded]);
}

/* Takes a result, if there is one in time, and keeps it. */
static bool take_one(int32_t timeout_ms) {
  pool_result_t *result = NULL;
  switch (pool_next_result(pool, timeout_ms, &result)) {
  case POOL_OK:
    break;
  case POOL_OUT_OF_RESOURCES:
    without_memory++;
    CHECK(strstr(pool_last_error(), "no memory") != NULL, "%s", pool_last_error());
    CHECK(hoarded > 0, "no memory for the first of them");
    free_hoard();
    return true;
  case POOL_AGAIN:
  case POOL_DONE:
    return false;
  default:
    CHECK(false, "%s", pool_last_error());
  }
  taken++;
  if (result->error_code) {
    bool told = strcmp(result->error_code, "internal-error") == 0;
    without_memory += told;
    CHECK(!told || strstr(result->error_message, "memory"), "%s", result->error_message);
  }
  if (hoarded == HOARD) free_hoard();
  hoard[hoarded++] = result;
  return true;
}

/* Hands a job over; false: there is no memory for it. Takes results while there is no room. */
static bool submit(const pool_job_t *job) {
  for (;;) {
    switch (pool_submit(pool, job, 0)) {
    case POOL_OK:
      accepted++;
      return true;
    case POOL_AGAIN:
      take_one(1000);
      break;
    case POOL_OUT_OF_RESOURCES:
      without_memory++;
      CHECK(strstr(pool_last_error(), "no memory") != NULL, "%s", pool_last_error());
      return false;
    default:
      CHECK(false, "%s", pool_last_error());
    }
  }
}

static void take_all(void) {
  for (double end = now() + 120; taken < accepted;) {
    take_one(1000);
    CHECK(now() < end, "%d of %d results came", (int)taken, (int)accepted);
  }
  CHECK(!take_one(0), "one result too many");
}

static pool_job_t job_of(char *url, size_t size, const char *server, const char *path) {
  snprintf(url, size, "%s%s", server, path);
  pool_job_t job = job_for(url, 0);
  job.group = "";
  return job;
}

/* With memory the next job is done. */
static void ordinary(void) {
  static char url[256];
  pool_job_t job = job_of(url, sizeof url, site, "text");
  EXPECT(pool_submit(pool, &job, 60000), POOL_OK);
  pool_result_t *result = take(pool);
  EXPECT_PAGE(result);
  pool_result_free(result);
}

/* The same, of a pool that may have been cancelled. */
static void ordinary_again(const pool_config_t *config) {
  if (is_cancelled) {
    pool_free(pool);
    pool = open_pool(config);
    is_cancelled = false;
  }
  ordinary();
}

/* Asks for all that is in a page: how much of it there was memory for. */
static int ask(const pool_result_t *page, bool all) {
  size_t size, links = 0, elements = 0;
  int there = pool_result_text(page, &size) != NULL;
  there += pool_result_links(page, &links) != NULL;
  there += pool_result_elements(page, &elements) != NULL;
  CHECK(!all || (there == 3 && links > 0 && elements >= links), "%d answers of %d, %d links, %d elements",
        there, 3, (int)links, (int)elements);
  return there;
}

static pool_result_t *page_of(const char *body, size_t size, const char *encoding) {
  pool_result_t *page = NULL;
  EXPECT(pool_result_of_page("http://example.com/", "text/html", encoding, body, size, &page), POOL_OK);
  return page;
}

/* Pages: of many links, of one that is as long, of one piece of text, of candidates, of text that is twice
 * as long in UTF-8.
 */
static void pages(void) {
  enum { SIZE = 12 << 20 };
  char *body = malloc(SIZE + 64);
  CHECK(body != NULL, "malloc");
  for (int kind = 0; kind < 5; kind++) {
    size_t size = (size_t)sprintf(body, "\xe9\xe9<a href=/y>y</a>");
    switch (kind) {
    case 0:
      for (int n = 0; size < SIZE; n++) size += (size_t)sprintf(body + size, "<a href=/%d>%d</a>", n, n);
      break;
    case 1:
      size += (size_t)sprintf(body + size, "<a href='/%*s'>x</a>", SIZE - 64, "x");
      break;
    case 2:
      size += (size_t)sprintf(body + size, "<a href=/z>%*s</a>", SIZE - 64, "x");
      break;
    case 3:
      size += (size_t)sprintf(body + size, "<img srcset='");
      while (size < SIZE) size += (size_t)sprintf(body + size, "a,b ");
      size += (size_t)sprintf(body + size, "'>");
      break;
    default:
      memset(body + size, '\xe9', SIZE - 64);
      size += SIZE - 64;
    }
    lift();
    pool_result_t *page = page_of(body, size, "windows-1251");
    limit();
    without_memory += 3 - (uint64_t)ask(page, false);
    lift();
    ask(page, true);
    pool_result_free(page);
    limit();
  }
  free(body);
}

/* Large headers, of many answers at once. */
static void headers(void) {
  static char url[256];
  pool_job_t job = job_of(url, sizeof url, site, "headers?count=60&size=4000");
  for (int n = 0; n < 1500 && submit(&job); n++) continue;
}

/* Bodies, redirections, broken URLs and headers, of several shards. */
static void load(void) {
  static char urls[8][256];
  pool_job_t jobs[] = {
      job_of(urls[0], sizeof *urls, site, "bytes/300000"),
      job_of(urls[1], sizeof *urls, faults, "body-chunks?mb=20"),
      job_of(urls[2], sizeof *urls, site, "redirect/5"),
      job_of(urls[3], sizeof *urls, "http://[", "broken"),
      job_of(urls[4], sizeof *urls, site, "headers?count=50&size=2000"),
      job_of(urls[5], sizeof *urls, site, "page/3"),
      job_of(urls[6], sizeof *urls, faults, "bomb-br?mb=12"),
      job_of(urls[7], sizeof *urls, faults, "bomb-gzip?mb=9"),
  };
  for (int n = 0; n < 400; n++) {
    jobs[n % 8].group = n % 3 == 0 ? "a" : n % 3 == 1 ? "b" : "";
    if (!submit(&jobs[n % 8])) take_one(10);
    if (hoarded > 0 && n % 16 == 0) ask(hoard[hoarded - 1], false);
  }
}

/* URLs of 100 KB that wait. */
static void urls(void) {
  enum { LENGTH = 100000 };
  static char url[LENGTH + 1];
  int start = snprintf(url, sizeof url, "http://example.com/");
  memset(url + start, 'x', (size_t)(LENGTH - start));
  pool_job_t job = job_for(url, 0);
  job.group = "waits";
  EXPECT(pool_set_domain_rule(pool, "waits", 1e6, 1), POOL_OK);
  /* The first does not wait. */
  pool_job_t first = job_for("http://[", 0);
  if (!submit(&first)) return;
  while (accepted < 20000 && submit(&job)) continue;
  EXPECT(pool_cancel(pool), POOL_OK);
  is_cancelled = true;
}

/* Touches stack that the system would else look for memory for when it is at its end. */
static void touch_stack(void) {
  volatile char room[512 << 10];
  for (size_t at = 0; at < sizeof room; at += 1024) room[at] = 0;
}

int main(int argc, char **argv) {
  CHECK(argc == 4, "Usage: exhausted WHAT SITE FAULTS");
  const char *what = argv[1];
  site = argv[2];
  faults = argv[3];
  touch_stack();
  getrlimit(RLIMIT_AS, &tight);
  pool_config_t config = default_config();
  config.throttle = 0;
  config.threads = 3;
  config.max_workers = 150;
  config.buffer_size = strcmp(what, "urls") == 0 ? 100000 : 200;
  config.max_buffered_bytes = (uint64_t)1 << 40;
  pool_options_t options = default_options();
  options.compressed = 1;
  options.max_body_size = 1 << 30;
  config.options = &options;
  pool_status_t opened = pool_new(&config, &pool);
  if (opened == POOL_OUT_OF_RESOURCES) {
    printf("no pool: %s\n", pool_last_error());
    return 0;
  }
  EXPECT(opened, POOL_OK);
  if (strcmp(what, "pages") == 0) pages();
  else if (strcmp(what, "headers") == 0) headers();
  else if (strcmp(what, "load") == 0) load();
  else if (strcmp(what, "urls") == 0) urls();
  else CHECK(false, "%s", what);
  take_all();
  free_hoard();
  lift();
  ordinary_again(&config);
  printf("%d accepted, %d times no memory\n", (int)accepted, (int)without_memory);
  pool_free(pool);
  return 0;
}
