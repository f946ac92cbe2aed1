"""What the sections share: building, servers, running side by side, medians, tables."""

import contextlib
import os
import re
import shutil
import socket
import subprocess
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

ROOT = Path(__file__).resolve().parent.parent.parent
PEERS = ROOT / "benches/peers"
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")).resolve()
PROGRAMS = TARGET / "release"
CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "rouet-bench"


@dataclass
class Bench:
    """What `measure` of a section is given."""

    rounds: int
    quick: bool  # small sizes, to try the program itself: the figures mean little


@dataclass
class Goal:
    """A line of the table of goals."""

    what: str
    goal: str
    value: float | None  # the median; None: not measured
    spread: tuple = ()  # the least and the most of all rounds
    met: bool | None = None  # None: not measured, and note says why
    note: str = ""  # what bounds it, or why it was skipped
    unit: str = ""


@dataclass
class Plot:
    """A chart of bars. A bar is its label, its kind and its value in each round; the kind is one
    of "ours", "bare", "peer"."""

    title: str
    unit: str
    bars: list


@dataclass
class Section:
    """What a section gives: it becomes a chapter of docs/benchmarks.md."""

    title: str
    text: list = field(default_factory=list)  # paragraphs of Markdown
    tables: list = field(default_factory=list)  # (heads, rows), all of them text
    goals: list = field(default_factory=list)
    data: dict = field(default_factory=dict)  # the figures of each round, for bench.json
    plot: Plot | None = None


class Failure(Exception):
    """Ends a section; the others are run."""


def say(text):
    print(text, flush=True)


def fail(text):
    raise Failure(text)


# ---- what runs ----


def build(*targets):
    """Has make build them; as a whole or not at all."""
    with tempfile.TemporaryFile("w+") as output:
        if subprocess.run(["make", *targets], cwd=ROOT, stdout=output, stderr=output).returncode:
            output.seek(0)
            fail(f"make {' '.join(targets)} failed:\n{output.read()}")


def attempt(*command, **options):
    """Runs what may fail; says what its last line was if it does."""
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True, **options}
    done = subprocess.run([str(word) for word in command], **options)
    if done.returncode == 0:
        return None
    return (done.stdout.strip().splitlines() or [f"exit status {done.returncode}"])[-1]


@dataclass
class Figures:
    """What a program said of itself in the line that `run` reads."""

    requests: float
    seconds: float
    rate: float  # requests a second
    cpu: float  # µs a request, user and system, all threads


LINE = re.compile(r"(\d+) requests, (\d+) errors, (\S+) s, (\d+) requests/s, (\S+) CPU us/request")


def run(command, **options):
    """Runs a program to its end and reads the line it prints; an error within it is a failure."""
    command = [str(word) for word in command]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=600, **options)
    line = LINE.search(done.stdout)
    if not line:
        fail(f"{' '.join(command)} said nothing: exit status {done.returncode}")
    number, errors, seconds, rate, cpu = map(float, line.groups())
    if errors:
        fail(f"{' '.join(command)}: {errors:.0f} errors")
    return Figures(number, seconds, rate, cpu)


def timed(command, **options):
    """Runs a program to its end: its wall time and its CPU time, user and system, in seconds, and
    its exit status."""
    start = time.perf_counter()
    child = subprocess.Popen([str(word) for word in command], **options)
    _, status, usage = os.wait4(child.pid, 0)
    seconds = time.perf_counter() - start
    child.returncode = os.waitstatus_to_exitcode(status)
    return seconds, usage.ru_utime + usage.ru_stime, child.returncode


def sample_memory(command):
    """Runs a program to its end; gives VmRSS, RssAnon and VmHWM in MiB, 20 times a second, and
    its exit status."""
    samples = []
    with subprocess.Popen([str(word) for word in command]) as child:
        while child.poll() is None:
            with contextlib.suppress(OSError, KeyError):
                lines = Path(f"/proc/{child.pid}/status").read_text().splitlines()
                status = dict(line.split(":", 1) for line in lines)
                fields = ("VmRSS", "RssAnon", "VmHWM")
                samples.append([int(status[field].split()[0]) / 1024 for field in fields])
            time.sleep(0.05)
    if len(samples) < 10:
        fail(f"{command[0]} ended at once: exit status {child.returncode}")
    return samples, child.returncode


# ---- what it runs against ----


@contextlib.contextmanager
def process(command, **options):
    child = subprocess.Popen([str(word) for word in command], **options)
    try:
        yield child
    finally:
        child.terminate()
        child.wait()


def which_nginx():
    """The system's, or the one that scripts/setup unpacked."""
    own = ROOT / ".tools/nginx/usr/sbin"
    return shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin:/usr/local/sbin:{own}")


@contextlib.contextmanager
def nginx(connections=1024, listen="", server="", scheme="http"):
    """One nginx with a page of 1 KB, on one process; gives its URL. `listen` is added to its
    listen directive, `server` to its server block."""
    program = which_nginx()
    if not program:
        fail("no nginx: scripts/setup bench has one")
    with tempfile.TemporaryDirectory() as directory, socket.socket() as probe:
        directory = Path(directory)
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
        probe.close()
        (directory / "page.html").write_text(("All work and no play. " * 47)[:1024])
        paths = "".join(
            f"{name}_temp_path {directory};"
            for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        (directory / "nginx.conf").write_text(f"""
            daemon off; master_process off; # one process, that is one worker
            pid {directory}/pid; error_log {directory}/errors;
            events {{ worker_connections {connections}; }}
            http {{
                access_log off; {paths} open_file_cache max=10; types {{ text/html html; }}
                keepalive_requests 1000000000; keepalive_timeout 1h;
                server {{ listen 127.0.0.1:{port} backlog=4096 {listen}; root {directory}; {server} }}
            }}""")
        command = [program, "-e", directory / "errors", "-p", directory, "-c", "nginx.conf"]
        with process(command) as child:
            for _ in range(100):
                with socket.socket() as probe:
                    if probe.connect_ex(("127.0.0.1", port)) == 0:
                        break
                if child.poll() is not None:
                    break
                time.sleep(0.05)
            else:
                fail("nginx does not answer")
            if child.poll() is not None:
                fail(f"nginx did not start: {(directory / 'errors').read_text()}")
            yield f"{scheme}://127.0.0.1:{port}/page.html"


def on_the_site(play):
    """Calls play(port, directory) while the test site serves; gives what it gave, and the
    smallest gap between two requests to one domain in the site's log, in ms."""
    with tempfile.TemporaryDirectory() as directory:
        directory = Path(directory)
        log, port = directory / "log", directory / "port"
        command = [PROGRAMS / "site", "serve", "--log", log, "--port-file", port]
        with process(command, stdout=subprocess.DEVNULL) as child:
            while not port.exists() and child.poll() is None:
                time.sleep(0.02)
            if not port.exists():
                fail(f"the test site did not start: exit status {child.returncode}")
            came = play(int(port.read_text()), directory)
        report = subprocess.check_output([PROGRAMS / "site", "report", log], text=True)
        return came, float(re.search(r"smallest gap +(\S+) ms", report)[1])


# ---- rounds and their figures ----


def rounds_of(players, rounds):
    """Calls each player once a round, every other round in the reverse order, so that what else
    the machine does falls on all alike; gives what they gave, a list each."""
    results = {name: [] for name in players}
    for number in range(rounds):
        names = list(players) if number % 2 == 0 else list(players)[::-1]
        for name in names:
            results[name].append(players[name]())
        say(f"round {number + 1} of {rounds} done")
    return results


def ratios(ours, theirs):
    """By the run of the same round: what slows a round down slows both."""
    return [one / other for one, other in zip(ours, theirs)]


def middle(values, digits=1):
    return f"{median(values):,.{digits}f}"


def spread(values, digits=1):
    return f"{min(values):,.{digits}f}–{max(values):,.{digits}f}"


def goal(what, limit, values, met, note="", unit=""):
    """A goal from the values of all rounds; `met` is asked of their median."""
    value = median(values)
    return Goal(what, limit, value, (min(values), max(values)), met(value), note, unit)


def skipped(what, limit, why):
    return Goal(what, limit, None, note=why)


def table(heads, rows):
    rows = [heads, *rows]
    widths = [max(len(row[i]) for row in rows) for i in range(len(heads))]
    for row in rows:
        cells = [row[0].ljust(widths[0])]
        cells += [cell.rjust(width) for cell, width in zip(row[1:], widths[1:])]
        say("  ".join(cells).rstrip())
