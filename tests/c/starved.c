/* starved SITE: descriptors and threads run out while a pool is at work, and come back. */
#define _GNU_SOURCE
#include "check.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/resource.h>

static const char *site;
static int port;

/* The library finds the program's functions before the system's. */
static atomic_int threads_left = 1000000;

int pthread_create(pthread_t *restrict thread, const pthread_attr_t *restrict attributes,
                   void *(*work)(void *), void *restrict argument) {
  int (*real)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
  *(void **)&real = dlsym(RTLD_NEXT, "pthread_create");
  if (atomic_fetch_sub(&threads_left, 1) <= 0)
    return EAGAIN;
  return real(thread, attributes, work, argument);
}

/* Every name leads here, and no resolver is asked. */
int getaddrinfo(const char *restrict name, const char *restrict service,
                const struct addrinfo *restrict hints, struct addrinfo **restrict found) {
  int (*real)(const char *, const char *, const struct addrinfo *, struct addrinfo **);
  *(void **)&real = dlsym(RTLD_NEXT, "getaddrinfo");
  int file = open("/dev/null", O_RDONLY | O_CLOEXEC); /* as the real one, it needs a descriptor */
  if (file < 0)
    return EAI_NONAME;
  close(file);
  (void)name;
  return real("127.0.0.1", service, hints, found);
}

static pool_t *hasty_pool(void) {
  pool_config_t config = default_config();
  config.throttle = 0;
  config.domain_parallelism = 64;
  config.max_workers = 32;
  config.threads = 1; /* the idle connections of others would be theirs to give up */
  return open_pool(&config);
}

/* A job at a host of that number, which has to be connected to. */
static void submit(pool_t *pool, int host, double connect_timeout, bool named) {
  char url[256], way[64];
  snprintf(url, sizeof url, "http://host-%d.test:%d/slow?ms=20", host, port);
  snprintf(way, sizeof way, "::127.0.0.1:%d", port);
  const char *ways[] = {way};
  pool_options_t options = default_options();
  options.connect_timeout = connect_timeout;
  if (!named) {
    options.connect_to = ways;
    options.connect_to_count = 1;
  }
  pool_job_t job = job_for(url, (uint64_t)host);
  job.options = &options;
  EXPECT(pool_submit(pool, &job, 60000), POOL_OK);
}

static void take_pages(pool_t *pool, int number) {
  for (; number > 0; number--) {
    pool_result_t *result = take(pool);
    EXPECT_PAGE(result);
    pool_result_free(result);
  }
}

static void take_errors(pool_t *pool, int number, const char *code, const char *words) {
  for (; number > 0; number--) {
    pool_result_t *result = take(pool);
    EXPECT_ERROR(result, code);
    CHECK(strstr(result->error_message, words) != NULL, "%s", result->error_message);
    pool_result_free(result);
  }
}

static double cpu_seconds(void) {
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
         (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static int hoard[4096];
static int hoarded;

static void hoard_all_but(int left) {
  int fd;
  while ((fd = open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0)
    hoard[hoarded++] = fd;
  CHECK(errno == EMFILE, "errno %d", errno);
  while (left-- > 0)
    close(hoard[--hoarded]);
}

static void give_back(void) {
  while (hoarded > 0)
    close(hoard[--hoarded]);
}

static void limit_to(rlim_t descriptors) {
  struct rlimit limit;
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = descriptors;
  CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0, "setrlimit");
}

static void descriptors(void) {
  limit_to(512);
  pool_t *pool = hasty_pool();
  submit(pool, 0, 5, true); /* the threads that look names up are there */
  take_pages(pool, 1);
  for (int host = 0; host < 40; host++)
    submit(pool, host, 5, false);
  take_pages(pool, 40);

  /* Few: all jobs are done, if fewer at once. */
  hoard_all_but(6);
  double before = cpu_seconds();
  for (int host = 0; host < 100; host++)
    submit(pool, host, 60, false);
  take_pages(pool, 100);
  CHECK(cpu_seconds() - before < 3, "%f s of CPU", cpu_seconds() - before);
  give_back();

  /* None: each says so, and what to do. */
  limit_to(0);
  before = cpu_seconds();
  for (int host = 0; host < 20; host++)
    submit(pool, host, 0.4, false);
  take_errors(pool, 20, "connection-error", "ulimit -n");
  submit(pool, 1001, 0.4, true);
  take_errors(pool, 1, "name-resolution-failure", "ulimit -n");
  CHECK(cpu_seconds() - before < 1, "%f s of CPU", cpu_seconds() - before);
  int fd;
  EXPECT(pool_event_fd(pool, &fd), POOL_OUT_OF_RESOURCES);
  limit_to(512);
  hoard_all_but(0);
  pool_t *other = NULL;
  for (int left = 0; left < 40; left++) {
    pool_status_t status = pool_new(NULL, &other);
    if (status == POOL_OK)
      pool_free(other);
    else
      CHECK(status == POOL_OUT_OF_RESOURCES && strstr(pool_last_error(), "descriptor") != NULL,
            "%d left: %s: %s", left, pool_status_name((int32_t)status), pool_last_error());
    CHECK(status == POOL_OK || left < 30, "with %d descriptors: %s", left, pool_last_error());
    close(hoard[--hoarded]);
  }
  give_back();

  /* All are back. */
  for (int host = 0; host < 40; host++)
    submit(pool, host, 5, false);
  submit(pool, 1002, 5, true);
  take_pages(pool, 41);
  EXPECT(pool_event_fd(pool, &fd), POOL_OK);
  pool_free(pool);
}

static int see(pool_result_t *result, void *userdata) {
  (void)result, (void)userdata;
  return 0;
}

static pool_t *pool_with_callback(void) {
  pool_config_t config = default_config();
  config.throttle = 0;
  config.threads = 2;
  config.callback = see;
  return open_pool(&config);
}

#if defined __SANITIZE_ADDRESS__ || defined __SANITIZE_THREAD__
#define LOSS 1000 /* they keep much themselves, and see what is lost */
#else
#define LOSS 10
#endif

static void threads(void) {
  pool_config_t config = default_config();
  config.threads = 4;
  for (int left = 0; left < 4; left++) {
    pool_t *pool = NULL;
    atomic_store(&threads_left, left);
    EXPECT(pool_new(&config, &pool), POOL_OUT_OF_RESOURCES);
    CHECK(strstr(pool_last_error(), "no thread") != NULL, "%s", pool_last_error());
    CHECK(pool == NULL, "nothing is written");
  }
  atomic_store(&threads_left, 1000000);
  pool_t *pool = hasty_pool();
  pool_t *seen = pool_with_callback();

  /* None at all. */
  atomic_store(&threads_left, 0);
  for (int host = 0; host < 5; host++)
    submit(pool, host, 5, true);
  take_errors(pool, 5, "internal-error", "no thread to look up names on");
  double memory = resident_mib();
  for (int host = 5; host < 3000; host++) {
    submit(pool, host, 5, true);
    take_errors(pool, 1, "internal-error", "no thread to look up names on");
  }
  CHECK(resident_mib() - memory < LOSS, "%f MiB are lost", resident_mib() - memory);
  for (int host = 0; host < 5; host++)
    submit(seen, host, 5, false);
  take_errors(seen, 5, "internal-error", "no thread for the callback");
  submit(pool, 1, 5, false);
  take_pages(pool, 1);

  /* The thread that waits for look-ups is there, but none to look up on. */
  pause_ms(1100); /* failures that may pass are kept for a second */
  atomic_store(&threads_left, 1);
  submit(pool, 1, 5, true);
  take_errors(pool, 1, "internal-error", "no thread to look up names on");

  /* One each: they do all the work. */
  pause_ms(1100);
  atomic_store(&threads_left, 1);
  submit(pool, 1, 5, true);
  take_pages(pool, 1);
  for (int host = 100; host < 150; host++)
    submit(pool, host, 5, true);
  take_pages(pool, 50);
  atomic_store(&threads_left, 1);
  for (int host = 0; host < 50; host++)
    submit(seen, host, 5, false);
  take_pages(seen, 50);

  atomic_store(&threads_left, 1000000);
  pool_free(seen);
  pool_free(pool);
}

int main(int argc, char **argv) {
  setvbuf(stdout, NULL, _IOLBF, 0);
  CHECK(argc == 2, "Usage: starved SITE");
  site = argv[1];
  port = atoi(strrchr(site, ':') + 1);
  threads();
  printf("ok threads\n");
  descriptors();
  printf("ok descriptors\n");
  return 0;
}
