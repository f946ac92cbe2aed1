/* measure.h: clocks and figures, for the measuring programs. */
#ifndef MEASURE_H
#define MEASURE_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

/* Nanoseconds of the monotonic clock. */
static inline int64_t now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

/* Seconds of CPU, user and system, of all threads of the process. */
static inline double cpu_seconds(void) {
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
         (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

/* Durations in nanoseconds, as many as are added. */
struct series {
  int64_t *values;
  size_t count, room;
};

static inline void add(struct series *series, int64_t value) {
  if (series->count == series->room) {
    series->room = series->room ? series->room * 2 : 1024;
    int64_t *grown = realloc(series->values, series->room * sizeof *grown);
    if (!grown) {
      fputs("out of memory\n", stderr);
      exit(1);
    }
    series->values = grown;
  }
  series->values[series->count++] = value;
}

static inline int ascending(const void *left, const void *right) {
  int64_t a = *(const int64_t *)left, b = *(const int64_t *)right;
  return (a > b) - (a < b);
}

/* Prints what a series came to as members of a JSON object, in microseconds. */
static inline void print_series(const char *name, struct series *series) {
  if (series->count == 0) {
    fprintf(stderr, "%s: nothing was measured\n", name);
    exit(1);
  }
  qsort(series->values, series->count, sizeof *series->values, ascending);
  const int64_t *values = series->values;
  size_t last = series->count - 1;
  printf("\"%s\": {\"count\": %zu, \"min\": %.1f, \"p50\": %.1f, \"p90\": %.1f, \"p99\": %.1f, "
         "\"max\": %.1f}",
         name, series->count, (double)values[0] / 1e3, (double)values[last / 2] / 1e3,
         (double)values[last * 9 / 10] / 1e3, (double)values[last * 99 / 100] / 1e3,
         (double)values[last] / 1e3);
}

#endif
