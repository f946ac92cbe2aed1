//! Tests in a process, or a network, of their own: what they set holds for a whole process or
//! machine, and no other test may notice.

use std::process::Command;

use super::needs;

/// Set in the process that a test has for itself.
const WITHIN: &str = "ROUET_TEST_WITHIN";

/// Runs what the test of that name does in a process of its own.
pub fn process(test: &str, run: impl FnOnce()) {
    match std::env::var_os(WITHIN) {
        Some(_) => run(),
        None => again(Command::new(std::env::current_exe().expect("a path")), test),
    }
}

/// Runs what the test of that name does in a network of its own: nothing but the loopback device,
/// no routes but to it, and names looked up at 127.0.0.1, port 53, where nobody listens yet.
/// Whatever addresses it uses, no packet leaves the machine.
pub fn network(test: &str, run: impl FnOnce()) {
    if std::env::var_os(WITHIN).is_some() {
        prepare();
        return run();
    }
    let mut namespace = vec!["--net", "--mount"];
    if !rustix::process::geteuid().is_root() {
        namespace.extend(["--user", "--map-root-user"]);
    }
    if !needs::tools(&["unshare", "mount", "ip"]) {
        return;
    }
    // What `prepare` does first, which may be forbidden where a namespace is not.
    let possible = Command::new("unshare")
        .args(&namespace)
        .args(["sh", "-c", "PATH=$PATH:/usr/sbin:/sbin; ip link set lo up"])
        .output()
        .expect("unshare is there");
    if !possible.status.success() {
        let said = String::from_utf8_lossy(&possible.stderr);
        return needs::skip(&format!(
            "needs a network namespace, which this system does not let it make (a container has \
             them with --cap-add SYS_ADMIN --cap-add NET_ADMIN; a user who is not root, with \
             user namespaces): {}",
            said.trim().replace('\n', "; ")
        ));
    }
    let mut command = Command::new("unshare");
    command
        .args(&namespace)
        .arg(std::env::current_exe().expect("a path"));
    again(command, test);
}

/// Runs the test of that name once more, with this command.
fn again(mut command: Command, test: &str) {
    let output = command
        .args([test, "--nocapture"])
        .env(WITHIN, "1")
        .output()
        .expect("a process");
    let said = String::from_utf8_lossy(&output.stdout);
    // A name that is none, or that of several, would succeed as well.
    assert!(
        output.status.success() && said.contains(" 1 passed"),
        "{test} in a process of its own: {}\n{said}{}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
}

fn prepare() {
    ip("link set lo up");
    // A second of silence is much for a server on this machine.
    bind(
        "/etc/resolv.conf",
        "nameserver 127.0.0.1\noptions timeout:1 attempts:1\n",
    );
    bind("/etc/nsswitch.conf", "hosts: files dns\n");
}

/// Sets a parameter of IPv4, of this network alone.
pub fn set_ipv4(parameter: &str, value: &str) {
    let path = format!("/proc/sys/net/ipv4/{parameter}");
    std::fs::write(&path, value).unwrap_or_else(|error| {
        panic!("this test needs to write {path} of a network of its own: {error}")
    });
}

/// Runs `ip` with these words: what it changes is this network alone.
pub fn ip(words: &str) {
    sh("ip", words.split(' '), "iproute2");
}

/// Lays a file over another, for this mount namespace alone.
fn bind(path: &str, text: &str) {
    let name = path.replace('/', "-");
    let own = std::env::temp_dir().join(format!("rouet-test-{}{name}", std::process::id()));
    std::fs::write(&own, text).expect("a file");
    let own_path = own.to_str().expect("a path of UTF-8");
    sh("mount", ["--bind", own_path, path], "mount");
    // It stays mounted without its name.
    std::fs::remove_file(&own).expect("it is there");
}

/// Runs a program, which users who are not root may not have in their path.
fn sh<'a>(program: &str, arguments: impl IntoIterator<Item = &'a str>, package: &str) {
    let path = std::env::var("PATH").unwrap_or_default();
    let output = Command::new(program)
        .args(arguments)
        .env("PATH", format!("{path}:/usr/sbin:/sbin"))
        .output()
        .unwrap_or_else(|error| {
            panic!("this test needs {program}, of {package} (scripts/setup test): {error}")
        });
    assert!(
        output.status.success(),
        "{program}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
}
