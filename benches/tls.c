/* tls: fetches one https URL over and over, with rouet or with nothing but libcurl.
 *
 *     tls rouet|bare N CONCURRENCY CA URL [THREADS]
 *
 * Whether connections are kept, sessions resumed and HTTP/2 spoken is for the server to say; a page
 * that starts with r tells that its session was resumed. CA is the file of authorities; how often
 * it was opened is counted. One request goes ahead of all others, so that those know whether the
 * server speaks HTTP/2. THREADS are rouet's, one by default;
 * with more of them the requests go to as many groups, so that all have some.
 *
 * bare is what benches/bare.c is: curl_multi_perform and curl_multi_poll, CONCURRENCY handles that
 * are taken out and put back in. Prints a line of JSON.
 */
#define _GNU_SOURCE

#include "measure.h"

#include <curl/curl.h>
#include <rouet.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

enum { BATCH = 256 };

static struct {
  size_t number, concurrency;
  const char *authorities, *url;
  uint32_t threads;
} run;

static struct {
  size_t errors, resumed;
  uint64_t connections;
} came;

_Noreturn static void fail(const char *what, const char *why) {
  fprintf(stderr, "tls: %s: %s\n", what, why);
  exit(1);
}

static void note(const char *error, long status, const void *body, size_t size) {
  if (!error && status != 200) error = "a status that is not 200";
  if (error && came.errors++ == 0) fprintf(stderr, "tls: %s\n", error);
  if (size > 0 && *(const char *)body == 'r') came.resumed++;
}

/* ---- how often a file is opened ---- */

static int watch(const char *path) {
  int fd = inotify_init1(IN_NONBLOCK);
  /* Closes too: of several equal events in a row the kernel keeps one. */
  if (fd < 0 || inotify_add_watch(fd, path, IN_OPEN | IN_CLOSE_NOWRITE) < 0)
    fail("inotify", path);
  return fd;
}

static size_t opened(int fd) {
  size_t count = 0;
  union {
    struct inotify_event event;
    char bytes[65536];
  } buffer;
  for (ssize_t size; (size = read(fd, &buffer, sizeof buffer)) > 0;) {
    /* The events of a file have no name: all are of one size. */
    const struct inotify_event *event = &buffer.event;
    for (size_t i = 0; i < (size_t)size / sizeof *event; i++) {
      if (event[i].mask & IN_Q_OVERFLOW) fail("inotify", "too many events");
      if (event[i].mask & IN_OPEN) count++;
    }
  }
  close(fd);
  return count;
}

/* ---- rouet ---- */

static void need(pool_status_t status, const char *what) {
  if (status != POOL_OK) fail(what, pool_last_error());
}

static void with_rouet(void) {
  pool_options_t options;
  need(pool_options_init(&options, sizeof options), "pool_options_init");
  options.ca_file = run.authorities;
  pool_config_t config;
  need(pool_config_init(&config, sizeof config), "pool_config_init");
  config.throttle = 0;
  config.domain_parallelism = (uint32_t)run.concurrency;
  config.max_workers = (uint32_t)run.concurrency;
  if (config.buffer_size < run.concurrency) config.buffer_size = run.concurrency;
  config.threads = run.threads;
  config.options = &options;
  pool_t *pool;
  need(pool_new(&config, &pool), "pool_new");

  static pool_job_t jobs[BATCH];
  static char groups[BATCH][16];
  for (size_t i = 0; i < BATCH; i++) {
    need(pool_job_init(&jobs[i], sizeof jobs[i]), "pool_job_init");
    jobs[i].url = run.url;
    if (run.threads > 1) {
      snprintf(groups[i], sizeof groups[i], "%zu", i);
      jobs[i].group = groups[i];
    }
  }
  size_t submitted = 0, taken = 0;
  while (taken < run.number) {
    pool_status_t status = POOL_OK;
    size_t number = taken == 0 ? 1 : run.number;
    while (submitted < number && status == POOL_OK) {
      size_t left = number - submitted, accepted = 0;
      status = pool_submit_many(pool, jobs, left < BATCH ? left : BATCH, 0, &accepted);
      submitted += accepted;
    }
    if (status != POOL_AGAIN) need(status, "pool_submit_many");
    pool_result_t *results[BATCH];
    size_t count = 0;
    need(pool_next_results(pool, results, BATCH, -1, &count), "pool_next_results");
    for (size_t i = 0; i < count; i++) {
      pool_result_t *result = results[i];
      note(result->error_message, result->status, result->body, result->body_size);
      pool_result_free(result);
    }
    taken += count;
  }
  pool_stats_t stats = {.struct_size = sizeof stats};
  need(pool_stats(pool, &stats), "pool_stats");
  came.connections = stats.connections;
  pool_free(pool);
}

/* ---- libcurl alone ---- */

struct body {
  char *data;
  size_t size, room;
};

static size_t collect(char *data, size_t one, size_t size, void *userdata) {
  struct body *body = userdata;
  (void)one;
  if (body->size + size > body->room) {
    size_t room = (body->size + size) * 2;
    char *grown = realloc(body->data, room);
    if (!grown) return 0;
    body->data = grown;
    body->room = room;
  }
  memcpy(body->data + body->size, data, size);
  body->size += size;
  return size;
}

static void with_curl(void) {
  curl_global_init(CURL_GLOBAL_DEFAULT);
  CURLM *multi = curl_multi_init();
  CURL **handles = calloc(run.concurrency, sizeof *handles);
  struct body *bodies = calloc(run.concurrency, sizeof *bodies);
  if (!multi || !handles || !bodies) fail("libcurl", "out of memory");
  curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, (long)run.concurrency);

  for (size_t i = 0; i < run.concurrency; i++) {
    handles[i] = curl_easy_init();
    curl_easy_setopt(handles[i], CURLOPT_URL, run.url);
    curl_easy_setopt(handles[i], CURLOPT_CAINFO, run.authorities);
    curl_easy_setopt(handles[i], CURLOPT_CAPATH, (char *)NULL);
    curl_easy_setopt(handles[i], CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_2TLS);
    curl_easy_setopt(handles[i], CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(handles[i], CURLOPT_TIMEOUT_MS, 30000L);
    curl_easy_setopt(handles[i], CURLOPT_WRITEFUNCTION, collect);
    curl_easy_setopt(handles[i], CURLOPT_WRITEDATA, &bodies[i]);
    curl_easy_setopt(handles[i], CURLOPT_PRIVATE, (char *)&bodies[i]);
  }
  size_t started = 1, done = 0;
  curl_multi_add_handle(multi, handles[0]);
  while (done < run.number) {
    int running, queued;
    curl_multi_perform(multi, &running);
    CURLMsg *message;
    while ((message = curl_multi_info_read(multi, &queued))) {
      if (message->msg != CURLMSG_DONE) continue;
      CURL *handle = message->easy_handle;
      CURLcode outcome = message->data.result; /* gone once the handle is taken out */
      long status = 0, connections = 0;
      char *private;
      curl_easy_getinfo(handle, CURLINFO_RESPONSE_CODE, &status);
      curl_easy_getinfo(handle, CURLINFO_NUM_CONNECTS, &connections);
      curl_easy_getinfo(handle, CURLINFO_PRIVATE, &private);
      came.connections += (uint64_t)connections;
      struct body *body = (void *)private;
      const char *error = outcome != CURLE_OK ? curl_easy_strerror(outcome) : NULL;
      note(error, status, body->data, body->size);
      body->size = 0;
      curl_multi_remove_handle(multi, handle);
      if (++done == 1) {
        for (; started < run.concurrency && started < run.number; started++)
          curl_multi_add_handle(multi, handles[started]);
      }
      if (started < run.number) {
        started++;
        curl_multi_add_handle(multi, handle);
      }
    }
    if (done < run.number) curl_multi_poll(multi, NULL, 0, 1000, NULL);
  }
  for (size_t i = 0; i < run.concurrency; i++) {
    curl_easy_cleanup(handles[i]);
    free(bodies[i].data);
  }
  curl_multi_cleanup(multi);
  curl_global_cleanup();
  free(handles);
  free(bodies);
}

int main(int argc, char **argv) {
  int rouet = argc > 1 && strcmp(argv[1], "rouet") == 0;
  if (argc < 6 || argc > 7 || (!rouet && strcmp(argv[1], "bare") != 0)) {
    fputs("Usage: tls rouet|bare N CONCURRENCY CA URL [THREADS]\n", stderr);
    return 2;
  }
  run.number = strtoul(argv[2], NULL, 10);
  run.concurrency = strtoul(argv[3], NULL, 10);
  run.authorities = argv[4];
  run.url = argv[5];
  run.threads = argc == 7 ? (uint32_t)strtoul(argv[6], NULL, 10) : 1;
  if (run.number == 0 || run.concurrency == 0) fail("tls", "N and CONCURRENCY are at least 1");

  int inotify = watch(run.authorities);
  int64_t began = now();
  double cpu = cpu_seconds();
  if (rouet)
    with_rouet();
  else
    with_curl();
  cpu = cpu_seconds() - cpu;
  double wall = (double)(now() - began) / 1e9;
  printf("{\"client\": \"%s\", \"requests\": %zu, \"errors\": %zu, \"seconds\": %.3f, "
         "\"cpu\": %.2f, \"connections\": %llu, \"resumed\": %zu, \"opened\": %zu}\n",
         argv[1], run.number, came.errors, wall, cpu * 1e6 / (double)run.number,
         (unsigned long long)came.connections, came.resumed, opened(inotify));
  return came.errors > 0 ? 1 : 0;
}
