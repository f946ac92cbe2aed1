/* chaos SITE FAULTS CLOSED HTTPS CA [--seed N] [--seconds N] [--threads N] [--patience N] [--calm 1]:
 * threads that open, share, feed, drain, cancel and free pools at random, with all that a caller, a
 * server or a network may do wrong, and a check on everything that comes back.
 *
 * SITE, FAULTS, CLOSED and HTTPS are ports of this machine: of the test site, of the fault server,
 * one where nobody listens, and of the site's https; CA is the file of its authority.
 *
 * All that is random comes from the seed, which is printed: action number n of a thread in an epoch
 * is drawn from the seed, the epoch, the thread and n alone, so the same seed has each thread do the
 * same in the same order. What can't be repeated is how the threads take turns, so which stream an
 * action meets, and how far the threads get in an epoch, differ from run to run.
 *
 * All the while signals interrupt the process's threads, the library's too, and in one epoch of four
 * there are too few descriptors.
 *
 * The run is cut into epochs. At the end of each, every handle and result is freed, and the
 * process's threads, descriptors and resident memory are looked at: the first two must be what they
 * were after the first epoch, and memory must not grow.
 */
#include "check.h"

#include <dirent.h>
#include <errno.h>
#include <math.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/syscall.h>

long syscall(long number, ...); /* not in POSIX, as tgkill is not */

enum {
  SLOTS = 16,       /* handles that are open at once */
  KEPT = 64,        /* results that are kept for later */
  STREAMS = 128,    /* stream_t: one is used again only after all others were */
  JOBS = 1 << 14,   /* of a stream */
  MAX_THREADS = 32, /* of this program */
  CALLBACK = 255,   /* who submits, when a callback does */
  BATCH = 16,
  EPOCHS = 4096,
  URL = 512,
  TICK = 5, /* ms */
};

/* ---- what is random ---- */

typedef struct {
  uint64_t state;
} dice_t;

static uint64_t mix(uint64_t x) {
  x += 0x9e3779b97f4a7c15u;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
  return x ^ (x >> 31);
}

static uint64_t draw(dice_t *dice) {
  return dice->state = mix(dice->state);
}

static uint64_t below(dice_t *dice, uint64_t end) {
  return draw(dice) % end;
}

static uint64_t between(dice_t *dice, uint64_t first, uint64_t last) {
  return first + below(dice, last - first + 1);
}

static bool one_in(dice_t *dice, uint64_t n) {
  return below(dice, n) == 0;
}

#define ONE_OF(dice, array) ((array)[below((dice), sizeof(array) / sizeof *(array))])

/* ---- what there is ---- */

enum { OFFERED = 1, CAME = 2, SEEN = 4 };

/* An engine, for as long as it has a handle. */
typedef struct {
  atomic_int handles;
  atomic_bool ended; /* its last handle was freed: nothing may call back for it any more */
  bool denies;       /* it may reach no address of this machine */
  bool only_site;    /* it may reach the site's ports only */
  uint32_t max_workers;
} engine_t;

/* A stream: what its handle was opened with, and what became of its jobs. */
typedef struct {
  pool_t *pool;
  engine_t *engine;
  uint64_t serial;
  atomic_bool in_use;
  atomic_bool closed; /* finished or cancelled, or about to be */
  atomic_bool ended;  /* freed: nothing may call back for it any more */
  bool ordered, passthrough, callback;
  bool exact;   /* ordered, one submits and one takes at a time: the order is known exactly */
  bool forever; /* callers may wait for ever: it is finished or cancelled before it is freed */
  bool crawls;  /* its callback submits */
  size_t buffer_size;
  uint64_t max_bytes;
  pthread_mutex_t submitting, taking;
  uint64_t last[CALLBACK + 1]; /* under `taking`: the latest job that came of each submitter, + 1 */
  atomic_uint issued, accepted, came;
  atomic_uchar jobs[JOBS];
} stream_t;

typedef struct {
  pthread_mutex_t lock;
  stream_t *stream;
  int users; /* calls under way */
  bool closing;
} slot_t;

typedef struct {
  pool_result_t *result;
  int users;
} kept_t;

/* A thread of this program. */
typedef struct {
  int number;
  dice_t dice;
  atomic_ulong actions;
  _Atomic(const char *) doing;
  _Atomic(double) since; /* by `awake` */
  atomic_int slot;    /* it is at */
} worker_t;

static stream_t streams[STREAMS];
static engine_t engines[STREAMS];
static slot_t slots[SLOTS];
static kept_t kept[KEPT];
static worker_t workers[MAX_THREADS + 1]; /* the last is the main thread */
static pthread_mutex_t arena = PTHREAD_MUTEX_INITIALIZER, keeping = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t interrupting = PTHREAD_MUTEX_INITIALIZER;
static atomic_bool epoch_ends;
static atomic_int running; /* threads of the epoch */
static atomic_bool over; /* all went well */
static atomic_ulong serials, ticks;
static bool scarce; /* in this epoch there are few descriptors */

static uint64_t seed;
static double seconds = 10, patience = 10;
static int threads = 16;
static bool calm; /* no signals, and descriptors enough */
static const char *site, *faults, *closed, *https, *ca_file;
static long main_thread_only; /* threads of the process before there was a pool */

enum { TO_SITE, TO_FAULTS, TO_CLOSED, TO_HTTPS, TO_LOCALHOST, TO_BAD, PLACES };
static char routes[PLACES][64], no_proxy[64]; /* the latter is closed */
static const char *const connect_to[PLACES] = {routes[0], routes[1], routes[2], routes[3],
                                               routes[4], routes[5]};

/* Counts, for the report. */
static atomic_ulong accepted, delivered, answered, dropped, opened, shared, logged, called_back;
static const char *const CODES[] = {
    "invalid-url", "unknown-host", "name-resolution-failure",
    "no-address-associated-with-hostname", "connection-refused", "connection-aborted",
    "connection-error", "no-route-to-host", "unreachable-network", "connect-timeout",
    "read-timeout", "timeout", "ssl", "max-redirects", "infinite-redirects", "self-redirect",
    "invalid-redirect", "badly-encoded-location", "invalid-gzip", "invalid-encoding",
    "proxy-error", "send-error", "receive-error", "callback-error", "cancelled",
    "body-too-large", "protocol-error", "forbidden-address", "invalid-status-404",
    "invalid-status-503",
};
enum { CODE_COUNT = sizeof CODES / sizeof *CODES };
static atomic_ulong came_to[CODE_COUNT];
static atomic_llong longest_free, longest_cancel; /* in ms */

/* Seconds for which this process has run: a machine that stands still for a while, or a process
 * that is stopped, is no fault of the library's. */
static double awake(void) {
  return (double)atomic_load(&ticks) * TICK / 1000;
}

static void raise_to(atomic_llong *most, double since) {
  long long ms = (long long)((awake() - since) * 1000), before = atomic_load(most);
  while (ms > before && !atomic_compare_exchange_weak(most, &before, ms)) {
  }
}

static void doing(worker_t *me, const char *what, int slot) {
  atomic_store(&me->slot, slot);
  atomic_store(&me->since, awake());
  atomic_store(&me->doing, what);
}

/* Says what each thread is at, and what there is in each slot. */
static void dump(void) {
  if (atomic_load(&over)) return;
  atomic_store(&over, true);
  fprintf(stderr, "chaos: seed %llu; what the threads are doing:\n", (unsigned long long)seed);
  for (int i = 0; i <= MAX_THREADS; i++) {
    worker_t *worker = &workers[i];
    const char *what = atomic_load(&worker->doing);
    if (!what) continue;
    fprintf(stderr, "  %s %d: action %lu, %s, slot %d, for %.1f s\n",
            i == MAX_THREADS ? "main" : "thread", i, atomic_load(&worker->actions), what,
            atomic_load(&worker->slot), awake() - atomic_load(&worker->since));
  }
  for (int i = 0; i < SLOTS; i++) {
    stream_t *stream = slots[i].stream;
    if (!stream) continue;
    fprintf(stderr,
            "  slot %d: stream %llu%s%s%s%s%s, buffer_size %zu, max_buffered_bytes %llu, "
            "%u accepted, %u came, %d users%s\n",
            i, (unsigned long long)stream->serial, stream->ordered ? " ordered" : "",
            stream->exact ? " exact" : "", stream->callback ? " callback" : "",
            stream->forever ? " forever" : "", atomic_load(&stream->closed) ? " closed" : "",
            stream->buffer_size, (unsigned long long)stream->max_bytes,
            atomic_load(&stream->accepted), atomic_load(&stream->came), slots[i].users,
            slots[i].closing ? ", closing" : "");
    /* With the worker's own user the handle is still there. */
    pool_stats_t stats = {.struct_size = sizeof stats};
    if (slots[i].users == 0 || pool_stats(stream->pool, &stats) != POOL_OK) continue;
    fprintf(stderr,
            "    %llu accepted, %llu delivered, %llu held, %llu started, %llu bytes; the pool: "
            "%llu of %u in flight, %llu groups\n",
            (unsigned long long)stats.accepted, (unsigned long long)stats.delivered,
            (unsigned long long)stats.held, (unsigned long long)stats.started,
            (unsigned long long)stats.buffered_bytes, (unsigned long long)stats.in_flight,
            stream->engine->max_workers, (unsigned long long)stats.groups);
  }
}

/* Interrupts one of the process's threads. */
static void interrupt_one(dice_t *dice) {
  DIR *listing = opendir("/proc/self/task");
  if (!listing) return; /* no descriptor is left */
  long ids[1024], count = 0;
  for (struct dirent *entry; count < 1024 && (entry = readdir(listing));)
    if (*entry->d_name != '.') ids[count++] = strtol(entry->d_name, NULL, 10);
  closedir(listing);
  /* It may have ended meanwhile. */
  if (count > 0) syscall(SYS_tgkill, (long)getpid(), ids[below(dice, (uint64_t)count)], SIGUSR1);
}

static void hear(int signal) {
  (void)signal;
}

/* Interrupts a thread now and then, and ends the program when one has been at one thing for far
 * too long. */
static void *watch(void *unused) {
  (void)unused;
  dice_t dice = {mix(seed + 1)};
  while (!atomic_load(&over)) {
    pthread_mutex_lock(&interrupting);
    if (!calm && atomic_load(&running) > 0) interrupt_one(&dice);
    pthread_mutex_unlock(&interrupting);
    for (int i = 0; i <= MAX_THREADS; i++) {
      worker_t *worker = &workers[i];
      double since = atomic_load(&worker->since);
      if (atomic_load(&worker->doing) && awake() - since > 6 * patience) {
        fprintf(stderr, "chaos: no progress for %.0f s\n", 6 * patience);
        dump();
        abort();
      }
    }
    pause_ms(TICK);
    atomic_fetch_add(&ticks, 1);
  }
  return NULL;
}

/* ---- what is handed in ---- */

typedef struct {
  int place;
  const char *path;
} target_t;

static const char *const GOOD[] = {
    "/empty",        "/bytes/100",     "/bytes/1",          "/chunked/2000", "/text",
    "/page/1",       "/page/7",        "/page/23",          "/page/40",      "/nosuch",
    "/status/503",   "/status/204",    "/headers?count=30", "/gzip",         "/deflate",
    "/deflate-raw",  "/br",            "/zstd",             "/no-head",      "/slow?ms=20",
    "/echo",         "/echo",          "/echo",             "/echo",         "/cookie?set=a=b",
    "/drip?bytes=200&ms=50",
};
static const char *const WAYS[] = {
    "/redirect/3", "/redirect/12", "/redirect/2?status=303", "/loop/a", "/self", "/no-location",
    "/location-empty", "/redirect-to?url=%2Fecho", "/redirect-to?url=ftp%3A%2F%2Fa%2F",
    "/redirect-to?url=http%3A%2F%2Fdomain-1.test%2Fbytes%2F10",
    "/status/200?header=Refresh:0;url=%2Fbytes%2F10",
    "/status/200?header=Content-Type:text/html&body=%3Cmeta%20http-equiv=refresh%20content=%270;url=%2Fecho%27%3E",
    "/status/200?header=Content-Type:text/html&body=%3Ca%20href=%2Fecho%3Eecho%3C/a%3E",
};
static const char *const BROKEN[] = {"/gzip-corrupt", "/gzip-truncated", "/br-corrupt",
                                     "/zstd-corrupt"};
static const char *const LARGE[] = {"/bytes/1000000", "/chunked/300000", "/gzip-bomb?mb=2",
                                    "/endless", "/headers?count=900&size=300"};
static const char *const SILENT[] = {"/hang", "/slow?ms=5000", "/endless?ms=20",
                                     "/drip?bytes=100&ms=4000"};
static const char *const FAULTY[] = {
    "/close",     "/reset",           "/truncate",       "/truncate-chunk",   "/reset-body",
    "/garbage",   "/bad-chunk",       "/http09",         "/header-flood",     "/dup-length",
    "/keep-then-close", "/keep-then-close?ms=1", "/keep-then-drop", "/keep-then-drop", "/fine",
    "/flaky/a/3", "/flaky-status/b/3/503", "/silence",   "/stall",
};
static const char *const BAD[] = {
    "http://domain-1.test:0/", "http://domain-1.test:99999/", "http://", "http://[::1",
    "ftp://domain-1.test/", "http://domain-1.test:x/", "http:///", "http://do main/",
    "http://%00/", "javascript:alert(1)", "//domain-1.test/\x01", "http://\xc3\xa9\xcc\x81..test:1/",
    "mailto:a@b.test",
};

static target_t target_of(dice_t *dice) {
  uint64_t kind = below(dice, 100);
  if (kind < 52) return (target_t){TO_SITE, ONE_OF(dice, GOOD)};
  if (kind < 62) return (target_t){TO_SITE, ONE_OF(dice, WAYS)};
  if (kind < 66) return (target_t){TO_SITE, ONE_OF(dice, BROKEN)};
  if (kind < 69) return (target_t){TO_SITE, ONE_OF(dice, LARGE)};
  if (kind < 72) return (target_t){TO_SITE, ONE_OF(dice, SILENT)};
  if (kind < 86) return (target_t){TO_FAULTS, ONE_OF(dice, FAULTY)};
  if (kind < 90) return (target_t){TO_CLOSED, "/"};
  if (kind < 92) return (target_t){TO_HTTPS, ONE_OF(dice, GOOD)};
  if (kind < 94) return (target_t){TO_LOCALHOST, ONE_OF(dice, GOOD)};
  if (kind < 98) return (target_t){TO_BAD, ONE_OF(dice, BAD)};
  return (target_t){TO_BAD, ""}; /* no URL at all */
}

/* The URL of a job, which ends in its tag, so that its result can be told from others. */
static void write_url(dice_t *dice, target_t target, uint64_t tag, char url[URL]) {
  int64_t number = (int64_t)below(dice, 60);
  unsigned long long name = tag;
  char asked[32] = "";
  if (strcmp(target.path, "/echo") == 0) snprintf(asked, sizeof asked, "?t=%llu.", name);
  const char *host = target.place == TO_FAULTS ? "faulty" : "domain";
  switch (target.place) {
    case TO_BAD:
      *url = '\0';
      if (*target.path) snprintf(url, URL, "%s#%llu", target.path, name);
      break;
    case TO_LOCALHOST:
      snprintf(url, URL, "http://localhost:%s%s%s#%llu", site, target.path, asked, name);
      break;
    default:
      snprintf(url, URL, "http%s://www%d.%s-%d.test%s%s#%llu",
               target.place == TO_HTTPS ? "s" : "", (int)(number % 3), host, (int)number,
               target.path, asked, name);
  }
}

static const uint16_t SOME_STATUSES[] = {404, 503};
static const pool_header_t SOME_HEADERS[] = {
    {.name = "X-One", .value = "1"},
    {.name = "accept-language", .value = "fr"},
};

/* What every job has: nothing takes long, and all names lead to this machine. */
static pool_options_t options_to(int place) {
  pool_options_t options = default_options();
  options.connect_timeout = 2;
  options.timeout = 2;
  options.max_body_size = 1 << 20;
  options.ca_file = ca_file;
  if (place != TO_LOCALHOST) {
    options.connect_to = &connect_to[place];
    options.connect_to_count = 1;
  }
  return options;
}

static pool_options_t random_options(dice_t *dice, int place) {
  static const char *const METHODS[] = {"GET", "POST", "PUT", "HEAD", "DELETE"};
  pool_options_t options = options_to(place);
  if (one_in(dice, 4)) options.timeout = (double)between(dice, 1, 500) / 1000;
  if (one_in(dice, 8)) options.connect_timeout = (double)between(dice, 1, 100) / 1000;
  if (one_in(dice, 4)) options.max_body_size = between(dice, 1, 3000);
  options.compressed = one_in(dice, 2);
  options.follow_redirects = !one_in(dice, 8);
  if (one_in(dice, 4)) options.max_redirects = (int32_t)below(dice, 4);
  options.follow_refresh_header = one_in(dice, 2);
  options.follow_meta_refresh = one_in(dice, 4);
  options.follow_js_relocation = one_in(dice, 4);
  options.infer_redirection = place == TO_SITE && one_in(dice, 8);
  options.canonicalize = one_in(dice, 4);
  options.head_fallback = !one_in(dice, 4);
  options.stateful = one_in(dice, 4);
  options.spoof_ua = one_in(dice, 4);
  options.insecure = one_in(dice, 4);
  options.spoof_tls_ciphers = one_in(dice, 8);
  if (one_in(dice, 8)) options.http_version = (int32_t)between(dice, 1, 2);
  if (one_in(dice, 8)) options.known_encoding = "windows-1251";
  if (one_in(dice, 8)) options.cookie = "a=b";
  if (one_in(dice, 8)) {
    options.headers = SOME_HEADERS;
    options.header_count = 2;
  }
  if (one_in(dice, 6)) options.method = ONE_OF(dice, METHODS);
  bool has_head = options.method && strcmp(options.method, "HEAD") == 0;
  if (!has_head && one_in(dice, 6)) {
    options.body = site;
    options.body_size = strlen(site);
  }
  if (one_in(dice, 8)) {
    options.raise_on_statuses = SOME_STATUSES;
    options.raise_on_status_count = 2;
  }
  if (one_in(dice, 100)) options.proxy = no_proxy;
  options.retry = one_in(dice, 3);
  uint32_t attempts = (uint32_t)between(dice, 1, 4);
  double min_wait = (double)below(dice, 100) / 1000;
  double max_wait = min_wait + (double)below(dice, 100) / 1000;
  bool on_timeout = one_in(dice, 2);
  if (options.retry) {
    options.retry_max_attempts = attempts;
    options.retry_on_timeout = on_timeout;
    options.retry_min_wait = min_wait;
    options.retry_max_wait = max_wait;
  }
  bool on_statuses = one_in(dice, 2);
  if (options.retry && on_statuses) {
    options.retry_on_statuses = SOME_STATUSES;
    options.retry_on_status_count = 2;
  }
  return options;
}

/* ---- what the library calls ---- */

static double throttle(const char *group, const pool_result_t *result, void *userdata) {
  engine_t *engine = userdata;
  CHECK(!atomic_load(&engine->ended), "throttle_fn is called after the end, for %s", group);
  CHECK(result->struct_size >= sizeof *result, "throttle_fn got no result");
  switch (result->tag % 5) {
    case 0: return -1;
    case 1: return (double)NAN;
    case 2: return 0.02;
    default: return 0;
  }
}

static uint32_t parallelism(const char *group, void *userdata) {
  engine_t *engine = userdata;
  CHECK(!atomic_load(&engine->ended), "parallelism_fn is called after the end, for %s", group);
  return (uint32_t)(strlen(group) % 5);
}

static void take_log(int32_t level, const char *message, void *userdata) {
  engine_t *engine = userdata;
  CHECK(level >= POOL_LOG_ERROR && level <= POOL_LOG_DEBUG, "level %d", (int)level);
  CHECK(!atomic_load(&engine->ended), "it is logged after the end: %s", message);
  CHECK(level != POOL_LOG_ERROR, "the library says: %s", message);
  atomic_fetch_add(&logged, 1);
}

static void submit(dice_t *dice, stream_t *stream, int who, size_t count, int32_t timeout_ms);

static atomic_uchar *job_of(stream_t *stream, uint64_t tag) {
  CHECK(tag >> 40 == stream->serial, "tag %llx in stream %llu", (unsigned long long)tag,
        (unsigned long long)stream->serial);
  uint32_t index = (uint32_t)tag;
  CHECK(index < atomic_load(&stream->issued) && index < JOBS, "job %u, of %u", index,
        atomic_load(&stream->issued));
  return &stream->jobs[index];
}

static int see(pool_result_t *result, void *userdata) {
  stream_t *stream = userdata;
  CHECK(!atomic_load(&stream->ended), "%s: the callback is called after the end", result->url);
  atomic_uchar *job = job_of(stream, result->tag);
  CHECK(result->userdata == (void *)job, "%s: userdata got lost", result->url);
  unsigned char was = atomic_fetch_or(job, SEEN);
  CHECK(was == OFFERED, "%s: the callback is called for a job in state %d", result->url, was);
  atomic_fetch_add(&called_back, 1);
  dice_t dice = {mix(seed ^ result->tag)};
  result->value = (void *)(uintptr_t)(result->tag + 1);
  if (one_in(&dice, 4)) pause_ms((long)below(&dice, 20));
  if (stream->crawls && one_in(&dice, 2)) submit(&dice, stream, CALLBACK, 1, 0);
  if (one_in(&dice, 8)) {
    size_t pending;
    EXPECT(pool_pending(stream->pool, &pending), POOL_OK);
    CHECK(pending > 0, "%s is pending, and nothing is", result->url);
  }
  if (one_in(&dice, 2000)) {
    atomic_store(&stream->closed, true);
    EXPECT(pool_cancel(stream->pool), POOL_OK);
  }
  return one_in(&dice, 20);
}

/* ---- what comes back ---- */

/* Says how often each error came; one that is not known ends the run. */
static void count_error(const pool_result_t *result) {
  CHECK(*result->error_message, "%s: %s without a word", result->url, result->error_code);
  for (int i = 0; i < CODE_COUNT; i++) {
    if (strcmp(CODES[i], result->error_code) == 0) {
      atomic_fetch_add(&came_to[i], 1);
      return;
    }
  }
  CHECK(false, "%s: %s: %s", result->url, result->error_code, result->error_message);
}

/* Sees to a job's result: the first, in its turn. */
static void note(stream_t *stream, uint64_t tag, const void *userdata, const void *value) {
  atomic_uchar *job = job_of(stream, tag);
  CHECK(userdata == (const void *)job, "userdata got lost");
  unsigned char was = atomic_fetch_or(job, CAME);
  CHECK((was & (OFFERED | CAME)) == OFFERED, "a result for a job in state %d", was);
  CHECK(!value || value == (const void *)(uintptr_t)(tag + 1), "value got lost");
  CHECK(!value || was & SEEN, "a value without a callback");
  if (stream->ordered) { /* under `taking` */
    int who = stream->exact ? 0 : (int)(tag >> 32 & 0xff);
    uint32_t index = (uint32_t)tag;
    /* Callbacks submit at once: the order of theirs is not known. */
    CHECK(who == CALLBACK || index >= stream->last[who], "job %u after %llu", index,
          (unsigned long long)stream->last[who] - 1);
    stream->last[who] = index + 1;
  }
  atomic_fetch_add(&stream->came, 1);
  atomic_fetch_add(&delivered, 1);
}

/* Looks at what a result says. */
static void inspect(stream_t *stream, const pool_result_t *result) {
  const engine_t *engine = stream->engine;
  char mark[32];
  note(stream, result->tag, result->userdata, result->value);
  if (!result->url) {
    CHECK(stream->passthrough, "a result without URL");
    CHECK(!result->error_code || strcmp(result->error_code, "cancelled") == 0 ||
              strcmp(result->error_code, "callback-error") == 0,
          "no URL came to %s: %s", result->error_code, result->error_message);
    return;
  }
  CHECK(strlen(result->url) == result->url_size, "%s has %zu bytes", result->url,
        result->url_size);
  snprintf(mark, sizeof mark, "#%llu", (unsigned long long)result->tag);
  const char *end = strrchr(result->url, '#');
  CHECK(end && strcmp(end, mark) == 0, "%s came for %s", result->url, mark);
  if (result->error_code) count_error(result);
  if (result->status) {
    atomic_fetch_add(&answered, 1);
    CHECK(!engine->denies, "%s was reached", result->url);
    CHECK(!engine->only_site || !strstr(result->url, ".faulty-"), "%s was reached", result->url);
    CHECK(result->stack_count > 0 && result->end_url, "%s has an answer and no stack",
          result->url);
    CHECK(result->attempts > 0, "%s has an answer without an attempt", result->url);
    CHECK(result->end_time >= result->start_time, "%s ended before it began", result->url);
    bool shown = !result->error_code || strcmp(result->error_code, "callback-error") == 0;
    CHECK(!stream->callback || !shown || result->value,
          "%s was not shown to the callback", result->url);
  }
  CHECK(!result->body == !result->body_size, "%s: a body of %zu bytes", result->url,
        result->body_size);
  if (result->error_code || result->status != 200 || !result->body || result->stack_count != 1)
    return;
  /* It is the answer to this job, and whole. */
  size_t size = result->body_size;
  const char *asked = strstr(result->url, "/bytes/");
  if (asked && strchr(asked, '#') == asked + strspn(asked, "/bytes0123456789")) {
    size_t expected = strtoul(asked + strlen("/bytes/"), NULL, 10);
    CHECK(size == expected, "%s has %zu bytes", result->url, size);
  }
  asked = strstr(result->url, "/echo?t=");
  if (asked) {
    snprintf(mark, sizeof mark, "?t=%llu.", (unsigned long long)result->tag);
    size_t long_ = strlen(mark), at = 0;
    while (at + long_ <= size && memcmp(result->body + at, mark, long_) != 0) at++;
    CHECK(at + long_ <= size, "%s has the answer to another: %.*s", result->url, (int)size,
          (const char *)result->body);
  }
}

/* Asks a result all that can be asked. */
static void ask(const pool_result_t *result) {
  size_t size, count;
  const char *text = pool_result_text(result, &size);
  CHECK(text ? text[size] == '\0' && pool_result_encoding(result) : size == 0, "%s: text of %zu",
        result->url, size);
  const char *const *links = pool_result_links(result, &count);
  CHECK(!links == !count, "%s: %zu links", result->url, count);
  for (size_t i = 0; i < count; i++)
    CHECK(strncmp(links[i], "http", 4) == 0, "%s: link %s", result->url, links[i]);
  const pool_element_t *elements = pool_result_elements(result, &count);
  CHECK(!elements == !count, "%s: %zu elements", result->url, count);
  for (size_t i = 0; i < count; i++)
    CHECK(strncmp(elements[i].url, "http", 4) == 0 && strlen(elements[i].text) == elements[i].text_size,
          "%s: element %s", result->url, elements[i].url);
  const char *mimetype = pool_result_mimetype(result), *ext = pool_result_ext(result);
  CHECK(!mimetype || strchr(mimetype, '/'), "%s: type %s", result->url, mimetype);
  CHECK(!ext || *ext == '.', "%s: ext %s", result->url, ext);
  CHECK(!pool_result_is_html(result) || pool_result_could_be_html(result), "%s is HTML",
        result->url);
  CHECK(!pool_result_is_text(result) == !text, "%s: text or not", result->url);
}

/* Frees a result, or keeps it for another thread. */
static void part_with(dice_t *dice, pool_result_t *result) {
  if (one_in(dice, 3)) {
    kept_t *place = &kept[below(dice, KEPT)];
    pthread_mutex_lock(&keeping);
    if (!place->result) {
      place->result = result;
      result = NULL;
    }
    pthread_mutex_unlock(&keeping);
  }
  pool_result_free(result);
}

static void use_kept(dice_t *dice) {
  kept_t *place = &kept[below(dice, KEPT)];
  bool free = one_in(dice, 2);
  pthread_mutex_lock(&keeping);
  pool_result_t *result = place->result;
  if (free && place->users > 0) result = NULL;
  if (free && result) place->result = NULL;
  if (!free && result) place->users++;
  pthread_mutex_unlock(&keeping);
  if (free) {
    pool_result_free(result);
  } else if (result) {
    ask(result);
    pthread_mutex_lock(&keeping);
    place->users--;
    pthread_mutex_unlock(&keeping);
  }
}

/* ---- handles ---- */

/* The stream of a slot, not to be freed until `leave`. */
static stream_t *enter(int slot) {
  slot_t *place = &slots[slot];
  pthread_mutex_lock(&place->lock);
  stream_t *stream = place->closing ? NULL : place->stream;
  if (stream) place->users++;
  pthread_mutex_unlock(&place->lock);
  return stream;
}

static void leave(int slot) {
  pthread_mutex_lock(&slots[slot].lock);
  slots[slot].users--;
  pthread_mutex_unlock(&slots[slot].lock);
}

static stream_t *new_stream(void) {
  static size_t next;
  pthread_mutex_lock(&arena);
  while (atomic_load(&streams[next % STREAMS].in_use)) next++;
  stream_t *stream = &streams[next++ % STREAMS];
  atomic_store(&stream->in_use, true);
  pthread_mutex_unlock(&arena);
  stream->pool = NULL;
  stream->serial = atomic_fetch_add(&serials, 1) + 1;
  CHECK(stream->serial < 1 << 24, "too many streams");
  atomic_store(&stream->closed, false);
  atomic_store(&stream->ended, false);
  memset(stream->last, 0, sizeof stream->last);
  for (unsigned i = 0; i < atomic_load(&stream->issued); i++) atomic_store(&stream->jobs[i], 0);
  atomic_store(&stream->issued, 0);
  atomic_store(&stream->accepted, 0);
  atomic_store(&stream->came, 0);
  return stream;
}

static engine_t *new_engine(void) {
  static size_t next;
  pthread_mutex_lock(&arena);
  while (atomic_load(&engines[next % STREAMS].handles)) next++;
  engine_t *engine = &engines[next++ % STREAMS];
  atomic_store(&engine->handles, 1);
  pthread_mutex_unlock(&arena);
  atomic_store(&engine->ended, false);
  return engine;
}

/* What of a configuration is of the stream. */
static void configure_stream(dice_t *dice, stream_t *stream, pool_config_t *config) {
  static const size_t SIZES[] = {1, 2, 3, 10, 50, 200, 1024};
  static const uint64_t BYTES[] = {1, 100, 5000, 100000, 10000000};
  config->buffer_size = stream->buffer_size = ONE_OF(dice, SIZES);
  config->max_buffered_bytes = stream->max_bytes = ONE_OF(dice, BYTES);
  config->ordered = stream->ordered = one_in(dice, 3);
  config->passthrough = stream->passthrough = one_in(dice, 2);
  stream->exact = stream->ordered && one_in(dice, 2);
  stream->forever = one_in(dice, 3);
  stream->callback = one_in(dice, 4);
  stream->crawls = one_in(dice, 2);
  config->callback = stream->callback ? see : NULL;
  config->callback_userdata = stream;
}

/* What of it is of the engine. */
static void configure_engine(dice_t *dice, engine_t *engine, pool_config_t *config,
                             uint16_t ports[2]) {
  config->max_workers = engine->max_workers = (uint32_t)between(dice, 1, 64);
  config->threads = (uint32_t)between(dice, 1, 4);
  config->throttle = (double)below(dice, 3) * 0.01;
  config->domain_parallelism = (uint32_t)between(dice, 1, 8);
  config->throttle_fn = one_in(dice, 3) ? throttle : NULL;
  config->parallelism_fn = one_in(dice, 3) ? parallelism : NULL;
  config->domain_userdata = engine;
  config->deny_private_addresses = engine->denies = one_in(dice, 20);
  engine->only_site = one_in(dice, 12);
  if (engine->only_site) {
    ports[0] = (uint16_t)strtoul(site, NULL, 10);
    ports[1] = (uint16_t)strtoul(https, NULL, 10);
    config->allowed_ports = ports;
    config->allowed_port_count = 2;
  }
}

static bool put(int slot, stream_t *stream) {
  slot_t *place = &slots[slot];
  pthread_mutex_lock(&place->lock);
  bool empty = !place->stream;
  if (empty) place->stream = stream;
  pthread_mutex_unlock(&place->lock);
  return empty;
}

static void free_handle(worker_t *me, stream_t *stream, int slot) {
  engine_t *engine = stream->engine;
  doing(me, "pool_free", slot);
  atomic_store(&stream->closed, true); /* as a callback that submits may learn */
  double before = awake();
  pool_free(stream->pool);
  raise_to(&longest_free, before);
  CHECK(awake() - before < patience, "pool_free took %.1f s", awake() - before);
  atomic_store(&stream->ended, true);
  atomic_fetch_add(&dropped, atomic_load(&stream->accepted) - atomic_load(&stream->came));
  if (atomic_fetch_sub(&engine->handles, 1) == 1) atomic_store(&engine->ended, true);
  atomic_store(&stream->in_use, false);
}

/* Opens a pool, or a stream on another's. */
static void open_one(worker_t *me, dice_t *dice, int slot) {
  int from = (int)below(dice, SLOTS);
  bool share = one_in(dice, 2);
  pthread_mutex_lock(&slots[slot].lock);
  bool taken = slots[slot].stream;
  pthread_mutex_unlock(&slots[slot].lock);
  if (taken) return;
  stream_t *stream = new_stream(), *other = share ? enter(from) : NULL;
  pool_options_t options = random_options(dice, TO_SITE);
  pool_config_t config = default_config();
  uint16_t ports[2];
  configure_stream(dice, stream, &config);
  config.options = &options;
  if (other) {
    stream->engine = other->engine;
    atomic_fetch_add(&stream->engine->handles, 1);
    EXPECT(pool_share(other->pool, &config, &stream->pool), POOL_OK);
    leave(from);
    atomic_fetch_add(&shared, 1);
  } else {
    stream->engine = new_engine();
    configure_engine(dice, stream->engine, &config, ports);
    pool_status_t status = pool_new(&config, &stream->pool);
    if (scarce && status == POOL_OUT_OF_RESOURCES) {
      atomic_store(&stream->engine->handles, 0);
      atomic_store(&stream->in_use, false);
      return;
    }
    EXPECT(status, POOL_OK);
    atomic_fetch_add(&opened, 1);
  }
  /* Another thread may have been faster. */
  if (!put(slot, stream)) free_handle(me, stream, slot);
}

/* Hands in up to `count` jobs. */
static void submit(dice_t *dice, stream_t *stream, int who, size_t count, int32_t timeout_ms) {
  static const char *const GROUPS[] = {"", "one", "two", "three"};
  char urls[BATCH][URL];
  pool_job_t jobs[BATCH];
  pool_options_t options = random_options(dice, TO_SITE);
  pool_options_t by_place[PLACES];
  bool own = one_in(dice, 2), many = count > 1 || one_in(dice, 4);
  if (stream->exact && pthread_mutex_trylock(&stream->submitting) != 0) return;
  for (int place = 0; place < PLACES; place++) {
    by_place[place] = options;
    by_place[place].connect_to = place == TO_LOCALHOST ? NULL : &connect_to[place];
    by_place[place].connect_to_count = place != TO_LOCALHOST;
    by_place[place].infer_redirection = place == TO_SITE && options.infer_redirection;
  }
  unsigned first = atomic_load(&stream->issued);
  do {
    if (first + count <= JOBS) continue;
    if (stream->exact) pthread_mutex_unlock(&stream->submitting);
    return;
  } while (!atomic_compare_exchange_weak(&stream->issued, &first, first + (unsigned)count));
  for (size_t i = 0; i < count; i++) {
    target_t target = target_of(dice);
    uint64_t tag = stream->serial << 40 | (uint64_t)who << 32 | (first + i);
    write_url(dice, target, tag, urls[i]);
    jobs[i] = job_for(urls[i], tag);
    jobs[i].userdata = &stream->jobs[first + i];
    jobs[i].kind = one_in(dice, 3) ? POOL_RESOLVE : POOL_REQUEST;
    jobs[i].options = own || target.place != TO_SITE ? &by_place[target.place] : NULL;
    if (one_in(dice, 4)) jobs[i].group = ONE_OF(dice, GROUPS);
    if (one_in(dice, 4)) jobs[i].url_size = strlen(urls[i]);
    atomic_store(&stream->jobs[first + i], OFFERED);
  }
  size_t taken = 0;
  pool_status_t status;
  if (many) {
    status = pool_submit_many(stream->pool, jobs, count, timeout_ms, &taken);
    CHECK(taken <= count && (taken == count) == (status == POOL_OK), "%zu of %zu: %s", taken,
          count, pool_status_name((int32_t)status));
  } else {
    status = pool_submit(stream->pool, jobs, timeout_ms);
    taken = status == POOL_OK;
  }
  switch (status) {
    case POOL_OK: break;
    case POOL_AGAIN: CHECK(timeout_ms >= 0, "no room, and no time to wait for it"); break;
    case POOL_CLOSED: CHECK(atomic_load(&stream->closed), "closed by nobody"); break;
    case POOL_INVALID_ARGUMENT:
      CHECK(!*urls[taken] && !stream->passthrough, "%s: %s", urls[taken], pool_last_error());
      break;
    default: CHECK(false, "%s: %s", pool_status_name((int32_t)status), pool_last_error());
  }
  atomic_fetch_add(&stream->accepted, (unsigned)taken);
  atomic_fetch_add(&accepted, taken);
  for (size_t i = taken; i < count; i++) {
    unsigned char was = atomic_exchange(&stream->jobs[first + i], 0);
    CHECK(was == OFFERED, "a job that was refused is in state %d", was);
  }
  if (stream->exact) pthread_mutex_unlock(&stream->submitting);
}

typedef enum { ONE, MANY, PACKED } manner_t;

/* Takes what is there. */
static pool_status_t take_some(dice_t *dice, stream_t *stream, manner_t manner, int32_t timeout_ms,
                               bool wait) {
  _Alignas(pool_result_t) char buffer[1 << 14];
  pool_result_t *results[BATCH];
  size_t count = 0, needed = 0, max = between(dice, 1, BATCH), size = between(dice, 8, sizeof buffer);
  pool_status_t status;
  if (stream->ordered && pthread_mutex_trylock(&stream->taking) != 0) {
    if (!wait) return POOL_AGAIN;
    pthread_mutex_lock(&stream->taking);
  }
  switch (manner) {
    case ONE:
      status = pool_next_result(stream->pool, timeout_ms, results);
      count = status == POOL_OK;
      break;
    case MANY:
      status = pool_next_results(stream->pool, results, max, timeout_ms, &count);
      CHECK(status != POOL_OK || (count > 0 && count <= max), "%zu results of %zu", count, max);
      break;
    default:
      status = pool_next_packed(stream->pool, buffer, size, timeout_ms, &count, &needed);
      CHECK(status != POOL_OK || count > 0 || needed > size, "nothing, of %zu bytes", needed);
      break;
  }
  switch (status) {
    case POOL_OK: break;
    case POOL_AGAIN: CHECK(timeout_ms >= 0, "nothing came, and for ever is not over"); break;
    case POOL_DONE: CHECK(atomic_load(&stream->closed), "ended by nobody"); break;
    default: CHECK(false, "%s: %s", pool_status_name((int32_t)status), pool_last_error());
  }
  const char *at = buffer;
  for (size_t i = 0; i < count; i++) {
    if (manner == PACKED) {
      const pool_result_t *result = (const pool_result_t *)(const void *)at;
      CHECK(at + result->block_size <= buffer + size, "it takes %zu bytes", result->block_size);
      note(stream, result->tag, result->userdata, result->value);
      at += result->block_size;
    } else {
      inspect(stream, results[i]);
    }
  }
  if (stream->ordered) pthread_mutex_unlock(&stream->taking);
  for (size_t i = 0; manner != PACKED && i < count; i++) part_with(dice, results[i]);
  return status;
}

/* Takes all that comes until the stream is done. False: it is not, and the time is up. */
static bool drain(dice_t *dice, stream_t *stream, double until) {
  for (;;) {
    double left = until - awake();
    if (left <= 0) return false;
    manner_t manner = one_in(dice, 2) ? ONE : MANY;
    if (take_some(dice, stream, manner, (int32_t)(left * 1000) + 1, true) == POOL_DONE)
      return true;
  }
}

/* Nothing of a stream is left, and nothing got lost. */
static void settle(stream_t *stream) {
  pool_stats_t stats = {.struct_size = sizeof stats};
  size_t pending = 1;
  EXPECT(pool_stats(stream->pool, &stats), POOL_OK);
  EXPECT(pool_pending(stream->pool, &pending), POOL_OK);
  CHECK(pending == 0 && stats.held == 0 && stats.started == 0 && stats.buffered_bytes == 0,
        "%zu pending, %llu held, %llu started, %llu bytes", pending,
        (unsigned long long)stats.held, (unsigned long long)stats.started,
        (unsigned long long)stats.buffered_bytes);
  CHECK(stats.accepted == stats.delivered, "%llu accepted, %llu delivered",
        (unsigned long long)stats.accepted, (unsigned long long)stats.delivered);
  unsigned taken = atomic_load(&stream->accepted), came = atomic_load(&stream->came);
  CHECK(stats.accepted == taken && taken == came, "%llu of %u accepted, %u came",
        (unsigned long long)stats.accepted, taken, came);
  for (unsigned i = 0; i < atomic_load(&stream->issued); i++) {
    unsigned char job = atomic_load(&stream->jobs[i]);
    CHECK(!job || job & CAME, "job %u is in state %d", i, job);
  }
}

static void cancel(stream_t *stream) {
  atomic_store(&stream->closed, true);
  EXPECT(pool_cancel(stream->pool), POOL_OK);
}

static void finish(stream_t *stream) {
  atomic_store(&stream->closed, true);
  EXPECT(pool_finish(stream->pool), POOL_OK);
}

/* Ends what is in a slot: in order, or in the middle of everything. */
static void close_slot(worker_t *me, dice_t *dice, int slot) {
  slot_t *place = &slots[slot];
  uint64_t way = between(dice, atomic_load(&epoch_ends), 3); /* then there is no time to finish */
  pthread_mutex_lock(&place->lock);
  stream_t *stream = place->closing ? NULL : place->stream;
  if (stream) place->closing = true;
  pthread_mutex_unlock(&place->lock);
  if (!stream) return;
  bool done = false;
  if (way == 0) {
    doing(me, "finish and take all", slot);
    finish(stream);
    done = drain(dice, stream, awake() + (double)below(dice, 1500) / 1000);
    /* No job takes so long, with all its attempts: something comes, or the stream stands still. */
    for (double until = awake() + 2 * patience; !done;) {
      pool_status_t next = take_some(dice, stream, ONE, 100, true);
      CHECK(awake() < until, "nothing comes any more of a stream that is finished");
      if (next == POOL_OK) break;
      done = next == POOL_DONE;
    }
  }
  if (!done && (way <= 2 || stream->forever)) {
    doing(me, "cancel", slot);
    cancel(stream);
    if (way <= 1) {
      doing(me, "take what was cancelled", slot);
      double before = awake();
      done = drain(dice, stream, before + patience);
      CHECK(done, "what was cancelled takes more than %.0f s to come", patience);
      raise_to(&longest_cancel, before);
    }
  }
  doing(me, "wait for the others", slot);
  for (;;) {
    pthread_mutex_lock(&place->lock);
    int users = place->users;
    pthread_mutex_unlock(&place->lock);
    if (users == 0) break;
    pause_ms(1);
  }
  if (done) settle(stream);
  free_handle(me, stream, slot);
  pthread_mutex_lock(&place->lock);
  place->stream = NULL;
  place->closing = false;
  pthread_mutex_unlock(&place->lock);
}

/* ---- what threads do ---- */

static int32_t some_time(dice_t *dice, const stream_t *stream) {
  if (stream->forever && one_in(dice, 16)) return -1;
  return one_in(dice, 2) ? 0 : (int32_t)below(dice, 30);
}

static void act_submit(worker_t *me, dice_t *dice, stream_t *stream) {
  size_t rounds = one_in(dice, 4) ? between(dice, 1, 20) : 1;
  for (size_t i = 0; i < rounds; i++)
    submit(dice, stream, me->number, one_in(dice, 2) ? 1 : between(dice, 1, BATCH),
           some_time(dice, stream));
}

static void act_take(worker_t *me, dice_t *dice, stream_t *stream) {
  (void)me;
  size_t rounds = between(dice, 1, 10);
  bool slow = one_in(dice, 4);
  for (size_t i = 0; i < rounds; i++) {
    manner_t manner = (manner_t)below(dice, 3);
    if (take_some(dice, stream, manner, some_time(dice, stream), false) != POOL_OK) break;
    if (slow) pause_ms((long)below(dice, 30));
  }
}

/* As an event loop does. */
static void act_poll(worker_t *me, dice_t *dice, stream_t *stream) {
  (void)me;
  struct pollfd event = {.events = POLLIN};
  char byte;
  pool_status_t status = pool_event_fd(stream->pool, &event.fd);
  if (scarce && status == POOL_OUT_OF_RESOURCES) return;
  EXPECT(status, POOL_OK);
  int ready = poll(&event, 1, (int)below(dice, 100));
  CHECK(ready >= 0 || errno == EINTR, "poll: %s", strerror(errno));
  if (ready < 0) return;
  CHECK(!(event.revents & (POLLERR | POLLNVAL)), "the event descriptor is broken");
  if (ready == 0) return;
  if (one_in(dice, 2)) CHECK(read(event.fd, &byte, 1) <= 1, "read: %s", strerror(errno));
  for (int i = 0; i < 10; i++)
    if (take_some(dice, stream, MANY, 0, false) != POOL_OK) break;
}

static void act_look(worker_t *me, dice_t *dice, stream_t *stream) {
  (void)me;
  pool_stats_t stats = {.struct_size = sizeof stats};
  size_t pending;
  EXPECT(pool_stats(stream->pool, &stats), POOL_OK);
  EXPECT(pool_pending(stream->pool, &pending), POOL_OK);
  CHECK(pending <= (stream->ordered ? 1u : 2u) * stream->buffer_size,
        "%zu pending with a buffer of %zu", pending, stream->buffer_size);
  /* A job is counted twice for a moment as it starts. */
  CHECK(stats.held <= 2 * stream->buffer_size + 8, "%llu held with a buffer of %zu",
        (unsigned long long)stats.held, stream->buffer_size);
  CHECK(atomic_load(&stream->closed) || stats.started <= 2 * stream->buffer_size + 8,
        "%llu started with a buffer of %zu", (unsigned long long)stats.started,
        stream->buffer_size);
  CHECK(stats.in_flight <= stream->engine->max_workers, "%llu in flight",
        (unsigned long long)stats.in_flight);
  /* Beyond it come the bodies, and headers, of those under way. */
  uint64_t most = stream->max_bytes +
                  (stream->engine->max_workers + 1) * (uint64_t)((1 << 20) + (400 << 10));
  CHECK(stats.buffered_bytes <= most, "%llu bytes, of %llu",
        (unsigned long long)stats.buffered_bytes, (unsigned long long)most);
  if (one_in(dice, 4)) {
    pool_options_t options;
    EXPECT(pool_options_from(stream->pool, &options, sizeof options), POOL_OK);
    CHECK(options.connect_to_count == 1, "%zu connect_to", options.connect_to_count);
    pool_job_t job = job_for("", 0);
    job.options = &options;
    if (!stream->passthrough) {
      pool_status_t status = pool_submit(stream->pool, &job, 0);
      CHECK(status == POOL_INVALID_ARGUMENT, "%s", pool_status_name((int32_t)status));
    }
  }
}

static void act_rule(worker_t *me, dice_t *dice, stream_t *stream) {
  (void)me;
  char domain[32];
  snprintf(domain, sizeof domain, "domain-%d.test", (int)below(dice, 60));
  EXPECT(pool_set_domain_rule(stream->pool, domain, (double)below(dice, 30) / 1000,
                              (uint32_t)between(dice, 1, 4)),
         POOL_OK);
  if (below(dice, 4) > 0) return;
  EXPECT(pool_hold_group(stream->pool, domain, NULL), POOL_OK);
  EXPECT(pool_release_group(stream->pool, domain), POOL_OK);
}

static void act_log(worker_t *me, dice_t *dice, stream_t *stream) {
  (void)me;
  int32_t level = (int32_t)between(dice, POOL_LOG_OFF, POOL_LOG_DEBUG);
  EXPECT(pool_set_log(stream->pool, level, one_in(dice, 8) ? NULL : take_log, stream->engine),
         POOL_OK);
}

static void act_cancel(worker_t *me, dice_t *dice, stream_t *stream) {
  (void)me;
  if (one_in(dice, 4)) cancel(stream);
}

static void act_finish(worker_t *me, dice_t *dice, stream_t *stream) {
  (void)me;
  if (one_in(dice, 4)) finish(stream);
}

#define REFUSED(call)                                                                  \
  do {                                                                                 \
    EXPECT(call, POOL_INVALID_ARGUMENT);                                               \
    CHECK(*pool_last_error(), "%s was refused without a word", #call);                 \
  } while (0)

/* The next job on its connection would get what is not its own. */
static const pool_header_t framing = {.name = "Transfer-Encoding", .value = "chunked"};

static void act_wrong(worker_t *me, dice_t *dice, stream_t *stream) {
  (void)me;
  pool_t *pool = stream->pool, *none = NULL;
  pool_job_t job = job_for("http://domain-1.test/", 0);
  pool_options_t options = default_options();
  pool_config_t config = default_config();
  pool_result_t *result = NULL;
  pool_stats_t stats = {.struct_size = below(dice, sizeof stats)};
  size_t count = 0;
  switch (below(dice, 16)) {
    case 0: REFUSED(pool_submit(NULL, &job, 0)); break;
    case 1: REFUSED(pool_submit(pool, NULL, -1)); break;
    case 2: REFUSED(pool_submit_many(pool, NULL, 3, -1, &count)); break;
    case 3: REFUSED(pool_next_result(pool, 0, NULL)); break;
    case 4: REFUSED(pool_next_results(pool, &result, 0, -1, &count)); break;
    case 5: REFUSED(pool_next_packed(pool, NULL, 100, -1, &count, &count)); break;
    case 6: REFUSED(pool_stats(pool, &stats)); break;
    case 7:
      job.struct_size = below(dice, sizeof job);
      REFUSED(pool_submit(pool, &job, -1));
      break;
    case 8:
      options.headers = &framing;
      options.header_count = 1;
      job.options = &options;
      REFUSED(pool_submit(pool, &job, -1));
      break;
    case 9:
      job.kind = 2;
      REFUSED(pool_submit(pool, &job, -1));
      break;
    case 10:
      options.timeout = -(double)below(dice, 10);
      job.options = &options;
      REFUSED(pool_submit(pool, &job, -1));
      break;
    case 11:
      options.http_version = 9;
      config.options = &options;
      REFUSED(pool_share(pool, &config, &none));
      break;
    case 12:
      config.threads = 257;
      REFUSED(pool_new(&config, &none));
      break;
    case 13:
      config.throttle_fn = throttle;
      REFUSED(pool_share(pool, &config, &none));
      break;
    case 14: REFUSED(pool_set_domain_rule(pool, "domain-1.test", (double)NAN, 1)); break;
    default: REFUSED(pool_set_log(pool, 77, take_log, NULL)); break;
  }
  CHECK(!none && !result, "what was refused wrote its output");
}

static void act_page(dice_t *dice) {
  static const char PAGE[] = "<title>caf\xe9</title><a href=/one>1</a><a href='//b.test/'>2</a>";
  pool_result_t *result = NULL;
  EXPECT(pool_result_of_page("http://a.test/", one_in(dice, 2) ? "text/html" : NULL, NULL, PAGE,
                             below(dice, sizeof PAGE), &result),
         POOL_OK);
  ask(result);
  part_with(dice, result);
  char group[16];
  size_t size = 0;
  EXPECT(pool_url_group("http://www.domain-1.co.uk/", 0, group, sizeof group, &size), POOL_OK);
  CHECK(size == 14 && strcmp(group, "domain-1.co.uk") == 0, "%s", group);
}

/* What is done to a stream, and how often out of all. */
static const struct {
  const char *name;
  void (*act)(worker_t *, dice_t *, stream_t *);
  unsigned share;
} ACTIONS[] = {
    {"submit", act_submit, 30}, {"take", act_take, 34},     {"poll", act_poll, 6},
    {"look", act_look, 4},      {"rule", act_rule, 2},      {"log", act_log, 1},
    {"cancel", act_cancel, 1},  {"finish", act_finish, 1},  {"wrong", act_wrong, 4},
};
enum { ACTION_COUNT = sizeof ACTIONS / sizeof *ACTIONS };

static void act(worker_t *me, dice_t *dice) {
  int slot = (int)below(dice, SLOTS);
  unsigned kind = (unsigned)below(dice, 100);
  if (kind < 8) {
    doing(me, "open", slot);
    open_one(me, dice, slot);
    return;
  }
  if (kind < 10) {
    close_slot(me, dice, slot);
    return;
  }
  if (kind < 16) {
    doing(me, "use a kept result", slot);
    if (kind < 15) use_kept(dice);
    else act_page(dice);
    return;
  }
  if (kind < 17) {
    doing(me, "rest", slot);
    pause_ms((long)below(dice, 50));
    return;
  }
  stream_t *stream = enter(slot);
  if (!stream) return;
  unsigned which = (unsigned)below(dice, 83);
  for (int i = 0; i < ACTION_COUNT; i++) {
    if (which < ACTIONS[i].share) {
      doing(me, ACTIONS[i].name, slot);
      ACTIONS[i].act(me, dice, stream);
      break;
    }
    which -= ACTIONS[i].share;
  }
  leave(slot);
}

static void *work(void *argument) {
  worker_t *me = argument;
  while (!atomic_load(&epoch_ends)) {
    dice_t dice = {draw(&me->dice)};
    atomic_fetch_add(&me->actions, 1);
    act(me, &dice);
  }
  for (int i = 0; i < SLOTS; i++) {
    dice_t dice = {draw(&me->dice)};
    close_slot(me, &dice, (me->number + i) % SLOTS);
  }
  atomic_store(&me->doing, NULL);
  atomic_fetch_sub(&running, 1);
  return NULL;
}

/* ---- what is left behind ---- */

static long entries(const char *folder) {
  DIR *listing = opendir(folder);
  CHECK(listing, "%s: %s", folder, strerror(errno));
  long count = 0;
  while (readdir(listing)) count++;
  closedir(listing);
  return count - 2; /* . and .. */
}

static double least(const double *from, size_t count) {
  double least = from[0];
  for (size_t i = 1; i < count; i++) {
    if (from[i] < least) least = from[i];
  }
  return least;
}

static void limit_descriptors(rlim_t limit) {
  struct rlimit now_ = {0};
  CHECK(getrlimit(RLIMIT_NOFILE, &now_) == 0, "%s", strerror(errno));
  now_.rlim_cur = limit < now_.rlim_max ? limit : now_.rlim_max;
  CHECK(setrlimit(RLIMIT_NOFILE, &now_) == 0, "%s", strerror(errno));
}

/* Runs all threads for that long, and frees everything. */
static void run_epoch(unsigned epoch, double length) {
  pthread_t ids[MAX_THREADS];
  worker_t *me = &workers[MAX_THREADS];
  me->number = threads;
  me->dice.state = mix(mix(seed) + epoch * 1000 + 999);
  /* So many that a pool may have the workers it asks for, but not all of them. */
  scarce = one_in(&me->dice, 4) && !calm;
  limit_descriptors(scarce ? (rlim_t)between(&me->dice, 160, 400) : 4096);
  atomic_store(&epoch_ends, false);
  atomic_store(&running, threads);
  for (int i = 0; i < threads; i++) {
    workers[i].number = i;
    workers[i].dice.state = mix(mix(seed) + epoch * 1000 + (unsigned)i);
    atomic_store(&workers[i].actions, 0);
    CHECK(pthread_create(&ids[i], NULL, work, &workers[i]) == 0, "no thread");
  }
  for (double end = now() + length; now() < end;) {
    doing(me, "let them run", -1);
    pause_ms(20);
  }
  atomic_store(&epoch_ends, true);
  /* Threads that wait for ever get loose so, and one may open one more meanwhile. */
  double ending = awake();
  do {
    CHECK(awake() - ending < 8 * patience, "an epoch does not end");
    doing(me, "wait for the threads", -1);
    pause_ms(20);
    for (int slot = 0; slot < SLOTS; slot++) close_slot(me, &me->dice, slot);
  } while (atomic_load(&running) > 0);
  for (int i = 0; i < threads; i++) CHECK(pthread_join(ids[i], NULL) == 0, "no end");
  for (int slot = 0; slot < SLOTS; slot++) close_slot(me, &me->dice, slot);
  limit_descriptors(4096);
  for (int i = 0; i < KEPT; i++) {
    pool_result_free(kept[i].result);
    kept[i].result = NULL;
  }
}

static double memory[EPOCHS];

static unsigned run_epochs(double length) {
  worker_t *me = &workers[MAX_THREADS];
  long descriptors = 0, tasks = 0;
  unsigned epoch = 0;
  double peak = 0;
  for (double end = now() + seconds; (now() < end || epoch < 2) && epoch < EPOCHS; epoch++) {
    unsigned long before = atomic_load(&delivered);
    run_epoch(epoch, length);
    /* A pool's end waits but a moment for threads that look up names or were to call back. */
    doing(me, "wait for what is left", -1);
    for (double until = awake() + patience; entries("/proc/self/task") > main_thread_only;) {
      CHECK(awake() < until, "epoch %u leaves %ld threads, of %ld", epoch,
            entries("/proc/self/task"), main_thread_only);
      pause_ms(5);
    }
    pthread_mutex_lock(&interrupting); /* which takes a descriptor */
    long there = entries("/proc/self/fd");
    pthread_mutex_unlock(&interrupting);
    tasks = entries("/proc/self/task");
    if (epoch == 0) descriptors = there;
    CHECK(there == descriptors, "epoch %u leaves %ld descriptors, the first %ld", epoch, there,
          descriptors);
    memory[epoch] = resident_mib();
    if (memory[epoch] > peak) peak = memory[epoch];
    printf("epoch %u: %lu results, %ld descriptors, %ld threads, %.1f MiB\n", epoch,
           atomic_load(&delivered) - before, there, tasks, memory[epoch]);
  }
  return epoch;
}

/* Memory of the last third of the epochs, beside that of the second: the least of each, since what is
 * lost is lost in every later epoch, and what the allocator happens to keep is not. */
static void judge_memory(unsigned epochs) {
  if (epochs < 12) return;
  unsigned third = epochs / 3;
  double second = least(memory + third, third), last = least(memory + 2 * third, third);
  printf("memory: at least %.1f MiB in the second third, %.1f MiB in the last\n", second, last);
  /* The fewer the epochs, the more chance counts. */
  CHECK(last <= second + 4 + 30 / sqrt(third), "memory grows from %.1f to %.1f MiB", second, last);
}

static void report(double took) {
  unsigned long came = atomic_load(&delivered);
  printf("%lu accepted, %lu came (%lu answers), %lu were dropped with their streams; %lu pools, "
         "%lu shared, %lu callbacks, %lu lines of log; %.0f results a second\n",
         atomic_load(&accepted), came, atomic_load(&answered), atomic_load(&dropped),
         atomic_load(&opened), atomic_load(&shared), atomic_load(&called_back),
         atomic_load(&logged), (double)came / took);
  printf("longest pool_free %lld ms, longest cancel %lld ms; errors:",
         atomic_load(&longest_free), atomic_load(&longest_cancel));
  for (int i = 0; i < CODE_COUNT; i++)
    if (atomic_load(&came_to[i])) printf(" %s %lu", CODES[i], atomic_load(&came_to[i]));
  puts("");
  CHECK(atomic_load(&accepted) == came + atomic_load(&dropped), "some got lost");
  CHECK(came > 0, "nothing was done");
  CHECK(seconds < 60 || (atomic_load(&answered) > 0 && atomic_load(&called_back) > 0),
        "no answer came");
}

static double number(const char *text, double least, double most) {
  char *end;
  double value = strtod(text, &end);
  CHECK(end != text && !*end && value >= least && value <= most, "%s is no number from %g to %g",
        text, least, most);
  return value;
}

int main(int argc, char **argv) {
  setvbuf(stdout, NULL, _IOLBF, 0); /* so that all is seen when it crashes */
  struct timespec clock;
  clock_gettime(CLOCK_REALTIME, &clock);
  seed = mix((uint64_t)clock.tv_sec * 1000000000u + (uint64_t)clock.tv_nsec) >> 32;
  CHECK(argc >= 6 && argc % 2 == 0, "Usage: chaos SITE FAULTS CLOSED HTTPS CA [--seed N] "
                                    "[--seconds N] [--threads N] [--patience N] [--calm 1]");
  site = argv[1], faults = argv[2], closed = argv[3], https = argv[4], ca_file = argv[5];
  for (int i = 6; i < argc; i += 2) {
    if (strcmp(argv[i], "--seed") == 0) seed = strtoull(argv[i + 1], NULL, 10);
    else if (strcmp(argv[i], "--seconds") == 0) seconds = number(argv[i + 1], 1, 1e6);
    else if (strcmp(argv[i], "--threads") == 0) threads = (int)number(argv[i + 1], 1, MAX_THREADS);
    else if (strcmp(argv[i], "--patience") == 0) patience = number(argv[i + 1], 1, 3600);
    else if (strcmp(argv[i], "--calm") == 0) calm = number(argv[i + 1], 0, 1) > 0;
    else CHECK(false, "%s: no such option", argv[i]);
  }
  const char *const ports[PLACES] = {site, faults, closed, https, site, site};
  for (int i = 0; i < PLACES; i++)
    snprintf(routes[i], sizeof routes[i], "::127.0.0.1:%s", ports[i]);
  snprintf(no_proxy, sizeof no_proxy, "http://127.0.0.1:%s", closed);
  for (int i = 0; i < SLOTS; i++) pthread_mutex_init(&slots[i].lock, NULL);
  for (int i = 0; i < STREAMS; i++) {
    pthread_mutex_init(&streams[i].submitting, NULL);
    pthread_mutex_init(&streams[i].taking, NULL);
  }
  printf("chaos: --seed %llu --seconds %g --threads %d\n", (unsigned long long)seed, seconds,
         threads);
  atexit(dump);
  /* Without SA_RESTART: what a signal interrupts fails with EINTR. */
  struct sigaction action = {.sa_handler = hear};
  CHECK(sigaction(SIGUSR1, &action, NULL) == 0, "%s", strerror(errno));
  pthread_t watcher;
  CHECK(pthread_create(&watcher, NULL, watch, NULL) == 0, "no thread");
  main_thread_only = entries("/proc/self/task");
  /* Short enough that there are a few, long enough that much goes on in each. */
  double length = seconds / 12 < 5 ? seconds / 12 : 5, began = now();
  if (seconds / 5 > EPOCHS - 1) length = seconds / (EPOCHS - 1);
  unsigned epochs = run_epochs(length);
  report(now() - began);
  judge_memory(epochs);
  atomic_store(&over, true);
  pthread_join(watcher, NULL);
  printf("ok chaos\n");
  return 0;
}
