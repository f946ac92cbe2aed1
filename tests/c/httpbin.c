/* httpbin BASE: what a client must get right, as httpbin has it. BASE is its URL. */
#include "check.h"

static pool_t *pool;
static const char *base;

/* BASE and a path. Good until the fourth call from now. */
static const char *at(const char *path) {
  static char urls[4][512];
  static int next;
  char *url = urls[next++ % 4];
  snprintf(url, sizeof urls[0], "%s%s", base, path);
  return url;
}

/* Does a job; the result is the caller's. */
static pool_result_t *fetch(int kind, const char *url, const pool_options_t *options) {
  pool_job_t job = job_for(url, 0);
  job.kind = kind;
  job.group = ""; /* this server may be asked without a pause */
  job.options = options;
  EXPECT(pool_submit(pool, &job, 60000), POOL_OK);
  return take(pool);
}

static pool_result_t *get(const char *path, const pool_options_t *options) {
  return fetch(POOL_REQUEST, at(path), options);
}

static const char *text_of(const pool_result_t *result) {
  const char *text = pool_result_text(result, NULL);
  CHECK(text != NULL, "%s: no text, %s", result->url, error_of(result));
  return text;
}

#define EXPECT_STATUS(result, wanted)                                                       \
  CHECK((result)->error_code == NULL && (result)->status == (wanted), "%s: status %d, %s: %s", \
        (result)->url, (int)(result)->status, error_of(result),                             \
        (result)->error_message ? (result)->error_message : "")

/* The text has these words in it. */
#define EXPECT_WORDS(result, words) \
  CHECK(strstr(text_of(result), words) != NULL, "%s: %s", (result)->url, text_of(result))

#define EXPECT_NO_WORDS(result, words) \
  CHECK(strstr(text_of(result), words) == NULL, "%s: %s", (result)->url, text_of(result))

/* The page at a path has these words in it. */
static void expect_page(const char *path, const pool_options_t *options, const char *words) {
  pool_result_t *result = get(path, options);
  EXPECT_PAGE(result);
  EXPECT_WORDS(result, words);
  pool_result_free(result);
}

static const char *header(const pool_result_t *result, const char *name) {
  for (size_t i = 0; i < result->header_count; i++)
    if (strcmp(result->headers[i].name, name) == 0) return result->headers[i].value;
  return NULL;
}

static void expect_end(const pool_result_t *result, const char *path, size_t count) {
  CHECK(result->end_url && strcmp(result->end_url, at(path)) == 0, "%s ended at %s", result->url,
        result->end_url ? result->end_url : "nothing");
  CHECK(result->stack_count == count, "%s: %zu entries", result->url, result->stack_count);
}

static void redirects(void) {
  static const char *const PATHS[] = {"/redirect/5", "/relative-redirect/5",
                                      "/absolute-redirect/5"};
  for (size_t i = 0; i < 3; i++) {
    pool_result_t *result = get(PATHS[i], NULL);
    EXPECT_PAGE(result);
    expect_end(result, "/get", 6);
    for (size_t hop = 0; hop < 6; hop++) {
      const pool_hop_t *entry = &result->stack[hop];
      CHECK(strcmp(entry->type, hop < 5 ? "location-header" : "hit") == 0, "%s", entry->type);
      CHECK(entry->status == (hop < 5 ? 302 : 200), "%s: %d", entry->url, (int)entry->status);
    }
    EXPECT_WORDS(result, at("/get"));
    pool_result_free(result);

    result = fetch(POOL_RESOLVE, at(PATHS[i]), NULL);
    EXPECT_PAGE(result);
    expect_end(result, "/get", 6);
    CHECK(result->body_size == 0, "a resolve has a body of %zu bytes", result->body_size);
    pool_result_free(result);
  }

  pool_options_t options = default_options();
  options.max_redirects = 5;
  pool_result_t *result = get("/redirect/5", &options);
  EXPECT_PAGE(result);
  pool_result_free(result);
  options.max_redirects = 4;
  result = get("/redirect/5", &options);
  EXPECT_ERROR(result, "max-redirects");
  pool_result_free(result);
  options = default_options();
  options.follow_redirects = 0;
  result = get("/redirect/5", &options);
  EXPECT_STATUS(result, 302);
  expect_end(result, "/redirect/5", 1);
  CHECK(strcmp(header(result, "Location"), "/relative-redirect/4") == 0, "leads to %s",
        header(result, "Location"));
  pool_result_free(result);
  puts("ok redirects");
}

/* Each status, from a GET and from a POST, and what is asked for then. */
static void redirect_to(void) {
  static const struct {
    int status;
    const char *method_after_post;
  } STATUSES[] = {{301, "GET"}, {302, "GET"}, {303, "GET"}, {307, "POST"}, {308, "POST"}};
  for (size_t i = 0; i < sizeof STATUSES / sizeof *STATUSES; i++) {
    char path[128], words[64];
    snprintf(path, sizeof path, "/redirect-to?url=/anything/x&status_code=%d",
             STATUSES[i].status);
    pool_result_t *result = get(path, NULL);
    EXPECT_PAGE(result);
    expect_end(result, "/anything/x", 2);
    CHECK(result->stack[0].status == STATUSES[i].status, "%d", (int)result->stack[0].status);
    EXPECT_WORDS(result, "\"method\": \"GET\"");
    pool_result_free(result);

    pool_options_t options = default_options();
    options.method = "POST";
    options.body = "some words";
    options.body_size = 10;
    result = get(path, &options);
    EXPECT_PAGE(result);
    snprintf(words, sizeof words, "\"method\": \"%s\"", STATUSES[i].method_after_post);
    EXPECT_WORDS(result, words);
    bool kept = strcmp(STATUSES[i].method_after_post, "POST") == 0;
    CHECK((strstr(text_of(result), "some words") != NULL) == kept, "%s", text_of(result));
    pool_result_free(result);
  }
  puts("ok redirect_to");
}

static void cookies(void) {
  pool_options_t options = default_options();
  options.stateful = 1;
  pool_result_t *result = get("/cookies/set?first=1&second=two", &options);
  EXPECT_PAGE(result);
  expect_end(result, "/cookies", 2);
  EXPECT_WORDS(result, "\"first\": \"1\"");
  EXPECT_WORDS(result, "\"second\": \"two\"");
  pool_result_free(result);
  /* Forgotten with the job. */
  expect_page("/cookies", &options, "\"cookies\": {}");
  options.stateful = 0;
  result = get("/cookies/set?first=1", &options);
  EXPECT_PAGE(result);
  EXPECT_WORDS(result, "\"cookies\": {}");
  pool_result_free(result);
  options.cookie = "mine=3; also=4";
  result = get("/cookies", &options);
  EXPECT_WORDS(result, "\"mine\": \"3\"");
  EXPECT_WORDS(result, "\"also\": \"4\"");
  pool_result_free(result);
  options.stateful = 1;
  options.cookie = "gone=1; kept=2";
  result = get("/cookies/set/third/3", &options);
  EXPECT_WORDS(result, "\"kept\": \"2\"");
  EXPECT_WORDS(result, "\"third\": \"3\"");
  pool_result_free(result);
  puts("ok cookies");
}

static void codings(void) {
  static const struct {
    const char *path, *coding, *words;
  } CODINGS[] = {{"/gzip", "gzip", "\"gzipped\": true"},
                 {"/deflate", "deflate", "\"deflated\": true"},
                 {"/brotli", "br", "\"brotli\": true"}};
  pool_options_t options = default_options();
  for (size_t i = 0; i < 3; i++) {
    options.compressed = 1;
    pool_result_t *result = get(CODINGS[i].path, &options);
    EXPECT_PAGE(result);
    CHECK(strcmp(header(result, "Content-Encoding"), CODINGS[i].coding) == 0, "%s",
          header(result, "Content-Encoding"));
    EXPECT_WORDS(result, CODINGS[i].words);
    EXPECT_WORDS(result, CODINGS[i].coding); /* it was asked for */
    pool_result_free(result);
    options.compressed = 0;
    result = get(CODINGS[i].path, &options);
    EXPECT_PAGE(result);
    CHECK(result->body_size > 0 && result->body[0] != '{', "%s was undone", CODINGS[i].path);
    pool_result_free(result);
  }
  puts("ok codings");
}

static void contents(void) {
  size_t size;
  pool_result_t *result = get("/encoding/utf8", NULL);
  EXPECT_PAGE(result);
  CHECK(strcmp(pool_result_encoding(result), "utf-8") == 0, "%s", pool_result_encoding(result));
  CHECK(strcmp(pool_result_mimetype(result), "text/html") == 0, "%s",
        pool_result_mimetype(result));
  EXPECT_WORDS(result, "\xe2\x88\xae E\xe2\x8b\x85"); /* the first letters of its table */
  CHECK(strcmp(pool_result_text(result, &size), text_of(result)) == 0 && size > 7000, "%zu bytes",
        size);
  CHECK(size == result->body_size, "%zu bytes of %zu", size, result->body_size);
  pool_result_free(result);

  static const struct {
    const char *path, *mimetype, *ext, *words;
    int is_html;
  } PAGES[] = {{"/html", "text/html", ".html", "Herman Melville - Moby-Dick", 1},
               {"/xml", "application/xml", ".xml", "Wake up to WonderWidgets!", 0},
               {"/json", "application/json", ".json", "\"author\": \"Yours Truly\"", 0},
               {"/robots.txt", "text/plain", ".txt", "Disallow: /deny", 0}};
  for (size_t i = 0; i < sizeof PAGES / sizeof *PAGES; i++) {
    result = get(PAGES[i].path, NULL);
    EXPECT_PAGE(result);
    CHECK(strcmp(pool_result_mimetype(result), PAGES[i].mimetype) == 0, "%s: %s", PAGES[i].path,
          pool_result_mimetype(result));
    CHECK(strcmp(pool_result_ext(result), PAGES[i].ext) == 0, "%s: %s", PAGES[i].path,
          pool_result_ext(result));
    CHECK(pool_result_is_text(result) && pool_result_is_html(result) == PAGES[i].is_html, "%s",
          PAGES[i].path);
    EXPECT_WORDS(result, PAGES[i].words);
    pool_result_free(result);
  }

  result = get("/image/png", NULL);
  EXPECT_PAGE(result);
  CHECK(result->body_size > 1000 && memcmp(result->body, "\x89PNG\r\n\x1a\n", 8) == 0,
        "%zu bytes", result->body_size);
  CHECK(strcmp(pool_result_ext(result), ".png") == 0, "%s", pool_result_ext(result));
  CHECK(!pool_result_is_text(result) && !pool_result_could_be_html(result), "an image is text");
  CHECK(pool_result_text(result, &size) == NULL && size == 0, "an image has a text");
  pool_result_free(result);

  result = get("/links/10/3", NULL);
  EXPECT_PAGE(result);
  size_t count;
  const char *const *links = pool_result_links(result, &count);
  CHECK(count == 9, "%zu links", count); /* all but the page itself */
  for (size_t i = 0; i < count; i++) {
    char path[64];
    snprintf(path, sizeof path, "/links/10/%zu", i < 3 ? i : i + 1);
    CHECK(strcmp(links[i], at(path)) == 0, "link %zu is %s", i, links[i]);
  }
  pool_result_free(result);
  puts("ok contents");
}

static void bytes(void) {
  pool_result_t *result = get("/bytes/65537?seed=7", NULL);
  EXPECT_PAGE(result);
  CHECK(result->body_size == 65537, "%zu bytes", result->body_size);
  pool_result_t *again = get("/stream-bytes/65537?seed=7&chunk_size=1000", NULL);
  EXPECT_PAGE(again);
  CHECK(strcmp(header(again, "Transfer-Encoding"), "chunked") == 0, "not in chunks");
  CHECK(again->body_size == 65537 && memcmp(result->body, again->body, 65537) == 0,
        "%zu bytes, or others", again->body_size);
  pool_result_free(again);
  pool_result_free(result);

  pool_options_t options = default_options();
  options.max_body_size = 1000;
  result = get("/bytes/1001", &options);
  EXPECT_ERROR(result, "body-too-large");
  pool_result_free(result);
  result = get("/stream-bytes/100000?chunk_size=100", &options);
  EXPECT_ERROR(result, "body-too-large");
  pool_result_free(result);

  result = get("/stream/20", NULL);
  EXPECT_PAGE(result);
  const char *line = text_of(result);
  size_t lines = 0;
  for (; (line = strchr(line, '\n')) != NULL; line++) lines++;
  CHECK(lines == 20, "%zu lines", lines);
  EXPECT_WORDS(result, "\"id\": 19}");
  pool_result_free(result);

  result = get("/drip?duration=0.4&numbytes=8&delay=0.1", NULL);
  EXPECT_PAGE(result);
  CHECK(result->body_size == 8 && memcmp(result->body, "********", 8) == 0, "%zu bytes",
        result->body_size);
  CHECK(result->end_time - result->start_time >= 0.4, "it took %.3f s",
        result->end_time - result->start_time);
  pool_result_free(result);

  pool_header_t range = {.name = "Range", .value = "bytes=3-5"};
  options = default_options();
  options.headers = &range;
  options.header_count = 1;
  result = get("/range/26", &options);
  EXPECT_STATUS(result, 206);
  CHECK(result->body_size == 3 && memcmp(result->body, "def", 3) == 0, "%zu bytes",
        result->body_size);
  CHECK(strcmp(header(result, "Content-Range"), "bytes 3-5/26") == 0, "%s",
        header(result, "Content-Range"));
  pool_result_free(result);
  puts("ok bytes");
}

static void slow(void) {
  pool_options_t options = default_options();
  pool_result_t *result = get("/delay/1", &options);
  EXPECT_PAGE(result);
  CHECK(result->end_time - result->start_time >= 1, "it took %.3f s",
        result->end_time - result->start_time);
  CHECK(result->wait_time >= 0.9, "waited %.3f s", result->wait_time);
  pool_result_free(result);
  options.timeout = 1;
  static const char *const PATHS[][2] = {{"/delay/5", "read-timeout"}, /* no byte came */
                                         {"/drip?duration=5&numbytes=10&delay=0", "timeout"}};
  for (size_t i = 0; i < 2; i++) {
    double start = now();
    result = get(PATHS[i][0], &options);
    EXPECT_ERROR(result, PATHS[i][1]);
    CHECK(now() - start < 4, "the time-out took %.1f s", now() - start);
    pool_result_free(result);
  }
  puts("ok slow");
}

static void statuses(void) {
  static const uint16_t STATUSES[] = {200, 201, 204, 304, 400, 403, 404, 418, 429, 500, 503};
  static const uint16_t RAISED[] = {404, 503};
  char path[64];
  for (size_t i = 0; i < sizeof STATUSES / sizeof *STATUSES; i++) {
    snprintf(path, sizeof path, "/status/%d", STATUSES[i]);
    for (int raise = 0; raise < 2; raise++) {
      pool_options_t options = default_options();
      options.raise_on_statuses = raise ? RAISED : NULL;
      options.raise_on_status_count = raise ? 2 : 0;
      pool_result_t *result = get(path, &options);
      if (raise && STATUSES[i] == 404)
        EXPECT_ERROR(result, "invalid-status-404");
      else if (raise && STATUSES[i] == 503)
        EXPECT_ERROR(result, "invalid-status-503");
      else
        EXPECT_STATUS(result, STATUSES[i]);
      CHECK(result->status == STATUSES[i], "%s: %d", path, (int)result->status);
      CHECK(result->attempts == 1, "%u attempts", result->attempts);
      pool_result_free(result);
    }
  }
  expect_page("/status/200", NULL, "");

  pool_options_t options = default_options();
  options.retry = 1;
  options.retry_max_attempts = 3;
  options.retry_min_wait = 0.01;
  options.retry_on_statuses = RAISED;
  options.retry_on_status_count = 2;
  pool_result_t *result = get("/status/503", &options);
  EXPECT_STATUS(result, 503);
  CHECK(result->attempts == 3, "%u attempts", result->attempts);
  pool_result_free(result);
  result = get("/status/500", &options);
  EXPECT_STATUS(result, 500);
  CHECK(result->attempts == 1, "%u attempts", result->attempts);
  pool_result_free(result);
  options.raise_on_statuses = RAISED;
  options.raise_on_status_count = 2;
  result = get("/status/503", &options);
  EXPECT_ERROR(result, "invalid-status-503");
  CHECK(result->attempts == 3, "%u attempts", result->attempts);
  pool_result_free(result);
  puts("ok statuses");
}

static void credentials(void) {
  /* "me:secret" */
  pool_header_t right = {.name = "Authorization", .value = "Basic bWU6c2VjcmV0"};
  pool_header_t wrong = {.name = "Authorization", .value = "Basic bWU6d3Jvbmc="};
  pool_header_t bearer = {.name = "Authorization", .value = "Bearer some-token"};
  pool_options_t options = default_options();
  options.header_count = 1;
  options.headers = &right;
  expect_page("/basic-auth/me/secret", &options, "\"user\": \"me\"");
  options.headers = &wrong;
  pool_result_t *result = get("/basic-auth/me/secret", &options);
  EXPECT_STATUS(result, 401);
  pool_result_free(result);
  result = get("/basic-auth/me/secret", NULL);
  EXPECT_STATUS(result, 401);
  CHECK(strncmp(header(result, "WWW-Authenticate"), "Basic ", 6) == 0, "%s",
        header(result, "WWW-Authenticate"));
  pool_result_free(result);

  char url[512];
  const char *host = base + strlen("http://");
  snprintf(url, sizeof url, "http://me:secret@%s/basic-auth/me/secret", host);
  result = fetch(POOL_REQUEST, url, NULL);
  EXPECT_PAGE(result);
  EXPECT_WORDS(result, "\"authenticated\": true");
  pool_result_free(result);
  snprintf(url, sizeof url, "http://me:wrong@%s/basic-auth/me/secret", host);
  result = fetch(POOL_REQUEST, url, NULL);
  EXPECT_STATUS(result, 401);
  pool_result_free(result);

  options.headers = &bearer;
  expect_page("/bearer", &options, "\"token\": \"some-token\"");
  result = get("/bearer", NULL);
  EXPECT_STATUS(result, 401);
  pool_result_free(result);

  /* Not spoken: refused, once, without a second try. */
  snprintf(url, sizeof url, "http://me:secret@%s/digest-auth/auth/me/secret", host);
  result = fetch(POOL_REQUEST, url, NULL);
  EXPECT_STATUS(result, 401);
  CHECK(strncmp(header(result, "WWW-Authenticate"), "Digest ", 7) == 0, "%s",
        header(result, "WWW-Authenticate"));
  CHECK(result->attempts == 1 && result->stack_count == 1, "asked again");
  pool_result_free(result);
  puts("ok credentials");
}

static void headers(void) {
  pool_header_t own[] = {{.name = "X-First", .value = "1"}, {.name = "X-Second", .value = "a, b"}};
  pool_options_t options = default_options();
  options.headers = own;
  options.header_count = 2;
  pool_result_t *result = get("/headers", &options);
  EXPECT_PAGE(result);
  EXPECT_WORDS(result, "\"X-First\": \"1\"");
  EXPECT_WORDS(result, "\"X-Second\": \"a, b\"");
  pool_result_free(result);

  result = get("/response-headers?X-One=1&X-Two=two%20words&X-One=3", NULL);
  EXPECT_PAGE(result);
  CHECK(strcmp(header(result, "X-Two"), "two words") == 0, "X-Two: %s", header(result, "X-Two"));
  size_t count = 0;
  for (size_t i = 0; i < result->header_count; i++)
    if (strcmp(result->headers[i].name, "X-One") == 0)
      CHECK(strcmp(result->headers[i].value, count++ == 0 ? "1" : "3") == 0, "X-One: %s",
            result->headers[i].value);
  CHECK(count == 2, "X-One %zu times", count);
  pool_result_free(result);

  char words[64];
  snprintf(words, sizeof words, "\"user-agent\": \"rouet/%s\"", pool_version());
  expect_page("/user-agent", NULL, words);
  options = default_options();
  options.spoof_ua = 1;
  result = get("/user-agent", &options);
  EXPECT_WORDS(result, "\"user-agent\": \"Mozilla/5.0 ");
  EXPECT_NO_WORDS(result, "rouet");
  pool_result_free(result);
  pool_header_t agent = {.name = "User-Agent", .value = "tester/1"};
  options.headers = &agent;
  options.header_count = 1;
  expect_page("/user-agent", &options, "\"user-agent\": \"tester/1\"");

  /* What is known already is not sent again. */
  pool_header_t known = {.name = "If-None-Match", .value = "\"abc\""};
  options = default_options();
  options.headers = &known;
  options.header_count = 1;
  result = get("/etag/abc", &options);
  EXPECT_STATUS(result, 304);
  CHECK(result->body_size == 0, "%zu bytes", result->body_size);
  pool_result_free(result);
  result = get("/etag/def", &options);
  EXPECT_STATUS(result, 200);
  CHECK(result->body_size > 0, "no body");
  pool_result_free(result);
  known.name = "If-Modified-Since";
  known.value = "Sat, 01 Jan 2000 00:00:00 GMT";
  result = get("/cache", &options);
  EXPECT_STATUS(result, 304);
  pool_result_free(result);
  puts("ok headers");
}

static void methods(void) {
  static const char *const METHODS[][2] = {
      {"POST", "/post"}, {"PUT", "/put"}, {"PATCH", "/patch"}, {"DELETE", "/delete"}};
  static const char JSON[] = "{\"words\": [\"caf\xc3\xa9\", 2]}";
  pool_header_t json = {.name = "Content-Type", .value = "application/json"};
  for (size_t i = 0; i < 4; i++) {
    pool_options_t options = default_options();
    options.method = METHODS[i][0];
    options.headers = &json;
    options.header_count = 1;
    options.body = JSON;
    options.body_size = sizeof JSON - 1;
    pool_result_t *result = get(METHODS[i][1], &options);
    EXPECT_PAGE(result);
    EXPECT_WORDS(result, "\"json\": {\n    \"words\": [\n      \"caf\\u00e9\",\n      2\n    ]");
    EXPECT_WORDS(result, "\"Content-Type\": \"application/json\"");
    EXPECT_WORDS(result, "\"Content-Length\": \"23\"");
    pool_result_free(result);

    options.method = "GET";
    options.body = NULL;
    options.body_size = 0;
    result = get(METHODS[i][1], &options);
    EXPECT_STATUS(result, 405);
    pool_result_free(result);
  }

  pool_header_t form = {.name = "Content-Type", .value = "application/x-www-form-urlencoded"};
  pool_options_t options = default_options();
  options.method = "POST";
  options.headers = &form;
  options.header_count = 1;
  options.body = "a=1&b=two+words";
  options.body_size = 15;
  pool_result_t *result = get("/post", &options);
  EXPECT_PAGE(result);
  EXPECT_WORDS(result, "\"a\": \"1\"");
  EXPECT_WORDS(result, "\"b\": \"two words\"");
  pool_result_free(result);

  /* A body without words, and a long one. */
  enum { SIZE = 300000 };
  char *body = malloc(SIZE);
  CHECK(body != NULL, "no memory");
  memset(body, 'x', SIZE);
  pool_header_t bytes = {.name = "Content-Type", .value = "application/octet-stream"};
  options.headers = &bytes;
  options.body = body;
  options.body_size = SIZE;
  result = get("/post", &options);
  EXPECT_PAGE(result);
  EXPECT_WORDS(result, "\"Content-Length\": \"300000\"");
  CHECK(result->body_size > SIZE, "%zu bytes came back", result->body_size);
  pool_result_free(result);
  options.body_size = 0;
  result = get("/post", &options);
  EXPECT_PAGE(result);
  EXPECT_WORDS(result, "\"data\": \"\"");
  pool_result_free(result);
  free(body);

  options = default_options();
  options.method = "HEAD";
  result = get("/get", &options);
  EXPECT_PAGE(result);
  CHECK(result->body_size == 0 && atoi(header(result, "Content-Length")) > 0, "%zu bytes",
        result->body_size);
  pool_result_free(result);
  puts("ok methods");
}

/* Many at once: each gets its own answer. */
static void many(void) {
  enum { JOBS = 60 };
  bool seen[JOBS] = {false};
  for (uint64_t i = 0; i < JOBS; i++) {
    char path[64];
    snprintf(path, sizeof path, "/anything/%d?n=%d", (int)i, (int)i * 7);
    pool_job_t job = job_for(at(path), i);
    job.group = "";
    EXPECT(pool_submit(pool, &job, 60000), POOL_OK);
  }
  for (int i = 0; i < JOBS; i++) {
    char words[64];
    pool_result_t *result = take(pool);
    EXPECT_PAGE(result);
    CHECK(result->tag < JOBS && !seen[result->tag], "tag %d", (int)result->tag);
    seen[result->tag] = true;
    snprintf(words, sizeof words, "\"n\": \"%d\"", (int)result->tag * 7);
    EXPECT_WORDS(result, words);
    pool_result_free(result);
  }
  puts("ok many");
}

int main(int argc, char **argv) {
  CHECK(argc == 2, "one argument: the URL of httpbin");
  base = argv[1];
  pool = open_pool(NULL);
  redirects();
  redirect_to();
  cookies();
  codings();
  contents();
  bytes();
  slow();
  statuses();
  credentials();
  headers();
  methods();
  many();
  pool_free(pool);
  return 0;
}
