/* stream: a long stream through the C API, and what it takes of memory, processors and patience.
 *
 *     stream --port PORT [OPTION]...
 *
 * All hosts are at 127.0.0.1:PORT. URLs are made as they are asked for, so that nothing
 * grows with their number but what the library holds: --window domains take turns for --each URLs
 * of each, then come the next, and after --domains of them the first again.
 *
 * On stdout: a JSON object a line, 200 of "sample" on the way and an "end".
 */
#define _POSIX_C_SOURCE 200809L

#include <dirent.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <rouet.h>
#include <stdbool.h>
#include <string.h>

#include "measure.h"

enum { BATCH = 256, SAMPLES = 200 };
static const char HOT[] = "hot.test";

struct sizes {
  uint64_t port, requests, workers, threads, domains, window, each, buffer, bytes, batch, pause;
  uint64_t hot, hot_parallelism;
  double throttle;
  const char *path;
  bool compressed;
};

static double wall_seconds(void) { return (double)now() / 1e9; }

/* Seconds since 1970, as results have them. */
static double date_seconds(void) {
  struct timespec time;
  clock_gettime(CLOCK_REALTIME, &time);
  return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static _Noreturn void fail(const char *what, const char *why) {
  fprintf(stderr, "stream: %s: %s\n", what, why);
  exit(1);
}

static void check(const char *what, pool_status_t status) {
  if (status != POOL_OK) fail(what, pool_last_error());
}

/* ---- what the URLs are ---- */

/* Whether the job of this number is the hot domain's: `hot` of each 100, spread over them. */
static bool is_hot(const struct sizes *sizes, uint64_t number) {
  return number * 61 % 100 < sizes->hot;
}

static size_t write_url(const struct sizes *sizes, uint64_t number, char *url, size_t room) {
  if (is_hot(sizes, number))
    return (size_t)snprintf(url, room, "http://%s:%" PRIu64 "%s", HOT, sizes->port, sizes->path);
  if (sizes->hot > 0) number /= 100 / (100 - sizes->hot);
  uint64_t lap = number / (sizes->window * sizes->each);
  uint64_t domain = (lap * sizes->window + number % sizes->window) % sizes->domains;
  return (size_t)snprintf(url, room, "http://d%" PRIu64 ".test:%" PRIu64 "%s?%" PRIu64, domain,
                          sizes->port, sizes->path, number);
}

/* ---- what it takes ---- */

struct memory {
  double resident, anonymous, file, peak; /* in MiB */
};

static struct memory memory_now(void) {
  struct memory memory = {0};
  FILE *status = fopen("/proc/self/status", "r");
  if (!status) fail("/proc/self/status", strerror(errno));
  char line[256];
  while (fgets(line, sizeof line, status)) {
    double kib = strtod(line + strcspn(line, "0123456789"), NULL) / 1024;
    if (strncmp(line, "VmRSS:", 6) == 0) memory.resident = kib;
    if (strncmp(line, "RssAnon:", 8) == 0) memory.anonymous = kib;
    if (strncmp(line, "RssFile:", 8) == 0) memory.file = kib;
    if (strncmp(line, "VmHWM:", 6) == 0) memory.peak = kib;
  }
  fclose(status);
  return memory;
}

static pool_stats_t stats_of(pool_t *pool) {
  pool_stats_t stats = {.struct_size = sizeof stats};
  check("pool_stats", pool_stats(pool, &stats));
  return stats;
}

static void print_sample(pool_t *pool, double seconds, uint64_t taken) {
  struct memory memory = memory_now();
  pool_stats_t stats = stats_of(pool);
  printf("{\"is\": \"sample\", \"seconds\": %.3f, \"taken\": %" PRIu64
         ", \"resident\": %.2f, \"anonymous\": %.2f, \"file\": %.2f, \"groups\": %" PRIu64
         ", \"in_flight\": %" PRIu64 ", \"held\": %" PRIu64 ", \"started\": %" PRIu64
         ", \"buffered\": %.2f, \"connections\": %" PRIu64 "}\n",
         seconds, taken, memory.resident, memory.anonymous, memory.file, stats.groups,
         stats.in_flight, stats.held, stats.started, (double)stats.buffered_bytes / 1048576,
         stats.connections);
}

/* The processor time of each thread, and the time it was ready and waited for a processor. */
static void print_threads(void) {
  DIR *tasks = opendir("/proc/self/task");
  if (!tasks) fail("/proc/self/task", strerror(errno));
  printf("\"threads\": [");
  const char *comma = "";
  for (const struct dirent *task; (task = readdir(tasks));) {
    char path[300], name[64] = "";
    double used = 0, waited = 0;
    if (task->d_name[0] == '.') continue;
    snprintf(path, sizeof path, "/proc/self/task/%s/comm", task->d_name);
    FILE *file = fopen(path, "r");
    if (file) {
      if (fgets(name, sizeof name, file)) name[strcspn(name, "\n")] = '\0';
      fclose(file);
    }
    snprintf(path, sizeof path, "/proc/self/task/%s/schedstat", task->d_name);
    file = fopen(path, "r");
    if (file) {
      char line[128];
      char *rest = line;
      if (fgets(line, sizeof line, file)) {
        used = strtod(rest, &rest);
        waited = strtod(rest, &rest);
      }
      fclose(file);
    }
    printf("%s{\"name\": \"%s\", \"cpu\": %.4f, \"ready\": %.4f}", comma, name, used / 1e9,
           waited / 1e9);
    comma = ", ";
  }
  closedir(tasks);
  printf("], ");
}

/* ---- the run ---- */

static pool_t *open_pool(const struct sizes *sizes) {
  char address[64];
  snprintf(address, sizeof address, "*:%" PRIu64 ":127.0.0.1", sizes->port);
  const char *entries[] = {address};
  pool_options_t options;
  pool_options_init(&options, sizeof options);
  options.dns = entries;
  options.dns_count = 1;
  options.compressed = sizes->compressed;
  pool_config_t config;
  pool_config_init(&config, sizeof config);
  config.options = &options;
  config.max_workers = (uint32_t)sizes->workers;
  config.threads = (uint32_t)sizes->threads;
  config.throttle = sizes->throttle;
  config.buffer_size = sizes->buffer;
  config.max_buffered_bytes = sizes->bytes;
  pool_t *pool;
  check("pool_new", pool_new(&config, &pool));
  if (sizes->hot > 0)
    check("pool_set_domain_rule",
          pool_set_domain_rule(pool, HOT, sizes->throttle, (uint32_t)sizes->hot_parallelism));
  return pool;
}

/* After the last result: how long until no group is left. */
static double seconds_to_no_group(pool_t *pool) {
  double since = wall_seconds();
  while (stats_of(pool).groups > 0) {
    if (wall_seconds() - since > 60) fail("groups", "still there a minute after the last result");
    nanosleep(&(struct timespec){.tv_nsec = 100000}, NULL);
  }
  return wall_seconds() - since;
}

static void run(const struct sizes *sizes) {
  double wall = wall_seconds(), cpu = cpu_seconds();
  pool_t *pool = open_pool(sizes);
  static pool_job_t jobs[BATCH];
  static char urls[BATCH][512];
  for (size_t i = 0; i < BATCH; i++) pool_job_init(&jobs[i], sizeof jobs[i]);
  /* When each job was submitted, by its tag: kept only where it is asked for. */
  double *submissions = NULL;
  struct series waits = {0}; /* until its start, of each that is not the hot domain's */
  if (sizes->hot_parallelism > 0) {
    submissions = malloc(sizes->requests * sizeof *submissions);
    if (!submissions) fail("malloc", strerror(errno));
  }
  double baseline = memory_now().resident;
  uint64_t made = 0, submitted = 0, taken = 0, errors = 0, body_bytes = 0, sampled = 0;
  size_t first = 0, last = 0; /* jobs[first..last] are made and not yet submitted */
  while (taken < sizes->requests) {
    pool_status_t status = POOL_OK;
    while (status == POOL_OK && submitted < sizes->requests) {
      if (first == last)
        for (first = last = 0; last < BATCH && made < sizes->requests; last++, made++) {
          jobs[last].url = urls[last];
          jobs[last].url_size = write_url(sizes, made, urls[last], sizeof urls[last]);
          jobs[last].tag = made;
        }
      double date = submissions ? date_seconds() : 0;
      size_t accepted = 0;
      for (size_t i = first; submissions && i < last; i++) submissions[jobs[i].tag] = date;
      status = pool_submit_many(pool, jobs + first, last - first, 0, &accepted);
      first += accepted;
      submitted += accepted;
    }
    if (status != POOL_OK && status != POOL_AGAIN) check("pool_submit_many", status);

    pool_result_t *results[BATCH];
    size_t count = 0;
    check("pool_next_results", pool_next_results(pool, results, sizes->batch, -1, &count));
    for (size_t i = 0; i < count; i++) {
      const pool_result_t *result = results[i];
      if ((result->error_code || result->status != 200) && errors++ == 0)
        fprintf(stderr, "stream: %s: status %d: %s\n", result->url, (int)result->status,
                result->error_message ? result->error_message : "not 200");
      body_bytes += result->body_size;
      if (submissions && !is_hot(sizes, result->tag))
        add(&waits, (int64_t)((result->start_time - submissions[result->tag]) * 1e9));
      if (sizes->pause > 0)
        nanosleep(&(struct timespec){.tv_sec = (time_t)(sizes->pause / 1000000),
                                     .tv_nsec = (long)(sizes->pause % 1000000) * 1000},
                  NULL);
      pool_result_free(results[i]);
    }
    taken += count;
    if (taken * SAMPLES / sizes->requests > sampled) {
      sampled = taken * SAMPLES / sizes->requests;
      print_sample(pool, wall_seconds() - wall, taken);
    }
  }
  wall = wall_seconds() - wall;
  cpu = cpu_seconds() - cpu;
  printf("{\"is\": \"end\", ");
  print_threads();
  if (waits.count > 0) {
    print_series("waits", &waits);
    printf(", ");
  }
  printf("\"requests\": %" PRIu64 ", \"errors\": %" PRIu64
         ", \"seconds\": %.4f, \"cpu\": %.4f, \"body_bytes\": %" PRIu64
         ", \"baseline\": %.2f, \"peak\": %.2f, \"connections\": %" PRIu64
         ", \"no_group_after\": %.4f}\n",
         taken, errors, wall, cpu, body_bytes, baseline, memory_now().peak,
         stats_of(pool).connections, seconds_to_no_group(pool));
  pool_free(pool);
  free(submissions);
  free(waits.values);
  if (errors > 0) exit(1);
}

/* ---- the arguments ---- */

static uint64_t number(const char *name, const char *text) {
  char *end;
  errno = 0;
  unsigned long long value = strtoull(text, &end, 10);
  if (*text < '0' || *text > '9' || *end != '\0' || errno != 0) fail(name, "is a whole number");
  return value;
}

int main(int argc, char **argv) {
  struct sizes sizes = {.requests = 10000, .domains = 1000, .window = 100, .each = 100,
                        .workers = 256, .buffer = 1024, .bytes = UINT64_C(256) << 20,
                        .batch = BATCH, .path = "/"};
  const struct {
    const char *name;
    uint64_t *value;
  } numbers[] = {
      {"port", &sizes.port},
      {"requests", &sizes.requests},
      {"workers", &sizes.workers},
      {"threads", &sizes.threads}, /* 0: one a core */
      {"domains", &sizes.domains},
      {"window", &sizes.window},
      {"each", &sizes.each},
      {"buffer", &sizes.buffer},
      {"bytes", &sizes.bytes},                     /* max_buffered_bytes */
      {"batch", &sizes.batch},                     /* results taken at once, at most 256 */
      {"pause", &sizes.pause},                     /* µs that the consumer takes a result */
      {"hot", &sizes.hot},                         /* of each 100 jobs, those of one domain more */
      {"hot-parallelism", &sizes.hot_parallelism}, /* its parallelism; also: measure the waits */
  };
  enum { NUMBERS = sizeof numbers / sizeof numbers[0], THROTTLE = 100, PATH, COMPRESSED };
  struct option options[NUMBERS + 4] = {{0}};
  for (int i = 0; i < (int)NUMBERS; i++)
    options[i] = (struct option){numbers[i].name, required_argument, NULL, i + 1};
  options[NUMBERS] = (struct option){"throttle", required_argument, NULL, THROTTLE};
  options[NUMBERS + 1] = (struct option){"path", required_argument, NULL, PATH};
  options[NUMBERS + 2] = (struct option){"compressed", no_argument, NULL, COMPRESSED};
  int option;
  while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
    if (option == THROTTLE) sizes.throttle = strtod(optarg, NULL);
    else if (option == PATH) sizes.path = optarg;
    else if (option == COMPRESSED) sizes.compressed = true;
    else if (option >= 1 && option <= (int)NUMBERS)
      *numbers[option - 1].value = number(numbers[option - 1].name, optarg);
    else return 2;
  }
  if (optind < argc || sizes.port == 0 || sizes.requests == 0 || sizes.domains == 0 ||
      sizes.window == 0 || sizes.each == 0 || sizes.batch == 0 || sizes.batch > BATCH ||
      sizes.hot > 99) {
    fputs("Usage: stream --port PORT [--requests N] [--workers N] ...: see benches/stream.c\n",
          stderr);
    return 2;
  }
  run(&sizes);
  return 0;
}
