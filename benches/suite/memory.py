"""Resident memory over long streams."""

import random
from statistics import median

from .streams import descriptors, nginx, stream
from .tools import Section, build, goal, say, skipped

TITLE = "Memory"

MIB = 1 << 20


def measure(bench):
    build("all", "bare")
    limit = descriptors()
    section = Section(TITLE, text=[INTRODUCTION])
    small_pages(bench, limit, section)
    groups(bench, section)
    big_bodies(bench, section)
    return section


INTRODUCTION = (
    "`benches/stream.c` makes URLs on demand, through the C API, and looks at its own"
    " `/proc/self/status` at every 1/200 of the results. All memory is counted, including the"
    " program's own and the library's code (*file*); *anonymous* is what was allocated. The"
    " server is one nginx."
)


def small_pages(bench, limit, section):
    rows = []
    # Domains take turns: so many at once that all workers are busy, each for 100 URLs, and then
    # it does not come again before all 100,000 have had theirs.
    for requests, workers, window in ((10_000_000, 256, 800), (5_000_000, 4096, 5000)):
        requests = requests // 50 if bench.quick else requests
        what = f"resident memory at its peak, {workers:,} at once, small pages"
        least = workers + window + 200
        if limit < least:
            word = f"ulimit -Hn is {limit}: it takes {least}"
            section.goals.append(skipped(what, "≤ 64", word))
            continue
        say(f"{requests:,} URLs, {workers:,} at once")
        with nginx(connections=4 * window) as port:
            end = stream(
                port,
                path="/page.html",
                requests=requests,
                workers=workers,
                buffer=max(1024, window),
                domains=100_000,
                window=window,
                each=100,
                throttle=0.005,
            )
        samples = end["samples"]
        tenth = len(samples) // 10
        parts = [samples[tenth * n : tenth * (n + 1)] for n in (1, 5, 9)]
        second, middle, last = [median(one["resident"] for one in part) for part in parts]
        rows.append(
            [f"{requests:,} URLs, {workers:,} at once"]
            + [f"{value:.1f}" for value in (second, middle, last, end["peak"])]
            + [f"{median(one[kind] for one in parts[2]):.1f}" for kind in ("anonymous", "file")]
            + [f"{max(one['groups'] for one in samples):,}", f"{end['connections']:,}"]
        )
        section.data[f"{workers} workers"] = end
        note = ""
        if workers > 256:
            note = (
                "idle connections are kept, up to the limit of descriptors, here some 15,000, which"
                " takes the first third of the run; from its middle on it grew by"
                f" {100 * (last / middle - 1):.0f} % ({middle:.1f} to {last:.1f} MiB)"
            )
        section.goals.append(
            goal(
                f"{requests:,} URLs, {workers:,} at once: memory in the last tenth, × the second",
                "≤ 1.05",
                [last / second],
                lambda ratio: ratio <= 1.05,
                note,
            )
        )
        if workers == 256:
            section.goals.append(
                goal(what, "≤ 64", [end["peak"]], lambda mib: mib <= 64, unit="MiB")
            )
    heads = ["resident memory in MiB", "2nd tenth", "middle", "last tenth", "peak"]
    heads += ["anonymous", "file", "most groups", "connections"]
    section.tables.append((heads, rows))
    section.text.append(
        "*Small pages*: 100,000 domains, each another host at the same address by `dns`. A"
        " domain has 100 URLs, 5 ms apart, and then rests until all others have had their turn."
        " Groups and connections therefore come and go all the time, and most requests find"
        " their connection open. The table has the median of a tenth of the run; the peak is the"
        " kernel's own (VmHWM)."
    )


def groups(bench, section):
    """Each URL is its own domain, and the throttle is long beside the run."""
    requests, throttle = (2_000 if bench.quick else 20_000), 0.5
    with nginx() as port:
        ends = [
            stream(port, path="/page.html", requests=requests, domains=requests,
                   window=requests, each=1, throttle=throttle)
            for _ in range(bench.rounds)
        ]
    section.data["groups"] = ends
    late = [(end["no_group_after"] - throttle) * 1e3 for end in ends]
    most = median(max(one["groups"] for one in end["samples"]) for end in ends)
    section.text.append(
        f"*Groups*: {requests:,} URLs of as many domains, throttle {throttle} s. At most"
        f" {most:,.0f} of them had a state at a time (`pool_stats`). The value is the time from"
        " the end of the last result's throttle until the last state was gone. It may be below"
        " 0, because a result is taken a moment after its job has ended."
    )
    section.goals.append(
        goal("group state gone after its throttle, by", "≤ 10", late,
             lambda value: value <= 10, unit="ms")
    )


def big_bodies(bench, section):
    size, workers, buffered = 8 * MIB, 16, 64 * MIB
    requests = 60 if bench.quick else 300
    content = random.Random(1).randbytes(size)
    with nginx({"big": content}) as port:
        ends = [
            stream(port, path="/files/big", requests=requests, workers=workers, domains=workers,
                   window=workers, each=requests, bytes=buffered, batch=1, pause=20_000)
            for _ in range(bench.rounds)
        ]
    section.data["big bodies"] = ends
    bound = (buffered + (workers + 1) * size) / MIB
    over = [end["peak"] - end["baseline"] for end in ends]
    told = max(max(one["buffered"] for one in end["samples"]) for end in ends)
    section.text.append(
        f"*Big bodies*: {requests} of {size // MIB} MiB, {workers} at once, `max_buffered_bytes`"
        f" {buffered // MIB} MiB, and a consumer that takes one at a time with 20 ms for each,"
        f" which is slower than they come. Once {buffered // MIB} MiB wait, no job is started,"
        f" but those under way go on: {buffered // MIB} MiB, {workers} bodies under way and the"
        f" one in the consumer's hand make {bound:.0f} MiB. At most {told:.0f} MiB of results"
        f" waited; the process grew by {median(over):.0f} MiB at its peak. The difference is"
        " freed memory that is not yet used again or given back."
    )
    section.goals.append(
        goal("big bodies, slow consumer: peak memory, × what was allowed", "≤ 1.25",
             [one / bound for one in over], lambda ratio: ratio <= 1.25)
    )
