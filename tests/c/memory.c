/* memory BODY_URL PAGE_URL: a large body takes little more than its size at any time; and when the process's
 * memory has an end, one beyond it is an error, and the next job is done. The server's bodies have no
 * end, but for ?mb=N.
 */
#include "check.h"

#include <sys/resource.h>

enum { LARGE = 200 };

static pool_result_t *ask(pool_t *pool, const char *url, uint64_t max_body_size) {
  pool_options_t options = default_options();
  options.max_body_size = max_body_size;
  options.timeout = 120;
  pool_job_t job = job_for(url, 0);
  job.options = &options;
  EXPECT(pool_submit(pool, &job, 60000), POOL_OK);
  pool_result_t *result = NULL;
  EXPECT(pool_next_result(pool, 120000, &result), POOL_OK);
  return result;
}

static size_t virtual_bytes(void) {
  FILE *file = fopen("/proc/self/statm", "r");
  unsigned long all;
  CHECK(file && fscanf(file, "%lu", &all) == 1, "/proc/self/statm can't be read");
  fclose(file);
  return all * (size_t)sysconf(_SC_PAGESIZE);
}

/* The most memory the process ever had, in MiB. */
static double peak_mib(void) {
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  return (double)usage.ru_maxrss / 1024;
}

int main(int argc, char **argv) {
  CHECK(argc == 3, "Usage: memory BODY_URL PAGE_URL");
  const char *body = argv[1], *page = argv[2];
  pool_config_t config = default_config();
  config.throttle = 0;
  config.threads = 1;
  pool_t *pool = open_pool(&config);
  pool_result_t *result = ask(pool, page, 1 << 20);
  EXPECT_PAGE(result);
  pool_result_free(result);

  char large[256];
  snprintf(large, sizeof large, "%s?mb=%d", body, LARGE);
  double before = peak_mib();
  result = ask(pool, large, (uint64_t)1 << 30);
  EXPECT_PAGE(result);
  CHECK(result->body_size == (size_t)LARGE << 20, "%zu bytes", result->body_size);
  double times = (peak_mib() - before) / LARGE;
  CHECK(times < 1.25, "it took %.2f times its size", times);
  printf("%.2f times its size\n", times);
  pool_result_free(result);

#if !defined __SANITIZE_ADDRESS__ && !defined __SANITIZE_THREAD__
  struct rlimit limit, usual;
  getrlimit(RLIMIT_AS, &usual);
  limit = usual;
  limit.rlim_cur = virtual_bytes() + ((size_t)160 << 20);
  CHECK(setrlimit(RLIMIT_AS, &limit) == 0, "setrlimit");
  for (int round = 0; round < 5; round++) {
    result = ask(pool, body, (uint64_t)1 << 30);
    EXPECT_ERROR(result, "internal-error");
    CHECK(strstr(result->error_message, "no memory") != NULL, "%s", result->error_message);
    pool_result_free(result);
    result = ask(pool, page, 1 << 20);
    EXPECT_PAGE(result);
    pool_result_free(result);
  }
  CHECK(setrlimit(RLIMIT_AS, &usual) == 0, "setrlimit");
#endif
  pool_free(pool);
  return 0;
}
