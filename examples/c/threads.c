/* threads: several threads work on the results of one pool: here, they count words.
 *
 *     cc -pthread threads.c $(pkg-config --cflags --libs rouet) -o threads
 *     ./threads THREADS <URLS
 *
 * The main thread hands over the lines of standard input and waits while there is no room; the
 * others wait for results. So the slowest of the three, input, network or counting, sets the pace,
 * and memory stays bounded. Exits with 1 if a URL failed.
 */
#define _POSIX_C_SOURCE 200809L

#include <ctype.h>
#include <pthread.h>
#include <rouet.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_THREADS = 64 };

static pool_t *pool;
static atomic_bool failed;

static size_t count_words(const char *text, size_t size) {
  size_t words = 0;
  bool within = false;
  for (size_t i = 0; i < size; i++) {
    bool space = isspace((unsigned char)text[i]);
    words += !space && !within;
    within = !space;
  }
  return words;
}

/* Works until no results will come any more. */
static void *work(void *unused) {
  (void)unused;
  pool_result_t *result;
  while (pool_next_result(pool, -1, &result) == POOL_OK) {
    if (result->error_code) {
      fprintf(stderr, "threads: %s\n", result->error_message);
      failed = true;
    } else {
      size_t size; /* 0 of what is no text */
      const char *text = pool_result_text(result, &size); /* decoded here, on this thread */
      printf("%zu words in %s\n", count_words(text, size), result->end_url);
    }
    pool_result_free(result);
  }
  return NULL;
}

int main(int argc, char **argv) {
  char *end = NULL;
  long count = argc == 2 ? strtol(argv[1], &end, 10) : 0;
  if (count < 1 || count > MOST_THREADS || *end != '\0') {
    fprintf(stderr, "Usage: threads THREADS <URLS, with 1 to %d THREADS\n", MOST_THREADS);
    return 2;
  }
  if (pool_new(NULL, &pool) != POOL_OK) {
    fprintf(stderr, "threads: %s\n", pool_last_error());
    return 2;
  }
  pthread_t threads[MOST_THREADS];
  long started = 0;
  while (started < count && pthread_create(&threads[started], NULL, work, NULL) == 0) started++;
  if (started == 0) {
    fputs("threads: no thread to be had\n", stderr);
    pool_free(pool);
    return 2;
  }

  pool_job_t job;
  pool_job_init(&job, sizeof job);
  char *line = NULL;
  size_t room = 0;
  ssize_t size;
  while ((size = getline(&line, &room, stdin)) > 0) {
    if (strspn(line, " \t\r\n") == (size_t)size) continue; /* a blank line */
    job.url = line; /* copied, and white space around it is taken off */
    job.url_size = (size_t)size;
    if (pool_submit(pool, &job, -1) != POOL_OK) {
      fprintf(stderr, "threads: %s\n", pool_last_error());
      failed = true;
    }
  }
  free(line);
  pool_finish(pool); /* the threads end when they have had all results */
  for (long i = 0; i < started; i++) pthread_join(threads[i], NULL);
  pool_free(pool);
  return failed;
}
