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
BARE, ALIKE, OURS = "bare libcurl", "bare libcurl, asked alike", "rouet (C API)"
GO, KOFFI, FFI_NAPI = "rouet (Go)", "rouet (Node, koffi)", "rouet (Node, ffi-napi)"

# Name, kind, requests in a run, what builds it.
PLAYERS = (
    (BARE, "bare", 50_000, lambda: [PROGRAMS / "bare"]),
    (ALIKE, "bare", 50_000, lambda: [PROGRAMS / "alike"]),
    (OURS, "ours", 50_000, lambda: [PROGRAMS / "throughput"]),
    (GO, "ours", 50_000, peers.go_binding),
    (KOFFI, "ours", 50_000, peers.koffi),
    (FFI_NAPI, "ours", 50_000, peers.ffi_napi),
    ("hyper", "peer", 50_000, lambda: peers.rust("hyper")),
    ("hyper-util", "peer", 50_000, lambda: peers.rust("hyper-util")),
    ("hyper-util, all cores", "peer", 50_000, lambda: peers.rust("hyper-util-threads")),
    ("reqwest", "peer", 50_000, lambda: peers.rust("reqwest")),
    ("Go net/http", "peer", 50_000, peers.nethttp),
    ("undici", "peer", 50_000, peers.undici),
    ("colly", "peer", 20_000, peers.colly),
    ("isahc", "peer", 20_000, lambda: peers.rust("isahc")),
    ("aiohttp", "peer", 10_000, peers.aiohttp),
    ("minet", "peer", 5_000, peers.minet),
)


def at_most(limit):
    return f"≤ {limit}", lambda ratio: ratio <= limit


def at_least(limit):
    return f"≥ {limit}", lambda ratio: ratio >= limit


below = ("< 1", lambda ratio: ratio < 1)

# One, the other, and what their ratio is to be.
GOALS = (
    (OURS, BARE, at_most(1.25)),
    (OURS, "hyper", below),
    (OURS, "Go net/http", below),
    (OURS, "undici", below),
    (OURS, "isahc", below),
    ("minet", OURS, at_least(30)),
    (GO, OURS, at_most(1.3)),
    (KOFFI, "undici", below),
    (FFI_NAPI, "minet", below),
)

TEXT = [
    f"One process fetches a page of 1 KB over and over, {CONCURRENCY} requests at once, on kept"
    " connections, from one nginx that shares the machine with it. CPU is the user and system"
    " time of all threads of the client, divided by its requests. It includes starting up, but"
    " nothing before a program's first line. Each client reads the body to its end and checks"
    " the status; the peers check the length too.",
    "*bare libcurl* is `benches/bare.c`: one thread and the multi interface, on the same"
    " libcurl that rouet is built with. It is the yardstick for what rouet adds to libcurl."
    " *Asked alike* (`benches/alike.c`) is the same loop with what rouet asks of libcurl: the"
    " socket interface, which keeps a turn cheap with thousands of idle connections, a"
    " User-Agent, the headers, the times, a URL for each request. *rouet (C API)* is"
    " `examples/c/throughput.c`; what it takes beyond the second loop is rouet's own.",
    "Each peer is used as well as we know how (`benches/peers`). hyper, hyper-util and reqwest"
    " run tokio on one thread. *hyper* is its bare connections, a task each, without a pool."
    " *hyper-util* is the client with a pool that reqwest is made of; it is also measured on"
    " tokio's default, a thread a core. isahc runs the same libcurl on a thread of its own. Go's"
    " clients have all cores. colly is a framework for crawls and does more than fetch; so does"
    " minet, with its threads. Slow peers do fewer requests. rouet brings its own allocator,"
    " mimalloc; the others use the one they come with.",
    "nginx shares the machine with the client. Compare CPU; requests/s only says how the two"
    " shared the cores.",
]


def measure(bench):
    build("all", "bare")
    commands, kinds, absent = {}, {}, {}
    for name, kind, number, player in PLAYERS:
        try:
            commands[name] = [*player(), number // 10 if bench.quick else number, CONCURRENCY]
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
    for one, other, (limit, met) in GOALS:
        what = f"CPU of a 1 KB request, {one}, × {other}"
        missing = [f"{name}: {absent[name]}" for name in (one, other) if name in absent]
        if missing:
            goals.append(skipped(what, limit, "; ".join(missing)))
            continue
        note = ""
        if other == BARE:
            floor, own = (middle(ratios(cpu[name], cpu[BARE]), 2) for name in (ALIKE, OURS))
            note = (
                f"{floor} of the {own} is libcurl asked alike; the rest is reading the URL (the"
                " `url` crate, a third of it), scheduling, laying out the result, and a second"
                " thread, which takes it (decisions/2026-11-23-cost-of-a-request.md)"
            )
        if one == GO:
            note = "the rest is waking up; quieter runs gave 1.18 to 1.30"
        if one == "minet":
            note = (
                "35 on 2026-11-23, with bare libcurl at 12 µs; a day later the same machine took 1.5"
                " times as long for minet, 1.7 for bare libcurl, 2.1 for rouet, whose two threads"
                " pass results from core to core"
            )
        if other == "hyper":
            floor = middle(ratios(cpu[BARE], cpu[other]), 2)
            note = f"libcurl by itself takes {floor} × hyper without its pool"
        goals.append(goal(what, limit, ratios(cpu[one], cpu[other]), met, note))
    return Section(
        TITLE,
        text=TEXT,
        tables=[(heads, rows)],
        goals=goals,
        data={name: [vars(one) for one in came] for name, came in results.items()},
        plot=Plot("CPU of the client for one request of 1 KB", "µs a request", [[name, kinds[name], cpu[name]] for name in cpu]),
    )
