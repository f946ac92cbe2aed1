//! `include/rouet.h`, declared by hand as a Rust program would that has only the C library.
//!
//! Kept to what ctest2's parser knows: Rust 2015 syntax, `c_double` for `double`.

#![allow(non_camel_case_types)]

extern crate libc;

use libc::{c_char, c_double, c_int, c_uint, c_void};

pub const POOL_VERSION: &str = "0.1.0";
pub const POOL_ABI_VERSION: u32 = 1;

pub const POOL_HTTP_ANY: i32 = 0;
pub const POOL_HTTP_1_1: i32 = 1;
pub const POOL_HTTP_2_PRIOR_KNOWLEDGE: i32 = 2;

pub const POOL_REQUEST: i32 = 0;
pub const POOL_RESOLVE: i32 = 1;

pub const POOL_LOG_OFF: i32 = 0;
pub const POOL_LOG_ERROR: i32 = 1;
pub const POOL_LOG_WARN: i32 = 2;
pub const POOL_LOG_INFO: i32 = 3;
pub const POOL_LOG_DEBUG: i32 = 4;

pub type pool_status_t = c_uint;
pub const POOL_OK: pool_status_t = 0;
pub const POOL_AGAIN: pool_status_t = 1;
pub const POOL_DONE: pool_status_t = 2;
pub const POOL_CLOSED: pool_status_t = 3;
pub const POOL_INVALID_ARGUMENT: pool_status_t = 4;
pub const POOL_OUT_OF_RESOURCES: pool_status_t = 5;
pub const POOL_INTERNAL_ERROR: pool_status_t = 6;

pub enum pool_t {}

pub enum pool_kept_options_t {}

#[repr(C)]
pub struct pool_header_t {
    pub name: *const c_char,
    pub value: *const c_char,
    pub name_size: usize,
    pub value_size: usize,
}

#[repr(C)]
pub struct pool_options_t {
    pub struct_size: usize,
    pub method: *const c_char,
    pub headers: *const pool_header_t,
    pub header_count: usize,
    pub cookie: *const c_char,
    pub stateful: i32,
    pub spoof_ua: i32,
    pub body: *const c_void,
    pub body_size: usize,
    pub connect_timeout: c_double,
    pub timeout: c_double,
    pub max_body_size: u64,
    pub compressed: i32,
    pub follow_redirects: i32,
    pub max_redirects: i32,
    pub follow_refresh_header: i32,
    pub follow_meta_refresh: i32,
    pub follow_js_relocation: i32,
    pub infer_redirection: i32,
    pub canonicalize: i32,
    pub insecure: i32,
    pub spoof_tls_ciphers: i32,
    pub raise_on_statuses: *const u16,
    pub raise_on_status_count: usize,
    pub known_encoding: *const c_char,
    pub ca_file: *const c_char,
    pub proxy: *const c_char,
    pub connect_to: *const *const c_char,
    pub connect_to_count: usize,
    pub dns: *const *const c_char,
    pub dns_count: usize,
    pub network_interface: *const c_char,
    pub http_version: i32,
    pub retry: i32,
    pub retry_max_attempts: u32,
    pub retry_on_timeout: i32,
    pub retry_min_wait: c_double,
    pub retry_max_wait: c_double,
    pub retry_on_statuses: *const u16,
    pub retry_on_status_count: usize,
    pub mask_credentials: i32,
    pub head_fallback: i32,
}

#[repr(C)]
pub struct pool_config_t {
    pub struct_size: usize,
    pub max_workers: u32,
    pub threads: u32,
    pub throttle: c_double,
    pub domain_parallelism: u32,
    pub throttle_fn: pool_throttle_fn,
    pub parallelism_fn: pool_parallelism_fn,
    pub domain_userdata: *mut c_void,
    pub ordered: i32,
    pub passthrough: i32,
    pub buffer_size: usize,
    pub max_buffered_bytes: u64,
    pub options: *const pool_options_t,
    pub callback: pool_callback_fn,
    pub callback_userdata: *mut c_void,
    pub deny_private_addresses: i32,
    pub https_only: i32,
    pub deny_networks: *const *const c_char,
    pub deny_network_count: usize,
    pub allow_networks: *const *const c_char,
    pub allow_network_count: usize,
    pub allowed_ports: *const u16,
    pub allowed_port_count: usize,
}

#[repr(C)]
pub struct pool_job_t {
    pub struct_size: usize,
    pub url: *const c_char,
    pub url_size: usize,
    pub group: *const c_char,
    pub group_size: usize,
    pub tag: u64,
    pub userdata: *mut c_void,
    pub options: *const pool_options_t,
    pub kind: i32,
    pub kept_options: *const pool_kept_options_t,
}

#[repr(C)]
pub struct pool_hop_t {
    pub url: *const c_char,
    pub url_size: usize,
    pub type_: *const c_char,
    pub status: i32,
}

#[repr(C)]
pub struct pool_element_t {
    pub struct_size: usize,
    pub url: *const c_char,
    pub url_size: usize,
    pub element: *const c_char,
    pub attribute: *const c_char,
    pub rel: *const c_char,
    pub rel_size: usize,
    pub text: *const c_char,
    pub text_size: usize,
}

#[repr(C)]
pub struct pool_result_t {
    pub struct_size: usize,
    pub block_size: usize,
    pub tag: u64,
    pub userdata: *mut c_void,
    pub url: *const c_char,
    pub url_size: usize,
    pub error_code: *const c_char,
    pub error_message: *const c_char,
    pub end_url: *const c_char,
    pub end_url_size: usize,
    pub headers: *const pool_header_t,
    pub header_count: usize,
    pub stack: *const pool_hop_t,
    pub stack_count: usize,
    pub body: *const u8,
    pub body_size: usize,
    pub start_time: c_double,
    pub end_time: c_double,
    pub name_lookup_time: c_double,
    pub connect_time: c_double,
    pub tls_time: c_double,
    pub wait_time: c_double,
    pub receive_time: c_double,
    pub kind: i32,
    pub status: i32,
    pub attempts: u32,
    pub value: *mut c_void,
    pub error_subcode: *const c_char,
    pub group: *const c_char,
    pub group_size: usize,
    pub truncated: *const c_char,
}

#[repr(C)]
pub struct pool_stats_t {
    pub struct_size: usize,
    pub accepted: u64,
    pub delivered: u64,
    pub failed: u64,
    pub held: u64,
    pub started: u64,
    pub buffered_bytes: u64,
    pub in_flight: u64,
    pub groups: u64,
    pub connections: u64,
    pub name_lookups: u64,
}

pub type pool_throttle_fn = Option<
    extern "C" fn(
        group: *const c_char,
        result: *const pool_result_t,
        userdata: *mut c_void,
    ) -> c_double,
>;
pub type pool_parallelism_fn =
    Option<extern "C" fn(group: *const c_char, userdata: *mut c_void) -> u32>;
pub type pool_callback_fn =
    Option<extern "C" fn(result: *mut pool_result_t, userdata: *mut c_void) -> c_int>;

pub type pool_log_fn =
    Option<extern "C" fn(level: i32, message: *const c_char, userdata: *mut c_void)>;

extern "C" {
    pub fn pool_version() -> *const c_char;
    pub fn pool_abi_version() -> u32;
    pub fn pool_status_name(status: i32) -> *const c_char;
    pub fn pool_last_error() -> *const c_char;

    pub fn pool_options_init(options: *mut pool_options_t, struct_size: usize) -> pool_status_t;
    pub fn pool_config_init(config: *mut pool_config_t, struct_size: usize) -> pool_status_t;
    pub fn pool_job_init(job: *mut pool_job_t, struct_size: usize) -> pool_status_t;

    pub fn pool_new(config: *const pool_config_t, pool: *mut *mut pool_t) -> pool_status_t;
    pub fn pool_share(
        pool: *mut pool_t,
        config: *const pool_config_t,
        shared: *mut *mut pool_t,
    ) -> pool_status_t;
    pub fn pool_free(pool: *mut pool_t);

    pub fn pool_options_keep(
        options: *const pool_options_t,
        kept: *mut *mut pool_kept_options_t,
    ) -> pool_status_t;
    pub fn pool_kept_options_free(kept: *mut pool_kept_options_t);
    pub fn pool_options_from(
        pool: *mut pool_t,
        options: *mut pool_options_t,
        struct_size: usize,
    ) -> pool_status_t;
    pub fn pool_submit(pool: *mut pool_t, job: *const pool_job_t, timeout_ms: i32)
        -> pool_status_t;
    pub fn pool_submit_many(
        pool: *mut pool_t,
        jobs: *const pool_job_t,
        count: usize,
        timeout_ms: i32,
        accepted: *mut usize,
    ) -> pool_status_t;
    pub fn pool_next_result(
        pool: *mut pool_t,
        timeout_ms: i32,
        result: *mut *mut pool_result_t,
    ) -> pool_status_t;
    pub fn pool_next_results(
        pool: *mut pool_t,
        results: *mut *mut pool_result_t,
        max: usize,
        timeout_ms: i32,
        count: *mut usize,
    ) -> pool_status_t;
    pub fn pool_result_of_answer(
        url: *const c_char,
        headers: *const pool_header_t,
        header_count: usize,
        known_encoding: *const c_char,
        body: *const c_void,
        body_size: usize,
        result: *mut *mut pool_result_t,
    ) -> pool_status_t;
    pub fn pool_result_elements(
        result: *const pool_result_t,
        count: *mut usize,
    ) -> *const pool_element_t;
    pub fn pool_result_of_page(
        url: *const c_char,
        content_type: *const c_char,
        known_encoding: *const c_char,
        body: *const c_void,
        body_size: usize,
        result: *mut *mut pool_result_t,
    ) -> pool_status_t;
    pub fn pool_result_free(result: *mut pool_result_t);
    pub fn pool_result_mimetype(result: *const pool_result_t) -> *const c_char;
    pub fn pool_result_ext(result: *const pool_result_t) -> *const c_char;
    pub fn pool_result_is_text(result: *const pool_result_t) -> i32;
    pub fn pool_result_could_be_html(result: *const pool_result_t) -> i32;
    pub fn pool_result_is_html(result: *const pool_result_t) -> i32;
    pub fn pool_result_encoding(result: *const pool_result_t) -> *const c_char;
    pub fn pool_result_text(result: *const pool_result_t, size: *mut usize) -> *const c_char;
    pub fn pool_result_links(
        result: *const pool_result_t,
        count: *mut usize,
    ) -> *const *const c_char;

    pub fn pool_next_packed(
        pool: *mut pool_t,
        buffer: *mut c_void,
        size: usize,
        timeout_ms: i32,
        count: *mut usize,
        needed: *mut usize,
    ) -> pool_status_t;
    pub fn pool_finish(pool: *mut pool_t) -> pool_status_t;
    pub fn pool_cancel(pool: *mut pool_t) -> pool_status_t;
    pub fn pool_pending(pool: *mut pool_t, pending: *mut usize) -> pool_status_t;
    pub fn pool_event_fd(pool: *mut pool_t, fd: *mut c_int) -> pool_status_t;
    pub fn pool_url_group(
        url: *const c_char,
        url_size: usize,
        group: *mut c_char,
        size: usize,
        group_size: *mut usize,
    ) -> pool_status_t;
    pub fn pool_set_domain_rule(
        pool: *mut pool_t,
        domain: *const c_char,
        throttle: c_double,
        parallelism: u32,
    ) -> pool_status_t;
    pub fn pool_stats(pool: *mut pool_t, stats: *mut pool_stats_t) -> pool_status_t;
    pub fn pool_set_log(
        pool: *mut pool_t,
        level: i32,
        log: pool_log_fn,
        userdata: *mut c_void,
    ) -> pool_status_t;
}
