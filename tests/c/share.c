/* share FAULT_URL SITE_URL NUMBER: so many servers at once send faster than they are read; what others of
 * their shard, a fork, the end of the jobs and of the pool take beside them. Prints it in milliseconds,
 * what others take without them first.
 */
#include "check.h"

#include <sys/wait.h>

enum { INNOCENT = 100, FORKS = 10, HOSTILE_TAG = 1000 };

/* What their bodies may take together: the system takes some 70 ms a GB to copy a process. */
#define MOST_MEMORY ((uint64_t)512 << 20)

static int number;

static int compare(const void *a, const void *b) {
  double left = *(const double *)a, right = *(const double *)b;
  return (left > right) - (left < right);
}

static void submit_hostile(pool_t *pool, const char *url) {
  pool_options_t options = default_options();
  options.timeout = 120;
  options.compressed = 1;
  if (options.max_body_size > MOST_MEMORY / (uint64_t)number)
    options.max_body_size = MOST_MEMORY / (uint64_t)number;
  pool_job_t job = job_for(url, HOSTILE_TAG);
  job.group = "hostile";
  job.options = &options;
  EXPECT(pool_submit(pool, &job, 60000), POOL_OK);
}

static double ask_innocent(pool_t *pool, const char *url, const char *hostile) {
  double began = now();
  pool_job_t job = job_for(url, 0);
  EXPECT(pool_submit(pool, &job, 60000), POOL_OK);
  for (;;) {
    pool_result_t *result = take(pool);
    bool is_hostile = result->tag == HOSTILE_TAG;
    if (!is_hostile)
      EXPECT_PAGE(result);
    pool_result_free(result);
    if (!is_hostile)
      return (now() - began) * 1000;
    submit_hostile(pool, hostile); /* one that had an end, or too much of a body */
  }
}

/* The times that others take, in order. */
static void ask_innocents(pool_t *pool, const char *url, const char *hostile, double *times) {
  for (int i = 0; i < INNOCENT; i++)
    times[i] = ask_innocent(pool, url, hostile);
  qsort(times, INNOCENT, sizeof *times, compare);
}

int main(int argc, char **argv) {
  CHECK(argc == 4, "Usage: share FAULT_URL SITE_URL NUMBER");
  const char *hostile = argv[1], *innocent = argv[2];
  number = atoi(argv[3]);
  alarm(300);
  pool_config_t config = default_config();
  config.throttle = 0;
  config.domain_parallelism = 64;
  config.threads = 1;
  pool_t *pool = open_pool(&config);
  double alone[INNOCENT], times[INNOCENT];
  ask_innocents(pool, innocent, hostile, alone);
  for (int i = 0; i < number; i++)
    submit_hostile(pool, hostile);
  pool_stats_t stats = {.struct_size = sizeof stats};
  do {
    pause_ms(1);
    EXPECT(pool_stats(pool, &stats), POOL_OK);
  } while (stats.connections < (uint64_t)number + 1);
  pause_ms(200);

  ask_innocents(pool, innocent, hostile, times);

  double forks[FORKS];
  for (int i = 0; i < FORKS; i++) {
    double began = now();
    pid_t pid = fork();
    if (pid == 0)
      _exit(0);
    forks[i] = (now() - began) * 1000;
    int status;
    CHECK(waitpid(pid, &status, 0) == pid && status == 0, "a child");
  }
  qsort(forks, FORKS, sizeof *forks, compare);

  double began = now();
  EXPECT(pool_cancel(pool), POOL_OK);
  double cancel = (now() - began) * 1000;
  pool_result_t *result;
  while (pool_next_result(pool, 60000, &result) == POOL_OK)
    pool_result_free(result);
  double ended = (now() - began) * 1000;

  pool_free(pool);
  pool = open_pool(&config);
  for (int i = 0; i < number; i++)
    submit_hostile(pool, hostile);
  pause_ms(300);
  began = now();
  pool_free(pool);
  double free_time = (now() - began) * 1000;
  printf("%.1f %.1f %.1f %.1f %.1f %.1f %.1f\n", alone[INNOCENT / 2],
         times[INNOCENT / 2], times[INNOCENT - 1], forks[FORKS - 1], cancel, ended, free_time);
  return 0;
}
