/* content SITE: what a result says of its body, each kind of redirection, the callback and the
 * functions that set a group's pace. SITE is the URL of the test site. */
#include "check.h"

#include <math.h>
#include <pthread.h>

static const char *site;

/* The URL of a page of the site with those headers and that body; to be freed. */
static char *page(const char *headers, const char *body, size_t size) {
  char *url = malloc(strlen(site) + strlen(headers) + 3 * size + 64);
  CHECK(url != NULL, "no memory");
  char *end = url + sprintf(url, "%s/status/200?%s&body=", site, headers);
  for (size_t i = 0; i < size; i++) end += sprintf(end, "%%%02x", (unsigned char)body[i]);
  return url;
}

static pool_result_t *fetch(pool_t *pool, const char *url, const pool_options_t *options,
                            int32_t kind) {
  pool_job_t job = job_for(url, 0);
  job.options = options;
  job.kind = kind;
  EXPECT(pool_submit(pool, &job, -1), POOL_OK);
  return take(pool);
}

static void expect_text(const char *what, const char *got, const char *expected) {
  CHECK((got == NULL) == (expected == NULL) && (!got || strcmp(got, expected) == 0),
        "%s is %s, not %s", what, got ? got : "NULL", expected ? expected : "NULL");
}

static void *ask(void *result) {
  size_t size = 0;
  const char *text = pool_result_text(result, &size);
  CHECK(text && strlen(text) == size, "the text is not whole");
  pool_result_links(result, NULL);
  pool_result_encoding(result);
  return NULL;
}

static void a_page_in_windows_1251(pool_t *pool) {
  /* "Привет" */
  static const char body[] =
      "<title>\xcf\xf0\xe8\xe2\xe5\xf2</title><a href='/a#x'>1</a><a href=/a#x>2</a>"
      "<a href='http://other.example/?q=1&amp;r=2'>3</a><a href='mailto:x@y'>4</a>";
  char *url = page("header=Content-Type:TEXT/HTML;charset=windows-1251", body, sizeof body - 1);
  pool_result_t *result = fetch(pool, url, NULL, POOL_REQUEST);
  EXPECT_PAGE(result);
  expect_text("mimetype", pool_result_mimetype(result), "text/html");
  expect_text("ext", pool_result_ext(result), ".html");
  expect_text("encoding", pool_result_encoding(result), "windows-1251");
  CHECK(pool_result_is_text(result) == 1 && pool_result_is_html(result) == 1 &&
            pool_result_could_be_html(result) == 1,
        "it is HTML");
  size_t size = 0, count = 0;
  const char *text = pool_result_text(result, &size);
  CHECK(text && size == strlen(text) && strstr(text, "Привет"), "the text is %s", text);
  CHECK(pool_result_text(result, NULL) == text, "it is kept");
  const char *const *links = pool_result_links(result, &count);
  CHECK(count == 2, "%zu links", count);
  char expected[256];
  snprintf(expected, sizeof expected, "%s/a#x", site);
  expect_text("link", links[0], expected);
  expect_text("link", links[1], "http://other.example/?q=1&r=2");
  CHECK(pool_result_links(result, NULL) == links, "they are kept");
  pool_result_free(result);

  /* Several threads may ask one result that nobody has asked before. */
  result = fetch(pool, url, NULL, POOL_REQUEST);
  pthread_t threads[4];
  for (int i = 0; i < 4; i++) CHECK(!pthread_create(&threads[i], NULL, ask, result), "a thread");
  for (int i = 0; i < 4; i++) pthread_join(threads[i], NULL);
  pool_result_free(result);

  pool_options_t options = default_options();
  options.known_encoding = "KOI8-R";
  result = fetch(pool, url, &options, POOL_REQUEST);
  expect_text("encoding", pool_result_encoding(result), "koi8-r");
  CHECK(!strstr(pool_result_text(result, NULL), "Привет"), "known_encoding was not believed");
  pool_result_free(result);
  free(url);
}

static void what_is_no_text(pool_t *pool) {
  char *url = page("header=Content-Type:image/png", "\x89PNG\0\0", 6);
  pool_result_t *result = fetch(pool, url, NULL, POOL_REQUEST);
  EXPECT_PAGE(result);
  size_t size = 7, count = 7;
  expect_text("mimetype", pool_result_mimetype(result), "image/png");
  expect_text("ext", pool_result_ext(result), ".png");
  expect_text("encoding", pool_result_encoding(result), NULL);
  expect_text("text", pool_result_text(result, &size), NULL);
  CHECK(!pool_result_links(result, &count) && size == 0 && count == 0, "it has links or text");
  CHECK(!pool_result_is_text(result) && !pool_result_is_html(result), "it is no text");
  pool_result_free(result);
  free(url);

  /* An empty text is one. */
  url = page("header=Content-Type:text/plain", "", 0);
  result = fetch(pool, url, NULL, POOL_REQUEST);
  size = 7;
  expect_text("text", pool_result_text(result, &size), "");
  CHECK(size == 0 && result->body == NULL, "it is empty");
  pool_result_free(result);
  result = fetch(pool, url, NULL, POOL_RESOLVE);
  expect_text("text", pool_result_text(result, &size), NULL);
  expect_text("mimetype", pool_result_mimetype(result), NULL);
  pool_result_free(result);
  free(url);

  CHECK(!pool_result_mimetype(NULL) && !pool_result_ext(NULL) && !pool_result_encoding(NULL) &&
            !pool_result_text(NULL, &size) && !pool_result_text(NULL, NULL) &&
            !pool_result_links(NULL, &count) && !pool_result_links(NULL, NULL) &&
            !pool_result_is_text(NULL) && !pool_result_is_html(NULL) &&
            !pool_result_could_be_html(NULL),
        "NULL says nothing");
}

static void a_page_that_was_kept(void) {
  static const char body[] = "<title>\xcf\xf0\xe8\xe2\xe5\xf2</title><a href='/a'>1</a>";
  pool_result_t *result = NULL;
  EXPECT(pool_result_of_page("example.com/b", "text/html; charset=windows-1251", NULL, body,
                             sizeof body - 1, &result),
         POOL_OK);
  EXPECT_PAGE(result);
  expect_text("url", result->end_url, "http://example.com/b");
  expect_text("encoding", pool_result_encoding(result), "windows-1251");
  expect_text("ext", pool_result_ext(result), ".html");
  CHECK(strstr(pool_result_text(result, NULL), "Привет"), "%s", pool_result_text(result, NULL));
  size_t count = 0;
  const char *const *links = pool_result_links(result, &count);
  CHECK(count == 1, "%zu links", count);
  expect_text("link", links[0], "http://example.com/a");
  pool_result_free(result);

  EXPECT(pool_result_of_page(NULL, NULL, "koi8-r", body, sizeof body - 1, &result), POOL_OK);
  expect_text("encoding", pool_result_encoding(result), "koi8-r");
  CHECK(pool_result_is_html(result) && !result->end_url && !result->header_count, "of nowhere");
  CHECK(!pool_result_links(result, &count) && count == 0, "links without a URL");
  pool_result_free(result);
  EXPECT(pool_result_of_page(NULL, "text/plain", NULL, NULL, 0, &result), POOL_OK);
  expect_text("text", pool_result_text(result, NULL), "");
  pool_result_free(result);

  pool_result_t *none = NULL;
  EXPECT(pool_result_of_page("http://", NULL, NULL, NULL, 0, &none), POOL_INVALID_ARGUMENT);
  CHECK(strstr(pool_last_error(), "http://"), "%s", pool_last_error());
  EXPECT(pool_result_of_page("\xff", NULL, NULL, NULL, 0, &none), POOL_INVALID_ARGUMENT);
  CHECK(strstr(pool_last_error(), "url"), "%s", pool_last_error());
  EXPECT(pool_result_of_page(NULL, "a\r\nb: c", NULL, NULL, 0, &none), POOL_INVALID_ARGUMENT);
  CHECK(strstr(pool_last_error(), "content_type"), "%s", pool_last_error());
  EXPECT(pool_result_of_page(NULL, NULL, "klingon", NULL, 0, &none), POOL_INVALID_ARGUMENT);
  CHECK(strstr(pool_last_error(), "known_encoding"), "%s", pool_last_error());
  EXPECT(pool_result_of_page(NULL, NULL, NULL, NULL, 1, &none), POOL_INVALID_ARGUMENT);
  CHECK(strstr(pool_last_error(), "body"), "%s", pool_last_error());
  EXPECT(pool_result_of_page(NULL, NULL, NULL, NULL, 0, NULL), POOL_INVALID_ARGUMENT);
  CHECK(strstr(pool_last_error(), "result") && !none, "%s", pool_last_error());
}

static void expect_element(const pool_element_t *found, const char *element, const char *attribute,
                           const char *url, const char *rel, const char *text) {
  CHECK(found->struct_size == sizeof *found, "the size is %zu", found->struct_size);
  expect_text("element", found->element, element);
  expect_text("attribute", found->attribute, attribute);
  expect_text("url", found->url, url);
  expect_text("rel", found->rel, rel);
  expect_text("text", found->text, text);
  CHECK(found->url_size == strlen(url) && found->rel_size == strlen(rel) &&
            found->text_size == strlen(text),
        "the sizes");
}

static void all_that_a_page_refers_to(void) {
  /* In windows-1251, in which `\xe6` is "ж". */
  static const char body[] =
      "<base href='http://a.example/dir/'><link rel='stylesheet' href=s.css>"
      "<script src=/s.js></script><a href='?q=\xe6' rel='nofollow  next'>one <b>two</b></a>"
      "<img src=i.png srcset='i.png, j.png 2x, k.png bad' alt='a picture'><a href='mailto:x@y'>x</a>"
      "<iframe src='//b.example/'></iframe><form action=/search></form><a href='#top'>y</a>"
      "<video><source src=v.mp4></video>";
  pool_result_t *result = NULL;
  EXPECT(pool_result_of_page("example.com/", "text/html; charset=windows-1251", NULL, body,
                             sizeof body - 1, &result),
         POOL_OK);
  size_t count = 0;
  const pool_element_t *all = pool_result_elements(result, &count);
  static const struct {
    const char *element, *attribute, *url, *rel, *text;
  } expected[] = {
      {"link", "href", "http://a.example/dir/s.css", "stylesheet", ""},
      {"script", "src", "http://a.example/s.js", "", ""},
      {"a", "href", "http://a.example/dir/?q=%E6", "nofollow next", "one two"},
      {"img", "src", "http://a.example/dir/i.png", "", "a picture"},
      {"img", "srcset", "http://a.example/dir/i.png", "", "a picture"},
      {"img", "srcset", "http://a.example/dir/j.png", "", "a picture"},
      {"iframe", "src", "http://b.example/", "", ""},
      {"form", "action", "http://a.example/search", "", ""},
      {"a", "href", "http://a.example/dir/#top", "", "y"},
      {"source", "src", "http://a.example/dir/v.mp4", "", ""},
  };
  CHECK(count == sizeof expected / sizeof *expected, "%zu elements", count);
  for (size_t i = 0; i < count; i++)
    expect_element(&all[i], expected[i].element, expected[i].attribute, expected[i].url,
                   expected[i].rel, expected[i].text);
  CHECK(pool_result_elements(result, NULL) == all, "they are kept");
  CHECK(!pool_result_elements(NULL, &count) && count == 0, "NULL has none");
  pool_result_free(result);
  EXPECT(pool_result_of_page("example.com/", "text/plain", NULL, body, sizeof body - 1, &result),
         POOL_OK);
  CHECK(!pool_result_elements(result, &count) && count == 0, "text has elements");
  pool_result_free(result);
}

static void an_answer_that_was_kept(void) {
  static const char body[] = "<a href=/x>x</a>";
  pool_result_t *result = NULL;
  const pool_header_t headers[] = {
      {"Content-Type", "text/plain; charset=koi8-r", 0, 0},
      {"content-type", "text/html; charset=gbk", 0, 0},
      {"Content-Type", "text/html and more", 0, 9},
      {"Content-Disposition", "attachment; filename=\"\xe9t\xe9.pdf\"", 0, 0},
  };
  EXPECT(pool_result_of_answer("example.com/", headers, 4, NULL, body, sizeof body - 1, &result),
         POOL_OK);
  expect_text("mimetype", pool_result_mimetype(result), "text/html");
  expect_text("encoding", pool_result_encoding(result), "gbk");
  expect_text("ext", pool_result_ext(result), ".pdf");
  CHECK(result->header_count == 4, "%zu headers", result->header_count);
  size_t count = 0;
  CHECK(pool_result_links(result, &count) && count == 1, "%zu links", count);
  pool_result_free(result);
  /* A body that is still in its coding is no text. */
  const pool_header_t coded[] = {{"Content-Type", "text/html", 0, 0},
                                 {"Content-Encoding", "deflate", 0, 0}};
  EXPECT(pool_result_of_answer(NULL, coded, 2, NULL, "\x78\x9c\x4b\x4c\x02\0", 6, &result),
         POOL_OK);
  CHECK(!pool_result_is_text(result), "it is packed");
  pool_result_free(result);
  EXPECT(pool_result_of_answer(NULL, NULL, 0, NULL, NULL, 0, &result), POOL_OK);
  pool_result_free(result);

  pool_result_t *none = NULL;
  const pool_header_t broken = {"X", "a\r\nb: c", 0, 0}, nameless = {"", "a", 0, 0};
  EXPECT(pool_result_of_answer(NULL, &broken, 1, NULL, NULL, 0, &none), POOL_INVALID_ARGUMENT);
  CHECK(strstr(pool_last_error(), "line break"), "%s", pool_last_error());
  EXPECT(pool_result_of_answer(NULL, &nameless, 1, NULL, NULL, 0, &none), POOL_INVALID_ARGUMENT);
  CHECK(strstr(pool_last_error(), "headers"), "%s", pool_last_error());
  EXPECT(pool_result_of_answer(NULL, NULL, 1, NULL, NULL, 0, &none), POOL_INVALID_ARGUMENT);
  CHECK(strstr(pool_last_error(), "headers"), "%s", pool_last_error());
  EXPECT(pool_result_of_answer(NULL, NULL, 0, NULL, NULL, 1, &none), POOL_INVALID_ARGUMENT);
  EXPECT(pool_result_of_answer(NULL, NULL, 0, NULL, NULL, 0, NULL), POOL_INVALID_ARGUMENT);
  CHECK(!none, "an output of what was refused");
}

static void every_redirection(pool_t *pool) {
  static const char canonical[] = "<link rel=canonical href='/text?canonical'>";
  char *end = page("header=Content-Type:text/html", canonical, sizeof canonical - 1);
  char script[4096], refresh[16384];
  snprintf(script, sizeof script, "<script>window.location.replace(\"%s\")</script>", end);
  char *js = page("header=Content-Type:text/html", script, strlen(script));
  snprintf(refresh, sizeof refresh, "<meta http-equiv=refresh content='0; url=%s'>", js);
  char *meta = page("header=Content-Type:text/html", refresh, strlen(refresh));
  size_t room = strlen(meta) * 9 + 1024; /* quoted twice */
  char *header = malloc(room), *start = malloc(room);
  CHECK(header && start, "no memory");
  int size = snprintf(header, room, "%s/status/200?header=Refresh:0;url=", site);
  for (const char *c = meta; *c; c++) size += sprintf(header + size, "%%%02x", (unsigned char)*c);
  size = snprintf(start, room, "http://nobody.invalid/out?url=");
  for (const char *c = header; *c; c++) size += sprintf(start + size, "%%%02x", (unsigned char)*c);

  pool_options_t options = default_options();
  options.follow_meta_refresh = options.follow_js_relocation = 1;
  options.infer_redirection = options.canonicalize = 1;
  for (int32_t kind = POOL_REQUEST; kind <= POOL_RESOLVE; kind++) {
    pool_result_t *result = fetch(pool, start, &options, kind);
    EXPECT_PAGE(result);
    static const char *const types[] = {"infer",         "refresh-header", "meta-refresh",
                                        "js-relocation", "hit",            "canonical"};
    CHECK(result->stack_count == 6, "%zu hops", result->stack_count);
    for (size_t i = 0; i < 6; i++) {
      expect_text("type", result->stack[i].type, types[i]);
      int expected = i == 0 || i == 5 ? 0 : 200;
      CHECK(result->stack[i].status == expected, "status %d", (int)result->stack[i].status);
    }
    expect_text("url", result->stack[4].url, end);
    CHECK(strstr(result->end_url, "/text?canonical"), "it ends at %s", result->end_url);
    pool_result_free(result);
  }
  free(end), free(js), free(meta), free(header), free(start);
}

static void options_that_start_from_the_stream_s(void) {
  static const pool_header_t headers[] = {{"X-A", "1", 0, 0}, {"X-B", "2", 0, 0}};
  static const uint16_t statuses[] = {404}, retried[] = {503};
  char address[64], given[256];
  snprintf(address, sizeof address, "::%s", strstr(site, "//") + 2);
  pool_options_t options = default_options();
  options.headers = headers;
  options.header_count = 2;
  options.cookie = "c=1";
  options.method = "PUT";
  options.body = "body";
  options.body_size = 4;
  options.max_redirects = 3;
  options.timeout = 7.5;
  options.raise_on_statuses = statuses;
  options.raise_on_status_count = 1;
  options.known_encoding = "utf-8";
  options.ca_file = "/nowhere.pem";
  const char *const connect_to[] = {address};
  options.connect_to = connect_to;
  options.connect_to_count = 1;
  options.http_version = POOL_HTTP_1_1;
  options.retry = 1;
  options.retry_max_attempts = 2;
  options.retry_min_wait = 0.25;
  options.retry_on_statuses = retried;
  options.retry_on_status_count = 1;
  pool_config_t config = default_config();
  config.options = &options;
  pool_t *pool = open_pool(&config);

  pool_options_t own;
  EXPECT(pool_options_from(pool, &own, sizeof own), POOL_OK);
  CHECK(own.header_count == 2 && !strcmp(own.headers[1].name, "X-B") &&
            !strcmp(own.headers[1].value, "2"),
        "the headers");
  CHECK(!strcmp(own.method, "PUT") && own.body_size == 4 && !memcmp(own.body, "body", 4) &&
            !strcmp(own.cookie, "c=1") && !strcmp(own.ca_file, "/nowhere.pem") && !own.proxy,
        "the texts");
  CHECK(own.max_redirects == 3 && own.timeout == 7.5 && own.retry == 1 &&
            own.retry_max_attempts == 2 && own.retry_min_wait == 0.25 &&
            own.retry_on_statuses[0] == 503 && own.raise_on_statuses[0] == 404 &&
            own.http_version == POOL_HTTP_1_1 && own.connect_to_count == 1,
        "the numbers");
  own.cookie = "c=2"; /* all else as it is */
  pool_result_t *result = fetch(pool, "http://any.example/echo", &own, POOL_REQUEST);
  EXPECT_PAGE(result);
  const char *seen = pool_result_text(result, NULL);
  CHECK(strstr(seen, "c=2") && !strstr(seen, "c=1") && strstr(seen, "PUT") &&
            strstr(seen, "\"body\":\"body\""),
        "%s", seen);
  pool_result_free(result);

  EXPECT(pool_options_from(pool, NULL, sizeof own), POOL_INVALID_ARGUMENT);
  EXPECT(pool_options_from(pool, &own, 3), POOL_INVALID_ARGUMENT);
  EXPECT(pool_options_from(NULL, &own, sizeof own), POOL_INVALID_ARGUMENT);
  pool_free(pool);

  /* The defaults are the same either way. */
  pool = open_pool(NULL);
  EXPECT(pool_options_from(pool, &own, sizeof own), POOL_OK);
  options = default_options();
  CHECK(own.timeout == options.timeout && own.max_redirects == -1 && !own.method && !own.retry &&
            own.retry_max_attempts == options.retry_max_attempts && own.header_count == 0,
        "the defaults");
  snprintf(given, sizeof given, "%s/text", site);
  result = fetch(pool, given, &own, POOL_REQUEST);
  EXPECT_PAGE(result);
  pool_result_free(result);
  pool_free(pool);
}

static void raised_statuses(pool_t *pool) {
  static const uint16_t statuses[] = {404, 500};
  pool_options_t options = default_options();
  options.raise_on_statuses = statuses;
  options.raise_on_status_count = 2;
  char url[256];
  snprintf(url, sizeof url, "%s/status/404", site);
  pool_result_t *result = fetch(pool, url, &options, POOL_REQUEST);
  EXPECT_ERROR(result, "invalid-status-404");
  CHECK(result->status == 404, "status %d", (int)result->status);
  pool_result_free(result);
  snprintf(url, sizeof url, "%s/status/403", site);
  result = fetch(pool, url, &options, POOL_REQUEST);
  EXPECT_ERROR(result, "no error");
  pool_result_free(result);
}

static int marker;

static int see(pool_result_t *result, void *userdata) {
  CHECK(userdata == &marker, "userdata is lost");
  size_t size = 0;
  const char *text = pool_result_text(result, &size);
  CHECK(text != NULL, "a result in a callback has text");
  /* What it keeps must be its own. */
  char *copy = malloc(size + 1);
  CHECK(copy, "no memory");
  memcpy(copy, text, size + 1);
  result->value = copy;
  return result->tag % 2 ? 0 : 5;
}

static void a_callback(void) {
  pool_config_t config = default_config();
  config.throttle = 0;
  config.callback = see;
  config.callback_userdata = &marker;
  pool_t *pool = open_pool(&config);
  char url[256];
  snprintf(url, sizeof url, "%s/text", site);
  for (uint64_t tag = 0; tag < 10; tag++) {
    pool_job_t job = job_for(url, tag);
    EXPECT(pool_submit(pool, &job, -1), POOL_OK);
  }
  for (int i = 0; i < 10; i++) {
    pool_result_t *result = take(pool);
    if (result->tag % 2) {
      EXPECT_PAGE(result);
    } else {
      EXPECT_ERROR(result, "callback-error");
      CHECK(strstr(result->error_message, "returned 5"), "%s", result->error_message);
    }
    CHECK(result->value && strlen(result->value) == result->body_size, "the value is lost");
    /* Asked anew, it says the same. */
    expect_text("text", pool_result_text(result, NULL), result->value);
    free(result->value);
    pool_result_free(result);
  }
  pool_free(pool);
}

static double pace(const char *group, const pool_result_t *result, void *userdata) {
  CHECK(result->status == 200 && pool_result_mimetype(result), "no result to judge by");
  ++*(int *)userdata;
  if (strcmp(group, "no number") == 0) return (double)NAN;
  return strcmp(group, "default") == 0 ? -1 : 0;
}

static uint32_t width(const char *group, void *userdata) {
  ++*(int *)userdata;
  return strcmp(group, "wide") == 0 ? 4 : 1;
}

static void functions_of_a_pool(void) {
  int calls = 0;
  pool_config_t config = default_config();
  config.threads = 1; /* so that the count needs no lock */
  config.throttle = 0.05;
  config.throttle_fn = pace;
  config.parallelism_fn = width;
  config.domain_userdata = &calls;
  pool_t *pool = open_pool(&config);
  static const char *const groups[] = {"wide", "narrow", "default", "no number"};
  char url[256];
  snprintf(url, sizeof url, "%s/text", site);
  for (int i = 0; i < 16; i++) {
    pool_job_t job = job_for(url, 0);
    job.group = groups[i % 4];
    EXPECT(pool_submit(pool, &job, -1), POOL_OK);
  }
  for (int i = 0; i < 16; i++) {
    pool_result_t *result = take(pool);
    EXPECT_PAGE(result);
    pool_result_free(result);
  }
  pool_t *other = NULL;
  EXPECT(pool_share(pool, &config, &other), POOL_INVALID_ARGUMENT);
  CHECK(strstr(pool_last_error(), "throttle_fn"), "%s", pool_last_error());
  pool_free(pool);
  CHECK(calls >= 20, "%d calls for 16 ends and 4 groups", calls);
}

int main(int argc, char **argv) {
  CHECK(argc == 2, "usage: content SITE");
  site = argv[1];
  pool_config_t config = default_config();
  config.throttle = 0;
  pool_t *pool = open_pool(&config);
  a_page_in_windows_1251(pool);
  what_is_no_text(pool);
  a_page_that_was_kept();
  all_that_a_page_refers_to();
  an_answer_that_was_kept();
  every_redirection(pool);
  raised_statuses(pool);
  pool_free(pool);
  options_that_start_from_the_stream_s();
  a_callback();
  functions_of_a_pool();
  return 0;
}
