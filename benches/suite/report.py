"""What the sections gave, printed, kept in bench.json, and written as docs/benchmarks.md and
docs/benchmarks.svg."""

import json
import math
import os
import platform
import re
import subprocess
import time
from dataclasses import asdict
from html import escape
from pathlib import Path
from statistics import median

from . import peers
from .tools import PROGRAMS, ROOT, Goal, Plot, Section, say, table, which_nginx


# ---- what is kept ----


class Kept:
    """bench.json: for each section what its last run gave, and of which commit that was."""

    def __init__(self, path):
        self.path = path
        self.runs = {}
        if path.exists():
            self.runs = json.loads(path.read_text())["sections"]

    def keep(self, name, section, rounds):
        run = {"commit": commit(), "date": time.strftime("%Y-%m-%d"), "rounds": rounds}
        self.runs[name] = {**run, **asdict(section)}
        self.path.parent.mkdir(parents=True, exist_ok=True)
        whole = {"machine": machine(), "versions": versions(), "sections": self.runs}
        self.path.write_text(json.dumps(whole, indent=1, ensure_ascii=False) + "\n")

    def sections(self, order):
        """(name, Section) of those that were run."""
        return [(name, revived(self.runs[name])) for name in order if name in self.runs]


def revived(run):
    return Section(
        run["title"],
        run["text"],
        run["tables"],
        [Goal(**goal) for goal in run["goals"]],
        run["data"],
        run["plot"] and Plot(**run["plot"]),
    )


# ---- where it was measured ----


def said_by(*command):
    """The first line that a program says, or None."""
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    except OSError:
        return None
    return done.stdout.splitlines()[0] if done.returncode == 0 and done.stdout else None


def commit():
    here = ("git", "-C", str(ROOT))
    apart = (".", ":!docs/benchmarks.*")  # which the last run wrote
    changed = said_by(*here, "status", "--porcelain", "--untracked-files=no", "--", *apart)
    short = said_by(*here, "rev-parse", "--short", "HEAD") or "unknown"
    return short + (", with changes" if changed else "")


def machine():
    model = re.search(r"^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    kib = int(re.search(r"MemTotal:\s+(\d+)", Path("/proc/meminfo").read_text())[1])
    return {
        "CPU": model[1] if model else platform.machine(),
        "cores": str(len(os.sched_getaffinity(0))),
        "memory": f"{kib / 2**20:.0f} GiB",
        "kernel": f"{platform.system()} {platform.release()}",
    }


def versions():
    """Of all that was in play; what this machine does not have is left out."""
    program = which_nginx()
    own = {
        "rouet": commit(),
        "libcurl, with": said_by(str(PROGRAMS / "bare"), "--version"),
        "rustc": said_by("rustc", "--version"),
        "cc": said_by("cc", "--version"),
        "Go": said_by("go", "version"),
        "Node": said_by("node", "--version"),
        "Python": platform.python_version(),
        "nginx": program and said_by(program, "-v"),
    }
    # Their own names before the numbers are not wanted twice.
    names = r"^(rustc |cc |go version go|v(?=\d)|nginx version: nginx/)"
    own = {name: re.sub(names, "", said) for name, said in own.items() if said}
    return {**own, **peers.versions()}


# ---- on the screen ----


def show(section):
    for heads, rows in section.tables:
        say("")
        table(heads, rows)
    say("")
    for paragraph in section.text:
        say(paragraph)


def number(value):
    return f"{value:,.0f}" if value >= 100 else f"{value:#.3g}"


GOALS = ["what", "goal", "value", "spread", "met"]


def goal_row(goal):
    if goal.value is None:
        return [goal.what, goal.goal, "", "", "not measured"]
    unit = f" {goal.unit}" if goal.unit else ""
    between = f"{number(goal.spread[0])}–{number(goal.spread[1])}" if goal.spread else ""
    met = {True: "yes", False: "**no**", None: ""}[goal.met]
    return [goal.what, goal.goal + unit, number(goal.value) + unit, between, met]


def show_goals(sections):
    goals = [goal for section in sections for goal in section.goals]
    if goals:
        say("")
        rows = [[cell.strip("*") for cell in goal_row(goal)] for goal in goals]
        table(GOALS, rows)
        for goal in goals:
            if goal.note:
                say(f"{goal.what}: {goal.note}")


# ---- docs/benchmarks.svg ----

WIDTH, LEFT, RIGHT, TOP, ROW = 760, 180, 80, 84, 26
KINDS = {"ours": "rouet", "bare": "libcurl by itself", "peer": "peers"}
# The page around it may be light or dark whatever the reader's system is: it brings its own ground.
STYLE = """
    text { font: 13px system-ui, sans-serif; fill: #1f2328 }
    .ground { fill: #ffffff } .grid { stroke: #d1d9e0 } .faint { fill: #59636e; font-size: 12px }
    .title { font-size: 15px; font-weight: 600 } .whisker { stroke: #1f2328; stroke-width: 1.5 }
    .ours { fill: #2f6fdd } .bare { fill: #8b949e } .peer { fill: #d98e2b }
    @media (prefers-color-scheme: dark) {
      text { fill: #f0f6fc } .ground { fill: #0d1117 } .grid { stroke: #3d444d }
      .faint { fill: #9198a1 } .whisker { stroke: #f0f6fc }
      .ours { fill: #4c8dff } .bare { fill: #6e7681 } .peer { fill: #c27c1f }
    }
"""


def svg(plot):
    """Horizontal bars on a logarithmic scale, the shortest first, with their spread."""
    bars = sorted(plot.bars, key=lambda bar: median(bar[2]))
    ticks = [step * 10**power for power in range(-3, 7) for step in (1, 2, 5)]
    least, most = min(min(bar[2]) for bar in bars), max(max(bar[2]) for bar in bars)
    # From the second tick below the least, so that the shortest bar can be seen, to the first above.
    ticks = [tick for tick in ticks if least / 5 <= tick]
    ticks = ticks[: next(i for i, tick in enumerate(ticks) if tick >= most) + 1]
    start, end = ticks[0], ticks[-1]
    bottom = TOP + ROW * len(bars)

    def x(value):
        return LEFT + (WIDTH - LEFT - RIGHT) * math.log(value / start) / math.log(end / start)

    def text(at, y, words, anchor="start", kind=""):
        return (
            f'<text x="{at:.1f}" y="{y:.1f}" text-anchor="{anchor}" class="{kind}">'
            f"{escape(words)}</text>"
        )

    def line(x1, y1, x2, y2, kind):
        return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" class="{kind}"/>'

    size = f"{WIDTH} {bottom + 40}"
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {size}" role="img">',
        f"<title>{escape(plot.title)}: {escape(plot.unit)}</title>",
        f"<style>{STYLE}</style>",
        '<rect width="100%" height="100%" class="ground"/>',
        text(16, 28, plot.title, kind="title"),
    ]
    at = 16
    for kind, words in KINDS.items():
        parts.append(f'<rect x="{at}" y="44" width="14" height="14" rx="2" class="{kind}"/>')
        parts.append(text(at + 20, 56, words))
        at += 48 + 7 * len(words)
    parts += [line(at, 51, at + 20, 51, "whisker"), line(at, 47, at, 55, "whisker")]
    parts += [line(at + 20, 47, at + 20, 55, "whisker"), text(at + 28, 56, "spread of the rounds")]
    for tick in ticks:
        parts.append(line(x(tick), TOP - 6, x(tick), bottom + 4, "grid"))
        parts.append(text(x(tick), bottom + 18, f"{tick:g}", "middle", "faint"))
    parts.append(text(LEFT - 12, bottom + 18, f"{plot.unit}, log scale", "end", "faint"))
    for i, (label, kind, values) in enumerate(bars):
        top, value = TOP + ROW * i, median(values)
        centre = top + ROW / 2 - 1
        low, high = x(min(values)), x(max(values))
        parts += [
            text(LEFT - 12, centre + 4.5, label, "end"),
            f'<rect x="{LEFT}" y="{top + 3}" width="{x(value) - LEFT:.1f}" height="{ROW - 8}"'
            f' class="{kind}"/>',
            line(low, centre, high, centre, "whisker"),
            line(low, centre - 4, low, centre + 4, "whisker"),
            line(high, centre - 4, high, centre + 4, "whisker"),
            text(high + 8, centre + 4.5, number(value)),
        ]
    return "\n".join([*parts, "</svg>"]) + "\n"


# ---- docs/benchmarks.md ----


def markdown(heads, rows, numbers=True):
    """A table; all but its first column are to the right if they are numbers."""
    line = ["---"] + ["---:" if numbers else "---"] * (len(heads) - 1)
    return "\n".join("| " + " | ".join(cells) + " |" for cells in [heads, line, *rows])


def write(folder, kept, order):
    """Writes benchmarks.md there, and its charts."""
    files = {}
    sections = kept.sections(order)
    goals = [goal for _, section in sections for goal in section.goals]
    rows = [[*goal_row(goal), goal.note] for goal in goals]
    parts = [
        "<!-- Written by benches/bench: what is said here is in benches/suite. -->",
        "# Benchmarks",
        "`make bench` writes this page. Ratios travel between machines; absolute figures do"
        " not. What is compared is measured side by side in one round, and rounds alternate"
        " their order. A value is the median of all rounds, and its spread is the least and the"
        " most of them.",
        "## Goals",
        "The last column says what limits a goal that is not met."
        " [Decisions](decisions/README.md) has what was tried for it, with figures.",
        markdown([*GOALS, ""], rows, numbers=False),
    ]
    for name, section in sections:
        parts += [f"## {section.title}", *section.text]
        if section.plot:
            chart = "benchmarks.svg" if name == "requests" else f"benchmarks-{name}.svg"
            files[chart] = svg(section.plot)
            parts.append(f"![{section.plot.title}]({chart})")
        parts += [markdown(heads, rows) for heads, rows in section.tables]
        run = kept.runs[name]
        parts.append(
            f"By `benches/bench --rounds {run['rounds']} {name}` at commit {run['commit']}, on"
            f" {run['date']}."
        )
    parts += [
        "## The machine",
        markdown(["", ""], [list(pair) for pair in machine().items()], numbers=False),
        markdown(["", "version"], [list(pair) for pair in versions().items()], numbers=False),
        "## Again",
        "`make bench` runs everything; `benches/bench --help` says how to run a part. Peers"
        " that a machine can't have are skipped with a note.",
    ]
    files["benchmarks.md"] = "\n\n".join(parts) + "\n"
    folder.mkdir(parents=True, exist_ok=True)
    for file, text in files.items():
        (folder / file).write_text(text)
        say(f"written: {folder / file}")
