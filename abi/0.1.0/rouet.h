#ifndef ROUET_H
#define ROUET_H
#include <stddef.h>
#include <stdint.h>
#define POOL_VERSION "0.1.0"
#define POOL_ABI_VERSION 1
#define POOL_HTTP_ANY 0
#define POOL_HTTP_1_1 1
#define POOL_HTTP_2_PRIOR_KNOWLEDGE 2
#define POOL_REQUEST 0
#define POOL_RESOLVE 1
#define POOL_LOG_OFF 0
#define POOL_LOG_ERROR 1
#define POOL_LOG_WARN 2
#define POOL_LOG_INFO 3
#define POOL_LOG_DEBUG 4
typedef enum pool_status_t {
  POOL_OK = 0,
  POOL_AGAIN = 1,
  POOL_DONE = 2,
  POOL_CLOSED = 3,
  POOL_INVALID_ARGUMENT = 4,
  POOL_OUT_OF_RESOURCES = 5,
  POOL_INTERNAL_ERROR = 6,
} pool_status_t;
typedef struct pool_kept_options_t pool_kept_options_t;
typedef struct pool_t pool_t;
typedef struct pool_header_t {
  const char *name;
  const char *value;
  size_t name_size;
  size_t value_size;
} pool_header_t;
typedef struct pool_options_t {
  size_t struct_size;
  const char *method;
  const struct pool_header_t *headers;
  size_t header_count;
  const char *cookie;
  int32_t stateful;
  int32_t spoof_ua;
  const void *body;
  size_t body_size;
  double connect_timeout;
  double timeout;
  uint64_t max_body_size;
  int32_t compressed;
  int32_t follow_redirects;
  int32_t max_redirects;
  int32_t follow_refresh_header;
  int32_t follow_meta_refresh;
  int32_t follow_js_relocation;
  int32_t infer_redirection;
  int32_t canonicalize;
  int32_t insecure;
  int32_t spoof_tls_ciphers;
  const uint16_t *raise_on_statuses;
  size_t raise_on_status_count;
  const char *known_encoding;
  const char *ca_file;
  const char *proxy;
  const char *const *connect_to;
  size_t connect_to_count;
  const char *const *dns;
  size_t dns_count;
  const char *network_interface;
  int32_t http_version;
  int32_t retry;
  uint32_t retry_max_attempts;
  int32_t retry_on_timeout;
  double retry_min_wait;
  double retry_max_wait;
  const uint16_t *retry_on_statuses;
  size_t retry_on_status_count;
  int32_t mask_credentials;
  int32_t head_fallback;
} pool_options_t;
typedef struct pool_hop_t {
  const char *url;
  size_t url_size;
  const char *type;
  int32_t status;
} pool_hop_t;
typedef struct pool_result_t {
  size_t struct_size;
  size_t block_size;
  uint64_t tag;
  void *userdata;
  const char *url;
  size_t url_size;
  const char *error_code;
  const char *error_message;
  const char *end_url;
  size_t end_url_size;
  const struct pool_header_t *headers;
  size_t header_count;
  const struct pool_hop_t *stack;
  size_t stack_count;
  const uint8_t *body;
  size_t body_size;
  double start_time;
  double end_time;
  double name_lookup_time;
  double connect_time;
  double tls_time;
  double wait_time;
  double receive_time;
  int32_t kind;
  int32_t status;
  uint32_t attempts;
  void *value;
  const char *error_subcode;
  const char *group;
  size_t group_size;
  const char *truncated;
} pool_result_t;
typedef double (*pool_throttle_fn)(const char *group,
                                   const struct pool_result_t *result,
                                   void *userdata);
typedef uint32_t (*pool_parallelism_fn)(const char *group, void *userdata);
typedef int (*pool_callback_fn)(struct pool_result_t *result, void *userdata);
typedef struct pool_config_t {
  size_t struct_size;
  uint32_t max_workers;
  uint32_t threads;
  double throttle;
  uint32_t domain_parallelism;
  pool_throttle_fn throttle_fn;
  pool_parallelism_fn parallelism_fn;
  void *domain_userdata;
  int32_t ordered;
  int32_t passthrough;
  size_t buffer_size;
  uint64_t max_buffered_bytes;
  const struct pool_options_t *options;
  pool_callback_fn callback;
  void *callback_userdata;
  int32_t deny_private_addresses;
  int32_t https_only;
  const char *const *deny_networks;
  size_t deny_network_count;
  const char *const *allow_networks;
  size_t allow_network_count;
  const uint16_t *allowed_ports;
  size_t allowed_port_count;
} pool_config_t;
typedef struct pool_job_t {
  size_t struct_size;
  const char *url;
  size_t url_size;
  const char *group;
  size_t group_size;
  uint64_t tag;
  void *userdata;
  const struct pool_options_t *options;
  int32_t kind;
  const struct pool_kept_options_t *kept_options;
} pool_job_t;
typedef struct pool_stats_t {
  size_t struct_size;
  uint64_t accepted;
  uint64_t delivered;
  uint64_t failed;
  uint64_t held;
  uint64_t started;
  uint64_t buffered_bytes;
  uint64_t in_flight;
  uint64_t groups;
  uint64_t connections;
  uint64_t name_lookups;
} pool_stats_t;
typedef void (*pool_log_fn)(int32_t level, const char *message, void *userdata);
typedef struct pool_element_t {
  size_t struct_size;
  const char *url;
  size_t url_size;
  const char *element;
  const char *attribute;
  const char *rel;
  size_t rel_size;
  const char *text;
  size_t text_size;
} pool_element_t;
#ifdef __cplusplus
extern "C" {
#endif
const char *pool_version(void);
uint32_t pool_abi_version(void);
const char *pool_status_name(int32_t status);
const char *pool_last_error(void);
enum pool_status_t pool_options_init(struct pool_options_t *options, size_t struct_size);
enum pool_status_t pool_config_init(struct pool_config_t *config, size_t struct_size);
enum pool_status_t pool_job_init(struct pool_job_t *job, size_t struct_size);
enum pool_status_t pool_options_keep(const struct pool_options_t *options,
                                     struct pool_kept_options_t **kept);
void pool_kept_options_free(struct pool_kept_options_t *kept);
enum pool_status_t pool_new(const struct pool_config_t *config, struct pool_t **pool);
enum pool_status_t pool_share(struct pool_t *pool,
                              const struct pool_config_t *config,
                              struct pool_t **shared);
void pool_free(struct pool_t *pool);
enum pool_status_t pool_options_from(struct pool_t *pool,
                                     struct pool_options_t *options,
                                     size_t struct_size);
enum pool_status_t pool_submit(struct pool_t *pool,
                               const struct pool_job_t *job,
                               int32_t timeout_ms);
enum pool_status_t pool_submit_many(struct pool_t *pool,
                                    const struct pool_job_t *jobs,
                                    size_t count,
                                    int32_t timeout_ms,
                                    size_t *accepted);
enum pool_status_t pool_next_result(struct pool_t *pool,
                                    int32_t timeout_ms,
                                    struct pool_result_t **result);
enum pool_status_t pool_next_results(struct pool_t *pool,
                                     struct pool_result_t **results,
                                     size_t max,
                                     int32_t timeout_ms,
                                     size_t *count);
enum pool_status_t pool_next_packed(struct pool_t *pool,
                                    void *buffer,
                                    size_t size,
                                    int32_t timeout_ms,
                                    size_t *count,
                                    size_t *needed);
enum pool_status_t pool_finish(struct pool_t *pool);
enum pool_status_t pool_cancel(struct pool_t *pool);
enum pool_status_t pool_pending(struct pool_t *pool, size_t *pending);
enum pool_status_t pool_event_fd(struct pool_t *pool, int *fd);
enum pool_status_t pool_url_group(const char *url,
                                  size_t url_size,
                                  char *group,
                                  size_t size,
                                  size_t *group_size);
enum pool_status_t pool_set_domain_rule(struct pool_t *pool,
                                        const char *domain,
                                        double throttle,
                                        uint32_t parallelism);
enum pool_status_t pool_hold_group(struct pool_t *pool, const char *group, uint64_t *in_flight);
enum pool_status_t pool_release_group(struct pool_t *pool, const char *group);
enum pool_status_t pool_stats(struct pool_t *pool, struct pool_stats_t *stats);
enum pool_status_t pool_set_log(struct pool_t *pool,
                                int32_t level,
                                pool_log_fn log,
                                void *userdata);
enum pool_status_t pool_result_of_page(const char *url,
                                       const char *content_type,
                                       const char *known_encoding,
                                       const void *body,
                                       size_t body_size,
                                       struct pool_result_t **result);
enum pool_status_t pool_result_of_answer(const char *url,
                                         const struct pool_header_t *headers,
                                         size_t header_count,
                                         const char *known_encoding,
                                         const void *body,
                                         size_t body_size,
                                         struct pool_result_t **result);
void pool_result_free(struct pool_result_t *result);
const char *pool_result_mimetype(const struct pool_result_t *result);
const char *pool_result_ext(const struct pool_result_t *result);
int32_t pool_result_is_text(const struct pool_result_t *result);
int32_t pool_result_could_be_html(const struct pool_result_t *result);
int32_t pool_result_is_html(const struct pool_result_t *result);
const char *pool_result_encoding(const struct pool_result_t *result);
const char *pool_result_text(const struct pool_result_t *result, size_t *size);
const char *const *pool_result_links(const struct pool_result_t *result, size_t *count);
const struct pool_element_t *pool_result_elements(const struct pool_result_t *result,
                                                  size_t *count);
#ifdef __cplusplus
}
#endif
#endif
