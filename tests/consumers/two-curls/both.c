/* both URL: fetches it by rouet and, at the same time, by this program's own libcurl. */
#include <curl/curl.h>
#include <pthread.h>
#include <rouet.h>
#include <stdio.h>
#include <string.h>

#include "check.h"

#define TIMES 200

static const char *url;

static size_t count(char *data, size_t size, size_t number, void *total) {
  (void)data;
  *(size_t *)total += size * number;
  return size * number;
}

static void *by_curl(void *unused) {
  (void)unused;
  size_t total = 0;
  CURL *curl = curl_easy_init();
  CHECK(curl != NULL, "no handle");
  curl_easy_setopt(curl, CURLOPT_URL, url);
  curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, count);
  curl_easy_setopt(curl, CURLOPT_WRITEDATA, &total);
  for (int i = 0; i < TIMES; i++) {
    CURLcode code = curl_easy_perform(curl);
    CHECK(code == CURLE_OK, curl_easy_strerror(code));
  }
  curl_easy_cleanup(curl);
  CHECK(total == TIMES * 1000, "curl's bytes");
  return NULL;
}

static void *by_rouet(void *unused) {
  (void)unused;
  pool_t *pool;
  CHECK(pool_new(NULL, &pool) == POOL_OK, pool_last_error());
  pool_job_t job;
  pool_job_init(&job, sizeof job);
  job.url = url;
  job.group = ""; /* a server of our own: no pause between two requests */
  for (int i = 0; i < TIMES; i++) CHECK(pool_submit(pool, &job, 0) == POOL_OK, pool_last_error());
  pool_finish(pool);
  size_t total = 0;
  pool_result_t *result;
  while (pool_next_result(pool, -1, &result) == POOL_OK) {
    CHECK(result->error_code == NULL, result->error_message);
    total += result->body_size;
    pool_result_free(result);
  }
  pool_free(pool);
  CHECK(total == TIMES * 1000, "rouet's bytes");
  return NULL;
}

int main(int argc, char **argv) {
  CHECK(argc == 2, "Usage: both URL");
  url = argv[1];
  /* Not the one within rouet. */
  const char *version = curl_version_info(CURLVERSION_NOW)->version;
  CHECK(strcmp(version, LIBCURL_VERSION) == 0, version);
  pthread_t thread;
  for (int round = 0; round < 2; round++) {
    CHECK(pthread_create(&thread, NULL, by_curl, NULL) == 0, "no thread");
    by_rouet(NULL);
    pthread_join(thread, NULL);
  }
  puts("ok both");
  return 0;
}
