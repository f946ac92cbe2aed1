/* clock SITE: the date jumps by years, back and forth, while a pool is at work; and the clock that
 * only goes forward leaps, as after a night of sleep.
 */
#define _GNU_SOURCE
#include "check.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/time.h>

static const char *site;

/* The library finds the program's functions before the system's. */
static atomic_long date_ahead; /* seconds */
static atomic_long clock_ahead;

int clock_gettime(clockid_t which, struct timespec *time) {
  static int (*real)(clockid_t, struct timespec *);
  if (real == NULL)
    *(void **)&real = dlsym(RTLD_NEXT, "clock_gettime");
  int outcome = real(which, time);
  if (which == CLOCK_REALTIME || which == CLOCK_REALTIME_COARSE)
    time->tv_sec += atomic_load(&date_ahead);
  else if (which == CLOCK_MONOTONIC || which == CLOCK_MONOTONIC_COARSE)
    time->tv_sec += atomic_load(&clock_ahead);
  return outcome;
}

time_t time(time_t *into) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  if (into != NULL)
    *into = now.tv_sec;
  return now.tv_sec;
}

int gettimeofday(struct timeval *restrict into, void *restrict zone) {
  struct timespec now;
  (void)zone;
  clock_gettime(CLOCK_REALTIME, &now);
  into->tv_sec = now.tv_sec;
  into->tv_usec = now.tv_nsec / 1000;
  return 0;
}

static atomic_bool done;

static void *jump(void *unused) {
  const long years = 365L * 24 * 3600;
  const long places[] = {20 * years, -20 * years, 0, -5 * years, 60 * years, -54 * years};
  (void)unused;
  for (int i = 0; !atomic_load(&done); i++) {
    atomic_store(&date_ahead, places[i % 6]);
    pause_ms(7);
  }
  atomic_store(&date_ahead, 0);
  return NULL;
}

static void submit(pool_t *pool, const char *path, const char *group,
                   const pool_options_t *options) {
  char url[512];
  snprintf(url, sizeof url, "%s%s", site, path);
  pool_job_t job = job_for(url, 0);
  job.group = group;
  job.options = options;
  EXPECT(pool_submit(pool, &job, 60000), POOL_OK);
}

static void the_date_jumps(void) {
  pool_config_t config = default_config();
  config.throttle = 0.1;
  pool_t *pool = open_pool(&config);
  pool_options_t options = default_options();
  options.stateful = 1;
  options.retry = 1;
  options.retry_min_wait = 0.05;
  const char *path =
      "/status/302?header=Location:/slow%3Fms%3D5&header=Set-Cookie:a%3Db%3B%20Max-Age%3D60";
  pthread_t thread;
  CHECK(pthread_create(&thread, NULL, jump, NULL) == 0, "no thread");
  double began = now();
  char groups[5][16];
  for (int i = 0; i < 100; i++) {
    char *group = groups[i % 5];
    snprintf(group, sizeof groups[0], "group %d", i % 5);
    submit(pool, i % 2 ? path : "/slow?ms=5", group, &options);
  }
  for (int i = 0; i < 100; i++) {
    pool_result_t *result = take(pool);
    EXPECT_PAGE(result);
    double took = result->end_time - result->start_time;
    CHECK(took >= 0 && took < 60, "it took %f s: %f to %f", took, result->start_time,
          result->end_time);
    pool_result_free(result);
  }
  /* Of each group the twentieth comes after nineteen throttles. */
  CHECK(now() - began >= 1.9, "all after %f s", now() - began);
  atomic_store(&done, true);
  pthread_join(thread, NULL);
  pool_free(pool);
}

static void the_clock_leaps(void) {
  pool_config_t config = default_config();
  config.throttle = 1800;
  config.threads = 1; /* the other job below is to wake the one that sleeps */
  pool_t *pool = open_pool(&config);
  submit(pool, "/text", "slow", NULL);
  pool_result_t *result = take(pool);
  EXPECT_PAGE(result);
  pool_result_free(result);
  submit(pool, "/text", "slow", NULL);
  EXPECT(pool_next_result(pool, 200, &result), POOL_AGAIN);

  atomic_store(&clock_ahead, 3600);
  submit(pool, "/text", "other", NULL); /* wakes it, as the system does after a sleep */
  for (int i = 0; i < 2; i++) {
    EXPECT(pool_next_result(pool, -1, &result), POOL_OK);
    EXPECT_PAGE(result);
    pool_result_free(result);
  }
  pool_free(pool);
}

int main(int argc, char **argv) {
  CHECK(argc == 2, "Usage: clock SITE");
  site = argv[1];
  the_date_jumps();
  printf("ok the date jumps\n");
  the_clock_leaps();
  printf("ok the clock leaps\n");
  return 0;
}
