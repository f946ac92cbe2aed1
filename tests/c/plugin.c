/* plugin LIBRARY SITE ROUNDS: the library is loaded by a thread that ends, used by others, unloaded and
 * loaded again, as hosts of plug-ins and the workers of scripting languages do.
 */
#include "check.h"

#include <dirent.h>
#include <dlfcn.h>
#include <netdb.h>
#include <pthread.h>
#include <stdatomic.h>

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

/* What the library finds in place of the system's: no name is known, in the end. */
static atomic_int begun, ended;
static atomic_bool may_end;

int getaddrinfo(const char *restrict name, const char *restrict service,
                const struct addrinfo *restrict hints, struct addrinfo **restrict found) {
  (void)name, (void)service, (void)hints, (void)found;
  atomic_fetch_add(&begun, 1);
  while (!atomic_load(&may_end))
    pause_ms(1);
  atomic_fetch_add(&ended, 1);
  return EAI_NONAME;
}

/* The pool's end does not wait for the look-up of a proxy's name, which curl makes: it goes on when the
 * library has been unloaded.
 */
static void *leave_a_look_up(void *unused) {
  (void)unused;
  FIND(pool_new);
  FIND(pool_job_init);
  FIND(pool_options_init);
  FIND(pool_submit);
  FIND(pool_free);
  pool_t *pool;
  pool_job_t job;
  pool_options_t options;
  CHECK(pool_new_(NULL, &pool) == POOL_OK, "pool_new");
  pool_job_init_(&job, sizeof job);
  pool_options_init_(&options, sizeof options);
  options.proxy = "http://proxy.test:3128";
  job.options = &options;
  job.url = "http://name.test/";
  CHECK(pool_submit_(pool, &job, -1) == POOL_OK, "pool_submit");
  while (atomic_load(&begun) < 1)
    pause_ms(10);
  pool_free_(pool);
  return NULL;
}

static pthread_barrier_t used, unloaded;

static void *use_and_linger(void *unused) {
  use(unused);
  pthread_barrier_wait(&used);
  pthread_barrier_wait(&unloaded);
  return NULL;
}

/* A thread that used the library ends after it was unloaded. */
static void unload_before_a_thread_ends(void) {
  pthread_t thread;
  pthread_barrier_init(&used, NULL, 2);
  pthread_barrier_init(&unloaded, NULL, 2);
  load(NULL);
  CHECK(pthread_create(&thread, NULL, use_and_linger, NULL) == 0, "no thread");
  pthread_barrier_wait(&used);
  unload(NULL);
  pthread_barrier_wait(&unloaded);
  pthread_join(thread, NULL);
}

static int entries(const char *folder) {
  DIR *open = opendir(folder);
  CHECK(open != NULL, "%s", folder);
  int count = 0;
  while (readdir(open) != NULL)
    count++;
  closedir(open);
  return count;
}

static void in_a_thread(void *(*work)(void *)) {
  pthread_t thread;
  CHECK(pthread_create(&thread, NULL, work, NULL) == 0, "no thread");
  pthread_join(thread, NULL);
}

static void unload_within_a_look_up(void) {
  in_a_thread(load);
  in_a_thread(leave_a_look_up);
  in_a_thread(unload);
  atomic_store(&may_end, true);
  while (atomic_load(&ended) < atomic_load(&begun))
    pause_ms(10);
  pause_ms(200); /* it returns to where it came from */
}

int main(int argc, char **argv) {
  setvbuf(stdout, NULL, _IOLBF, 0); /* so that all is seen when it crashes */
  CHECK(argc == 4, "Usage: plugin LIBRARY SITE ROUNDS");
  path = argv[1];
  snprintf(page, sizeof page, "%s/text", argv[2]);
  const int rounds = atoi(argv[3]), settled = rounds / 3;
  unload_within_a_look_up();
  printf("ok within a look-up\n");
  int threads = 0, descriptors = 0;
  double resident = 0;
  for (int round = 0; round < rounds; round++) {
    in_a_thread(load);
    in_a_thread(use);
    use(NULL);
    in_a_thread(use);
    in_a_thread(unload);
    unload_before_a_thread_ends();
    if (round == settled) {
      threads = entries("/proc/self/task");
      descriptors = entries("/proc/self/fd");
      resident = resident_mib();
    }
  }
  printf("ok %d rounds\n", rounds);
  /* One that was joined may be seen for a moment longer. */
  for (int i = 0; i < 1000 && entries("/proc/self/task") > threads; i++)
    pause_ms(10);
  CHECK(entries("/proc/self/task") <= threads, "%d threads became %d", threads,
        entries("/proc/self/task"));
  CHECK(entries("/proc/self/fd") <= descriptors, "%d descriptors became %d", descriptors,
        entries("/proc/self/fd"));
  CHECK(resident_mib() - resident < 16, "%f MiB became %f", resident, resident_mib());
  return 0;
}
