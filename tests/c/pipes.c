/* pipes CA_FILE URL...: servers that close their connections in the middle of what is sent to them
 * raise no SIGPIPE, and what the program has it do stays as it is.
 */
#include "check.h"

#include <signal.h>

int main(int argc, char **argv) {
  static char body[4 << 20];
  const int rounds = 20;
  CHECK(argc > 2, "Usage: pipes CA_FILE URL...");
  signal(SIGPIPE, SIG_DFL);
  memset(body, 'x', sizeof body);
  pool_config_t config = default_config();
  config.throttle = 0;
  config.domain_parallelism = 8;
  pool_t *pool = open_pool(&config);
  int fd;
  EXPECT(pool_event_fd(pool, &fd), POOL_OK);
  pool_options_t options = default_options();
  options.method = "POST";
  options.body = (const uint8_t *)body;
  options.body_size = sizeof body;
  options.ca_file = argv[1];
  options.timeout = 60;
  int failed = 0;
  for (int round = 0; round < rounds; round++) {
    for (int i = 2; i < argc; i++) {
      pool_job_t job = job_for(argv[i], (uint64_t)i);
      job.options = &options;
      EXPECT(pool_submit(pool, &job, 60000), POOL_OK);
    }
    for (int i = 2; i < argc; i++) {
      pool_result_t *result = take(pool);
      failed += result->error_code != NULL;
      pool_result_free(result);
    }
  }
  CHECK(failed == rounds * (argc - 2), "only %d failed", failed);
  struct sigaction action;
  sigaction(SIGPIPE, NULL, &action);
  CHECK(action.sa_handler == SIG_DFL, "SIGPIPE has another handler");
  sigset_t blocked;
  sigprocmask(SIG_BLOCK, NULL, &blocked);
  CHECK(!sigismember(&blocked, SIGPIPE), "SIGPIPE is blocked");
  pool_free(pool);
  return 0;
}
