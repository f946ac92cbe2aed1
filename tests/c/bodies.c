/* bodies URL: large bodies that a shard makes and this thread frees do not pile up in the library's
 * allocator. Prints by how many MiB the process grew at most.
 */
#include "check.h"

#include <sys/resource.h>

static long peak_kib(void) {
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_maxrss;
}

int main(int argc, char **argv) {
  const int bodies = 200;
  const size_t body_size = 8 << 20;
  const int at_once = 2;
  CHECK(argc == 2, "Usage: bodies URL");
  pool_config_t config = default_config();
  config.throttle = 0;
  config.domain_parallelism = (uint32_t)at_once;
  config.threads = 1;
  config.buffer_size = (uint32_t)at_once;
  pool_t *pool = open_pool(&config);
  long before = peak_kib();
  pool_job_t job = job_for(argv[1], 0);
  for (int submitted = 0, taken = 0; taken < bodies; taken++) {
    for (; submitted < bodies && submitted < taken + at_once; submitted++) {
      EXPECT(pool_submit(pool, &job, 60000), POOL_OK);
    }
    pool_result_t *result = take(pool);
    EXPECT_PAGE(result);
    CHECK(result->body_size == body_size, "%zu bytes", result->body_size);
    pool_result_free(result);
  }
  pool_free(pool);
  printf("%ld\n", (peak_kib() - before) >> 10);
  return 0;
}
