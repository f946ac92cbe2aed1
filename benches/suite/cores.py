"""Two shards beside one, and a hot domain beside small ones."""

import gzip
import os
import random
from concurrent.futures import ThreadPoolExecutor

from .streams import children_cpu, descriptors, nginx, stream
from .tools import Section, build, goal, middle, ratios, rounds_of, say, skipped, spread

TITLE = "Cores"

# So many domains that the shards have about as many each, and so few that each keeps its
# connection: four for each worker are kept.
WORKERS, DOMAINS = 256, 800


def measure(bench):
    build("all", "bare")
    section = Section(TITLE)
    limit, least = descriptors(), 5 * WORKERS + 200
    if limit < least or len(os.sched_getaffinity(0)) < 2:
        word = f"it takes two cores and {least} descriptors: ulimit -Hn is {limit}"
        section.goals.append(skipped("two shards, × one", "≥ 1.8", word))
        return section
    small_pages(bench, section)
    pages_to_inflate(bench, section)
    hot_domain(bench, section)
    return section


def on_its_own_server(files=None, **sizes):
    """A run of the stream; what it gave, with `server`: the CPU time of the nginx it had."""
    before = children_cpu()
    with nginx(files, connections=4096) as port:
        end = stream(port, **sizes)
        del end["samples"]
        client = children_cpu() - before
    return {**end, "server": children_cpu() - before - client}


def two_processes(files=None, **sizes):
    """Two of them at once on one nginx; how many requests a second they did together."""
    with nginx(files, connections=4096) as port, ThreadPoolExecutor() as threads:
        ends = threads.map(lambda _: stream(port, **sizes), range(2))
        return sum(end["requests"] / end["seconds"] for end in ends)


def one_and_two(bench, requests, files=None, **sizes):
    """Runs with one and with two shards, and what two processes of one shard do together."""
    sizes = {"requests": requests, "workers": WORKERS, "domains": DOMAINS, "window": DOMAINS,
             "each": requests, **sizes}
    came = rounds_of(
        {
            1: lambda: on_its_own_server(files, threads=1, **sizes),
            2: lambda: on_its_own_server(files, threads=2, **sizes),
            "processes": lambda: two_processes(files, threads=1, **sizes),
        },
        bench.rounds,
    )
    return {threads: came[threads] for threads in (1, 2)}, came["processes"]


def shards(end):
    return [thread for name, thread in end["threads"].items() if name.startswith("rouet-")]


def each(end, seconds):
    return seconds * 1e6 / end["requests"]


def by_shards(runs, processes):
    """A table of runs with one and with two shards, and with two processes."""
    rows = []
    for threads, ends in runs.items():
        rate = [end["requests"] / end["seconds"] for end in ends]
        own = [each(end, end["cpu"]) for end in ends]
        shard = [each(end, sum(one["cpu"] for one in shards(end))) for end in ends]
        server = [each(end, end["server"]) for end in ends]
        # Of each shard's wall time: working, ready to but without a processor, asleep.
        part = lambda kind: [
            100 * sum(one[kind] for one in shards(end)) / end["seconds"] / threads for end in ends
        ]
        cpu, ready = part("cpu"), part("ready")
        asleep = [100 - one - other for one, other in zip(cpu, ready)]
        rows.append(
            [f"{threads} shard" + "s" * (threads > 1), middle(rate, 0), spread(rate, 0)]
            + [middle(values) for values in (own, shard, server)]
            + [f"{middle(values, 0)} %" for values in (cpu, ready, asleep)]
        )
    together = [middle(processes, 0), spread(processes, 0)]
    rows.append(["2 processes, 1 shard each", *together] + [""] * 6)
    heads = ["", "requests/s", "spread", "CPU µs/request", "the shards'", "nginx's"]
    return heads + ["shard works", "waits for a core", "sleeps"], rows


def small_pages(bench, section):
    say("1 KB pages")
    requests = 20_000 if bench.quick else 200_000
    runs, processes = one_and_two(bench, requests, path="/page.html")
    section.data["small pages"] = {**runs, "processes": processes}
    section.tables.append(by_shards(runs, processes))
    shard = {
        threads: [each(end, sum(one["cpu"] for one in shards(end))) for end in ends]
        for threads, ends in runs.items()
    }
    allowed = [2 * ratio for ratio in ratios(shard[1], shard[2])]
    section.text.append(
        f"*Small pages* (first table): {DOMAINS} domains, {WORKERS} at once, 1 KB, keep-alive."
        " The server and the thread that submits and takes share the two cores with the shards,"
        " so two shards can't be twice as fast here. The table shows whether a request costs"
        " more when there are two. Twice the shard's CPU time for a request when it is alone,"
        f" over that of both, is what two cores of their own would allow: {middle(allowed, 2)} ×"
        f" one ({spread(allowed, 2)}). This holds as far as shared memory and caches are not the"
        " limit, which this machine can't tell. *Waits for a core* is the kernel's figure"
        " (schedstat) of how long a shard was ready to run and had none."
    )
    section.goals.append(
        goal("two shards: what their CPU a request allows, × one (small pages)", "≥ 1.8",
             allowed, lambda ratio: ratio >= 1.8)
    )


def pages_to_inflate(bench, section):
    say("pages to inflate")
    source = random.Random(7)
    words = ["".join(source.choices("etaoinshrdlu", k=source.randint(2, 9))) for _ in range(3000)]
    popular = [1 / (rank + 1) for rank in range(len(words))]
    text = " ".join(source.choices(words, popular, k=120_000)).encode()
    packed = gzip.compress(text)
    requests = 1_000 if bench.quick else 6_000
    sizes = {"path": "/files/text.gz", "compressed": True}
    runs, processes = one_and_two(bench, requests, {"text.gz": packed}, **sizes)
    section.data["pages to inflate"] = {**runs, "processes": processes}
    section.tables.append(by_shards(runs, processes))
    rate = {
        threads: [end["requests"] / end["seconds"] for end in ends]
        for threads, ends in runs.items()
    }
    own = ratios(processes, rate[1])
    section.text.append(
        f"*Pages to inflate* (second table): gzip of {len(packed) >> 10} KiB that becomes"
        f" {len(text) >> 10} KiB. Here the shards do nearly all the work, so the throughput"
        " itself shows how two of them do beside one. Two processes with one shard each, which"
        " share nothing but nginx, tell what the machine has for it: together they are"
        f" {middle(own, 2)} × one ({spread(own, 2)})."
    )
    section.goals.append(
        goal("two shards, throughput × one (pages to inflate)", "≥ 1.8",
             ratios(rate[2], rate[1]), lambda ratio: ratio >= 1.8,
             f"two processes of one shard each: {middle(own, 2)} ×")
    )


def hot_domain(bench, section):
    say("a hot domain")
    small = 2_000 if bench.quick else 20_000
    rows = []
    for workers in (64, 320):
        sizes = {"path": "/page.html", "workers": workers, "domains": 1000, "window": 1000,
                 "each": small, "hot_parallelism": 64}
        # Alone, as many of them are held as beside the hot one: a tenth of the buffer.
        runs = rounds_of(
            {
                "alone": lambda: on_its_own_server(requests=small, buffer=102, **sizes),
                "beside": lambda: on_its_own_server(requests=10 * small, hot=90, **sizes),
            },
            bench.rounds,
        )
        section.data[f"hot domain, {workers} workers"] = runs
        for name, ends in runs.items():
            row = [f"{workers} workers, " + ("beside the hot one" if name == "beside" else name)]
            for figure in ("p50", "p99", "max"):
                row.append(middle([end["waits"][figure] / 1e3 for end in ends], 2))
            rate = [end["requests"] / end["seconds"] for end in ends]
            rows.append([*row, middle(rate, 0)])
        for figure, word in (("p50", "median"), ("p99", "99th percentile")):
            beside, alone = (
                [end["waits"][figure] for end in runs[name]] for name in ("beside", "alone")
            )
            values = ratios(beside, alone)
            section.goals.append(
                goal(f"wait of small domains beside a hot one, × alone: {word}, {workers} workers",
                     "≤ 2", values, lambda ratio: ratio <= 2)
            )
    heads = ["ms from submission to start, small domains", "median", "99th percentile", "longest"]
    section.tables.append((heads + ["requests/s in all"], rows))
    section.text.append(
        "*A hot domain* (third table): of each 100 jobs, 90 belong to one domain, which may"
        " have 64 in flight; the others are spread over 1,000 small domains, one in flight each."
        " There is no throttle, so everything queued may start as soon as there is a worker, and"
        " with 64 workers the hot domain could take them all. The time that a small domain's job"
        f" waits from submission to start tells whether it is starved. *Alone*: the {small:,}"
        " jobs of the small domains without the hot one. The wait before the stream is not"
        " counted: when a domain's jobs fill `buffer_size`, nothing behind them is known."
    )
