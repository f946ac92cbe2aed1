/* buffered: what a job takes from its submission to its start, in a real pool.
 *
 *     buffered JOBS DOMAINS URL-BYTES [--options]
 *
 * The pool's one worker waits on a server that never answers, so that none of the JOBS starts. Their
 * URLs are of URL-BYTES bytes each and spread evenly over DOMAINS domains. With --options each job
 * has options of its own. Prints a JSON object: the bytes of resident memory a job, and how many of
 * them are its URL.
 */
#define _POSIX_C_SOURCE 200809L

#include <arpa/inet.h>
#include <rouet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static void fail(const char *what) {
  fprintf(stderr, "buffered: %s: %s\n", what, pool_last_error());
  exit(1);
}

/* Resident memory that is no file's, in bytes. */
static long resident(void) {
  long size = 0, all = 0, shared = 0;
  FILE *file = fopen("/proc/self/statm", "r");
  if (!file || fscanf(file, "%ld %ld %ld", &size, &all, &shared) != 3) fail("/proc/self/statm");
  fclose(file);
  return (all - shared) * sysconf(_SC_PAGESIZE);
}

static pool_stats_t stats_of(pool_t *pool) {
  pool_stats_t stats = {.struct_size = sizeof stats};
  if (pool_stats(pool, &stats) != POOL_OK) fail("pool_stats");
  return stats;
}

static void rest(long milliseconds) {
  nanosleep(&(struct timespec){milliseconds / 1000, milliseconds % 1000 * 1000000}, NULL);
}

/* A server that takes connections and says nothing; its port. */
static int silent_server(void) {
  struct sockaddr_in address = {.sin_family = AF_INET};
  socklen_t size = sizeof address;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  int server = socket(AF_INET, SOCK_STREAM, 0);
  if (server < 0 || bind(server, (struct sockaddr *)&address, size) || listen(server, 1) ||
      getsockname(server, (struct sockaddr *)&address, &size)) {
    perror("buffered: server");
    exit(1);
  }
  return ntohs(address.sin_port);
}

int main(int argc, char **argv) {
  size_t jobs = argc > 3 ? strtoul(argv[1], NULL, 10) : 0;
  size_t domains = argc > 3 ? strtoul(argv[2], NULL, 10) : 0;
  size_t url_bytes = argc > 3 ? strtoul(argv[3], NULL, 10) : 0;
  int own_options = argc == 5 && strcmp(argv[4], "--options") == 0;
  char url[1024];
  if (!jobs || !domains || url_bytes < 40 || url_bytes >= sizeof url || argc > 4 + own_options) {
    fputs("Usage: buffered JOBS DOMAINS URL-BYTES (40 to 1023) [--options]\n", stderr);
    return 2;
  }

  pool_options_t options;
  pool_options_init(&options, sizeof options);
  options.timeout = 3600;
  pool_config_t config;
  pool_config_init(&config, sizeof config);
  config.max_workers = 1;
  config.buffer_size = jobs + 1;
  config.options = &options;
  pool_t *pool;
  if (pool_new(&config, &pool) != POOL_OK) fail("pool_new");

  pool_job_t job;
  pool_job_init(&job, sizeof job);
  snprintf(url, sizeof url, "http://127.0.0.1:%d/", silent_server());
  job.url = url;
  if (pool_submit(pool, &job, 0) != POOL_OK) fail("pool_submit");
  while (stats_of(pool).in_flight == 0) rest(1);

  long before = resident();
  if (own_options) job.options = &options;
  memset(url, 'x', url_bytes);
  url[url_bytes] = 0;
  for (size_t i = 0; i < jobs; i++) {
    char head[40];
    int size = snprintf(head, sizeof head, "http://site%07zu.com/%010zu/", i % domains, i);
    memcpy(url, head, (size_t)size);
    if (pool_submit(pool, &job, 0) != POOL_OK) fail("pool_submit");
  }
  /* All are with their groups, and what was freed over that had time to go back to the system. */
  while (stats_of(pool).groups < domains + 1) rest(10);
  rest(2000);
  long after = resident();

  printf("{\"jobs\": %zu, \"domains\": %zu, \"url_bytes\": %zu, \"own_options\": %s, "
         "\"bytes\": %.1f}\n",
         jobs, domains, url_bytes, own_options ? "true" : "false",
         (double)(after - before) / (double)jobs);
  pool_free(pool);
  return 0;
}
