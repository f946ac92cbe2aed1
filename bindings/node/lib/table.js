'use strict';

// Generated from options/options.toml: change it there, then `make options`.

/** The fields of pool_options_t, as [name, type] in C's order. */
exports.optionsFields = [
  ['struct_size', 'size'],
  ['method', 'pointer'],
  ['headers', 'pointer'],
  ['header_count', 'size'],
  ['cookie', 'pointer'],
  ['stateful', 'int'],
  ['spoof_ua', 'int'],
  ['body', 'pointer'],
  ['body_size', 'size'],
  ['connect_timeout', 'double'],
  ['timeout', 'double'],
  ['max_body_size', 'uint64'],
  ['compressed', 'int'],
  ['follow_redirects', 'int'],
  ['max_redirects', 'int'],
  ['follow_refresh_header', 'int'],
  ['follow_meta_refresh', 'int'],
  ['follow_js_relocation', 'int'],
  ['infer_redirection', 'int'],
  ['canonicalize', 'int'],
  ['insecure', 'int'],
  ['spoof_tls_ciphers', 'int'],
  ['raise_on_statuses', 'pointer'],
  ['raise_on_status_count', 'size'],
  ['known_encoding', 'pointer'],
  ['ca_file', 'pointer'],
  ['proxy', 'pointer'],
  ['connect_to', 'pointer'],
  ['connect_to_count', 'size'],
  ['dns', 'pointer'],
  ['dns_count', 'size'],
  ['network_interface', 'pointer'],
  ['http_version', 'int'],
  ['retry', 'int'],
  ['retry_max_attempts', 'uint'],
  ['retry_on_timeout', 'int'],
  ['retry_min_wait', 'double'],
  ['retry_max_wait', 'double'],
  ['retry_on_statuses', 'pointer'],
  ['retry_on_status_count', 'size'],
  ['mask_credentials', 'int'],
  ['head_fallback', 'int'],
];

/** The fields of pool_config_t, as [name, type] in C's order. */
exports.configFields = [
  ['struct_size', 'size'],
  ['max_workers', 'uint'],
  ['threads', 'uint'],
  ['throttle', 'double'],
  ['domain_parallelism', 'uint'],
  ['throttle_fn', 'pointer'],
  ['parallelism_fn', 'pointer'],
  ['domain_userdata', 'pointer'],
  ['ordered', 'int'],
  ['passthrough', 'int'],
  ['buffer_size', 'size'],
  ['max_buffered_bytes', 'uint64'],
  ['options', 'pointer'],
  ['callback', 'pointer'],
  ['callback_userdata', 'pointer'],
  ['deny_private_addresses', 'int'],
  ['https_only', 'int'],
  ['deny_networks', 'pointer'],
  ['deny_network_count', 'size'],
  ['allow_networks', 'pointer'],
  ['allow_network_count', 'size'],
  ['allowed_ports', 'pointer'],
  ['allowed_port_count', 'size'],
];

/*
 * Options by their names here: their kind, their field in C, that of their length, and the most that they
 * may be. What is here in seconds is in milliseconds under the same name with Ms behind it.
 */

exports.RETRY = {
  maxAttempts: { kind: 'uint', field: 'retry_max_attempts' },
  onTimeout: { kind: 'flag', field: 'retry_on_timeout' },
  minWait: { kind: 'seconds', field: 'retry_min_wait', most: 600 },
  maxWait: { kind: 'seconds', field: 'retry_max_wait' },
  onStatuses: { kind: 'numbers', field: 'retry_on_statuses', count: 'retry_on_status_count' },
};

exports.OPTIONS = {
  method: { kind: 'text', field: 'method' },
  headers: { kind: 'headers', field: 'headers', count: 'header_count' },
  cookie: { kind: 'text', field: 'cookie' },
  stateful: { kind: 'flag', field: 'stateful' },
  spoofUa: { kind: 'flag', field: 'spoof_ua' },
  body: { kind: 'bytes', field: 'body', count: 'body_size' },
  connectTimeout: { kind: 'seconds', field: 'connect_timeout', most: 60 },
  timeout: { kind: 'seconds', field: 'timeout', most: 600 },
  maxBodySize: { kind: 'size', field: 'max_body_size' },
  compressed: { kind: 'flag', field: 'compressed' },
  followRedirects: { kind: 'flag', field: 'follow_redirects' },
  maxRedirects: { kind: 'int', field: 'max_redirects' },
  followRefreshHeader: { kind: 'flag', field: 'follow_refresh_header' },
  followMetaRefresh: { kind: 'flag', field: 'follow_meta_refresh' },
  followJsRelocation: { kind: 'flag', field: 'follow_js_relocation' },
  inferRedirection: { kind: 'flag', field: 'infer_redirection' },
  canonicalize: { kind: 'flag', field: 'canonicalize' },
  insecure: { kind: 'flag', field: 'insecure' },
  spoofTlsCiphers: { kind: 'flag', field: 'spoof_tls_ciphers' },
  raiseOnStatuses: { kind: 'numbers', field: 'raise_on_statuses', count: 'raise_on_status_count' },
  knownEncoding: { kind: 'text', field: 'known_encoding' },
  caFile: { kind: 'text', field: 'ca_file' },
  proxy: { kind: 'text', field: 'proxy' },
  connectTo: { kind: 'texts', field: 'connect_to', count: 'connect_to_count' },
  dns: { kind: 'texts', field: 'dns', count: 'dns_count' },
  networkInterface: { kind: 'text', field: 'network_interface' },
  httpVersion: { kind: 'httpVersion', field: 'http_version' },
  retry: { kind: 'retry', field: 'retry' },
  maskCredentials: { kind: 'flag', field: 'mask_credentials' },
  headFallback: { kind: 'flag', field: 'head_fallback' },
};

exports.STREAM = {
  ordered: { kind: 'flag', field: 'ordered' },
  passthrough: { kind: 'flag', field: 'passthrough' },
  bufferSize: { kind: 'size', field: 'buffer_size' },
  maxBufferedBytes: { kind: 'size', field: 'max_buffered_bytes' },
};

exports.POOL = {
  maxWorkers: { kind: 'uint', field: 'max_workers' },
  threads: { kind: 'uint', field: 'threads' },
  throttle: { kind: 'seconds', field: 'throttle', most: 60 },
  domainParallelism: { kind: 'uint', field: 'domain_parallelism' },
  denyPrivateAddresses: { kind: 'flag', field: 'deny_private_addresses' },
  httpsOnly: { kind: 'flag', field: 'https_only' },
  denyNetworks: { kind: 'texts', field: 'deny_networks', count: 'deny_network_count' },
  allowNetworks: { kind: 'texts', field: 'allow_networks', count: 'allow_network_count' },
  allowedPorts: { kind: 'numbers', field: 'allowed_ports', count: 'allowed_port_count' },
};
