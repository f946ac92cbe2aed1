"""The scheduler by itself, with up to a million groups, under a virtual clock; and what a job takes
while it is held."""

import json
import subprocess

from .tools import PROGRAMS, ROOT, Section, build, fail, goal, middle, rounds_of

TITLE = "The scheduler"

GROUPS = (1_000, 10_000, 100_000, 1_000_000)
LOADS = {
    "pool": "1024 buffered",
    "buffered": "all buffered",
    "resting": "all buffered, groups resting",
}
URL = 60  # bytes of each URL of the jobs held

TEXT = (
    "`benches/schedule.rs` runs the scheduler alone (`src/schedule/`), under a virtual clock,"
    " with ten jobs a group and at least 100,000 jobs. A *decision* is counted in two ways. By"
    " *job*: the CPU time of one push, one start with the looks that find nothing to start (two"
    " a job), and one end, with the simulation around them. By *call*: the mean of each kind of"
    " call, of a sample of one in 64, without its slowest hundredth.",
    "*1024 buffered* is what a pool does by default on two cores: 128 workers, 0.2 s between"
    " the jobs of a group, jobs of 0.05 to 0.15 s. *All buffered* is the same with an endless"
    " buffer, so that all groups are alive from the start. *Resting* keeps nearly all of them"
    " waiting for their throttle, each with a timer. *Uniform* and *zipf* (shares of k^-0.8) are"
    " shuffled. *Clustered* has the jobs of zipf, but each group's in one run, as in a sorted"
    " list.",
    "No policy can beat the *bound*: the work over the workers, or the largest group's jobs one"
    " after the other with the throttle between. A buffer of 1024 is enough for shuffled input."
    " Of a sorted list it sees few groups at a time: shuffle such a list, or give the stream a"
    " larger `buffer_size`. With everything buffered and more groups than workers can serve, the"
    " groups take turns, and the largest gets no more turns than the others while all have jobs"
    " left. That is fair, but not the shortest.",
    "With everything buffered each job is met twice, each time in memory that no cache holds."
    " The time rises with that, not with the number of groups by itself.",
    "In `benches/buffered.c` a real pool whose one worker is busy accepts a million jobs with"
    f" URLs of {URL} bytes, and the program looks at its resident memory.",
)


def lines_of(command, **options):
    done = subprocess.run(
        [str(word) for word in command], stdout=subprocess.PIPE, text=True, timeout=1800, **options
    )
    if done.returncode:
        fail(f"{command[0]}: exit status {done.returncode}")
    return [json.loads(line) for line in done.stdout.splitlines()]


def run_of(lines, load, input, groups):
    key = {"measure": "run", "load": load, "input": input, "groups": groups}
    return next(line for line in lines if key.items() <= line.items())


def worst(lines, loads, value):
    """The greatest value of a round's runs under these loads."""
    return max(value(line) for line in lines if line["measure"] == "run" and line["load"] in loads)


def a_call(line):
    return max(line["push_ns"], line["start_ns"], line["end_ns"])


def rise(lines, loads, sizes):
    """The most that a job of the most groups costs more than one of the fewest."""
    inputs = ("uniform", "zipf", "clustered")
    few, many = sizes[0], sizes[-1]
    return max(
        run_of(lines, load, input, many)["cycle_ns"] / run_of(lines, load, input, few)["cycle_ns"]
        for load in loads
        for input in inputs
    )


def measure(bench):
    build("library", "buffered")
    sizes = GROUPS[:2] if bench.quick else GROUPS
    jobs = 100_000 if bench.quick else 1_000_000
    command = ["cargo", "bench", "--locked", "--quiet", "--bench", "schedule", "--"]
    if bench.quick:
        command.append("--quick")
    held = {
        f"{domains:,} domain{'s' * (domains > 1)}{', own options' * bool(own)}": [
            PROGRAMS / "buffered",
            jobs,
            domains,
            URL,
            *own,
        ]
        for domains, own in ((1, []), (1_000, []), (jobs, []), (1_000, ["--options"]))
    }
    came = rounds_of(
        {
            "schedule": lambda: lines_of(command, cwd=ROOT),
            "buffered": lambda: {name: lines_of(words)[0] for name, words in held.items()},
        },
        bench.rounds,
    )
    rounds, buffered = came["schedule"], came["buffered"]

    rows = []
    for load, name in LOADS.items():
        for input in ("uniform", "zipf", "clustered"):
            for groups in sizes:
                runs = [run_of(lines, load, input, groups) for lines in rounds]

                def each(key, digits=0):
                    return middle([run[key] for run in runs], digits)

                rows.append(
                    [f"{groups:,} groups, {input}, {name}", f"{runs[0]['jobs']:,}"]
                    + [each(key) for key in ("cycle_ns", "push_ns", "start_ns", "end_ns")]
                    + [f"{runs[0]['peak_groups']:,}", f"{runs[0]['groups_left']}"]
                    + [f"{runs[0][key] / 2**20:,.1f}" for key in ("peak_bytes", "bytes_left")]
                    + [each("ratio", 3)]
                )
    memory = [line for line in rounds[0] if line["measure"] == "memory"]
    all_held = {name: [one[name]["bytes"] for one in buffered] for name in held}
    of_a_job = [max(one - URL for one in ones) for ones in zip(*list(all_held.values())[:2])]

    def each_round(value):
        return [value(lines) for lines in rounds]

    one_us = lambda value: value <= 1000  # noqa: E731
    twice = lambda value: value <= 2  # noqa: E731
    most = f"{sizes[-1]:,}"
    every, default = tuple(LOADS), ("pool",)
    bound = [run_of(lines, "pool", "zipf", sizes[-1])["ratio"] for lines in rounds]
    left = each_round(lambda lines: worst(lines, every, lambda line: line["groups_left"]))
    kept = each_round(lambda lines: worst(lines, every, lambda line: line["bytes_left"] / 2**20))
    return Section(
        TITLE,
        text=list(TEXT),
        tables=[
            (
                ["", "jobs", "job, ns", "push, ns", "start, ns", "end, ns", "live groups"]
                + ["left", "peak, MiB", "left, MiB", "× bound"],
                rows,
            ),
            (
                ["in the scheduler", "bytes a queued job", "bytes a live group"],
                [
                    [f"{line['groups']:,} groups"]
                    + [f"{line[key]:.0f}" for key in ("job_bytes", "group_bytes")]
                    for line in memory
                ],
            ),
            (
                [f"{jobs:,} jobs held by a pool", "bytes a job", "without its URL"],
                [
                    [name, middle(values, 0), middle([value - URL for value in values], 0)]
                    for name, values in all_held.items()
                ],
            ),
        ],
        goals=[
            goal("scheduler, a job, 1024 buffered", "≤ 1000",
                 each_round(lambda lines: worst(lines, default, lambda line: line["cycle_ns"])),
                 one_us, "the worst over all inputs and numbers of groups", "ns"),
            goal("scheduler, a call, everything buffered too", "≤ 1000",
                 each_round(lambda lines: worst(lines, every, a_call)),
                 one_us, "the same; 852 on 2026-11-23, when bare libcurl took 12 µs a request", "ns"),
            goal("scheduler, a job, everything buffered", "≤ 1000",
                 each_round(lambda lines: worst(lines, every[1:], lambda line: line["cycle_ns"])),
                 one_us, "limited by cache misses; huge pages would take a quarter off", "ns"),
            goal(f"scheduler, {most} groups, 1024 buffered, × {sizes[0]:,}", "≤ 2",
                 each_round(lambda lines: rise(lines, default, sizes)), twice,
                 "CPU a job, the worst of all inputs"),
            goal(f"scheduler, {most} groups, everything buffered, × {sizes[0]:,}", "≤ 2",
                 each_round(lambda lines: rise(lines, every[1:], sizes)), twice,
                 "limited by cache misses: a thousand groups fit in them"),
            goal(f"makespan of {most} groups, zipf, 1024 buffered, × its bound", "≤ 1.05",
                 bound, lambda value: value <= 1.05),
            goal("live groups after a run", "0", left, lambda value: value == 0),
            goal("memory kept by the scheduler after a run", "≤ 1", kept,
                 lambda value: value <= 1, unit="MiB"),
            goal("memory a job held, without its URL", "≤ 200", of_a_job,
                 lambda value: value <= 200, "the worse of one domain and a thousand", "bytes"),
        ],
        data={"schedule": rounds, "buffered": buffered},
    )
