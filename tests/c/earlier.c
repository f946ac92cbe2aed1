/* earlier SITE: a program as it was written for the first version of the interface. It is compiled
 * with the header of each version since and run with the library of today, so it may use only what
 * the first one had. It uses the last field of each struct, and each struct in an array.
 */
#include "check.h"

static int attach(pool_result_t *result, void *userdata) {
  result->value = userdata;
  return 0;
}

int main(int argc, char **argv) {
  CHECK(argc == 2, "Usage: earlier SITE");
  char page[256], moved[256];
  snprintf(page, sizeof page, "%s/status/503", argv[1]);
  snprintf(moved, sizeof moved, "%s/redirect/2", argv[1]);
  CHECK(pool_abi_version() == POOL_ABI_VERSION, "the library is %s", pool_version());

  uint16_t unavailable = 503;
  pool_header_t headers[] = {{.name = "X-One", .value = "1"}, {.name = "X-Two", .value = "2"}};
  pool_options_t options = default_options();
  options.headers = headers;
  options.header_count = 2;
  options.retry = 1;
  options.retry_max_attempts = 2;
  options.retry_min_wait = 0.01;
  options.retry_on_statuses = &unavailable;
  options.retry_on_status_count = 1;

  int mark;
  pool_config_t config = default_config();
  config.throttle = 0;
  config.ordered = 1;
  config.options = &options;
  config.callback = attach;
  config.callback_userdata = &mark;

  pool_t *pool;
  EXPECT(pool_new(&config, &pool), POOL_OK);
  pool_job_t jobs[] = {job_for(page, 1), job_for(moved, 2)};
  jobs[1].kind = POOL_RESOLVE;
  size_t accepted;
  EXPECT(pool_submit_many(pool, jobs, 2, -1, &accepted), POOL_OK);
  EXPECT(pool_finish(pool), POOL_OK);

  pool_result_t *result;
  EXPECT(pool_next_result(pool, -1, &result), POOL_OK);
  CHECK(result->tag == 1 && result->status == 503, "status %d", (int)result->status);
  CHECK(result->attempts == 2, "%u attempts", (unsigned)result->attempts);
  CHECK(result->value == &mark, "no value");
  CHECK(result->struct_size >= sizeof *result, "a result only grows");
  pool_result_free(result);

  EXPECT(pool_next_result(pool, -1, &result), POOL_OK);
  CHECK(result->tag == 2 && result->kind == POOL_RESOLVE, "tag %d", (int)result->tag);
  CHECK(result->stack_count == 3, "%zu hops", result->stack_count);
  CHECK(strcmp(result->stack[0].type, "location-header") == 0, "%s", result->stack[0].type);
  CHECK(strcmp(result->stack[2].type, "hit") == 0, "%s", result->stack[2].type);
  CHECK(result->stack[2].status == 200, "status %d", (int)result->stack[2].status);
  CHECK(result->header_count > 1 && result->headers[1].value_size > 0, "no headers");
  pool_result_free(result);
  EXPECT(pool_next_result(pool, -1, &result), POOL_DONE);

  pool_stats_t stats = {.struct_size = sizeof stats};
  EXPECT(pool_stats(pool, &stats), POOL_OK);
  CHECK(stats.delivered == 2 && stats.connections > 0, "stats");
  CHECK(stats.name_lookups < 3, "%llu look-ups", (unsigned long long)stats.name_lookups);
  pool_free(pool);
  puts("ok earlier");
  return 0;
}
