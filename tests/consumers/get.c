/* get URL...: fetches them, and says of each its status and size. What the projects beside this
 * file build.
 */
#include <rouet.h>
#include <stdio.h>

int main(int argc, char **argv) {
  pool_t *pool;
  if (pool_new(NULL, &pool) != POOL_OK) {
    fprintf(stderr, "%s\n", pool_last_error());
    return 1;
  }
  pool_job_t job;
  pool_job_init(&job, sizeof job);
  for (int i = 1; i < argc; i++) {
    job.url = argv[i];
    if (pool_submit(pool, &job, 0) != POOL_OK) fprintf(stderr, "%s\n", pool_last_error());
  }
  pool_finish(pool);

  int failures = 0;
  pool_result_t *result;
  while (pool_next_result(pool, -1, &result) == POOL_OK) {
    if (result->error_code) {
      fprintf(stderr, "%s\n", result->error_message);
      failures++;
    } else {
      printf("%d %zu\n", (int)result->status, result->body_size);
    }
    pool_result_free(result);
  }
  pool_free(pool);
  return failures > 0;
}
