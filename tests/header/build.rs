//! Has ctest2 write a C program and a Rust program that compare `src/lib.rs` with the header.

use std::env;
use std::path::Path;

fn main() {
    let root = env::var("CARGO_MANIFEST_DIR").expect("set by cargo");
    let include = Path::new(&root).join("../../include");
    println!(
        "cargo:rerun-if-changed={}",
        include.join("rouet.h").display()
    );

    ctest2::TestGenerator::new()
        .header("rouet.h")
        .include(include)
        // Every type of the header is a typedef: no `struct` before its name.
        .type_name(|name, _is_struct, _is_union| name.to_string())
        // `type` is a keyword in Rust.
        .field_name(|_struct, field| field.trim_end_matches('_').to_string())
        .generate(Path::new(&root).join("src/lib.rs"), "all.rs");
}
