"""What the sections gave, printed, kept in bench.json, and written as docs/benchmarks.md."""

import json
import os
import platform
import re
import subprocess
import time
from dataclasses import asdict
from pathlib import Path

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
    changed = said_by(*here, "status", "--porcelain", "--untracked-files=no")
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
    return {name: said for name, said in {**own, **peers.versions()}.items() if said}


# ---- on the screen ----


def show(section):
    for heads, rows in section.tables:
        say("")
        table(heads, rows)
    say("")
    for paragraph in section.text:
        say(paragraph)


def number(value):
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 20 else f"{value:.3g}"


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
        table(GOALS, [[cell.strip("*") for cell in goal_row(goal)] for goal in goals])


# ---- docs/benchmarks.md ----


def markdown(heads, rows, numbers=True):
    """A table; all but its first column are to the right if they are numbers."""
    line = ["---"] + ["---:" if numbers else "---"] * (len(heads) - 1)
    return "\n".join("| " + " | ".join(cells) + " |" for cells in [heads, line, *rows])


def write(folder, kept, order):
    """Writes benchmarks.md there."""
    sections = kept.sections(order)
    goals = [goal for _, section in sections for goal in section.goals]
    rows = [[*goal_row(goal), goal.note] for goal in goals]
    parts = [
        "<!-- Written by benches/bench: what is said here is in benches/suite. -->",
        "# Benchmarks",
        "This page is written by `make bench`. Ratios travel between machines, figures do not: what"
        " counts is measured side by side in one round, rounds alternate their order, and a value is"
        " the median of all rounds, with the least and the most of them as its spread.",
        "## Goals",
        markdown([*GOALS, ""], rows, numbers=False),
    ]
    for name, section in sections:
        parts += [f"## {section.title}", *section.text]
        parts += [markdown(heads, rows) for heads, rows in section.tables]
        run = kept.runs[name]
        parts.append(f"`benches/bench {name}`, {run['rounds']} rounds, commit {run['commit']}.")
    parts += [
        "## The machine",
        markdown(["", ""], [list(pair) for pair in machine().items()], numbers=False),
        markdown(["", "version"], [list(pair) for pair in versions().items()], numbers=False),
        "## Again",
        "`make bench` runs it all; `benches/bench --help` says how to run a part of it. Peers that"
        " a machine can't have are left out with a word.",
    ]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "benchmarks.md").write_text("\n\n".join(parts) + "\n")
    say(f"\nwritten: {folder / 'benchmarks.md'}")
