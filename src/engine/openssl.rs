//! OpenSSL as the library is loaded.

/// Run when the library is loaded, before curl is initialised: who initialises OpenSSL first says
/// whether it frees all that it has when the process ends. curl has it do so, beneath the threads
/// that use it then (docs/tls.md). `openssl_sys::init` does not.
#[used]
// SAFETY: what the section holds, pointers to functions without arguments, is what this is. The
// number has it run before `multi/memory.rs` and what the `curl` crate has in `.init_array`.
#[unsafe(link_section = ".init_array.00099")]
static AT_LOAD: extern "C" fn() = {
    extern "C" fn at_load() {
        openssl_sys::init();
    }
    at_load
};
