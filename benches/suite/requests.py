"""CPU for one request, beside all peers."""

from . import peers
from .peers import Absent
from .tools import (
    PROGRAMS,
    Plot,
    Section,
    build,
    goal,
    middle,
    nginx,
    ratios,
    rounds_of,
    run,
    say,
    skipped,
    spread,
)

TITLE = "CPU of one request"

CONCURRENCY = 32
BARE, OURS = "bare libcurl", "rouet (C API)"
GO, KOFFI, FFI_NAPI = "rouet (Go)", "rouet (Node, koffi)", "rouet (Node, ffi-napi)"

# Name, kind, requests in a run, what builds it.
PLAYERS = (
    (BARE, "bare", 50_000, lambda: [PROGRAMS / "bare"]),
    (OURS, "ours", 50_000, lambda: [PROGRAMS / "throughput"]),
    (GO, "ours", 50_000, peers.go_binding),
    (KOFFI, "ours", 50_000, peers.koffi),
    (FFI_NAPI, "ours", 50_000, peers.ffi_napi),
    ("Go net/http", "peer", 50_000, peers.nethttp),
    ("undici", "peer", 50_000, peers.undici),
    ("minet", "peer", 5_000, peers.minet),
)

# One, the other, and what their ratio is to be.
GOALS = (
    (OURS, BARE, "≤ 1.25", lambda ratio: ratio <= 1.25),
    (OURS, "Go net/http", "< 1", lambda ratio: ratio < 1),
    (OURS, "undici", "< 1", lambda ratio: ratio < 1),
    ("minet", OURS, "≥ 30", lambda ratio: ratio >= 30),
    (GO, OURS, "≤ 1.3", lambda ratio: ratio <= 1.3),
    (KOFFI, "undici", "< 1", lambda ratio: ratio < 1),
    (FFI_NAPI, "minet", "< 1", lambda ratio: ratio < 1),
)


def measure(bench):
    build("all", "bare")
    commands, kinds, absent = {}, {}, {}
    for name, kind, number, player in PLAYERS:
        try:
            commands[name] = [*player(), number // 20 if bench.quick else number, CONCURRENCY]
            kinds[name] = kind
        except Absent as why:
            say(f"skipped: {name}: {why}")
            absent[name] = str(why)
    with nginx() as url:
        players = {
            name: lambda command=command: run([*command, url]) for name, command in commands.items()
        }
        results = rounds_of(players, bench.rounds)
    cpu = {name: [one.cpu for one in came] for name, came in results.items()}

    rows = []
    for name, came in results.items():
        ratio = ratios(cpu[name], cpu[BARE])
        rows.append(
            [name, middle(cpu[name]), spread(cpu[name]), middle([one.rate for one in came], 0)]
            + [middle(ratio, 2), spread(ratio, 2)]
        )
    heads = ["", "CPU, µs a request", "spread", "requests/s", "× bare", "spread"]

    goals = []
    for one, other, limit, met in GOALS:
        what = f"CPU of a 1 KB request, {one}, × {other}"
        missing = [f"{name}: {absent[name]}" for name in (one, other) if name in absent]
        if missing:
            goals.append(skipped(what, limit, "; ".join(missing)))
        else:
            goals.append(goal(what, limit, ratios(cpu[one], cpu[other]), met))
    return Section(
        TITLE,
        tables=[(heads, rows)],
        goals=goals,
        data={name: [vars(one) for one in came] for name, came in results.items()},
        plot=Plot(TITLE, "CPU, µs a request", [[name, kinds[name], cpu[name]] for name in cpu]),
    )
