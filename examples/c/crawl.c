/* crawl: follows the links of a site, and prints its pages.
 *
 *     cc crawl.c $(pkg-config --cflags --libs rouet) -o crawl
 *     ./crawl URL PAGES [SECONDS]
 *
 * Stays on the host where URL ends, asks for PAGES at most, SECONDS apart (0.2). Results are
 * answered with new jobs, and it is over when the pool has none pending. Exits with 1 if the first
 * page can't be had.
 */
#define _POSIX_C_SOURCE 200809L

#include <rouet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The URLs that were met, in that order. */
static char **urls;
static size_t count, most;
/* Where they are, by their hash: 0, or the index in `urls` plus one. */
static size_t *slots, slot_count;

/* Notes a URL, up to its fragment, unless it was met before or there are enough. */
static void note(const char *url) {
  size_t size = strcspn(url, "#");
  uint64_t hash = 14695981039346656037u; /* FNV-1a */
  for (size_t i = 0; i < size; i++) hash = (hash ^ (unsigned char)url[i]) * 1099511628211u;
  size_t slot = (size_t)(hash % slot_count);
  for (; slots[slot]; slot = (slot + 1) % slot_count) {
    const char *met = urls[slots[slot] - 1];
    if (strncmp(met, url, size) == 0 && met[size] == '\0') return;
  }
  if (count == most) return;
  urls[count] = strndup(url, size);
  if (!urls[count]) {
    perror("crawl");
    exit(2);
  }
  slots[slot] = ++count;
}

/* The scheme, host and port of an absolute URL: how long they are. */
static size_t origin_size(const char *url) {
  const char *host = strstr(url, "://");
  return host ? (size_t)(host - url) + 3 + strcspn(host + 3, "/?#") : strlen(url);
}

/* Prints a page and notes its links that stay on the site. */
static void read_page(const pool_result_t *result, const char *origin) {
  if (result->error_code) {
    fprintf(stderr, "crawl: %s\n", result->error_message);
    return;
  }
  printf("%d %s\n", (int)result->status, result->end_url);
  size_t size = strlen(origin), links;
  const char *const *link = pool_result_links(result, &links);
  for (size_t i = 0; i < links; i++)
    if (origin_size(link[i]) == size && strncmp(link[i], origin, size) == 0) note(link[i]);
}

int main(int argc, char **argv) {
  pool_config_t config;
  pool_config_init(&config, sizeof config);
  char *end = "";
  if (argc == 3 || argc == 4) most = strtoul(argv[2], &end, 10);
  if (argc == 4 && *end == '\0') config.throttle = strtod(argv[3], &end);
  if (most == 0 || most > 100000000 || *end != '\0') {
    fputs("Usage: crawl URL PAGES [SECONDS]\n", stderr);
    return 2;
  }
  slot_count = 2 * most; /* so that half of them stay empty */
  urls = calloc(most, sizeof *urls);
  slots = calloc(slot_count, sizeof *slots);
  pool_t *pool;
  if (!urls || !slots || pool_new(&config, &pool) != POOL_OK) {
    fprintf(stderr, "crawl: %s\n", urls && slots ? pool_last_error() : "out of memory");
    return 2;
  }

  pool_job_t job;
  pool_job_init(&job, sizeof job);
  char *origin = NULL; /* of the first page, once that came */
  size_t next = 0, pending;
  note(argv[1]);
  for (;;) {
    for (; next < count; next++) { /* hand over what was met while there is room */
      job.url = urls[next];
      pool_status_t status = pool_submit(pool, &job, 0);
      if (status == POOL_AGAIN) break;
      if (status != POOL_OK) fprintf(stderr, "crawl: %s: %s\n", job.url, pool_last_error());
    }
    /* Drained: whatever is still to come would come of a page that is under way. */
    if (pool_pending(pool, &pending) != POOL_OK || pending == 0) break;
    pool_result_t *result;
    if (pool_next_result(pool, -1, &result) != POOL_OK) break;
    if (!origin && !result->error_code)
      origin = strndup(result->end_url, origin_size(result->end_url));
    read_page(result, origin ? origin : "");
    pool_result_free(result);
  }
  int status = origin ? 0 : 1;
  pool_free(pool);
  for (size_t i = 0; i < count; i++) free(urls[i]);
  free(urls);
  free(slots);
  free(origin);
  return status;
}
