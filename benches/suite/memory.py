"""Resident memory over long runs."""

import resource

from .tools import PROGRAMS, Section, build, goal, middle, nginx, sample_memory, say, skipped

TITLE = "Memory"


def measure(bench):
    build("all")
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    rows, data, peak = [], {}, None
    for number, concurrency in ((1_000_000, 256), (400_000, 4096)):
        number = number // 10 if bench.quick else number
        if hard < concurrency + 100:
            say(f"skipped: {concurrency} at once: ulimit -Hn is {hard}")
            continue
        with nginx(connections=2 * concurrency) as url:
            samples, status = sample_memory([PROGRAMS / "throughput", number, concurrency, url])
        # What a thing is in a tenth of the run: the second, the middle, the last.
        tenth = len(samples) // 10
        parts = [samples[tenth * n : tenth * (n + 1)] for n in (1, 5, 9)]
        resident, own = [[[one[i] for one in part] for part in parts] for i in (0, 1)]
        name = f"{number:,} requests, {concurrency} at once" + (", with errors" if status else "")
        rows.append(
            [name]
            + [middle(part) for part in resident]
            + [f"{samples[-1][2]:.1f}", middle(own[2])]
        )
        data[name] = samples
        if concurrency == 256:
            peak = samples[-1][2]
    what, limit = "resident memory at 256 at once, small pages", "≤ 64"
    return Section(
        TITLE,
        tables=[(["MiB resident", "start", "middle", "end", "peak", "anonymous at end"], rows)],
        goals=[
            goal(what, limit, [peak], lambda mib: mib <= 64, unit="MiB")
            if peak
            else skipped(what, limit, f"ulimit -Hn is {hard}")
        ],
        data=data,
    )
