/* alike: bare.c, with what rouet asks of libcurl and nothing of what it does itself.
 *
 *     alike N CONCURRENCY URL
 *
 * The socket interface, so that the cost of a turn does not grow with the number of connections; a
 * User-Agent; the headers, kept; the URL set for each request; its times read. What rouet takes
 * beyond this is its own: reading URLs, scheduling, handing over results.
 */
#define _GNU_SOURCE

#include <curl/curl.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

enum { EVENTS = 256, DESCRIPTORS = 65536 };

struct buffer {
  char *data;
  size_t size, room;
};

struct transfer {
  struct buffer head, body;
};

/* What curl wants of each descriptor, and what epoll was told; 0: it is not there. */
static struct {
  uint32_t wanted, registered;
  int changed;
} sockets[DESCRIPTORS];
static int changed[DESCRIPTORS], changes;
static int epoll;
static double due = -1; /* when curl wants to be called; -1: not at all */

static double wall_seconds(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static double cpu_seconds(void) {
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
         (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static size_t append(struct buffer *buffer, const char *data, size_t size) {
  if (buffer->size + size > buffer->room) {
    size_t room = (buffer->size + size) * 2;
    char *grown = realloc(buffer->data, room);
    if (!grown) return 0;
    buffer->data = grown;
    buffer->room = room;
  }
  memcpy(buffer->data + buffer->size, data, size);
  buffer->size += size;
  return size;
}

static size_t take_header(char *data, size_t one, size_t size, void *transfer) {
  (void)one;
  return append(&((struct transfer *)transfer)->head, data, size);
}

static size_t take_body(char *data, size_t one, size_t size, void *transfer) {
  (void)one;
  return append(&((struct transfer *)transfer)->body, data, size);
}

static int on_socket(CURL *handle, curl_socket_t fd, int what, void *a, void *b) {
  (void)handle, (void)a, (void)b;
  if (fd >= DESCRIPTORS) return -1;
  sockets[fd].wanted = (what & CURL_POLL_REMOVE) == CURL_POLL_REMOVE ? 0
                       : ((what & CURL_POLL_IN) ? (uint32_t)EPOLLIN : 0) |
                             ((what & CURL_POLL_OUT) ? (uint32_t)EPOLLOUT : 0);
  if (!sockets[fd].changed) {
    sockets[fd].changed = 1;
    changed[changes++] = fd;
  }
  return 0;
}

static int on_close(void *userdata, curl_socket_t fd) {
  (void)userdata;
  sockets[fd].wanted = sockets[fd].registered = 0; /* the kernel drops it from epoll */
  return close(fd);
}

static int on_timer(CURLM *multi, long milliseconds, void *userdata) {
  (void)multi, (void)userdata;
  due = milliseconds < 0 ? -1 : milliseconds == 0 ? 0 : wall_seconds() + (double)milliseconds / 1e3;
  return 0;
}

/* A connection that waits for its next request stays in epoll. */
static void flush_sockets(void) {
  while (changes > 0) {
    int fd = changed[--changes];
    sockets[fd].changed = 0;
    if (!sockets[fd].wanted || sockets[fd].wanted == sockets[fd].registered) continue;
    struct epoll_event event = {.events = sockets[fd].wanted, .data.fd = fd};
    int how = sockets[fd].registered ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
    if (epoll_ctl(epoll, how, fd, &event) != 0) perror("alike: epoll_ctl");
    sockets[fd].registered = sockets[fd].wanted;
  }
}

int main(int argc, char **argv) {
  size_t number = argc == 4 ? strtoul(argv[1], NULL, 10) : 0;
  size_t concurrency = argc == 4 ? strtoul(argv[2], NULL, 10) : 0;
  if (number == 0 || concurrency == 0) {
    fputs("Usage: alike N CONCURRENCY URL\n", stderr);
    return 2;
  }
  double wall = wall_seconds(), cpu = cpu_seconds();

  curl_global_init(CURL_GLOBAL_DEFAULT);
  epoll = epoll_create1(EPOLL_CLOEXEC);
  CURLM *multi = curl_multi_init();
  CURL **handles = calloc(concurrency, sizeof *handles);
  struct transfer *transfers = calloc(concurrency, sizeof *transfers);
  if (!multi || !handles || !transfers || epoll < 0) {
    fputs("alike: out of memory or descriptors\n", stderr);
    return 1;
  }
  curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, (long)concurrency);
  curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, on_socket);
  curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, on_timer);

  size_t started = 0, done = 0, errors = 0;
  double spent = 0;
  for (size_t i = 0; i < concurrency && started < number; i++, started++) {
    handles[i] = curl_easy_init();
    curl_easy_setopt(handles[i], CURLOPT_URL, argv[3]);
    curl_easy_setopt(handles[i], CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(handles[i], CURLOPT_TIMEOUT_MS, 30000L);
    curl_easy_setopt(handles[i], CURLOPT_USERAGENT, "rouet/0.1.0");
    curl_easy_setopt(handles[i], CURLOPT_HEADERFUNCTION, take_header);
    curl_easy_setopt(handles[i], CURLOPT_HEADERDATA, &transfers[i]);
    curl_easy_setopt(handles[i], CURLOPT_WRITEFUNCTION, take_body);
    curl_easy_setopt(handles[i], CURLOPT_WRITEDATA, &transfers[i]);
    curl_easy_setopt(handles[i], CURLOPT_CLOSESOCKETFUNCTION, on_close);
    curl_easy_setopt(handles[i], CURLOPT_PRIVATE, (char *)&transfers[i]);
    curl_multi_add_handle(multi, handles[i]);
  }
  while (done < number) {
    int running, queued;
    while (due >= 0 && (due == 0 || due <= wall_seconds())) {
      due = -1;
      curl_multi_socket_action(multi, CURL_SOCKET_TIMEOUT, 0, &running);
    }
    CURLMsg *message;
    int came = 0;
    while ((message = curl_multi_info_read(multi, &queued))) {
      if (message->msg != CURLMSG_DONE) continue;
      CURL *handle = message->easy_handle;
      CURLcode outcome = message->data.result; /* gone once the handle is taken out */
      long status = 0;
      curl_off_t total = 0, first = 0;
      char *data;
      curl_easy_getinfo(handle, CURLINFO_RESPONSE_CODE, &status);
      curl_easy_getinfo(handle, CURLINFO_TOTAL_TIME_T, &total);
      curl_easy_getinfo(handle, CURLINFO_STARTTRANSFER_TIME_T, &first);
      curl_easy_getinfo(handle, CURLINFO_PRIVATE, &data);
      spent += (double)(total - first) / 1e6;
      if (outcome != CURLE_OK || status != 200) {
        if (errors++ == 0)
          fprintf(stderr, "alike: status %ld: %s\n", status,
                  outcome == CURLE_OK ? "not 200" : curl_easy_strerror(outcome));
      }
      struct transfer *transfer = (struct transfer *)(void *)data;
      transfer->head.size = transfer->body.size = 0;
      curl_multi_remove_handle(multi, handle);
      done++;
      came = 1;
      if (started < number) {
        started++;
        curl_easy_setopt(handle, CURLOPT_URL, argv[3]);
        curl_multi_add_handle(multi, handle);
      }
    }
    if (came) continue; /* what is new starts before the wait */
    flush_sockets();
    struct epoll_event events[EVENTS];
    double left = due < 0 ? 1 : due - wall_seconds();
    int count = epoll_wait(epoll, events, EVENTS, left > 0 ? (int)(left * 1e3) + 1 : 0);
    if (count < 0 && errno != EINTR) {
      perror("alike: epoll_wait");
      return 1;
    }
    for (int i = 0; i < count; i++) {
      int fd = events[i].data.fd;
      if (!sockets[fd].wanted) {
        epoll_ctl(epoll, EPOLL_CTL_DEL, fd, NULL); /* closed by its peer while it waited */
        sockets[fd].registered = 0;
        continue;
      }
      int what = ((events[i].events & EPOLLIN) ? CURL_CSELECT_IN : 0) |
                 ((events[i].events & EPOLLOUT) ? CURL_CSELECT_OUT : 0) |
                 ((events[i].events & (EPOLLERR | EPOLLHUP)) ? CURL_CSELECT_ERR : 0);
      curl_multi_socket_action(multi, fd, what, &running);
    }
  }
  for (size_t i = 0; i < concurrency; i++) {
    curl_easy_cleanup(handles[i]);
    free(transfers[i].head.data);
    free(transfers[i].body.data);
  }
  curl_multi_cleanup(multi);
  curl_global_cleanup();
  close(epoll);
  free(handles);
  free(transfers);

  wall = wall_seconds() - wall;
  cpu = cpu_seconds() - cpu;
  printf("%zu requests, %zu errors, %.3f s, %.0f requests/s, %.2f CPU us/request\n", done, errors,
         wall, (double)done / wall, cpu * 1e6 / (double)done);
  printf("%.3f s from the first bytes of answers to their last\n", spent);
  return errors > 0 ? 1 : 0;
}
