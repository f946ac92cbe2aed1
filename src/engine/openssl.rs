//! Initialises OpenSSL when the library is loaded.

/// This runs when the library is loaded, before curl is initialised. Whoever initialises OpenSSL first
/// decides whether it frees everything when the process ends. curl lets it do so, beneath the threads
/// that use it then (docs/tls.md). `openssl_sys::init` does not.
#[used]
// SAFETY: what the section holds, pointers to functions without arguments, is what this is. The number
// places it before `multi/memory.rs` and the `curl` crate's entry in `.init_array`.
#[unsafe(link_section = ".init_array.00099")]
static AT_LOAD: extern "C" fn() = {
    extern "C" fn at_load() {
        openssl_sys::init();
    }
    at_load
};
