"""Instructions of one request, which hardly depend on what else the machine does."""

import re
import shutil
import subprocess

from .tools import (
    PROGRAMS,
    Section,
    build,
    fail,
    goal,
    middle,
    nginx,
    ratios,
    rounds_of,
    skipped,
    spread,
)

TITLE = "Instructions of one request"

CONCURRENCY = 32
# Two runs of different lengths: their difference has no start and no end in it.
FEW, MANY = 2_000, 12_000
BARE, ALIKE, OURS = "bare libcurl", "bare libcurl, asked alike", "rouet (C API)"
PLAYERS = ((BARE, "bare"), (ALIKE, "alike"), (OURS, "throughput"))
LIMIT = 1.25

TEXT = [
    "What callgrind counts of those three programs of the section *CPU of one request*, for the same page"
    " and as many requests at once: all threads of the client, without the kernel. Counts hardly vary and need no quiet machine, so they"
    " show what a change costs: `benches/bench instructions`. They say nothing of caches, system calls"
    " and waking up.",
]


def counted(program, number, url):
    """The instructions of a run."""
    command = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", PROGRAMS / program]
    done = subprocess.run(
        [str(word) for word in (*command, number, CONCURRENCY, url)], capture_output=True, text=True, timeout=600
    )
    count = re.search(r"Collected : (\d+)", done.stderr)
    if done.returncode or not count or " 0 errors" not in done.stdout:
        fail(f"{program} under callgrind: {done.stdout}{done.stderr}")
    return int(count[1])


def measure(bench):
    what = f"instructions of a 1 KB request, {OURS}, × {BARE}"
    if not shutil.which("valgrind"):
        return Section(TITLE, text=TEXT, goals=[skipped(what, f"≤ {LIMIT}", "no valgrind")])
    build("all", "bare")
    few, many = (number // 10 if bench.quick else number for number in (FEW, MANY))
    with nginx() as url:

        def each(program):
            return (counted(program, many, url) - counted(program, few, url)) / (many - few)

        players = {name: lambda program=program: each(program) for name, program in PLAYERS}
        results = rounds_of(players, min(bench.rounds, 3))
    rows = []
    for name, came in results.items():
        ratio = ratios(came, results[BARE])
        rows.append([name, middle(came, 0), spread(came, 0), middle(ratio, 2)])
    met = lambda ratio: ratio <= LIMIT
    return Section(
        TITLE,
        text=TEXT,
        tables=[(["", "instructions a request", "spread", "× bare"], rows)],
        goals=[goal(what, f"≤ {LIMIT}", ratios(results[OURS], results[BARE]), met)],
        data={name: list(came) for name, came in results.items()},
    )
