//! Looks at how curl was built, and chooses the engine. With the feature `capi`: writes `include/rouet.h` from `src/ffi` when
//! it differs from what is there, and has the library stay loaded.

use std::env;

fn main() {
    look_at_curl();
    choose_engine();
    #[cfg(feature = "capi")]
    {
        stay_loaded();
        write_header();
    }
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

/// Says which of the engines is built: `cfg(engine = "…")`.
fn choose_engine() {
    let has = |name| env::var_os(name).is_some();
    // Shuttle's threads and Miri know no network.
    let engine = if has("CARGO_FEATURE_SHUTTLE") || has("CARGO_CFG_MIRI") {
        "pretend"
    } else if has("CARGO_FEATURE_ISAHC") {
        "isahc"
    } else {
        "multi"
    };
    println!("cargo::rustc-check-cfg=cfg(engine, values(\"multi\", \"isahc\", \"pretend\"))");
    println!("cargo::rustc-cfg=engine=\"{engine}\"");
}

/// Has `dlclose` leave the library where it is: the end of a pool waits for no look-up of a name, and
/// the thread of one must find the code that it returns to.
#[cfg(feature = "capi")]
fn stay_loaded() {
    let is = |what, value| env::var(what).is_ok_and(|given| given == value);
    if is("CARGO_CFG_TARGET_FAMILY", "unix") && !is("CARGO_CFG_TARGET_VENDOR", "apple") {
        println!("cargo::rustc-cdylib-link-arg=-Wl,-z,nodelete");
    }
}

#[cfg(feature = "capi")]
fn write_header() {
    use std::fs;
    use std::path::PathBuf;

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
