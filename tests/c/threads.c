/* threads SITE COUNT: eight threads on one pool hand in and take COUNT jobs in all; each job's
 * result is taken once, by one of them.
 */
#include "check.h"

#include <pthread.h>
#include <stdatomic.h>

enum { THREADS = 8 };

static pool_t *pool;
static char page[256];
static size_t count;
static atomic_size_t next, submitted, taken, producers;
static atomic_uchar *seen;

static void note(pool_result_t *result) {
  EXPECT_PAGE(result);
  CHECK(result->tag < count, "tag %llu", (unsigned long long)result->tag);
  CHECK(atomic_fetch_add(&seen[result->tag], 1) == 0, "job %llu gave two results",
        (unsigned long long)result->tag);
  atomic_fetch_add(&taken, 1);
  pool_result_free(result);
}

/* Submits and takes by turns, as a thread of a crawler does. */
static void *do_both(void *unused) {
  (void)unused;
  pool_job_t job = job_for(page, 0);
  job.group = "";
  bool have = false;
  while (atomic_load(&taken) < count) {
    if (!have) {
      job.tag = atomic_fetch_add(&next, 1);
      have = job.tag < count;
    }
    if (have) {
      pool_status_t status = pool_submit(pool, &job, 0);
      CHECK(status == POOL_OK || status == POOL_AGAIN, "pool_submit: %s",
            pool_status_name((int32_t)status));
      if (status == POOL_OK) {
        atomic_fetch_add(&submitted, 1);
        have = false;
        continue;
      }
    }
    pool_result_t *result;
    pool_status_t status = pool_next_result(pool, 10, &result);
    CHECK(status == POOL_OK || status == POOL_AGAIN, "pool_next_result: %s",
          pool_status_name((int32_t)status));
    if (status == POOL_OK) note(result);
  }
  return NULL;
}

static void *produce(void *unused) {
  (void)unused;
  pool_job_t job = job_for(page, 0);
  job.group = "";
  while ((job.tag = atomic_fetch_add(&next, 1)) < count) {
    EXPECT(pool_submit(pool, &job, -1), POOL_OK);
    atomic_fetch_add(&submitted, 1);
  }
  if (atomic_fetch_sub(&producers, 1) == 1) EXPECT(pool_finish(pool), POOL_OK);
  return NULL;
}

static void *consume(void *unused) {
  (void)unused;
  pool_result_t *results[16];
  size_t number;
  pool_status_t status;
  while ((status = pool_next_results(pool, results, 16, -1, &number)) == POOL_OK)
    for (size_t i = 0; i < number; i++) note(results[i]);
  EXPECT(status, POOL_DONE);
  return NULL;
}

static void run(const char *name, void *(*even)(void *), void *(*odd)(void *)) {
  pool_config_t config = default_config();
  config.buffer_size = 256;
  pool = open_pool(&config);
  seen = calloc(count, sizeof *seen);
  CHECK(seen != NULL, "out of memory");
  atomic_store(&next, 0);
  atomic_store(&submitted, 0);
  atomic_store(&taken, 0);
  atomic_store(&producers, THREADS / 2);
  pthread_t threads[THREADS];
  for (int i = 0; i < THREADS; i++)
    CHECK(pthread_create(&threads[i], NULL, i % 2 ? odd : even, NULL) == 0, "no thread");
  for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
  CHECK(atomic_load(&submitted) == count && atomic_load(&taken) == count,
        "%zu submitted, %zu taken", atomic_load(&submitted), atomic_load(&taken));
  for (size_t i = 0; i < count; i++) CHECK(atomic_load(&seen[i]) == 1, "job %zu got lost", i);
  size_t pending = 99;
  EXPECT(pool_pending(pool, &pending), POOL_OK);
  CHECK(pending == 0, "%zu pending", pending);
  pool_free(pool);
  free(seen);
  printf("ok %s\n", name);
}

int main(int argc, char **argv) {
  setvbuf(stdout, NULL, _IOLBF, 0); /* so that all is seen when it crashes */
  CHECK(argc == 3, "Usage: threads SITE COUNT");
  snprintf(page, sizeof page, "%s/text", argv[1]);
  count = strtoul(argv[2], NULL, 10);
  CHECK(count > 0, "COUNT is %s", argv[2]);
  run("all_submit_and_take", do_both, do_both);
  run("producers_and_consumers", produce, consume);
  return 0;
}
