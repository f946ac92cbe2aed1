//! The crate as a Rust program gets it: packed, without the C interface, beside an allocator of the
//! program's own.

use std::fs;
use std::process::Command;

use rouet_site::{Options, Site};

mod support;

use support::c::{root, run, scratch};

#[test]
fn the_packed_crate_is_an_ordinary_one() {
    let folder = scratch("package");
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).expect("a folder");
    // Not the folder of these tests: cargo would put a library without the C interface there.
    let target = scratch("packed");
    let cargo = || {
        let mut cargo = Command::new(env!("CARGO"));
        cargo.env("CARGO_TARGET_DIR", &target);
        cargo
    };
    // Its sources are looked at by the build below; cargo would build it once more.
    run(
        cargo().current_dir(root()).args([
            "package",
            "--locked",
            "--offline",
            "--allow-dirty",
            "--no-verify",
            "--package",
            "rouet",
        ]),
        0,
    );
    let name = concat!("rouet-", env!("CARGO_PKG_VERSION"));
    let archive = target.join(format!("package/{name}.crate"));
    run(
        Command::new("tar")
            .arg("-xf")
            .arg(archive)
            .arg("-C")
            .arg(&folder),
        0,
    );
    let packed = folder.join("rouet");
    fs::rename(folder.join(name), &packed).expect("it is unpacked");
    let list = || {
        run(
            Command::new("find")
                .arg(&packed)
                .args(["-printf", "%P %T@\n"]),
            0,
        )
    };
    let before = list();
    for file in ["src/lib.rs", "include/rouet.h", "README.md", "LICENSE-MIT"] {
        assert!(packed.join(file).exists(), "{file}");
    }
    assert!(!packed.join("tests").exists());

    let consumer = folder.join("consumer");
    run(
        Command::new("cp")
            .arg("-r")
            .arg(root().join("tests/consumers/rust"))
            .arg(&consumer),
        0,
    );
    // The same crates as here, some of which are not needed there.
    fs::copy(root().join("Cargo.lock"), consumer.join("Cargo.lock")).expect("a file");
    run(
        cargo()
            .current_dir(&consumer)
            .env("CFLAGS", "-DHAVE_POLL")
            .args(["build", "--offline"]),
        0,
    );
    assert_eq!(list(), before, "the build wrote among the sources");

    let program = target.join("debug/consumer");
    let symbols = run(Command::new("nm").arg(&program), 0);
    let ours = symbols.lines().filter(|line| line.contains(" pool_"));
    assert_eq!(ours.collect::<Vec<_>>(), Vec::<&str>::new());
    assert!(!symbols.contains(" mi_malloc"), "it has another allocator");

    let site = Site::start(Options::default()).expect("the site starts");
    let output = run(Command::new(program).arg(site.url("/bytes/1000")), 0);
    assert_eq!(output, "200 1000\n");
}
