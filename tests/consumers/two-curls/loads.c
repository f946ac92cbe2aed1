/* loads LIBRARY COPY URL: loads the library twice, and a copy of it, by the side of this program's
 * own libcurl; uses all of them at once, and unloads them; and all that again.
 */
#include <curl/curl.h>
#include <dlfcn.h>
#include <rouet.h>
#include <stdio.h>
#include <string.h>

#include "check.h"

static void *load(const char *path) {
  void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  CHECK(library != NULL, dlerror());
  return library;
}

/* POSIX wants this way of making a function's pointer of an object's. */
#define FIND(library, name)          \
  __typeof__(&name) name##_;         \
  *(void **)&name##_ = dlsym(library, #name); \
  CHECK(name##_ != NULL, "there is no " #name)

static pool_t *start(void *library, const char *url) {
  FIND(library, pool_new);
  FIND(library, pool_last_error);
  FIND(library, pool_job_init);
  FIND(library, pool_submit);
  FIND(library, pool_finish);
  pool_t *pool;
  CHECK(pool_new_(NULL, &pool) == POOL_OK, pool_last_error_());
  pool_job_t job;
  pool_job_init_(&job, sizeof job);
  job.url = url;
  job.group = "";
  for (int i = 0; i < 50; i++) {
    CHECK(pool_submit_(pool, &job, 0) == POOL_OK, pool_last_error_());
  }
  CHECK(pool_finish_(pool) == POOL_OK, pool_last_error_());
  return pool;
}

static void end(void *library, pool_t *pool) {
  FIND(library, pool_next_result);
  FIND(library, pool_result_free);
  FIND(library, pool_free);
  int results = 0;
  pool_result_t *result;
  while (pool_next_result_(pool, -1, &result) == POOL_OK) {
    CHECK(result->error_code == NULL, result->error_message);
    CHECK(result->body_size == 1000, "a body");
    pool_result_free_(result);
    results++;
  }
  CHECK(results == 50, "results");
  pool_free_(pool);
}

static size_t drop(char *data, size_t size, size_t number, void *unused) {
  (void)data;
  (void)unused;
  return size * number;
}

int main(int argc, char **argv) {
  CHECK(argc == 4, "Usage: loads LIBRARY COPY URL");
  const char *url = argv[3];
  for (int round = 0; round < 2; round++) {
    void *libraries[] = {load(argv[1]), load(argv[1]), load(argv[2])};
    CHECK(libraries[0] == libraries[1], "the same file is loaded once");
    CHECK(libraries[0] != libraries[2], "another file is another library");
    pool_t *pools[3];
    for (int i = 0; i < 3; i++) pools[i] = start(libraries[i], url);

    CURL *curl = curl_easy_init();
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, drop);
    CURLcode code = curl_easy_perform(curl);
    CHECK(code == CURLE_OK, curl_easy_strerror(code));
    curl_easy_cleanup(curl);

    for (int i = 0; i < 3; i++) end(libraries[i], pools[i]);
    for (int i = 0; i < 3; i++) CHECK(dlclose(libraries[i]) == 0, dlerror());
  }
  const char *version = curl_version_info(CURLVERSION_NOW)->version;
  CHECK(strcmp(version, LIBCURL_VERSION) == 0, version);
  puts("ok loads");
  return 0;
}
