/* libuv: downloads URLs from within a libuv loop.
 *
 *     cc libuv.c $(pkg-config --cflags --libs rouet libuv) -o libuv
 *     ./libuv URL...
 *
 * A uv_poll_t on the pool's descriptor says when there are results. Ctrl-C cancels. Exits with 1 if
 * a URL failed.
 */
#define _POSIX_C_SOURCE 200809L

#include <rouet.h>
#include <signal.h>
#include <stdio.h>
#include <uv.h>

struct download {
  pool_t *pool;
  char **urls; /* those that were not handed over yet; NULL is the end */
  uv_poll_t results;
  uv_signal_t interrupt;
  int failed;
};

/* Hands over URLs while there is room. */
static void feed(struct download *download) {
  pool_job_t job;
  pool_job_init(&job, sizeof job);
  for (; *download->urls; download->urls++) {
    job.url = *download->urls;
    pool_status_t status = pool_submit(download->pool, &job, 0);
    if (status == POOL_AGAIN || status == POOL_CLOSED) return;
    if (status != POOL_OK) {
      fprintf(stderr, "libuv: %s: %s\n", job.url, pool_last_error());
      download->failed = 1;
    }
  }
  pool_finish(download->pool); /* may be said again */
}

/* Takes what is there, but not for ever: the loop's other handles want their turn. libuv calls
   again while there is more. */
static void on_results(uv_poll_t *handle, int error, int events) {
  struct download *download = handle->data;
  (void)events;
  if (error < 0) fprintf(stderr, "libuv: %s\n", uv_strerror(error));
  pool_result_t *results[64];
  size_t count = 0;
  pool_status_t status = pool_next_results(download->pool, results, 64, 0, &count);
  for (size_t i = 0; status == POOL_OK && i < count; i++) {
    const pool_result_t *result = results[i];
    if (result->error_code) {
      fprintf(stderr, "libuv: %s\n", result->error_message);
      download->failed = 1;
    } else {
      printf("%d %s %zu bytes\n", (int)result->status, result->end_url, result->body_size);
    }
    pool_result_free(results[i]);
  }
  if (status == POOL_OK) {
    feed(download); /* there is room again */
  } else if (status != POOL_AGAIN || error < 0) { /* done: nothing keeps the loop any more */
    uv_close((uv_handle_t *)&download->results, NULL);
    uv_close((uv_handle_t *)&download->interrupt, NULL);
  }
}

static void on_interrupt(uv_signal_t *handle, int number) {
  (void)number;
  pool_cancel(((struct download *)handle->data)->pool); /* the results say so, and come at once */
}

int main(int argc, char **argv) {
  if (argc < 2) {
    fputs("Usage: libuv URL...\n", stderr);
    return 2;
  }
  struct download download = {.urls = argv + 1};
  int fd;
  if (pool_new(NULL, &download.pool) != POOL_OK ||
      pool_event_fd(download.pool, &fd) != POOL_OK) {
    fprintf(stderr, "libuv: %s\n", pool_last_error());
    return 2;
  }
  uv_loop_t *loop = uv_default_loop();
  int error = uv_poll_init(loop, &download.results, fd);
  if (error == 0) error = uv_signal_init(loop, &download.interrupt);
  if (error == 0) {
    download.results.data = download.interrupt.data = &download;
    error = uv_poll_start(&download.results, UV_READABLE, on_results);
  }
  if (error == 0) error = uv_signal_start(&download.interrupt, on_interrupt, SIGINT);
  if (error != 0) {
    fprintf(stderr, "libuv: %s\n", uv_strerror(error));
    return 2;
  }
  feed(&download);
  uv_run(loop, UV_RUN_DEFAULT);
  uv_loop_close(loop);
  pool_free(download.pool); /* last: it closes the descriptor that the loop polled */
  return download.failed;
}
