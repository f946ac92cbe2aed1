/* latency: how long rouet takes to start, to wake its taker, and after a throttle has run out.
 *
 *     latency start N URL [CA]
 *         N times pool_new, a request, its result, pool_free; a line each. CA: the authorities.
 *     latency wake rouet|bare N
 *         N requests, one at a time, to a server of its own that answers after a millisecond: from
 *         the submission to its arrival there, and from the answer to the taker's return. bare is
 *         a loop of curl_multi_perform and curl_multi_poll over the same libcurl.
 *     latency throttle DOMAINS LOW HIGH SECONDS BUSY
 *         DOMAINS domains with throttles from LOW to HIGH ms, on a server of its own; how long
 *         after its earliest moment each request came in there. BUSY processes that only compute
 *         run beside it.
 *
 * Each line is a JSON object; durations are in microseconds.
 */
#define _GNU_SOURCE

#include "measure.h"

#include <curl/curl.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <rouet.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static const char ANSWER[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

_Noreturn static void fail(const char *what, const char *why) {
  fprintf(stderr, "latency: %s: %s\n", what, why);
  exit(1);
}

static void need(pool_status_t status, const char *what) {
  if (status != POOL_OK) fail(what, status == POOL_AGAIN ? "timed out" : pool_last_error());
}

static void need_answer(const pool_result_t *result) {
  if (result->error_code) fail("a request", result->error_message);
  if (result->status != 200) fail("a request", "its status is not 200");
}

static int listen_on_loopback(uint16_t *port) {
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  struct sockaddr_in address = {.sin_family = AF_INET,
                                .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t size = sizeof address;
  if (fd < 0 || bind(fd, (struct sockaddr *)&address, size) || listen(fd, 4096) ||
      getsockname(fd, (struct sockaddr *)&address, &size))
    fail("a server", strerror(errno));
  *port = ntohs(address.sin_port);
  return fd;
}

static int take_connection(int listener) {
  int fd = accept(listener, NULL, NULL), on = 1;
  if (fd < 0) fail("accept", strerror(errno));
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  return fd;
}

/* Reads a request, which comes in one piece: it is small. 0: the connection was closed. */
static size_t read_request(int fd, char *into, size_t room) {
  ssize_t size = read(fd, into, room - 1);
  if (size <= 0) return 0;
  into[size] = 0;
  if (size < 4 || strcmp(into + size - 4, "\r\n\r\n") != 0) fail("the server", "half a request");
  return (size_t)size;
}

static void answer(int fd) {
  if (write(fd, ANSWER, sizeof ANSWER - 1) != (ssize_t)sizeof ANSWER - 1)
    fail("the server's write", strerror(errno));
}

/* ---- start ---- */

static int start(size_t number, const char *url, const char *authorities) {
  pool_options_t options;
  need(pool_options_init(&options, sizeof options), "pool_options_init");
  options.ca_file = authorities;
  pool_config_t config;
  need(pool_config_init(&config, sizeof config), "pool_config_init");
  config.options = &options;
  for (size_t i = 0; i < number; i++) {
    int64_t began = now();
    pool_t *pool;
    need(pool_new(&config, &pool), "pool_new");
    int64_t made = now();
    pool_job_t job;
    need(pool_job_init(&job, sizeof job), "pool_job_init");
    job.url = url;
    need(pool_submit(pool, &job, 0), "pool_submit");
    int64_t submitted = now();
    pool_result_t *result;
    need(pool_next_result(pool, 10000, &result), "pool_next_result");
    int64_t taken = now();
    need_answer(result);
    pool_result_free(result);
    int64_t done = now();
    pool_free(pool);
    int64_t freed = now();
    printf("{\"new\": %.1f, \"submit\": %.1f, \"result\": %.1f, \"free\": %.1f, \"all\": %.1f}\n",
           (double)(made - began) / 1e3, (double)(submitted - made) / 1e3,
           (double)(taken - submitted) / 1e3, (double)(freed - done) / 1e3,
           (double)(freed - began) / 1e3);
  }
  return 0;
}

/* ---- wake ---- */

/* When the last request came in, and when its answer began to be written. */
static _Atomic int64_t arrived, answered;

static void *answer_slowly(void *userdata) {
  int fd = take_connection(*(int *)userdata);
  char request[4096];
  while (read_request(fd, request, sizeof request)) {
    atomic_store(&arrived, now());
    /* Long enough for all of the client's threads to have gone to sleep. */
    nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    atomic_store(&answered, now());
    answer(fd);
  }
  close(fd);
  return NULL;
}

static size_t let_go(char *data, size_t one, size_t size, void *userdata) {
  (void)data, (void)one, (void)userdata;
  return size;
}

static double wall_clock(void) {
  struct timespec time;
  clock_gettime(CLOCK_REALTIME, &time);
  return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static int wake(const char *client, size_t number) {
  uint16_t port;
  int listener = listen_on_loopback(&port);
  pthread_t server;
  if (pthread_create(&server, NULL, answer_slowly, &listener)) fail("a thread", strerror(errno));
  char url[64];
  snprintf(url, sizeof url, "http://127.0.0.1:%u/", port);
  struct series there = {0}, back = {0}, handed = {0};
  /* The first ones open the connection and warm the caches. */
  size_t unmeasured = 20;

  if (strcmp(client, "rouet") == 0) {
    pool_t *pool;
    need(pool_new(NULL, &pool), "pool_new");
    pool_job_t job;
    need(pool_job_init(&job, sizeof job), "pool_job_init");
    job.url = url;
    job.group = ""; /* no throttle */
    for (size_t i = 0; i < number + unmeasured; i++) {
      int64_t began = now();
      need(pool_submit(pool, &job, 0), "pool_submit");
      pool_result_t *result;
      need(pool_next_result(pool, 10000, &result), "pool_next_result");
      int64_t returned = now();
      double wall = wall_clock();
      need_answer(result);
      if (i >= unmeasured) {
        add(&there, atomic_load(&arrived) - began);
        add(&back, returned - atomic_load(&answered));
        add(&handed, (int64_t)((wall - result->end_time) * 1e9));
      }
      pool_result_free(result);
    }
    pool_free(pool);
  } else if (strcmp(client, "bare") == 0) {
    curl_global_init(CURL_GLOBAL_DEFAULT);
    CURLM *multi = curl_multi_init();
    CURL *handle = curl_easy_init();
    curl_easy_setopt(handle, CURLOPT_URL, url);
    curl_easy_setopt(handle, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(handle, CURLOPT_TIMEOUT_MS, 30000L);
    curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, let_go);
    for (size_t i = 0; i < number + unmeasured; i++) {
      int64_t began = now();
      curl_multi_add_handle(multi, handle);
      for (;;) {
        int running, queued;
        curl_multi_perform(multi, &running);
        CURLMsg *message = curl_multi_info_read(multi, &queued);
        if (message) {
          if (message->data.result != CURLE_OK)
            fail("a request", curl_easy_strerror(message->data.result));
          break;
        }
        curl_multi_poll(multi, NULL, 0, 1000, NULL);
      }
      int64_t returned = now();
      if (i >= unmeasured) {
        add(&there, atomic_load(&arrived) - began);
        add(&back, returned - atomic_load(&answered));
      }
      curl_multi_remove_handle(multi, handle);
    }
    curl_easy_cleanup(handle);
    curl_multi_cleanup(multi);
    curl_global_cleanup();
  } else {
    fail(client, "neither rouet nor bare");
  }
  pthread_join(server, NULL);
  close(listener);

  printf("{\"client\": \"%s\", ", client);
  print_series("there", &there);
  fputs(", ", stdout);
  print_series("back", &back);
  if (handed.count) {
    fputs(", ", stdout);
    print_series("handed", &handed);
  }
  puts("}");
  return 0;
}

/* ---- throttle ---- */

/* Nanoseconds from the start in which submission and new connections are still going on. */
static const int64_t SETTLING = 500000000;

struct domain {
  int64_t throttle;
  int64_t answered; /* 0: not yet */
};

static struct {
  int listener;
  int64_t began;
  size_t count;
  struct domain *domains;
  struct series late;
  size_t early; /* requests that came before their time, also while it settled */
  _Atomic int over;
} site;

/* Answers at once, and notes how late each request is. A group's next job may start when its
 * throttle has passed since the end of the last, which is not before its answer was written. */
static void *serve(void *userdata) {
  (void)userdata;
  int epoll = epoll_create1(0);
  struct epoll_event event = {.events = EPOLLIN, .data.fd = site.listener};
  epoll_ctl(epoll, EPOLL_CTL_ADD, site.listener, &event);
  struct epoll_event events[64];
  char request[4096];
  while (!atomic_load(&site.over)) {
    int ready = epoll_wait(epoll, events, 64, 100);
    for (int i = 0; i < ready; i++) {
      int fd = events[i].data.fd;
      if (fd == site.listener) {
        event.data.fd = take_connection(fd);
        epoll_ctl(epoll, EPOLL_CTL_ADD, event.data.fd, &event);
        continue;
      }
      if (!read_request(fd, request, sizeof request)) {
        close(fd);
        continue;
      }
      int64_t came = now();
      const char *host = strstr(request, "Host: d");
      size_t index = host ? strtoul(host + 7, NULL, 10) : site.count;
      if (index >= site.count) fail("the server", "a request for no domain of its");
      struct domain *domain = &site.domains[index];
      if (domain->answered) {
        int64_t late = came - domain->answered - domain->throttle;
        if (late < 0) site.early++;
        if (came - site.began > SETTLING) add(&site.late, late);
      }
      domain->answered = now();
      answer(fd);
    }
  }
  close(epoll);
  return NULL;
}

/* What the machine itself makes of a timer meanwhile: how late a thread that sleeps wakes up. */
static void *sleep_on(void *userdata) {
  struct series *late = userdata;
  while (!atomic_load(&site.over)) {
    int64_t until = now() + 5000000;
    struct timespec time = {.tv_sec = until / 1000000000, .tv_nsec = until % 1000000000};
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &time, NULL);
    int64_t woke = now();
    if (woke - site.began > SETTLING) add(late, woke - until);
  }
  return NULL;
}

static pid_t compute(void) {
  pid_t child = fork();
  if (child < 0) fail("fork", strerror(errno));
  if (child > 0) return child;
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  for (volatile unsigned long i = 0;; i++) {
  }
}

static int throttle(size_t count, double low, double high, double seconds, size_t busy) {
  pid_t children[64];
  if (count == 0 || low <= 0 || high < low || busy > 64) fail("throttle", "arguments");
  for (size_t i = 0; i < busy; i++) children[i] = compute();

  uint16_t port;
  site.listener = listen_on_loopback(&port);
  site.count = count;
  site.domains = calloc(count, sizeof *site.domains);
  size_t *left = calloc(count, sizeof *left), total = 0;
  if (!site.domains || !left) fail("throttle", "out of memory");

  char connect_to[32];
  snprintf(connect_to, sizeof connect_to, "::127.0.0.1:%u", port);
  const char *entries[] = {connect_to};
  pool_options_t options;
  need(pool_options_init(&options, sizeof options), "pool_options_init");
  options.connect_to = entries;
  options.connect_to_count = 1;
  for (size_t i = 0; i < count; i++) {
    double ms = low + (high - low) * (double)i / (double)count;
    site.domains[i].throttle = (int64_t)(ms * 1e6);
    left[i] = (size_t)(seconds * 1000 / ms) + 1;
    total += left[i];
  }
  pool_config_t config;
  need(pool_config_init(&config, sizeof config), "pool_config_init");
  config.max_workers = 256; /* and four times as many idle connections: one a domain */
  config.buffer_size = total;
  config.options = &options;
  pool_t *pool;
  need(pool_new(&config, &pool), "pool_new");

  struct series slept = {0};
  pthread_t server, sleeper;
  site.began = now();
  if (pthread_create(&server, NULL, serve, NULL) ||
      pthread_create(&sleeper, NULL, sleep_on, &slept))
    fail("a thread", strerror(errno));

  char group[32], url[64];
  pool_job_t job;
  need(pool_job_init(&job, sizeof job), "pool_job_init");
  job.url = url;
  job.group = group;
  for (size_t i = 0; i < count; i++) {
    snprintf(group, sizeof group, "d%zu", i);
    need(pool_set_domain_rule(pool, group, (double)site.domains[i].throttle / 1e9, 1),
         "pool_set_domain_rule");
  }
  /* All are there from the start on, so that no domain ever waits for a job. */
  for (size_t submitted = 0; submitted < total;) {
    for (size_t i = 0; i < count; i++) {
      if (left[i] == 0) continue;
      left[i]--;
      submitted++;
      snprintf(group, sizeof group, "d%zu", i);
      snprintf(url, sizeof url, "http://d%zu.test/", i);
      need(pool_submit(pool, &job, 0), "pool_submit");
    }
  }
  need(pool_finish(pool), "pool_finish");
  double cpu = cpu_seconds();
  int64_t submitted = now();
  for (size_t taken = 0; taken < total;) {
    pool_result_t *results[256];
    size_t number;
    need(pool_next_results(pool, results, 256, 60000, &number), "pool_next_results");
    for (size_t i = 0; i < number; i++) {
      need_answer(results[i]);
      pool_result_free(results[i]);
    }
    taken += number;
  }
  int64_t ended = now();
  cpu = cpu_seconds() - cpu;
  pool_free(pool);
  atomic_store(&site.over, 1);
  pthread_join(server, NULL);
  pthread_join(sleeper, NULL);
  for (size_t i = 0; i < busy; i++) {
    kill(children[i], SIGKILL);
    waitpid(children[i], NULL, 0);
  }

  printf("{\"requests\": %zu, \"rate\": %.0f, \"busy\": %zu, \"cpu\": %.3f, \"early\": %zu, ",
         total, (double)total * 1e9 / (double)(ended - site.began), busy,
         cpu * 1e9 / (double)(ended - submitted), site.early);
  print_series("late", &site.late);
  fputs(", ", stdout);
  print_series("sleep", &slept);
  puts("}");
  free(site.domains);
  free(left);
  return 0;
}

int main(int argc, char **argv) {
  const char *what = argc > 1 ? argv[1] : "";
  if (strcmp(what, "start") == 0 && (argc == 4 || argc == 5))
    return start(strtoul(argv[2], NULL, 10), argv[3], argv[4]);
  if (strcmp(what, "wake") == 0 && argc == 4) return wake(argv[2], strtoul(argv[3], NULL, 10));
  if (strcmp(what, "throttle") == 0 && argc == 7)
    return throttle(strtoul(argv[2], NULL, 10), strtod(argv[3], NULL), strtod(argv[4], NULL),
                    strtod(argv[5], NULL), strtoul(argv[6], NULL, 10));
  fputs("Usage: latency start N URL [CA]\n"
        "       latency wake rouet|bare N\n"
        "       latency throttle DOMAINS LOW HIGH SECONDS BUSY\n",
        stderr);
  return 2;
}
