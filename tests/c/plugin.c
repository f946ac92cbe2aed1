/* plugin LIBRARY SITE: the library is loaded by a thread that ends, used by others, unloaded and
 * loaded again, as hosts of plug-ins and the workers of scripting languages do.
 */
#include "check.h"

#include <dlfcn.h>
#include <pthread.h>

static const char *path;
static char page[256];
static void *library;

static void *load(void *unused) {
  (void)unused;
  library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  CHECK(library != NULL, "%s", dlerror());
  return NULL;
}

static void *unload(void *unused) {
  (void)unused;
  CHECK(dlclose(library) == 0, "%s", dlerror());
  return NULL;
}

/* POSIX wants this way of making a function's pointer of an object's. */
#define FIND(name)                                  \
  __typeof__(&name) name##_;                        \
  *(void **)&name##_ = dlsym(library, #name);       \
  CHECK(name##_ != NULL, "there is no " #name)

static void *use(void *unused) {
  (void)unused;
  FIND(pool_new);
  FIND(pool_job_init);
  FIND(pool_submit);
  FIND(pool_next_result);
  FIND(pool_result_free);
  FIND(pool_free);
  pool_t *pool;
  pool_job_t job;
  pool_result_t *result;
  CHECK(pool_new_(NULL, &pool) == POOL_OK, "pool_new");
  pool_job_init_(&job, sizeof job);
  job.url = page;
  CHECK(pool_submit_(pool, &job, -1) == POOL_OK, "pool_submit");
  CHECK(pool_next_result_(pool, -1, &result) == POOL_OK, "pool_next_result");
  EXPECT_PAGE(result);
  pool_result_free_(result);
  pool_free_(pool);
  return NULL;
}

static void in_a_thread(void *(*work)(void *)) {
  pthread_t thread;
  CHECK(pthread_create(&thread, NULL, work, NULL) == 0, "no thread");
  pthread_join(thread, NULL);
}

int main(int argc, char **argv) {
  setvbuf(stdout, NULL, _IOLBF, 0); /* so that all is seen when it crashes */
  CHECK(argc == 3, "Usage: plugin LIBRARY SITE");
  path = argv[1];
  snprintf(page, sizeof page, "%s/text", argv[2]);
  for (int round = 0; round < 3; round++) {
    in_a_thread(load);
    in_a_thread(use);
    use(NULL);
    in_a_thread(use);
    in_a_thread(unload);
    printf("ok round %d\n", round);
  }
  return 0;
}
