/* fetch: downloads or resolves the URLs of a file or of standard input, and reports on each.
 *
 * One thread, one loop: it hands lines over while there is room, takes results while there are
 * any, and otherwise sleeps until a line or a result comes. So a slow pipe keeps no result back,
 * a slow server keeps no line back, and the memory used does not depend on how many URLs come.
 */
#define _POSIX_C_SOURCE 200809L

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <rouet.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { FINE = 0, TROUBLE = 1, USAGE = 2 };

static const char HELP[] =
    "Usage: fetch [OPTION]... [FILE]\n"
    "Downloads the URLs of FILE, or of standard input, one a line, and reports on each in CSV.\n"
    "Blank lines and lines that start with # are passed over.\n"
    "\n"
    "Politeness\n"
    "  --throttle S         seconds between two requests to one domain (default 0.2)\n"
    "  --parallelism N      requests to one domain at once (default 1)\n"
    "  --workers N          requests at once in all (default 64 a core)\n"
    "  --retries N          more attempts after a failed connection (default 0)\n"
    "\n"
    "Requests\n"
    "  --resolve            only find out where each URL ends\n"
    "  --pages              also follow what pages say: meta refresh, scripts\n"
    "  --infer              also follow URLs that hold the URL they lead to\n"
    "  --canonical          end in the URL a page calls its own\n"
    "  --stateful           keep cookies from one redirection to the next\n"
    "  --header 'NAME: V'   send this header too; may be repeated\n"
    "  --user-agent TEXT    the same as --header 'User-Agent: TEXT'\n"
    "  --compressed         ask for compressed answers, and decompress them\n"
    "  --timeout S          seconds for a whole job (default 30)\n"
    "  --connect-timeout S  seconds to connect (default 5)\n"
    "  --proxy URL          an http, https, socks5 or socks5h proxy\n"
    "  --connect-to H:P:H:P connect there instead, as in curl; may be repeated\n"
    "  --dns H:P:ADDRESS    the address of host H, as curl's --resolve; may be repeated\n"
    "  --ca-file FILE       the certificate authorities to trust, in PEM\n"
    "  --insecure           do not check certificates\n"
    "\n"
    "Output\n"
    "  --report FILE        where the report goes (default: standard output)\n"
    "  --output DIR         save the bodies in DIR; the report's last column names the files\n"
    "  --ordered            report in the order of the input\n"
    "  --quiet              no progress line on the terminal\n"
    "  --help, --version    print this, or the version, and exit\n"
    "\n"
    "Ctrl-C ends what is under way and reports it as cancelled; a second one just ends.\n"
    "Exit status: 0 when all URLs were reported on, also those that failed; 1 when the report\n"
    "could not be completed; 2 for wrong usage; 130 after Ctrl-C.\n";

static void complain(const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  fputs("fetch: ", stderr);
  vfprintf(stderr, format, arguments);
  fputc('\n', stderr);
  va_end(arguments);
}

/* ---- options ---- */

struct settings {
  pool_config_t config;
  pool_options_t options;
  pool_header_t *headers;
  const char **connect_to, **dns;
  const char *input, *report, *output;
  bool resolve, quiet;
};

static bool parse_seconds(const char *option, const char *text, double *seconds) {
  char *end;
  *seconds = strtod(text, &end);
  if (end == text || *end != '\0') {
    complain("--%s takes a number of seconds, not \"%s\"", option, text);
    return false;
  }
  return true;
}

static bool parse_number(const char *option, const char *text, uint32_t *number) {
  char *end;
  errno = 0;
  unsigned long value = strtoul(text, &end, 10);
  if (*text < '0' || *text > '9' || *end != '\0' || errno != 0 || value >= UINT32_MAX) {
    complain("--%s takes a number from 0 to %" PRIu32 ", not \"%s\"", option, UINT32_MAX - 1,
             text);
    return false;
  }
  *number = (uint32_t)value;
  return true;
}

static bool add_header(struct settings *settings, const char *name, size_t name_size,
                       const char *value) {
  while (*value == ' ' || *value == '\t') value++;
  if (name_size == 0) return false;
  settings->headers[settings->options.header_count++] =
      (pool_header_t){.name = name, .name_size = name_size, .value = value};
  return true;
}

/* Returns FINE to go on, USAGE for wrong usage, -1 when what was asked for is done. */
static int parse(int argc, char **argv, struct settings *settings) {
  enum {
    CA_FILE = 1, CANONICAL, COMPRESSED, CONNECT_TIMEOUT, CONNECT_TO, DNS, HEADER, HELP_, INFER,
    INSECURE, ORDERED, OUTPUT, PAGES, PARALLELISM, PROXY, QUIET, REPORT, RESOLVE, RETRIES, STATEFUL,
    THROTTLE, TIMEOUT, USER_AGENT, VERSION, WORKERS
  };
  static const struct option LONG[] = {
      {"ca-file", required_argument, NULL, CA_FILE},
      {"canonical", no_argument, NULL, CANONICAL},
      {"compressed", no_argument, NULL, COMPRESSED},
      {"connect-timeout", required_argument, NULL, CONNECT_TIMEOUT},
      {"connect-to", required_argument, NULL, CONNECT_TO},
      {"dns", required_argument, NULL, DNS},
      {"header", required_argument, NULL, HEADER},
      {"help", no_argument, NULL, HELP_},
      {"infer", no_argument, NULL, INFER},
      {"insecure", no_argument, NULL, INSECURE},
      {"ordered", no_argument, NULL, ORDERED},
      {"output", required_argument, NULL, OUTPUT},
      {"pages", no_argument, NULL, PAGES},
      {"parallelism", required_argument, NULL, PARALLELISM},
      {"proxy", required_argument, NULL, PROXY},
      {"quiet", no_argument, NULL, QUIET},
      {"report", required_argument, NULL, REPORT},
      {"resolve", no_argument, NULL, RESOLVE},
      {"retries", required_argument, NULL, RETRIES},
      {"stateful", no_argument, NULL, STATEFUL},
      {"throttle", required_argument, NULL, THROTTLE},
      {"timeout", required_argument, NULL, TIMEOUT},
      {"user-agent", required_argument, NULL, USER_AGENT},
      {"version", no_argument, NULL, VERSION},
      {"workers", required_argument, NULL, WORKERS},
      {NULL, 0, NULL, 0},
  };
  pool_config_t *config = &settings->config;
  pool_options_t *options = &settings->options;
  int option, index = 0;
  while ((option = getopt_long(argc, argv, "", LONG, &index)) != -1) {
    const char *name = LONG[index].name;
    bool good = true;
    switch (option) {
      case CA_FILE: options->ca_file = optarg; break;
      case CANONICAL: options->canonicalize = 1; break;
      case COMPRESSED: options->compressed = 1; break;
      case CONNECT_TIMEOUT: good = parse_seconds(name, optarg, &options->connect_timeout); break;
      case CONNECT_TO: settings->connect_to[options->connect_to_count++] = optarg; break;
      case DNS: settings->dns[options->dns_count++] = optarg; break;
      case HEADER: {
        const char *colon = strchr(optarg, ':');
        good = colon && add_header(settings, optarg, (size_t)(colon - optarg), colon + 1);
        if (!good) complain("--header takes 'NAME: VALUE', not \"%s\"", optarg);
        break;
      }
      case HELP_: fputs(HELP, stdout); return -1;
      case INFER: options->infer_redirection = 1; break;
      case INSECURE: options->insecure = 1; break;
      case ORDERED: config->ordered = 1; break;
      case OUTPUT: settings->output = optarg; break;
      case PAGES: options->follow_meta_refresh = options->follow_js_relocation = 1; break;
      case PARALLELISM: good = parse_number(name, optarg, &config->domain_parallelism); break;
      case PROXY: options->proxy = optarg; break;
      case QUIET: settings->quiet = true; break;
      case REPORT: settings->report = optarg; break;
      case RESOLVE: settings->resolve = true; break;
      case RETRIES: {
        uint32_t retries = 0;
        good = parse_number(name, optarg, &retries);
        options->retry = retries > 0;
        options->retry_max_attempts = retries + 1;
        break;
      }
      case STATEFUL: options->stateful = 1; break;
      case THROTTLE: good = parse_seconds(name, optarg, &config->throttle); break;
      case TIMEOUT: good = parse_seconds(name, optarg, &options->timeout); break;
      case USER_AGENT: good = add_header(settings, "User-Agent", 10, optarg); break;
      case VERSION: printf("fetch, with rouet %s\n", pool_version()); return -1;
      case WORKERS: good = parse_number(name, optarg, &config->max_workers); break;
      default: good = false; /* getopt_long has said what is wrong */
    }
    if (!good) {
      fputs("Try: fetch --help\n", stderr);
      return USAGE;
    }
  }
  if (argc - optind > 1) {
    complain("one FILE at most, not %d\nTry: fetch --help", argc - optind);
    return USAGE;
  }
  if (optind < argc && strcmp(argv[optind], "-") != 0) settings->input = argv[optind];
  options->headers = settings->headers;
  options->connect_to = settings->connect_to;
  options->dns = settings->dns;
  config->options = options;
  /* What is under way counts as buffered. */
  if (config->buffer_size < config->max_workers) config->buffer_size = config->max_workers;
  return FINE;
}

/* ---- input: lines, without ever waiting for one ---- */

struct input {
  const char *name;
  int fd;
  char *data;
  size_t start, end, room; /* what was read and not handed out is data[start..end] */
  size_t searched;         /* there is no line's end before data[searched] */
  bool begun;              /* a line was looked at */
  bool ended;              /* the file's end was read */
};

/* Reads what is there. Call it when poll says so. */
static bool input_read(struct input *input) {
  enum { CHUNK = 64 * 1024 };
  if (input->start > 0) {
    memmove(input->data, input->data + input->start, input->end - input->start);
    input->end -= input->start;
    input->searched -= input->start;
    input->start = 0;
  }
  if (input->room - input->end < CHUNK) {
    size_t room = input->room * 2 + CHUNK;
    char *data = realloc(input->data, room);
    if (!data) {
      complain("%s: a line of %zu bytes does not fit into memory", input->name, input->end);
      return false;
    }
    input->data = data;
    input->room = room;
  }
  ssize_t count = read(input->fd, input->data + input->end, input->room - input->end);
  if (count < 0 && errno != EINTR && errno != EAGAIN) {
    complain("%s: %s", input->name, strerror(errno));
    return false;
  }
  if (count == 0) input->ended = true;
  if (count > 0) input->end += (size_t)count;
  return true;
}

static bool is_space(char byte) {
  return byte == ' ' || byte == '\t' || byte == '\r' || byte == '\n' || byte == '\f' ||
         byte == '\v';
}

/* Hands out the next line that has a URL, if a whole one was read. It is in the input's buffer,
   where it stays until input_read. */
static bool input_line(struct input *input, char **line, size_t *size) {
  while (input->start < input->end) {
    char *first = input->data + input->start;
    char *newline = memchr(input->data + input->searched, '\n', input->end - input->searched);
    if (!newline && !input->ended) {
      input->searched = input->end;
      return false;
    }
    char *last = newline ? newline : input->data + input->end;
    input->start = input->searched = (size_t)(last - input->data) + (newline ? 1 : 0);
    /* Some editors put a mark at the start of a file. */
    if (!input->begun && last - first >= 3 && memcmp(first, "\xef\xbb\xbf", 3) == 0) first += 3;
    input->begun = true;
    while (first < last && is_space(*first)) first++;
    while (first < last && is_space(last[-1])) last--;
    if (first == last || *first == '#') continue;
    *line = first;
    *size = (size_t)(last - first);
    return true;
  }
  return false;
}

/* ---- output: the report, the files, the progress line ---- */

struct output {
  FILE *report;
  const char *report_name;
  const char *directory; /* NULL: bodies are not saved */
  uint64_t done, failed, bytes;
  bool unflushed;
  bool progress;
  double started, shown, flushed; /* when, in seconds of the monotonic clock */
};

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

/* One field as RFC 4180 has it: quoted when it has a comma, a quote or a line break. */
static void write_field(FILE *report, const char *text, size_t size) {
  if (!memchr(text, '"', size) && !memchr(text, ',', size) && !memchr(text, '\n', size) &&
      !memchr(text, '\r', size)) {
    fwrite(text, 1, size, report);
    return;
  }
  putc('"', report);
  for (size_t i = 0; i < size; i++) {
    if (text[i] == '"') putc('"', report);
    putc(text[i], report);
  }
  putc('"', report);
}

/* A file name for what `url` gave: a number that no other has, and what can be kept of the URL. */
static void file_name(char *name, size_t room, uint64_t number, const char *url) {
  const char *after_scheme = strstr(url, "://");
  if (after_scheme) url = after_scheme + 3;
  size_t size = (size_t)snprintf(name, room, "%08" PRIu64 "-", number);
  for (size_t kept = 0; url[kept] != '\0' && kept < 80 && size + 1 < room; kept++) {
    char byte = url[kept];
    bool safe = (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
                (byte >= '0' && byte <= '9') || byte == '.' || byte == '-';
    name[size++] = safe ? byte : '_';
  }
  name[size] = '\0';
}

static bool save(const char *path, const uint8_t *body, size_t size) {
  int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  bool good = fd >= 0;
  while (good && size > 0) {
    ssize_t count = write(fd, body, size);
    if (count < 0 && errno == EINTR) continue;
    good = count > 0;
    if (good) {
      body += count;
      size -= (size_t)count;
    }
  }
  int error = errno;
  /* Some file systems say only now that the disk is full. */
  if (fd >= 0 && close(fd) != 0 && good) {
    error = errno;
    good = false;
  }
  if (!good) {
    complain("%s: %s", path, strerror(error));
    if (fd >= 0) unlink(path); /* better no file than half a one */
  }
  return good;
}

static bool report_good(const struct output *output) {
  if (!ferror(output->report)) return true;
  complain("%s: %s", output->report_name, strerror(errno));
  return false;
}

static bool write_header(struct output *output) {
  fputs("url,end_url,status,error_code,hops,bytes,seconds,truncated", output->report);
  fputs(output->directory ? ",file\n" : "\n", output->report);
  output->unflushed = true;
  return report_good(output);
}

static bool write_result(struct output *output, const pool_result_t *result) {
  char path[PATH_MAX] = "";
  if (output->directory && result->body_size > 0) {
    char name[128];
    file_name(name, sizeof name, result->tag, result->url);
    if (snprintf(path, sizeof path, "%s/%s", output->directory, name) >= (int)sizeof path) {
      complain("%s: the path is too long", output->directory);
      return false;
    }
    if (!save(path, result->body, result->body_size)) return false;
  }
  FILE *report = output->report;
  write_field(report, result->url, result->url_size);
  putc(',', report);
  if (result->end_url) write_field(report, result->end_url, result->end_url_size);
  putc(',', report);
  if (result->status != 0) fprintf(report, "%" PRId32, result->status);
  fprintf(report, ",%s,%zu,%zu,%.3f", result->error_code ? result->error_code : "",
          result->stack_count, result->body_size, result->end_time - result->start_time);
  fprintf(report, ",%s", result->truncated ? result->truncated : "");
  if (output->directory) {
    putc(',', report);
    write_field(report, path, strlen(path));
  }
  putc('\n', report);
  output->unflushed = true;
  output->done++;
  output->failed += result->error_code != NULL;
  output->bytes += result->body_size;
  return report_good(output);
}

/* Whoever reads the report down a pipe shall not wait long for lines that are written; nor shall
   each line cost a system call. The loop comes by at least every PROGRESS_MS. */
static bool flush(struct output *output) {
  double time = now();
  if (!output->unflushed || time - output->flushed < 0.1) return true;
  fflush(output->report);
  output->unflushed = false;
  output->flushed = time;
  return report_good(output);
}

static void show_progress(struct output *output, pool_t *pool, bool last) {
  double time = now();
  if (!output->progress || (!last && time - output->shown < 0.2)) return;
  output->shown = time;
  pool_stats_t stats = {.struct_size = sizeof stats};
  pool_stats(pool, &stats);
  double seconds = time - output->started;
  fprintf(stderr,
          "\r%" PRIu64 " done, %" PRIu64 " errors, %" PRIu64 " in flight, %.1f pages/s, %.1f MB"
          "\033[K%s",
          output->done, output->failed, stats.in_flight,
          seconds > 0 ? (double)output->done / seconds : 0.0, (double)output->bytes / 1e6,
          last ? "\n" : "");
}

/* ---- the loop ---- */

static volatile sig_atomic_t interrupted;

static void interrupt(int signal) {
  (void)signal;
  interrupted = 1;
}

/* A job that keeps waiting for room is offered again after this long, result or no result. */
enum { OFFER_AGAIN_MS = 50, PROGRESS_MS = 200 };

/* Bytes that are not UTF-8 become what they would be in a browser's request. */
static char *percent_encode(const char *url, size_t *size) {
  char *encoded = malloc(*size * 3 + 1);
  if (!encoded) return NULL;
  size_t end = 0;
  for (size_t i = 0; i < *size; i++) {
    if ((unsigned char)url[i] < 0x80)
      encoded[end++] = url[i];
    else
      end += (size_t)sprintf(encoded + end, "%%%02X", (unsigned)(unsigned char)url[i]);
  }
  *size = end;
  return encoded;
}

/* Whether text is UTF-8 (RFC 3629, section 4). */
static bool is_utf8(const char *text, size_t size) {
  for (size_t i = 0; i < size;) {
    unsigned char first = (unsigned char)text[i++];
    if (first < 0x80) continue;
    if (first < 0xc2 || first > 0xf4) return false;
    size_t more = first < 0xe0 ? 1 : first < 0xf0 ? 2 : 3;
    unsigned char least = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
    unsigned char most = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;
    for (; more > 0; more--, i++) {
      if (i == size || (unsigned char)text[i] < least || (unsigned char)text[i] > most) return false;
      least = 0x80;
      most = 0xbf;
    }
  }
  return true;
}

static pool_status_t submit(pool_t *pool, const pool_job_t *job) {
  if (is_utf8(job->url, job->url_size)) return pool_submit(pool, job, 0);
  pool_job_t second = *job;
  char *encoded = percent_encode(job->url, &second.url_size);
  if (encoded) second.url = encoded;
  pool_status_t status = pool_submit(pool, &second, 0);
  free(encoded);
  return status;
}

static int run(pool_t *pool, struct input *input, struct output *output, int32_t kind) {
  pool_job_t job;
  pool_job_init(&job, sizeof job);
  job.kind = kind;
  bool have_job = false; /* job.url is a line that there was no room for yet */
  bool finished = false;
  int event_fd;
  if (pool_event_fd(pool, &event_fd) != POOL_OK) {
    complain("%s", pool_last_error());
    return TROUBLE;
  }
  for (;;) {
    if (interrupted && !finished) {
      pool_cancel(pool);
      finished = true;
    }

    /* Hand over what there is room for. */
    while (!finished) {
      char *line;
      if (!have_job) {
        if (!input_line(input, &line, &job.url_size)) break;
        job.url = line;
        job.tag++;
        have_job = true;
      }
      pool_status_t status = submit(pool, &job);
      if (status == POOL_AGAIN) break;
      if (status != POOL_OK) {
        complain("%s", pool_last_error());
        return TROUBLE;
      }
      have_job = false;
    }
    if (input->ended && !have_job && !finished) {
      pool_finish(pool);
      finished = true;
    }

    /* Take what is done. */
    pool_result_t *results[64];
    size_t count = 0;
    pool_status_t status =
        pool_next_results(pool, results, sizeof results / sizeof results[0], 0, &count);
    if (status == POOL_DONE) break;
    if (status != POOL_OK && status != POOL_AGAIN) {
      complain("%s", pool_last_error());
      return TROUBLE;
    }
    bool good = true;
    for (size_t i = 0; status == POOL_OK && i < count; i++) {
      good = good && write_result(output, results[i]);
      pool_result_free(results[i]);
    }
    if (!good) return TROUBLE;
    show_progress(output, pool, false);
    if (status == POOL_OK) continue;

    /* Nothing to take, and nothing to hand over or no room for it: sleep. */
    if (!flush(output)) return TROUBLE;
    bool want_input = !finished && !have_job;
    struct pollfd wait[2] = {
        {.fd = event_fd, .events = POLLIN},
        {.fd = want_input ? input->fd : -1, .events = POLLIN},
    };
    if (poll(wait, 2, have_job ? OFFER_AGAIN_MS : PROGRESS_MS) < 0 && errno != EINTR) {
      complain("poll: %s", strerror(errno));
      return TROUBLE;
    }
    if (want_input && wait[1].revents != 0 && !input_read(input)) return TROUBLE;
  }
  show_progress(output, pool, true);
  return interrupted ? 128 + SIGINT : FINE;
}

int main(int argc, char **argv) {
  struct settings settings = {0};
  pool_config_init(&settings.config, sizeof settings.config);
  pool_options_init(&settings.options, sizeof settings.options);
  settings.headers = calloc((size_t)argc, sizeof *settings.headers);
  settings.connect_to = calloc((size_t)argc, sizeof *settings.connect_to);
  settings.dns = calloc((size_t)argc, sizeof *settings.dns);
  struct input input = {.name = "standard input", .fd = STDIN_FILENO};
  struct output output = {.report = stdout, .report_name = "standard output"};
  pool_t *pool = NULL;
  int status = TROUBLE;
  if (!settings.headers || !settings.connect_to || !settings.dns) {
    complain("out of memory");
    goto end;
  }
  status = parse(argc, argv, &settings);
  if (status != FINE) {
    if (status == -1) status = FINE;
    goto end;
  }

  status = TROUBLE;
  if (settings.input) {
    input.name = settings.input;
    input.fd = open(settings.input, O_RDONLY | O_CLOEXEC);
    if (input.fd < 0) {
      complain("%s: %s", settings.input, strerror(errno));
      goto end;
    }
  }
  if (settings.report) {
    output.report_name = settings.report;
    output.report = fopen(settings.report, "w");
    if (!output.report) {
      complain("%s: %s", settings.report, strerror(errno));
      goto end;
    }
  }
  output.directory = settings.output;
  if (settings.output && mkdir(settings.output, 0777) != 0 && errno != EEXIST) {
    complain("%s: %s", settings.output, strerror(errno));
    goto end;
  }
  /* A report on the same terminal is progress enough. */
  output.progress = !settings.quiet && isatty(STDERR_FILENO) && !isatty(fileno(output.report));
  output.started = now();

  pool_status_t opened = pool_new(&settings.config, &pool);
  if (opened != POOL_OK) {
    complain("%s", pool_last_error());
    if (opened == POOL_INVALID_ARGUMENT) status = USAGE;
    goto end;
  }
  /* The second Ctrl-C does what it always does. */
  struct sigaction action = {.sa_handler = interrupt, .sa_flags = (int)SA_RESETHAND};
  sigaction(SIGINT, &action, NULL);
  if (write_header(&output))
    status = run(pool, &input, &output, settings.resolve ? POOL_RESOLVE : POOL_REQUEST);

end:
  pool_free(pool);
  /* What is written last may be what does not fit on the disk. */
  if (output.report && status != USAGE && !ferror(output.report) && fflush(output.report) != 0) {
    complain("%s: %s", output.report_name, strerror(errno));
    status = TROUBLE;
  }
  if (settings.report && output.report && fclose(output.report) != 0 && status == FINE) {
    complain("%s: %s", output.report_name, strerror(errno));
    status = TROUBLE;
  }
  if (input.fd > STDERR_FILENO) close(input.fd);
  free(input.data);
  free(settings.headers);
  free(settings.connect_to);
  free(settings.dns);
  return status;
}
