/* bare: what examples/c/throughput.c does, with nothing but libcurl's multi interface.
 *
 *     bare N CONCURRENCY URL
 *     bare --version
 *
 * The yardstick: one thread, curl_multi_perform and curl_multi_poll, CONCURRENCY handles that are
 * taken out and put back in, bodies collected, headers let go.
 */
#define _POSIX_C_SOURCE 200809L

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

struct body {
  char *data;
  size_t size, room;
};

static size_t collect(char *data, size_t one, size_t size, void *userdata) {
  struct body *body = userdata;
  (void)one;
  if (body->size + size > body->room) {
    size_t room = (body->size + size) * 2;
    char *grown = realloc(body->data, room);
    if (!grown) return 0;
    body->data = grown;
    body->room = room;
  }
  memcpy(body->data + body->size, data, size);
  body->size += size;
  return size;
}

static double wall_seconds(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static double cpu_seconds(void) {
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
         (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

int main(int argc, char **argv) {
  if (argc == 2 && strcmp(argv[1], "--version") == 0) {
    puts(curl_version());
    return 0;
  }
  size_t number = argc == 4 ? strtoul(argv[1], NULL, 10) : 0;
  size_t concurrency = argc == 4 ? strtoul(argv[2], NULL, 10) : 0;
  if (number == 0 || concurrency == 0) {
    fputs("Usage: bare N CONCURRENCY URL\n", stderr);
    return 2;
  }
  double wall = wall_seconds(), cpu = cpu_seconds();

  curl_global_init(CURL_GLOBAL_DEFAULT);
  CURLM *multi = curl_multi_init();
  CURL **handles = calloc(concurrency, sizeof *handles);
  struct body *bodies = calloc(concurrency, sizeof *bodies);
  if (!multi || !handles || !bodies) {
    fputs("bare: out of memory\n", stderr);
    return 1;
  }
  curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, (long)concurrency);

  size_t started = 0, done = 0, errors = 0;
  for (size_t i = 0; i < concurrency && started < number; i++, started++) {
    handles[i] = curl_easy_init();
    curl_easy_setopt(handles[i], CURLOPT_URL, argv[3]);
    curl_easy_setopt(handles[i], CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(handles[i], CURLOPT_TIMEOUT_MS, 30000L);
    curl_easy_setopt(handles[i], CURLOPT_WRITEFUNCTION, collect);
    curl_easy_setopt(handles[i], CURLOPT_WRITEDATA, &bodies[i]);
    curl_easy_setopt(handles[i], CURLOPT_PRIVATE, (char *)&bodies[i]);
    curl_multi_add_handle(multi, handles[i]);
  }
  while (done < number) {
    int running, queued;
    curl_multi_perform(multi, &running);
    CURLMsg *message;
    while ((message = curl_multi_info_read(multi, &queued))) {
      if (message->msg != CURLMSG_DONE) continue;
      CURL *handle = message->easy_handle;
      CURLcode outcome = message->data.result; /* gone once the handle is taken out */
      long status = 0;
      char *body;
      curl_easy_getinfo(handle, CURLINFO_RESPONSE_CODE, &status);
      curl_easy_getinfo(handle, CURLINFO_PRIVATE, &body);
      if (outcome != CURLE_OK || status != 200) {
        if (errors++ == 0)
          fprintf(stderr, "bare: status %ld: %s\n", status,
                  outcome == CURLE_OK ? "not 200" : curl_easy_strerror(outcome));
      }
      ((struct body *)(void *)body)->size = 0;
      curl_multi_remove_handle(multi, handle);
      done++;
      if (started < number) {
        started++;
        curl_multi_add_handle(multi, handle);
      }
    }
    if (done < number) curl_multi_poll(multi, NULL, 0, 1000, NULL);
  }
  for (size_t i = 0; i < concurrency; i++) {
    curl_easy_cleanup(handles[i]);
    free(bodies[i].data);
  }
  curl_multi_cleanup(multi);
  curl_global_cleanup();
  free(handles);
  free(bodies);

  wall = wall_seconds() - wall;
  cpu = cpu_seconds() - cpu;
  printf("%zu requests, %zu errors, %.3f s, %.0f requests/s, %.2f CPU us/request\n", done, errors,
         wall, (double)done / wall, cpu * 1e6 / (double)done);
  return errors > 0 ? 1 : 0;
}
