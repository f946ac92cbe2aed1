/* What the C tests share: a check that says where and why it failed, and the usual calls. */
#ifndef CHECK_H
#define CHECK_H

#include <rouet.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* CHECK(condition, format, ...): ends the program with the place and the reason. */
#define CHECK(condition, ...)                                               \
  do {                                                                      \
    if (!(condition)) {                                                     \
      fprintf(stderr, "%s:%d: not (%s): ", __FILE__, __LINE__, #condition); \
      fprintf(stderr, __VA_ARGS__);                                         \
      fputc('\n', stderr);                                                  \
      exit(1);                                                              \
    }                                                                       \
  } while (0)

/* The call comes to `expected`; otherwise the library's words are the reason. */
#define EXPECT(call, expected)                                                              \
  do {                                                                                      \
    pool_status_t came_to_ = (call);                                                        \
    if (came_to_ != (expected)) {                                                           \
      fprintf(stderr, "%s:%d: %s came to %s, not %s: %s\n", __FILE__, __LINE__, #call,      \
              pool_status_name((int32_t)came_to_), #expected, pool_last_error());           \
      exit(1);                                                                              \
    }                                                                                       \
  } while (0)

static inline double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static inline void pause_ms(long milliseconds) {
  struct timespec time = {milliseconds / 1000, milliseconds % 1000 * 1000000};
  nanosleep(&time, NULL);
}

/* The memory of the process that is in use. */
static inline double resident_mib(void) {
  FILE *file = fopen("/proc/self/statm", "r");
  unsigned long all, resident;
  CHECK(file && fscanf(file, "%lu %lu", &all, &resident) == 2, "/proc/self/statm can't be read");
  fclose(file);
  return (double)resident * (double)sysconf(_SC_PAGESIZE) / (1 << 20);
}

static inline pool_config_t default_config(void) {
  pool_config_t config;
  EXPECT(pool_config_init(&config, sizeof config), POOL_OK);
  return config;
}

static inline pool_options_t default_options(void) {
  pool_options_t options;
  EXPECT(pool_options_init(&options, sizeof options), POOL_OK);
  return options;
}

static inline pool_job_t job_for(const char *url, uint64_t tag) {
  pool_job_t job;
  EXPECT(pool_job_init(&job, sizeof job), POOL_OK);
  job.url = url;
  job.tag = tag;
  return job;
}

static inline pool_t *open_pool(const pool_config_t *config) {
  pool_t *pool = NULL;
  EXPECT(pool_new(config, &pool), POOL_OK);
  CHECK(pool != NULL, "pool_new wrote no handle");
  return pool;
}

/* Takes one result, which must come within a minute. */
static inline pool_result_t *take(pool_t *pool) {
  pool_result_t *result = NULL;
  EXPECT(pool_next_result(pool, 60000, &result), POOL_OK);
  CHECK(result != NULL, "pool_next_result wrote no result");
  return result;
}

static inline const char *error_of(const pool_result_t *result) {
  return result->error_code ? result->error_code : "no error";
}

#define EXPECT_PAGE(result)                                                           \
  CHECK((result)->error_code == NULL && (result)->status == 200, "%s: status %d, %s: %s", \
        (result)->url, (int)(result)->status, error_of(result),                       \
        (result)->error_message ? (result)->error_message : "")

#define EXPECT_ERROR(result, code)                                                  \
  CHECK(strcmp(error_of(result), code) == 0, "%s: status %d, %s: %s", (result)->url, \
        (int)(result)->status, error_of(result),                                    \
        (result)->error_message ? (result)->error_message : "")

#endif
