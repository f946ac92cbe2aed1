/* download: saves what URLs give in a folder.
 *
 *     cc download.c $(pkg-config --cflags --libs rouet) -o download
 *     ./download FOLDER URL...
 *
 * The files are written by the stream's callback, on threads of the library's own: slow disks hold
 * up neither transfers nor this program's thread. What became of a file is hung on its result.
 * Exits with 1 if a URL or a file failed.
 */
#define _POSIX_C_SOURCE 200809L

#include <errno.h>
#include <rouet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What the callback attaches. */
struct saved {
  int error; /* an errno, or 0 */
  char path[4096];
};

/* Called once for each answer, on several threads at once. */
static int save(pool_result_t *result, void *folder) {
  struct saved *saved = calloc(1, sizeof *saved);
  if (!saved) return 1;
  result->value = saved; /* it comes with the result, also when this fails */
  const char *ext = pool_result_ext(result); /* by the media type: ".html" */
  snprintf(saved->path, sizeof saved->path, "%s/%04llu%s", (const char *)folder,
           (unsigned long long)result->tag, ext ? ext : "");
  FILE *file = fopen(saved->path, "wb");
  if (!file) {
    saved->error = errno;
    return 1;
  }
  size_t size = result->body_size; /* an empty body is NULL, which fwrite is not to be given */
  if (size > 0 && fwrite(result->body, 1, size, file) != size) saved->error = errno;
  /* Some disks say only now that they are full. */
  if (fclose(file) != 0 && !saved->error) saved->error = errno;
  return saved->error != 0; /* anything but 0 makes the result an error, callback-error */
}

static int report(const pool_result_t *result) {
  const struct saved *saved = result->value;
  if (saved && saved->error) {
    fprintf(stderr, "download: %s: %s\n", saved->path, strerror(saved->error));
    return 1;
  }
  if (result->error_code) { /* no answer, most often, and then no callback */
    fprintf(stderr, "download: %s\n", result->error_message);
    if (saved) remove(saved->path); /* one that was broken off */
    return 1;
  }
  printf("%d %s %s\n", (int)result->status, result->url, saved->path);
  return 0;
}

int main(int argc, char **argv) {
  if (argc < 3) {
    fputs("Usage: download FOLDER URL...\n", stderr);
    return 2;
  }
  pool_config_t config;
  pool_config_init(&config, sizeof config);
  config.callback = save;
  config.callback_userdata = argv[1];
  pool_t *pool;
  if (pool_new(&config, &pool) != POOL_OK) {
    fprintf(stderr, "download: %s\n", pool_last_error());
    return 2;
  }
  pool_job_t job;
  pool_job_init(&job, sizeof job);
  int failed = 0;
  for (int next = 2;;) {
    for (; next < argc; next++) { /* hand over URLs while there is room */
      job.url = argv[next];
      job.tag = (uint64_t)next - 1; /* the file's number */
      pool_status_t status = pool_submit(pool, &job, 0);
      if (status == POOL_AGAIN) break;
      if (status != POOL_OK) {
        fprintf(stderr, "download: %s: %s\n", argv[next], pool_last_error());
        failed = 1;
      }
    }
    if (next == argc) pool_finish(pool);

    /* All are taken, as what is attached is ours to free. */
    pool_result_t *result;
    if (pool_next_result(pool, -1, &result) != POOL_OK) break;
    failed |= report(result);
    free(result->value);
    pool_result_free(result);
  }
  pool_free(pool);
  return failed;
}
