//! Writes `include/rouet.h` from `src/ffi` when it differs from what is there, and looks at how
//! curl was built.

use std::{env, fs, path::PathBuf};

fn main() {
    look_at_curl();
    stay_loaded();
    name_the_interface();
    write_header();
}

/// Says when curl was built without poll(): see `.cargo/config.toml`, which crates that depend on
/// this one do not inherit.
fn look_at_curl() {
    println!("cargo::rerun-if-env-changed=CFLAGS");
    let told = env::vars().any(|(name, value)| {
        (name.starts_with("CFLAGS") || name == "TARGET_CFLAGS") && value.contains("-DHAVE_POLL")
    });
    if !told && env::var("CARGO_CFG_UNIX").is_ok() {
        println!(
            "cargo::warning=libcurl is built without poll(): connections fail once the process \
             has 1024 descriptors open. Set CFLAGS=-DHAVE_POLL and build anew."
        );
    }
}

/// Has `dlclose` leave the library where it is: the end of a pool waits for no look-up of a name, and
/// the thread of one must find the code that it returns to.
fn stay_loaded() {
    let is = |what, value| env::var(what).is_ok_and(|given| given == value);
    if is("CARGO_CFG_TARGET_FAMILY", "unix") && !is("CARGO_CFG_TARGET_VENDOR", "apple") {
        println!("cargo::rustc-cdylib-link-arg=-Wl,-z,nodelete");
    }
}

/// Gives the library for C programs its soname, which moves with the interface: docs/abi.md.
fn name_the_interface() {
    let is_elf = env::var("CARGO_CFG_TARGET_OS").is_ok_and(|system| system == "linux");
    if env::var_os("CARGO_FEATURE_CAPI").is_none() || !is_elf {
        return;
    }
    let source = fs::read_to_string("src/ffi/mod.rs").expect("src/ffi/mod.rs");
    let version = source
        .split_once("pub const POOL_ABI_VERSION: u32 = ")
        .and_then(|(_, rest)| rest.split_once(';'))
        .expect("src/ffi/mod.rs has POOL_ABI_VERSION")
        .0;
    println!("cargo::rustc-cdylib-link-arg=-Wl,-soname,librouet.so.{version}");
}

fn write_header() {
    println!("cargo::rerun-if-changed=src/ffi");
    println!("cargo::rerun-if-changed=cbindgen.toml");
    println!("cargo::rerun-if-changed=include/rouet.h");
    let root = PathBuf::from(env::var("CARGO_MANIFEST_DIR").expect("set by cargo"));
    let config = cbindgen::Config::from_file(root.join("cbindgen.toml"))
        .unwrap_or_else(|error| panic!("cbindgen.toml: {error}"));
    let mut header = Vec::new();
    cbindgen::Builder::new()
        .with_config(config)
        // The rest of the room is found from here.
        .with_src(root.join("src/ffi/mod.rs"))
        .generate()
        .unwrap_or_else(|error| panic!("cbindgen: {error}"))
        .write(&mut header);
    // What Rust calls a safety section is to a C programmer what a call asks for.
    let header = String::from_utf8(header)
        .expect("the sources are UTF-8")
        .replace("// # Safety\n", "// Requires:\n");
    let path = root.join("include/rouet.h");
    if fs::read_to_string(&path).is_ok_and(|old| old == header) {
        return;
    }
    fs::write(&path, header).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
}
