/* throughput: fetches one URL over and over as fast as the pool can, and says how fast that was.
 *
 *     throughput N CONCURRENCY URL
 *
 * Only for servers of your own: it waits for nothing between two requests.
 */
#define _POSIX_C_SOURCE 200809L

#include <rouet.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

enum { BATCH = 256 };

static double wall_seconds(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static double cpu_seconds(void) {
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
         (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static int fail(const char *what) {
  fprintf(stderr, "throughput: %s: %s\n", what, pool_last_error());
  return 1;
}

int main(int argc, char **argv) {
  size_t number = argc == 4 ? strtoul(argv[1], NULL, 10) : 0;
  uint32_t concurrency = argc == 4 ? (uint32_t)strtoul(argv[2], NULL, 10) : 0;
  if (number == 0 || concurrency == 0) {
    fputs("Usage: throughput N CONCURRENCY URL\n", stderr);
    return 2;
  }
  double wall = wall_seconds(), cpu = cpu_seconds();

  pool_config_t config;
  pool_config_init(&config, sizeof config);
  config.throttle = 0;
  config.domain_parallelism = concurrency;
  config.max_workers = concurrency;
  config.buffer_size = 3 * (size_t)concurrency; /* what is held for long leaves the processor's caches */
  config.threads = 1; /* one URL is one group, and a group stays on one thread */
  pool_t *pool;
  if (pool_new(&config, &pool) != POOL_OK) return fail("pool_new");

  static pool_job_t jobs[BATCH];
  for (size_t i = 0; i < BATCH; i++) {
    pool_job_init(&jobs[i], sizeof jobs[i]);
    jobs[i].url = argv[3];
  }

  size_t submitted = 0, taken = 0, errors = 0;
  int status = 0;
  while (taken < number) {
    /* Hand over what there is room for, then wait for what is done. */
    pool_status_t came_to = POOL_OK;
    while (submitted < number && came_to == POOL_OK) {
      size_t left = number - submitted, accepted = 0;
      came_to = pool_submit_many(pool, jobs, left < BATCH ? left : BATCH, 0, &accepted);
      submitted += accepted;
    }
    if (came_to != POOL_OK && came_to != POOL_AGAIN) {
      status = fail("pool_submit_many");
      break;
    }
    pool_result_t *results[BATCH];
    size_t count = 0;
    if (pool_next_results(pool, results, BATCH, -1, &count) != POOL_OK) {
      status = fail("pool_next_results");
      break;
    }
    for (size_t i = 0; i < count; i++) {
      const pool_result_t *result = results[i];
      if (result->error_code || result->status != 200) {
        if (errors++ == 0)
          fprintf(stderr, "throughput: status %d: %s\n", (int)result->status,
                  result->error_message ? result->error_message : "not 200");
      }
      pool_result_free(results[i]);
    }
    taken += count;
  }
  pool_free(pool);
  if (status != 0) return status;

  wall = wall_seconds() - wall;
  cpu = cpu_seconds() - cpu;
  printf("%zu requests, %zu errors, %.3f s, %.0f requests/s, %.2f CPU us/request\n", taken, errors,
         wall, (double)taken / wall, cpu * 1e6 / (double)taken);
  return errors > 0 ? 1 : 0;
}
