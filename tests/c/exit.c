/* exit HTTPS_SITE CA_FILE WAY MICROSECONDS [first]: the process ends by `exit` while TLS connections
 * are being made, so long after their beginning. It has to end at once, with status 7.
 *
 * first: the program has used OpenSSL before the library was loaded, as an interpreter may have that
 * loads it: OpenSSL's clean-up then runs at exit, whatever the library asks for.
 */
#define _GNU_SOURCE
#include "check.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdatomic.h>

enum { STATUS = 7, JOBS = 300 };

static const char *way;
static pool_t *pool;
static pthread_t worker;
static atomic_bool ending;

/* Before anything else, the library's own start included. */
static void use_openssl(int argc, char **argv, char **environment) {
  (void)environment;
  if (argc > 0 && strcmp(argv[argc - 1], "first") == 0) {
    int (*init)(uint64_t, const void *);
    *(void **)&init = dlsym(RTLD_DEFAULT, "OPENSSL_init_ssl");
    if (init == NULL || init(0, NULL) != 1)
      _exit(2);
  }
}
__attribute__((section(".preinit_array"), used)) static void (*before_all)(int, char **, char **) =
    use_openssl;

static bool is(const char *other) {
  return strcmp(way, other) == 0;
}

static void *end(void *unused) {
  (void)unused;
  exit(STATUS);
}

static double ask_throttle(const char *group, const pool_result_t *result, void *userdata) {
  (void)group, (void)result, (void)userdata;
  if (is("throttle_fn") && atomic_load(&ending))
    exit(STATUS);
  return 0;
}

static void *consume(void *unused) {
  (void)unused;
  pool_result_t *result;
  for (;;) {
    pool_status_t status = pool_next_result(pool, is("worker") ? 20 : -1, &result);
    if (status == POOL_OK)
      pool_result_free(result);
    else if (status != POOL_AGAIN)
      return NULL;
    if (is("worker") && atomic_load(&ending))
      break;
  }
  /* The usual end of a pool: it must not wait for threads that do nothing any more. */
  EXPECT(pool_cancel(pool), POOL_OK);
  while (pool_next_result(pool, -1, &result) == POOL_OK)
    pool_result_free(result);
  pool_free(pool);
  return NULL;
}

/* What a program does at its end, after all that began later has ended. */
static void tidy(void) {
  if (is("worker")) {
    atomic_store(&ending, true);
    pthread_join(worker, NULL);
  }
  if (is("late")) {
    pool_result_t *result;
    pool_job_t job = job_for("http://127.0.0.1/", 1);
    const char *said = "the process is ending";
    pool_t *another = NULL;
    EXPECT(pool_new(NULL, &another), POOL_OUT_OF_RESOURCES);
    CHECK(strstr(pool_last_error(), said) != NULL, "%s", pool_last_error());
    EXPECT(pool_next_result(pool, -1, &result), POOL_INVALID_ARGUMENT);
    CHECK(strstr(pool_last_error(), said) != NULL, "%s", pool_last_error());
    EXPECT(pool_submit(pool, &job, -1), POOL_INVALID_ARGUMENT);
    CHECK(strstr(pool_last_error(), said) != NULL, "%s", pool_last_error());
    pool_free(pool);
  }
}

int main(int argc, char **argv) {
  CHECK(argc >= 5, "Usage: exit HTTPS_SITE CA_FILE WAY MICROSECONDS [first]");
  alarm(60);
  way = argv[3];
  char url[256];
  snprintf(url, sizeof url, "%s/text", argv[1]);
  CHECK(atexit(tidy) == 0, "atexit");
  pool_config_t config = default_config();
  config.throttle = 0;
  config.domain_parallelism = 32;
  config.buffer_size = JOBS;
  config.throttle_fn = ask_throttle;
  pool = open_pool(&config);
  pool_options_t options = default_options();
  pool_header_t header = {.name = "Connection", .value = "close"};
  options.ca_file = argv[2];
  options.headers = &header;
  options.header_count = 1;
  for (uint64_t tag = 0; tag < JOBS; tag++) {
    pool_job_t job = job_for(url, tag);
    job.options = &options;
    EXPECT(pool_submit(pool, &job, 0), POOL_OK);
  }
  pthread_t thread;
  if (is("worker") || is("consumer"))
    CHECK(pthread_create(&worker, NULL, consume, NULL) == 0, "pthread_create");
  pause_ms(5);
  nanosleep(&(struct timespec){.tv_nsec = atol(argv[4]) * 1000}, NULL);
  if (is("thread") && pthread_create(&thread, NULL, end, NULL) == 0)
    pthread_join(thread, NULL);
  if (is("throttle_fn")) {
    atomic_store(&ending, true);
    /* All jobs may be done by now: one more makes it asked again. */
    for (;;) {
      pool_result_t *result;
      if (pool_next_result(pool, 10, &result) == POOL_OK)
        pool_result_free(result);
      pool_job_t job = job_for(url, JOBS);
      job.options = &options;
      (void)pool_submit(pool, &job, 0);
    }
  }
  return STATUS;
}
