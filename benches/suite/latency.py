"""How long rouet takes to start and stop, to hand a result over, and after a throttle."""

import contextlib
import json
import os
import subprocess
import tempfile
from pathlib import Path

from .tls import Authority
from .tools import (
    PROGRAMS,
    Goal,
    Section,
    build,
    fail,
    goal,
    middle,
    nginx,
    ratios,
    rounds_of,
    spread,
)

TITLE = "Latency"

COLD, WARM = "first in its process", "again in one process"
COLD_TLS = "first in its process, https"
PHASES = ("new", "submit", "result", "free", "all")
LOADS = {"50 domains": 50, "500 domains": 500}
LOW, HIGH = 50, 200  # ms, of the domains' throttles
FREE, BUSY = "cores free", "cores busy"


def lines(*words):
    command = [str(word) for word in (PROGRAMS / "latency", *words)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=600)
    if done.returncode:
        fail(f"{' '.join(command)}: exit status {done.returncode}")
    return [json.loads(line) for line in done.stdout.splitlines()]


def measure(bench):
    build("all", "bare")
    starts, wakes, seconds = (3, 50, 1) if bench.quick else (20, 1_000, 4)
    cores = len(os.sched_getaffinity(0))
    with tempfile.TemporaryDirectory() as directory, contextlib.ExitStack() as servers:
        authority = Authority(Path(directory))
        bundle = authority.beside_the_systems() or (authority.file, 1)
        url = servers.enter_context(nginx())
        https = servers.enter_context(authority.nginx())
        players = {
            COLD: lambda: [lines("start", 1, url)[0] for _ in range(starts)],
            COLD_TLS: lambda: [lines("start", 1, https, bundle[0])[0] for _ in range(starts)],
            # Without its first, which is the former case.
            WARM: lambda: lines("start", starts + 1, url)[1:],
        }
        for client in ("bare", "rouet"):
            players[client] = lambda client=client: lines("wake", client, wakes)[0]
        for load, domains in LOADS.items():
            for cpu, busy in ((FREE, 0), (BUSY, cores)):
                words = ("throttle", domains, LOW, HIGH, seconds, busy)
                players[load, cpu] = lambda words=words: lines(*words)[0]
        came = rounds_of(players, bench.rounds)
    parts = [of_start(came, bundle[1]), of_wake(came), of_throttle(came, cores)]
    data = {", ".join(key) if isinstance(key, tuple) else key: runs for key, runs in came.items()}
    return Section(
        TITLE,
        text=[paragraph for text, _, _ in parts for paragraph in text],
        tables=[table for _, table, _ in parts],
        goals=[one for _, _, goals in parts for one in goals],
        data=data,
    )


def of_start(came, authorities):
    text = [
        "**Start and stop.** The first table has the milliseconds of `pool_new`, of"
        " `pool_submit` of one request for 1 KB from nginx on loopback, of the wait for its"
        " result, and of `pool_free`, with the default configuration: medians of all, and the"
        " spread of the sum. *First in its process* starts a process each time, so OpenSSL and"
        " curl set themselves up too; certificate authorities are read only for an https URL"
        f" ({authorities} of them in the second line).",
    ]
    rows, goals = [], []
    for name in (COLD, COLD_TLS, WARM):
        every = [one for run in came[name] for one in run]
        parts = {phase: [one[phase] / 1e3 for one in every] for phase in PHASES}
        rows.append(
            [name, *(middle(parts[phase], 2) for phase in PHASES), spread(parts["all"], 2)]
        )
        if name != COLD_TLS:
            what = f"pool_new, a result, pool_free, {name}"
            goals.append(goal(what, "≤ 5", parts["all"], lambda value: value <= 5, unit="ms"))
    heads = ["start and stop, ms", "new", "submit", "result", "free", "all", "spread"]
    return text, (heads, rows), goals


def of_wake(came):
    text = [
        "**Wake-ups.** One request at a time goes to a server in the same process, which"
        " answers after a millisecond, when all threads of the client sleep. *There* is the time"
        " from `pool_submit` to the request's arrival at the server. *Back* is the time from the"
        " moment before the server writes its answer to the return of the blocked"
        " `pool_next_result`, and *handed over* the part of that since the result's `end_time`."
        " The bare loop is `curl_multi_perform` and `curl_multi_poll`: its one thread waits for"
        " the result itself, where rouet has two threads to wake, the shard's and the taker's."
        " Microseconds: the median of the rounds' percentiles.",
    ]
    rows = []
    for client in ("bare", "rouet"):
        runs, row = came[client], [client]
        for part in ("there", "back", "handed"):
            for figure in ("p50", "p99"):
                values = [run[part][figure] for run in runs if part in run]
                row.append(middle(values) if values else "")
        rows.append(row)
    heads = ["wake-ups, µs", "there, p50", "p99", "back, p50", "p99", "handed over, p50", "p99"]
    times = [[run["back"]["p50"] for run in came[client]] for client in ("rouet", "bare")]
    what = "from the answer to the return of pool_next_result, p50, × bare libcurl"
    note, met = "two threads are woken instead of one", lambda value: value <= 2.5
    return text, (heads, rows), [goal(what, "≤ 2.5", ratios(*times), met, note)]


def of_throttle(came, cores):
    runs = {key: came[key] for key in came if isinstance(key, tuple)}
    gaps = sum(run["late"]["count"] for of_load in runs.values() for run in of_load)
    early = [run["early"] for of_load in runs.values() for run in of_load]
    text = [
        f"**Throttles.** Each domain has a throttle of its own, evenly from {LOW} to {HIGH} ms,"
        " and always a job that waits. A server in the same process notes when it writes an"
        " answer and when the next request of that domain comes in. The time between, beyond the"
        " throttle, is how late the request is. It includes two ways over loopback, the shard's"
        " turn, its timer, and the server's own wake-ups. It must not be negative, which would"
        f" be impolite: {sum(early) or 'none'} of {gaps:,} were. (The first half second of each"
        " run, in which jobs are submitted and connections opened, counts for that too, but not"
        " for the percentiles.) The last columns have what the machine made of timers meanwhile:"
        " how late a thread woke up that did nothing but sleep for 5 ms at a time (Linux delays"
        f" the end of a sleep by up to 50 µs). *Cores busy*: beside {cores} processes that"
        " compute all the time, so that each thread mostly has to wait for its turn. What else"
        " runs on the machine shows in the p99 and the maximum of both. Milliseconds: the median"
        " of the rounds' percentiles, and the greatest of all.",
    ]
    rows = []
    for (load, cpu), of_load in runs.items():
        row = [f"{load}, {cpu}", middle([run["rate"] for run in of_load], 0)]
        for part in ("late", "sleep"):
            for figure in ("p50", "p99"):
                row.append(middle([run[part][figure] / 1e3 for run in of_load], 2))
            row.append(f"{max(run[part]['max'] for run in of_load) / 1e3:.1f}")
        rows.append(row)
    heads = ["after a throttle, ms", "requests/s", "late, p50", "p99", "max"]
    heads += ["sleep, p50", "p99", "max"]
    late = [run["late"]["p50"] / 1e3 for run in runs["500 domains", FREE]]
    what = "lateness after a throttle, 500 domains, cores free, p50"
    return (
        text,
        (heads, rows),
        [
            Goal(
                "requests that came before their throttle had run out",
                "0",
                sum(early),
                (min(early), max(early)),
                sum(early) == 0,
            ),
            goal(what, "≤ 1", late, lambda value: value <= 1, unit="ms"),
        ],
    )
