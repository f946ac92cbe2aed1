/* lifecycle SITE FAULTS: handles, streams and results from their first call to their last.
 * SITE and FAULTS are the base URLs of the test site and of the fault server.
 */
#include "check.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sys/stat.h>

static char page[256];       /* a URL that answers */
static char hang[256];       /* a URL that never does */
static char connect_to[256]; /* leads every host to the site */
static const char *faults;
static const char *const CONNECT_TO[] = {connect_to};

/* Options under which every host is the site. */
static pool_options_t everywhere(void) {
  pool_options_t options = default_options();
  options.connect_to = CONNECT_TO;
  options.connect_to_count = 1;
  return options;
}

static void submit(pool_t *pool, const char *url, uint64_t tag) {
  pool_job_t job = job_for(url, tag);
  EXPECT(pool_submit(pool, &job, 0), POOL_OK);
}

/* Submits without politeness: starts as soon as there is a worker. */
static void submit_free(pool_t *pool, const char *url, uint64_t tag) {
  pool_job_t job = job_for(url, tag);
  job.group = "";
  EXPECT(pool_submit(pool, &job, 0), POOL_OK);
}

static pool_stats_t stats_of(pool_t *pool) {
  pool_stats_t stats = {.struct_size = sizeof stats};
  EXPECT(pool_stats(pool, &stats), POOL_OK);
  return stats;
}

static size_t pending_of(pool_t *pool) {
  size_t pending = SIZE_MAX;
  EXPECT(pool_pending(pool, &pending), POOL_OK);
  return pending;
}

static bool readable(int fd, int timeout_ms) {
  struct pollfd wait = {.fd = fd, .events = POLLIN};
  int count = poll(&wait, 1, timeout_ms);
  CHECK(count >= 0, "poll: %s", strerror(errno));
  return count == 1 && (wait.revents & POLLIN);
}

static void free_soon(pool_t *pool, const char *when) {
  double before = now();
  pool_free(pool);
  CHECK(now() - before < 2, "pool_free %s took %.1f s", when, now() - before);
}

static void free_at_any_time(void) {
  for (int i = 0; i < 10; i++) free_soon(open_pool(NULL), "right after pool_new");

  for (int ms = 0; ms < 200; ms += 60) {
    pool_t *pool = open_pool(NULL);
    for (uint64_t i = 0; i < 40; i++) submit_free(pool, hang, i);
    for (uint64_t i = 0; i < 40; i++) submit(pool, hang, i);
    pause_ms(ms);
    free_soon(pool, "with jobs in flight");
  }

  pool_t *pool = open_pool(NULL);
  for (uint64_t i = 0; i < 40; i++) submit_free(pool, page, i);
  for (double start = now(); stats_of(pool).in_flight > 0 || stats_of(pool).held > 0; pause_ms(5))
    CHECK(now() - start < 60, "the jobs don't end");
  CHECK(pending_of(pool) == 40, "%zu results", pending_of(pool));
  CHECK(stats_of(pool).started == 40, "%llu started", (unsigned long long)stats_of(pool).started);
  CHECK(stats_of(pool).buffered_bytes > 0, "results without a byte");
  free_soon(pool, "with results not taken");
  puts("ok free_at_any_time");
}

static void fetch_page(pool_t *pool) {
  submit_free(pool, page, 5);
  pool_result_t *result = take(pool);
  EXPECT_PAGE(result);
  CHECK(result->tag == 5, "tag %llu", (unsigned long long)result->tag);
  pool_result_free(result);
}

static void shared_handles(void) {
  static const int ORDERS[][3] = {{0, 1, 2}, {2, 1, 0}, {1, 0, 2}};
  for (size_t order = 0; order < 3; order++) {
    pool_t *handles[3] = {open_pool(NULL)};
    EXPECT(pool_share(handles[0], NULL, &handles[1]), POOL_OK);
    EXPECT(pool_share(handles[1], NULL, &handles[2]), POOL_OK);
    for (int i = 0; i < 3; i++) {
      for (int j = i; j < 3; j++) fetch_page(handles[ORDERS[order][j]]);
      submit_free(handles[ORDERS[order][i]], hang, 0);
      free_soon(handles[ORDERS[order][i]], "of a shared handle");
    }
  }

  /* Each stream has its own results and its own end. */
  pool_t *one = open_pool(NULL), *two;
  EXPECT(pool_share(one, NULL, &two), POOL_OK);
  submit_free(one, page, 1);
  submit_free(two, page, 2);
  EXPECT(pool_finish(one), POOL_OK);
  pool_result_t *result = take(one);
  CHECK(result->tag == 1, "tag %llu", (unsigned long long)result->tag);
  pool_result_free(result);
  EXPECT(pool_next_result(one, -1, &result), POOL_DONE);
  EXPECT(pool_cancel(one), POOL_OK);
  result = take(two);
  EXPECT_PAGE(result);
  CHECK(result->tag == 2, "tag %llu", (unsigned long long)result->tag);
  pool_result_free(result);
  fetch_page(two);
  pool_free(one);
  fetch_page(two);
  pool_free(two);
  puts("ok shared_handles");
}

static void result_outlives_pool(void) {
  pool_t *pool = open_pool(NULL);
  submit_free(pool, page, 1);
  pool_result_t *result = take(pool);
  pool_free(pool);
  EXPECT_PAGE(result);
  CHECK(strcmp(result->url, page) == 0, "url is %s", result->url);
  size_t sum = 0;
  for (size_t i = 0; i < result->body_size; i++) sum += result->body[i];
  CHECK(result->body_size > 0 && sum > 0, "the body is empty");
  pool_result_free(result);
  puts("ok result_outlives_pool");
}

static void cancel_and_drain(void) {
  enum { JOBS = 300 };
  static const bool ORDERED[] = {false, true};
  for (int round = 0; round < 2; round++) {
    pool_config_t config = default_config();
    config.ordered = ORDERED[round];
    pool_t *pool = open_pool(&config);
    int seen[JOBS] = {0};
    for (uint64_t i = 0; i < JOBS; i++) {
      if (i % 3 == 0)
        submit_free(pool, hang, i);
      else
        submit(pool, i % 3 == 1 ? hang : page, i);
    }
    pause_ms(50);
    EXPECT(pool_cancel(pool), POOL_OK);
    EXPECT(pool_cancel(pool), POOL_OK);
    pool_job_t job = job_for(page, 0);
    EXPECT(pool_submit(pool, &job, -1), POOL_CLOSED);
    double start = now();
    for (int i = 0; i < JOBS; i++) {
      pool_result_t *result = take(pool);
      CHECK(result->tag < JOBS, "tag %llu", (unsigned long long)result->tag);
      seen[result->tag]++;
      if (ORDERED[round])
        CHECK(result->tag == (uint64_t)i, "tag %llu at %d", (unsigned long long)result->tag, i);
      if (result->error_code || strcmp(result->url, hang) == 0) EXPECT_ERROR(result, "cancelled");
      pool_result_free(result);
    }
    CHECK(now() - start < 2, "the results took %.1f s to come", now() - start);
    for (int i = 0; i < JOBS; i++) CHECK(seen[i] == 1, "job %d gave %d results", i, seen[i]);
    pool_result_t *none;
    EXPECT(pool_next_result(pool, -1, &none), POOL_DONE);
    CHECK(pending_of(pool) == 0, "%zu pending", pending_of(pool));
    pool_free(pool);
  }
  puts("ok cancel_and_drain");
}

static void finish(void) {
  pool_t *pool = open_pool(NULL);
  pool_result_t *result, *results[4];
  size_t count;
  EXPECT(pool_finish(pool), POOL_OK);
  EXPECT(pool_next_result(pool, -1, &result), POOL_DONE);
  pool_free(pool);

  pool = open_pool(NULL);
  CHECK(pending_of(pool) == 0, "%zu pending", pending_of(pool));
  submit_free(pool, page, 1);
  submit_free(pool, page, 2);
  CHECK(pending_of(pool) == 2, "%zu pending", pending_of(pool));
  EXPECT(pool_finish(pool), POOL_OK);
  EXPECT(pool_finish(pool), POOL_OK);
  pool_job_t job = job_for(page, 3);
  EXPECT(pool_submit(pool, &job, -1), POOL_CLOSED);
  CHECK(*pool_last_error() != '\0', "POOL_CLOSED without a word");
  EXPECT(pool_submit_many(pool, &job, 1, -1, &count), POOL_CLOSED);
  CHECK(count == 0, "%zu accepted", count);
  pool_result_free(take(pool));
  CHECK(pending_of(pool) == 1, "%zu pending", pending_of(pool));
  pool_result_free(take(pool));
  CHECK(pending_of(pool) == 0, "%zu pending", pending_of(pool));
  for (int i = 0; i < 2; i++) {
    EXPECT(pool_next_result(pool, -1, &result), POOL_DONE);
    EXPECT(pool_next_result(pool, 0, &result), POOL_DONE);
    EXPECT(pool_next_results(pool, results, 4, -1, &count), POOL_DONE);
  }
  pool_free(pool);
  puts("ok finish");
}

static void time_outs(void) {
  pool_config_t config = default_config();
  config.buffer_size = 2;
  pool_t *pool = open_pool(&config);
  pool_result_t *result = NULL, *results[4] = {NULL};
  size_t count = 77;
  double start = now();
  EXPECT(pool_next_result(pool, 0, &result), POOL_AGAIN);
  EXPECT(pool_next_results(pool, results, 4, 0, &count), POOL_AGAIN);
  CHECK(now() - start < 1, "0 ms took %.3f s", now() - start);
  start = now();
  EXPECT(pool_next_result(pool, 50, &result), POOL_AGAIN);
  CHECK(now() - start >= 0.05 && now() - start < 2, "50 ms took %.3f s", now() - start);
  start = now();
  EXPECT(pool_next_results(pool, results, 4, 50, &count), POOL_AGAIN);
  CHECK(now() - start >= 0.05 && now() - start < 2, "50 ms took %.3f s", now() - start);
  CHECK(result == NULL && results[0] == NULL && count == 77, "POOL_AGAIN wrote its outputs");

  /* One job starts and hangs, two are held; there is no room for a fourth. */
  submit(pool, hang, 0);
  for (start = now(); stats_of(pool).held > 0; pause_ms(2))
    CHECK(now() - start < 60, "the first job does not start");
  submit(pool, hang, 1);
  submit(pool, hang, 2);
  pool_job_t job = job_for(hang, 3);
  start = now();
  EXPECT(pool_submit(pool, &job, 0), POOL_AGAIN);
  CHECK(now() - start < 1, "0 ms took %.3f s", now() - start);
  start = now();
  EXPECT(pool_submit(pool, &job, 50), POOL_AGAIN);
  CHECK(now() - start >= 0.05 && now() - start < 2, "50 ms took %.3f s", now() - start);
  EXPECT(pool_submit_many(pool, &job, 1, 50, &count), POOL_AGAIN);
  CHECK(count == 0, "%zu accepted", count);
  CHECK(pending_of(pool) == 3, "%zu pending", pending_of(pool));
  pool_free(pool);
  puts("ok time_outs");
}

static void event_fd(void) {
  pool_t *pool = open_pool(NULL), *other;
  EXPECT(pool_share(pool, NULL, &other), POOL_OK);
  int fd = -1, again = -1, others = -1;
  EXPECT(pool_event_fd(pool, &fd), POOL_OK);
  EXPECT(pool_event_fd(pool, &again), POOL_OK);
  EXPECT(pool_event_fd(other, &others), POOL_OK);
  CHECK(fd >= 0 && fd == again && fd != others, "descriptors %d, %d, %d", fd, again, others);
  for (int round = 0; round < 3; round++) {
    CHECK(!readable(fd, 20), "readable with nothing to take");
    submit_free(pool, page, 1);
    submit_free(pool, page, 2);
    for (int i = 0; i < 2; i++) {
      CHECK(readable(fd, 60000), "not readable with a result");
      pool_result_t *result;
      EXPECT(pool_next_result(pool, 0, &result), POOL_OK);
      pool_result_free(result);
    }
  }
  submit_free(pool, hang, 3);
  CHECK(!readable(fd, 20), "readable with a job that hangs");
  EXPECT(pool_cancel(pool), POOL_OK);
  CHECK(readable(fd, 60000), "not readable with a cancelled job");
  pool_result_free(take(pool));
  CHECK(readable(fd, 60000), "not readable though the stream is done");
  pool_result_t *none;
  EXPECT(pool_next_result(pool, 0, &none), POOL_DONE);
  CHECK(readable(fd, 0), "not readable though the stream is done");
  CHECK(!readable(others, 0), "another stream's descriptor is readable");
  struct stat before, after;
  CHECK(fstat(fd, &before) == 0, "the descriptor is none");
  pool_free(pool);
  /* Its number may mean another file by now: the C library opens some of its own accord. */
  CHECK(fstat(fd, &after) == -1 || after.st_ino != before.st_ino || after.st_dev != before.st_dev,
        "pool_free left the descriptor open");

  /* Made when all is done already. */
  submit_free(other, page, 1);
  pool_free(other);
  pool = open_pool(NULL);
  EXPECT(pool_finish(pool), POOL_OK);
  EXPECT(pool_event_fd(pool, &fd), POOL_OK);
  CHECK(readable(fd, 0), "not readable though the stream is done");
  pool_free(pool);
  puts("ok event_fd");
}

/* An event loop that can only read: it gets a byte each time that there is something after there was
 * nothing, and none more. */
static void event_fd_that_is_read(void) {
  pool_t *pool = open_pool(NULL);
  int fd = -1;
  EXPECT(pool_event_fd(pool, &fd), POOL_OK);
  char bytes[8];
  for (uint64_t round = 0; round < 3; round++) {
    CHECK(read(fd, bytes, sizeof bytes) == -1 && errno == EAGAIN, "it gave a byte, or waited");
    submit_free(pool, page, round);
    CHECK(readable(fd, 60000), "not readable with a result");
    if (round != 1) CHECK(read(fd, bytes, sizeof bytes) == 1, "not one byte");
    pool_result_free(take(pool));
  }
  EXPECT(pool_finish(pool), POOL_OK);
  CHECK(read(fd, bytes, sizeof bytes) == 1, "no byte though the stream is done");
  CHECK(read(fd, bytes, sizeof bytes) == -1 && errno == EAGAIN, "more than one byte");
  pool_free(pool);
  puts("ok event_fd_that_is_read");
}

/* Whether an offset of a packed result leads to that text. */
static bool says(const pool_result_t *packed, const char *offset, const char *text) {
  return strcmp((const char *)packed + (uintptr_t)offset, text) == 0;
}

static void packed(void) {
  enum { JOBS = 50, SIZE = 64 << 10 };
  pool_config_t config = default_config();
  config.passthrough = 1;
  config.ordered = 1;
  pool_t *pool = open_pool(&config);
  pool_result_t *buffer = malloc(SIZE); /* so that valgrind sees its end */
  CHECK(buffer, "no memory");
  size_t count = 7, needed = 7;
  EXPECT(pool_next_packed(pool, buffer, SIZE, 0, &count, &needed), POOL_AGAIN);
  CHECK(count == 7 && needed == 7, "POOL_AGAIN wrote its outputs");
  for (uint64_t i = 0; i < JOBS; i++) {
    submit_free(pool, i % 10 == 3 ? "http://" : i % 10 == 4 ? NULL : page, i);
  }
  EXPECT(pool_finish(pool), POOL_OK);
  uint64_t taken = 0;
  size_t most = 0;
  pool_status_t status;
  while ((status = pool_next_packed(pool, buffer, SIZE, 60000, &count, &needed)) == POOL_OK) {
    CHECK(count > 0, "it did not fit: %zu", needed);
    if (count > most) most = count;
    const pool_result_t *result = buffer;
    for (size_t i = 0; i < count; i++, taken++) {
      CHECK((char *)result + result->block_size <= (char *)buffer + SIZE, "beyond the buffer");
      CHECK(result->tag == taken, "%u is not %u", (unsigned)result->tag, (unsigned)taken);
      const pool_header_t *headers = (const void *)((char *)result + (uintptr_t)result->headers);
      const pool_hop_t *stack = (const void *)((char *)result + (uintptr_t)result->stack);
      switch (taken % 10) {
        case 3:
          CHECK(says(result, result->error_code, "invalid-url"), "no error");
          CHECK(says(result, result->url, "http://") && !result->body, "no URL");
          break;
        case 4:
          CHECK(!result->url && !result->error_code && !result->status, "not passed through");
          break;
        default:
          CHECK(!result->error_code && result->status == 200, "status %d", (int)result->status);
          CHECK(says(result, result->url, page) && says(result, result->end_url, page), "no URL");
          CHECK(result->header_count > 0 && says(result, headers->name, "content-type"), "%s",
                (const char *)result + (uintptr_t)headers->name);
          CHECK(result->stack_count == 1 && says(result, stack->url, page) &&
                    says(result, stack->type, "hit"),
                "no stack");
          CHECK(result->body_size > 0 && (uintptr_t)result->body + result->body_size <=
                                             result->block_size,
                "no body");
          CHECK(memcmp((char *)result + (uintptr_t)result->body, "0 : la f", 8) == 0, "%.8s",
                (char *)result + (uintptr_t)result->body);
      }
      result = (const void *)((char *)result + result->block_size);
    }
  }
  CHECK(status == POOL_DONE && taken == JOBS, "%u results", (unsigned)taken);
  CHECK(most > 1, "never more than one");
  pool_free(pool);

  /* What does not fit stays. */
  pool = open_pool(NULL);
  submit_free(pool, page, 9);
  EXPECT(pool_next_packed(pool, buffer, 100, 60000, &count, &needed), POOL_OK);
  CHECK(count == 0 && needed > 100 && needed <= SIZE, "%zu, %zu", count, needed);
  size_t said = needed;
  EXPECT(pool_next_packed(pool, buffer, said - 1, 0, &count, &needed), POOL_OK);
  CHECK(count == 0 && needed == said, "%zu, %zu", count, needed);
  EXPECT(pool_next_packed(pool, buffer, said, 0, &count, &needed), POOL_OK);
  CHECK(count == 1 && needed == 0 && buffer->tag == 9 && buffer->block_size == said, "%zu", needed);
  pool_free(pool);
  free(buffer);
  puts("ok packed");
}

static void stats(void) {
  pool_t *pool = open_pool(NULL);
  for (uint64_t i = 0; i < 20; i++) submit_free(pool, page, i);
  for (uint64_t i = 0; i < 5; i++) submit_free(pool, "ftp://example.com/", i);
  for (int i = 0; i < 15; i++) pool_result_free(take(pool));
  pool_stats_t figures = stats_of(pool);
  CHECK(figures.accepted == 25 && figures.delivered == 15, "%llu accepted, %llu delivered",
        (unsigned long long)figures.accepted, (unsigned long long)figures.delivered);
  CHECK(figures.delivered + pending_of(pool) == figures.accepted, "%zu pending",
        pending_of(pool));
  for (int i = 0; i < 10; i++) pool_result_free(take(pool));
  figures = stats_of(pool);
  CHECK(figures.accepted == 25 && figures.delivered == 25 && figures.failed == 5,
        "%llu accepted, %llu delivered, %llu failed", (unsigned long long)figures.accepted,
        (unsigned long long)figures.delivered, (unsigned long long)figures.failed);
  CHECK(figures.held == 0 && figures.started == 0 && figures.buffered_bytes == 0,
        "held %llu, started %llu, buffered %llu", (unsigned long long)figures.held,
        (unsigned long long)figures.started, (unsigned long long)figures.buffered_bytes);
  CHECK(figures.connections >= 1 && figures.connections <= 20, "%llu connections",
        (unsigned long long)figures.connections);
  double start = now();
  while (stats_of(pool).in_flight > 0 || stats_of(pool).groups > 0) {
    CHECK(now() - start < 10, "%llu in flight and %llu groups with nothing to do",
          (unsigned long long)stats_of(pool).in_flight,
          (unsigned long long)stats_of(pool).groups);
    pause_ms(10);
  }
  pool_free(pool);
  puts("ok stats");
}

struct log {
  pthread_mutex_t lock;
  int lines, worst;
};

static void log_line(int32_t level, const char *message, void *userdata) {
  struct log *log = userdata;
  pthread_mutex_lock(&log->lock);
  CHECK(level >= POOL_LOG_ERROR && level <= POOL_LOG_DEBUG, "level %d", (int)level);
  CHECK(*message != '\0' && !strchr(message, '\n'), "\"%s\" is no line", message);
  if (level > log->worst) log->worst = level;
  log->lines++;
  pthread_mutex_unlock(&log->lock);
}

static void log_lines(void) {
  struct log debug = {.lock = PTHREAD_MUTEX_INITIALIZER};
  struct log info = {.lock = PTHREAD_MUTEX_INITIALIZER};
  pool_t *pool = open_pool(NULL);
  EXPECT(pool_set_log(pool, POOL_LOG_DEBUG, log_line, &debug), POOL_OK);
  fetch_page(pool);
  EXPECT(pool_set_log(pool, POOL_LOG_INFO, log_line, &info), POOL_OK);
  int lines = debug.lines;
  CHECK(lines > 0, "no line at POOL_LOG_DEBUG");
  fetch_page(pool);
  CHECK(debug.lines == lines, "a line for the former function");
  CHECK(info.worst <= POOL_LOG_INFO, "level %d at POOL_LOG_INFO", info.worst);
  EXPECT(pool_set_log(pool, POOL_LOG_OFF, log_line, &info), POOL_OK);
  lines = info.lines;
  fetch_page(pool);
  CHECK(info.lines == lines, "a line at POOL_LOG_OFF");
  EXPECT(pool_set_log(pool, POOL_LOG_INFO, log_line, &info), POOL_OK);
  pool_free(pool); /* the engine's stop is a line too */
  CHECK(info.lines > lines, "the engine stopped without a line");
  puts("ok log_lines");
}

static void passthrough(void) {
  pool_config_t config = default_config();
  config.passthrough = 1;
  config.ordered = 1;
  pool_t *pool = open_pool(&config);
  int here;
  pool_job_t jobs[] = {job_for(NULL, 1), job_for(page, 2), job_for("", 3)};
  for (int i = 0; i < 3; i++) {
    jobs[i].userdata = &here;
    EXPECT(pool_submit(pool, &jobs[i], 0), POOL_OK);
  }
  for (uint64_t tag = 1; tag <= 3; tag++) {
    pool_result_t *result = take(pool);
    CHECK(result->tag == tag && result->userdata == &here, "tag %llu",
          (unsigned long long)result->tag);
    if (tag == 2) {
      EXPECT_PAGE(result);
    } else {
      CHECK(!result->url && !result->error_code && !result->error_message && !result->end_url,
            "a job without URL has one, or an error");
      CHECK(result->status == 0 && result->stack_count == 0 && result->header_count == 0 &&
                result->body == NULL && result->attempts == 0,
            "a job without URL has an answer");
    }
    pool_result_free(result);
  }
  pool_free(pool);
  puts("ok passthrough");
}

static void ordered(void) {
  pool_options_t options = everywhere();
  pool_config_t config = default_config();
  config.ordered = 1;
  config.buffer_size = 40;
  config.throttle = 0.05;
  config.options = &options;
  pool_t *pool = open_pool(&config);
  /* The first half waits for its turn at one site; the second could be done long before. */
  char url[64];
  for (uint64_t tag = 0; tag < 20; tag++) {
    snprintf(url, sizeof url, "http://%s%d.example/text",
             tag < 10 ? "slow" : "fast", tag < 10 ? 0 : (int)tag);
    submit(pool, url, tag);
  }
  for (uint64_t tag = 0; tag < 20; tag++) {
    pool_result_t *result = take(pool);
    EXPECT_PAGE(result);
    CHECK(result->tag == tag, "tag %llu, not %llu", (unsigned long long)result->tag,
          (unsigned long long)tag);
    pool_result_free(result);
  }
  pool_free(pool);

  /* A job that is stuck holds up the window, not memory. */
  config.buffer_size = 10;
  config.options = NULL;
  pool = open_pool(&config);
  submit_free(pool, hang, 0);
  for (uint64_t tag = 1; tag < 10; tag++) submit_free(pool, page, tag);
  pool_job_t job = job_for(page, 10);
  EXPECT(pool_submit(pool, &job, 100), POOL_AGAIN);
  pool_result_t *none;
  EXPECT(pool_next_result(pool, 0, &none), POOL_AGAIN);
  pool_free(pool);
  puts("ok ordered");
}

static void batches(void) {
  enum { JOBS = 300 };
  static pool_job_t jobs[JOBS];
  static int seen[JOBS];
  static char marks[JOBS];
  pool_config_t config = default_config();
  config.buffer_size = 64;
  pool_t *pool = open_pool(&config);
  for (size_t i = 0; i < JOBS; i++) {
    jobs[i] = job_for(page, i | (uint64_t)1 << 63);
    jobs[i].userdata = &marks[i];
    jobs[i].group = "";
  }
  size_t submitted = 0, taken = 0;
  while (taken < JOBS) {
    if (submitted < JOBS) {
      size_t accepted = SIZE_MAX;
      pool_status_t status =
          pool_submit_many(pool, jobs + submitted, JOBS - submitted, 0, &accepted);
      CHECK(accepted <= JOBS - submitted, "%zu accepted", accepted);
      CHECK(status == (accepted == JOBS - submitted ? POOL_OK : POOL_AGAIN), "%s with %zu of %zu",
            pool_status_name((int32_t)status), accepted, JOBS - submitted);
      submitted += accepted;
    }
    pool_result_t *results[7];
    size_t count = 0;
    EXPECT(pool_next_results(pool, results, 7, 60000, &count), POOL_OK);
    CHECK(count >= 1 && count <= 7, "%zu results", count);
    for (size_t i = 0; i < count; i++) {
      EXPECT_PAGE(results[i]);
      uint64_t index = results[i]->tag & ~((uint64_t)1 << 63);
      CHECK(index < JOBS && results[i]->tag >> 63 == 1, "tag %llx",
            (unsigned long long)results[i]->tag);
      CHECK(results[i]->userdata == &marks[index], "the userdata of another job");
      seen[index]++;
      pool_result_free(results[i]);
    }
    taken += count;
  }
  for (int i = 0; i < JOBS; i++) CHECK(seen[i] == 1, "job %d gave %d results", i, seen[i]);

  /* Those before a bad one are in. */
  pool_job_t four[] = {job_for(page, 0), job_for(page, 1), job_for(NULL, 2), job_for(page, 3)};
  size_t accepted = SIZE_MAX;
  EXPECT(pool_submit_many(pool, four, 4, -1, &accepted), POOL_INVALID_ARGUMENT);
  CHECK(accepted == 2 && pending_of(pool) == 2, "%zu accepted", accepted);
  pool_result_free(take(pool));
  pool_result_free(take(pool));
  pool_free(pool);
  puts("ok batches");
}

/* The text is inside the result's block, and so is the NUL after it. */
static void inside_of(const pool_result_t *result, const char *text, size_t size,
                      const char *what) {
  const char *start = (const char *)result, *end = start + result->block_size;
  CHECK(text >= start + sizeof *result && text < end && size < (size_t)(end - text),
        "%s is outside the block", what);
  CHECK(text[size] == '\0', "%s has no NUL after it", what);
}

static void domain_rules(void) {
  pool_options_t options = everywhere();
  pool_config_t config = default_config();
  config.throttle = 0;
  config.options = &options;
  pool_t *pool = open_pool(&config);
  EXPECT(pool_set_domain_rule(pool, "example.com", 0.2, 1), POOL_OK);
  EXPECT(pool_set_domain_rule(pool, "a group", 0.2, 1), POOL_OK);
  static const char *const URLS[] = {"http://example.com/", "http://www.example.com/a",
                                     "http://deep.down.example.com/b"};
  for (int in_group = 0; in_group < 2; in_group++) {
    for (uint64_t i = 0; i < 3; i++) {
      pool_job_t job = job_for(URLS[i], i);
      if (in_group) {
        job.url = i == 0 ? "http://one.example/" : "http://two.example/";
        job.group = "a group, and more";
        job.group_size = 7;
      }
      EXPECT(pool_submit(pool, &job, 0), POOL_OK);
    }
    double end = 0;
    for (int i = 0; i < 3; i++) {
      pool_result_t *result = take(pool);
      CHECK(!result->error_code, "%s: %s", result->url, error_of(result));
      const char *group = in_group ? "a group" : "example.com";
      CHECK(strcmp(result->group, group) == 0 && result->group_size == strlen(group),
            "%s in the group %s", result->url, result->group);
      inside_of(result, result->group, result->group_size, "group");
      /* The clock of dates is not the clock that the throttle goes by. */
      CHECK(result->start_time - end >= 0.195, "%.4f s after the one before",
            result->start_time - end);
      end = result->end_time;
      pool_result_free(result);
    }
  }
  pool_free(pool);
  puts("ok domain_rules");
}

static const pool_result_t *checked;

static void inside(const char *text, size_t size, const char *what) {
  inside_of(checked, text, size, what);
}

static void self_contained_result(const pool_result_t *result) {
  checked = result;
  const char *start = (const char *)result, *end = start + result->block_size;
  CHECK(result->struct_size == sizeof *result, "struct_size is %zu", result->struct_size);
  CHECK(result->block_size >= sizeof *result, "block_size is %zu", result->block_size);
  if (result->url) inside(result->url, result->url_size, "url");
  if (result->end_url) inside(result->end_url, result->end_url_size, "end_url");
  if (result->group) inside(result->group, result->group_size, "group");
  if (result->error_subcode)
    inside(result->error_subcode, strlen(result->error_subcode), "error_subcode");
  if (result->error_code) inside(result->error_code, strlen(result->error_code), "error_code");
  if (result->error_message)
    inside(result->error_message, strlen(result->error_message), "error_message");
  CHECK(!result->error_code == !result->error_message, "a code without message, or the reverse");
  if (result->header_count > 0)
    CHECK((const char *)result->headers >= start &&
              (const char *)(result->headers + result->header_count) <= end,
          "headers are outside the block");
  for (size_t i = 0; i < result->header_count; i++) {
    inside(result->headers[i].name, result->headers[i].name_size, "a header's name");
    inside(result->headers[i].value, result->headers[i].value_size, "a header's value");
    CHECK(result->headers[i].name_size > 0, "a header without name");
  }
  if (result->stack_count > 0)
    CHECK((const char *)result->stack >= start &&
              (const char *)(result->stack + result->stack_count) <= end,
          "the stack is outside the block");
  for (size_t i = 0; i < result->stack_count; i++) {
    inside(result->stack[i].url, result->stack[i].url_size, "a hop's url");
    inside(result->stack[i].type, strlen(result->stack[i].type), "a hop's type");
  }
  CHECK((result->body_size == 0) || result->body != NULL, "a size without a body");
  CHECK(result->start_time <= result->end_time, "ended before it began");
  CHECK(result->name_lookup_time >= 0 && result->connect_time >= 0 && result->tls_time >= 0 &&
            result->wait_time >= 0 && result->receive_time >= 0,
        "a negative time");
}

static void results(void) {
  pool_t *pool = open_pool(NULL);
  submit_free(pool, page, 0);
  pool_result_t *result = take(pool);
  EXPECT_PAGE(result);
  self_contained_result(result);
  CHECK(result->header_count > 0 && result->body_size > 0, "an empty answer");
  CHECK(result->stack_count == 1 && strcmp(result->stack[0].type, "hit") == 0 &&
            result->stack[0].status == 200,
        "the stack is not one hit");
  CHECK(strcmp(result->end_url, result->stack[0].url) == 0, "end_url is %s", result->end_url);
  CHECK(result->kind == POOL_REQUEST && result->attempts == 1, "kind %d, attempts %u",
        (int)result->kind, (unsigned)result->attempts);
  CHECK(result->start_time > 1.5e9, "start_time is %.0f", result->start_time);
  pool_result_free(result);

  pool_job_t job = job_for(page, 0);
  job.kind = POOL_RESOLVE;
  EXPECT(pool_submit(pool, &job, 0), POOL_OK);
  result = take(pool);
  EXPECT_PAGE(result);
  self_contained_result(result);
  CHECK(result->kind == POOL_RESOLVE && result->body == NULL && result->body_size == 0,
        "a resolve with a body");
  pool_result_free(result);

  submit_free(pool, "  \t not a url at all\n", 0);
  result = take(pool);
  EXPECT_ERROR(result, "invalid-url");
  self_contained_result(result);
  CHECK(strcmp(result->url, "  \t not a url at all\n") == 0, "url is \"%s\"", result->url);
  pool_result_free(result);

  submit_free(pool, "http://127.0.0.1:1/", 0);
  result = take(pool);
  EXPECT_ERROR(result, "connection-refused");
  self_contained_result(result);
  pool_result_free(result);
  pool_free(pool);
  puts("ok results");
}

/* What servers do wrong is a result that says so; and no broken pipe ends the program. */
static void broken_answers(void) {
  static const char *const PATHS[] = {
      "close",     "reset",     "truncate", "truncate-chunk", "reset-body", "garbage",
      "bad-chunk", "header-flood",
  };
  pool_t *pool = open_pool(NULL);
  for (size_t i = 0; i < sizeof PATHS / sizeof PATHS[0]; i++) {
    char url[256];
    snprintf(url, sizeof url, "%s/%s", faults, PATHS[i]);
    submit_free(pool, url, 0);
    pool_result_t *result = take(pool);
    CHECK(result->error_code != NULL, "%s: status %d and no error", url, (int)result->status);
    CHECK(strcmp(result->error_code, "internal-error") != 0, "%s: %s", url,
          result->error_message);
    self_contained_result(result);
    pool_result_free(result);
  }
  pool_free(pool);
  puts("ok broken_answers");
}

static void *finish_later(void *pool) {
  pause_ms(100);
  EXPECT(pool_finish(pool), POOL_OK);
  return NULL;
}

static void *cancel_later(void *pool) {
  pause_ms(100);
  EXPECT(pool_cancel(pool), POOL_OK);
  return NULL;
}

/* Who waits for ever is woken by another thread's finish and cancel. */
static void waiters_wake(void) {
  pthread_t thread;
  pool_t *pool = open_pool(NULL);
  CHECK(pthread_create(&thread, NULL, finish_later, pool) == 0, "no thread");
  pool_result_t *result;
  EXPECT(pool_next_result(pool, -1, &result), POOL_DONE);
  pthread_join(thread, NULL);
  pool_free(pool);

  pool_config_t config = default_config();
  config.buffer_size = 1;
  pool = open_pool(&config);
  submit(pool, hang, 0);
  pool_job_t job = job_for(hang, 1);
  EXPECT(pool_submit(pool, &job, 60000), POOL_OK);
  CHECK(pthread_create(&thread, NULL, cancel_later, pool) == 0, "no thread");
  EXPECT(pool_submit(pool, &job, -1), POOL_CLOSED);
  pthread_join(thread, NULL);
  pool_free(pool);
  puts("ok waiters_wake");
}

int main(int argc, char **argv) {
  setvbuf(stdout, NULL, _IOLBF, 0); /* so that all is seen when it crashes */
  CHECK(argc == 3, "Usage: lifecycle SITE FAULTS");
  snprintf(page, sizeof page, "%s/text", argv[1]);
  faults = argv[2];
  snprintf(hang, sizeof hang, "%s/silence", faults);
  const char *host = strstr(page, "://");
  CHECK(host != NULL, "%s is no URL", page);
  snprintf(connect_to, sizeof connect_to, "::%.*s", (int)strcspn(host + 3, "/"), host + 3);
  free_at_any_time();
  shared_handles();
  result_outlives_pool();
  cancel_and_drain();
  finish();
  time_outs();
  event_fd();
  event_fd_that_is_read();
  packed();
  stats();
  log_lines();
  passthrough();
  ordered();
  batches();
  domain_rules();
  results();
  broken_answers();
  waiters_wake();
  return 0;
}
