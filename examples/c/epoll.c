/* epoll: downloads URLs from within an event loop that has other things to do.
 *
 *     cc epoll.c $(pkg-config --cflags --libs rouet) -o epoll
 *     ./epoll URL...
 *
 * The loop waits for three things at once: results, a timer that shows the progress, and Ctrl-C,
 * which cancels. It never waits within a call to the library. Exits with 1 if a URL failed.
 */
#define _POSIX_C_SOURCE 200809L

#include <inttypes.h>
#include <rouet.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

static pool_t *pool;
static char **urls; /* those that were not handed over yet; NULL is the end */
static int failed;

static void die(const char *what) {
  perror(what);
  exit(2);
}

/* Hands over URLs while there is room. */
static void feed(void) {
  pool_job_t job;
  pool_job_init(&job, sizeof job);
  for (; *urls; urls++) {
    job.url = *urls;
    pool_status_t status = pool_submit(pool, &job, 0);
    if (status == POOL_AGAIN || status == POOL_CLOSED) return;
    if (status != POOL_OK) {
      fprintf(stderr, "epoll: %s: %s\n", *urls, pool_last_error());
      failed = 1;
    }
  }
  pool_finish(pool); /* may be said again */
}

/* Takes the results that are there, which makes room. Returns 0 when none will come any more. */
static int take(void) {
  for (;;) {
    pool_result_t *result;
    pool_status_t status = pool_next_result(pool, 0, &result);
    if (status != POOL_OK) return status == POOL_AGAIN;
    if (result->error_code) {
      fprintf(stderr, "epoll: %s\n", result->error_message);
      failed = 1;
    } else {
      printf("%d %s %zu bytes\n", (int)result->status, result->end_url, result->body_size);
    }
    pool_result_free(result);
    feed();
  }
}

static void show_progress(void) {
  pool_stats_t stats = {.struct_size = sizeof stats};
  if (pool_stats(pool, &stats) == POOL_OK)
    fprintf(stderr, "%" PRIu64 " of %" PRIu64 " done, %" PRIu64 " under way\n", stats.delivered,
            stats.accepted, stats.in_flight);
}

static void watch(int epoll, int fd) {
  struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
  if (fd < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) != 0) die("epoll");
}

int main(int argc, char **argv) {
  if (argc < 2) {
    fputs("Usage: epoll URL...\n", stderr);
    return 2;
  }
  urls = argv + 1;

  /* Before the pool starts threads: they must not get the signal either. */
  sigset_t interrupt;
  sigemptyset(&interrupt);
  sigaddset(&interrupt, SIGINT);
  sigprocmask(SIG_BLOCK, &interrupt, NULL);

  int results;
  if (pool_new(NULL, &pool) != POOL_OK || pool_event_fd(pool, &results) != POOL_OK) {
    fprintf(stderr, "epoll: %s\n", pool_last_error());
    return 2;
  }
  int epoll = epoll_create1(EPOLL_CLOEXEC);
  if (epoll < 0) die("epoll");
  int signals = signalfd(-1, &interrupt, SFD_CLOEXEC);
  int timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
  watch(epoll, results);
  watch(epoll, signals);
  watch(epoll, timer);
  struct itimerspec each_second = {{1, 0}, {1, 0}};
  timerfd_settime(timer, 0, &each_second, NULL);

  feed();
  for (int more = 1; more;) {
    struct epoll_event event;
    if (epoll_wait(epoll, &event, 1, -1) < 1) continue; /* stopped and resumed */
    if (event.data.fd == results) more = take();
    if (event.data.fd == timer) {
      uint64_t times;
      if (read(timer, &times, sizeof times) == sizeof times) show_progress();
    }
    if (event.data.fd == signals) {
      struct signalfd_siginfo info;
      if (read(signals, &info, sizeof info) == sizeof info) pool_cancel(pool);
    }
  }

  close(timer);
  close(signals);
  close(epoll);
  pool_free(pool); /* closes the descriptor of results */
  return failed;
}
