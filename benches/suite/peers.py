"""The peers and the bindings: each function builds or installs one and gives its command, which
takes N CONCURRENCY URL and prints the line that tools.run reads. What this machine can't have
raises Absent."""

import json
import re
import shutil
import sys

from .tools import CACHE, PEERS, PROGRAMS, ROOT, attempt

# From registries; those of Rust and Go are pinned by benches/peers/*/Cargo.lock and go.sum.
# undici 7 is the newest that Node 20 runs.
AIOHTTP, MINET, UNDICI = "aiohttp==3.14.5", "minet==4.2.1", "undici@7.30.2"


class Absent(Exception):
    pass


def demand(why):
    if why:
        raise Absent(why)


def demand_programs(*names):
    for name in names:
        if not shutil.which(name):
            raise Absent(f"there is no {name}")


def nethttp():
    demand_programs("go")
    CACHE.mkdir(parents=True, exist_ok=True)
    demand(attempt("go", "build", "-o", CACHE / "nethttp", PEERS / "nethttp.go"))
    return [CACHE / "nethttp"]


def colly():
    demand_programs("go")
    CACHE.mkdir(parents=True, exist_ok=True)
    demand(attempt("go", "-C", PEERS / "colly", "build", "-o", CACHE / "colly", "."))
    return [CACHE / "colly"]


def rust(name):
    """One of the clients in benches/peers/rust."""
    demand_programs("cargo")
    target = CACHE / "rust"
    command = ["cargo", "build", "--locked", "--release", "--quiet", "--target-dir", target]
    demand(attempt(*command, cwd=PEERS / "rust"))
    return [target / "release/peers", name]


def go_binding():
    demand_programs("go")
    CACHE.mkdir(parents=True, exist_ok=True)
    flags = f"CGO_LDFLAGS=-L{PROGRAMS} -Wl,-rpath,{PROGRAMS}"
    command = ["env", "-C", ROOT / "bindings/go", flags, "go", "build"]
    demand(attempt(*command, "-o", CACHE / "gorouet", "./examples/throughput"))
    return [CACHE / "gorouet"]


def node_binding(ffi):
    demand_programs("node", "npm")
    folder = ROOT / "bindings/node"
    quiet = ("--ignore-scripts", "--no-audit", "--no-fund")
    demand(attempt("npm", "ci", *quiet, "--prefix", folder))
    command = ["env", f"ROUET_FFI={ffi}", f"ROUET_LIBRARY={PROGRAMS / 'librouet.so'}", "node"]
    return [*command, folder / "examples/throughput.mjs"]


def koffi():
    return node_binding("koffi")


def ffi_napi():
    return node_binding("ffi-napi")


def undici():
    demand_programs("node", "npm")
    directory = CACHE / UNDICI
    if not (directory / "node_modules/undici").exists():
        directory.mkdir(parents=True, exist_ok=True)
        demand(attempt("npm", "install", "--ignore-scripts", "--prefix", directory, UNDICI))
    # It looks for undici where it is run.
    return ["env", "-C", directory, "node", PEERS / "undici.mjs"]


def from_pypi(package):
    """The Python of an environment that has the package."""
    directory = CACHE / package
    python = directory / "bin/python"
    name = package.split("==")[0]
    if not python.exists() or attempt(python, "-c", f"import {name}"):
        demand(attempt(sys.executable, "-m", "venv", "--clear", directory))
        demand(attempt(python, "-m", "pip", "install", "--quiet", package))
    return python


def aiohttp():
    return [from_pypi(AIOHTTP), PEERS / "aiohttp.py"]


def minet():
    return [from_pypi(MINET), PEERS / "minet.py"]


def versions():
    found = dict(re.match(r"(\w+)[=@]+(.+)", pinned).groups() for pinned in (AIOHTTP, MINET, UNDICI))
    lock = (PEERS / "rust/Cargo.lock").read_text()
    for name in ("hyper", "hyper-util", "reqwest", "isahc"):
        found[name] = re.search(rf'name = "{name}"\nversion = "(.+)"', lock)[1]
    module = (PEERS / "colly/go.mod").read_text()
    found["colly"] = re.search(r"gocolly/colly/v2 v(\S+)", module)[1]
    package = json.loads((ROOT / "bindings/node/package-lock.json").read_text())
    for name in ("koffi", "ffi-napi"):
        found[name] = package["packages"][f"node_modules/{name}"]["version"]
    return found
