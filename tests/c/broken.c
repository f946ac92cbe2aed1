/* broken SITE: the program takes descriptors away that are the library's. Nothing can be done for the jobs
 * of that thread, but each has its result, and no call waits for ever.
 */
#define _GNU_SOURCE
#include "check.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdatomic.h>

static atomic_int lines;

static void log_line(int32_t level, const char *message, void *userdata) {
  (void)userdata;
  if (level == POOL_LOG_ERROR && strstr(message, "starts anew") != NULL)
    atomic_fetch_add(&lines, 1);
}

static void take_pollers(void) {
  int other = open("/dev/null", O_RDONLY | O_CLOEXEC);
  DIR *folder = opendir("/proc/self/fd");
  CHECK(folder != NULL, "/proc/self/fd");
  for (struct dirent *entry; (entry = readdir(folder)) != NULL;) {
    char path[300], target[64] = "";
    snprintf(path, sizeof path, "/proc/self/fd/%s", entry->d_name);
    if (readlink(path, target, sizeof target - 1) > 0 && strstr(target, "eventpoll") != NULL)
      dup2(other, atoi(entry->d_name));
  }
  closedir(folder);
  close(other);
}

int main(int argc, char **argv) {
  CHECK(argc == 2, "Usage: broken SITE");
  char url[512];
  snprintf(url, sizeof url, "%s/slow?ms=100", argv[1]);
  pool_config_t config = default_config();
  config.throttle = 0;
  config.domain_parallelism = 4;
  config.buffer_size = 8;
  pool_t *pool = open_pool(&config);
  EXPECT(pool_set_log(pool, POOL_LOG_ERROR, log_line, NULL), POOL_OK);
  uint64_t seen = 0;
  for (uint64_t tag = 0; tag < 40; tag++) {
    if (tag == 10)
      take_pollers();
    pool_job_t job = job_for(url, tag);
    EXPECT(pool_submit(pool, &job, 60000), POOL_OK);
    if (tag >= 8) {
      pool_result_t *result = take(pool);
      CHECK(result->error_code == NULL || strcmp(result->error_code, "internal-error") == 0,
            "%s", result->error_message);
      seen |= 1ULL << result->tag;
      pool_result_free(result);
    }
  }
  for (int i = 0; i < 8; i++) {
    pool_result_t *result = take(pool);
    seen |= 1ULL << result->tag;
    pool_result_free(result);
  }
  CHECK(seen == (1ULL << 40) - 1, "each has one result: %llx", (unsigned long long)seen);
  CHECK(atomic_load(&lines) > 0, "the log says so");
  EXPECT(pool_finish(pool), POOL_OK);
  pool_result_t *none;
  EXPECT(pool_next_result(pool, 60000, &none), POOL_DONE);
  double began = now();
  pool_free(pool);
  CHECK(now() - began < 10, "pool_free took %f s", now() - began);
  return 0;
}
