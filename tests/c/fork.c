/* fork SITE HTTPS_SITE CA_FILE: handles in a process that was forked from theirs, pools that it makes
 * for itself, and what it leaves undisturbed in its parent.
 */
#include "check.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

static const char *site;
static const char *https_site;
static pool_options_t options;

/* A URL of the site. */
static const char *at(const char *base, const char *path) {
  static char url[512];
  snprintf(url, sizeof url, "%s%s", base, path);
  return url;
}

static pool_t *hasty_pool(void) {
  pool_config_t config = default_config();
  config.throttle = 0;
  config.domain_parallelism = 64;
  return open_pool(&config);
}

static void submit(pool_t *pool, const char *url, uint64_t tag) {
  pool_job_t job = job_for(url, tag);
  job.options = &options;
  EXPECT(pool_submit(pool, &job, 60000), POOL_OK);
}

/* A child, which must be done in two minutes. */
static pid_t child(void) {
  pid_t pid = fork();
  CHECK(pid >= 0, "fork");
  if (pid == 0)
    alarm(120);
  return pid;
}

static void wait_for(pid_t pid, const char *what) {
  int status = 0;
  CHECK(waitpid(pid, &status, 0) == pid, "waitpid");
  CHECK(!WIFSIGNALED(status), "%s: signal %d", what, WTERMSIG(status));
  CHECK(WEXITSTATUS(status) == 0, "%s: exit status %d", what, WEXITSTATUS(status));
}

#define REFUSED(call)                                                                     \
  do {                                                                                    \
    EXPECT(call, POOL_INVALID_ARGUMENT);                                                  \
    CHECK(strstr(pool_last_error(), "forked") != NULL, "%s: %s", #call, pool_last_error()); \
  } while (0)

static void log_line(int32_t level, const char *message, void *userdata) {
  (void)level, (void)message, (void)userdata;
}

static void refuse_all(pool_t *pool) {
  pool_job_t job = job_for(at(site, "/text"), 0);
  pool_result_t *result = NULL;
  pool_result_t *results[2];
  pool_options_t own;
  pool_stats_t stats = {.struct_size = sizeof stats};
  pool_t *shared = NULL;
  size_t count = 0, needed = 0;
  int fd = -1;
  char *buffer = malloc(4096);
  CHECK(buffer != NULL, "malloc");
  REFUSED(pool_submit(pool, &job, -1));
  REFUSED(pool_submit_many(pool, &job, 1, -1, &count));
  REFUSED(pool_next_result(pool, -1, &result));
  REFUSED(pool_next_results(pool, results, 2, -1, &count));
  REFUSED(pool_next_packed(pool, buffer, 4096, -1, &count, &needed));
  REFUSED(pool_finish(pool));
  REFUSED(pool_cancel(pool));
  REFUSED(pool_pending(pool, &count));
  REFUSED(pool_stats(pool, &stats));
  REFUSED(pool_event_fd(pool, &fd));
  REFUSED(pool_set_domain_rule(pool, "example.com", 1, 1));
  REFUSED(pool_hold_group(pool, "example.com", NULL));
  REFUSED(pool_release_group(pool, "example.com"));
  REFUSED(pool_set_log(pool, POOL_LOG_DEBUG, log_line, NULL));
  REFUSED(pool_options_from(pool, &own, sizeof own));
  REFUSED(pool_share(pool, NULL, &shared));
  CHECK(result == NULL && shared == NULL && count == 0 && fd == -1, "nothing is written");
  free(buffer);
  double began = now();
  pool_free(pool);
  CHECK(now() - began < 5, "pool_free took %f s", now() - began);
}

/* A pool of one's own: a page, over TLS too. */
static void use_own_pool(void) {
  pool_t *pool = hasty_pool();
  submit(pool, at(site, "/text"), 0);
  submit(pool, at(https_site, "/text"), 1);
  for (int i = 0; i < 2; i++) {
    pool_result_t *result = take(pool);
    EXPECT_PAGE(result);
    pool_result_free(result);
  }
  pool_free(pool);
}

static void inherited_handles(void) {
  pool_t *pool = hasty_pool();
  pool_t *shared = NULL;
  EXPECT(pool_share(pool, NULL, &shared), POOL_OK);
  int fd;
  EXPECT(pool_event_fd(pool, &fd), POOL_OK);
  submit(pool, at(site, "/text"), 0);
  pool_result_t *before = take(pool);
  for (uint64_t tag = 1; tag <= 50; tag++)
    submit(pool, at(site, "/slow?ms=300"), tag);

  pid_t pid = child();
  if (pid == 0) {
    refuse_all(shared);
    refuse_all(pool);
    /* What was taken is the child's too. */
    size_t size = 0;
    CHECK(pool_result_text(before, &size) != NULL && size > 0, "no text");
    pool_result_free(before);
    use_own_pool();
    exit(0);
  }
  wait_for(pid, "a child");
  for (int i = 0; i < 50; i++) {
    pool_result_t *result = take(pool);
    EXPECT_PAGE(result);
    pool_result_free(result);
  }
  EXPECT_PAGE(before);
  pool_result_free(before);
  pool_free(shared);
  pool_free(pool);
}

static double cpu_seconds(void) {
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
         (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

/* The parent closes a connection of which a child has a copy, so that it stays open. */
static void copies_of_connections(void) {
  pool_t *pool = hasty_pool();
  pool_options_t closing = options;
  pool_header_t header = {.name = "Connection", .value = "close"};
  closing.headers = &header;
  closing.header_count = 1;
  pool_job_t job = job_for(at(site, "/slow?ms=500"), 0);
  job.options = &closing;
  EXPECT(pool_submit(pool, &job, -1), POOL_OK);
  pool_stats_t stats = {.struct_size = sizeof stats};
  do { /* until it is under way */
    pause_ms(10);
    EXPECT(pool_stats(pool, &stats), POOL_OK);
  } while (stats.connections == 0);
  int alive[2];
  CHECK(pipe(alive) == 0, "pipe");
  pid_t pid = child();
  if (pid == 0) {
    char byte;
    close(alive[1]);
    _exit(read(alive[0], &byte, 1) == 0 ? 0 : 1);
  }
  pool_result_t *result = take(pool);
  EXPECT_PAGE(result);
  pool_result_free(result);
  pause_ms(100);
  double before = cpu_seconds();
  pause_ms(600);
  double spent = cpu_seconds() - before;
  CHECK(spent < 0.3, "an idle pool took %f s of CPU in 0.6 s", spent);
  close(alive[1]);
  wait_for(pid, "the child with copies");
  pool_free(pool);
}

/* Children that use the library, forked while its threads are at work. */
static void children_of_a_busy_process(int number) {
  pool_t *pool = hasty_pool();
  uint64_t there = 0;
  for (int i = 0; i < number; i++) {
    while (there < 200) {
      submit(pool, at(there % 2 ? site : https_site, "/text"), there);
      there++;
    }
    pid_t pid = child();
    if (pid == 0) {
      pool_free(pool);
      use_own_pool();
      exit(0);
    }
    for (; there > 100; there--) {
      pool_result_t *result = take(pool);
      EXPECT_PAGE(result);
      pool_result_free(result);
    }
    wait_for(pid, "a child of a busy process");
  }
  pool_free(pool);
}

/* A child that is forked after so many microseconds of the process's first use of the library: all
 * that is made once for a process may be half made. */
static void child_of_a_beginning(long after) {
  pool_t *pool = hasty_pool();
  for (uint64_t tag = 0; tag < 200; tag++)
    submit(pool, at(tag % 2 ? site : https_site, "/text"), tag);
  nanosleep(&(struct timespec){.tv_nsec = after * 1000}, NULL);
  pid_t pid = child();
  if (pid == 0) {
    pool_free(pool);
    use_own_pool();
    exit(0);
  }
  for (int i = 0; i < 200; i++) {
    pool_result_t *result = take(pool);
    EXPECT_PAGE(result);
    pool_result_free(result);
  }
  wait_for(pid, "a child of a beginning");
  pool_free(pool);
}

int main(int argc, char **argv) {
  CHECK(argc == 4 || argc == 5, "Usage: fork SITE HTTPS_SITE CA_FILE [MICROSECONDS]");
  site = argv[1];
  https_site = argv[2];
  options = default_options();
  options.ca_file = argv[3];
  if (argc == 5) {
    child_of_a_beginning(atol(argv[4]));
    return 0;
  }
  inherited_handles();
  printf("ok inherited handles\n");
  copies_of_connections();
  printf("ok copies of connections\n");
  children_of_a_busy_process(10);
  printf("ok children of a busy process\n");
  return 0;
}
