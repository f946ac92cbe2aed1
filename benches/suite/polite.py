"""A polite run over domains of very different sizes, against its lower bound."""

import subprocess
from collections import Counter
from urllib.parse import urlsplit

from . import peers
from .tools import (
    PROGRAMS,
    Section,
    build,
    fail,
    goal,
    middle,
    on_the_site,
    rounds_of,
    run,
    say,
    spread,
    timed,
)

TITLE = "A polite run"

THROTTLE, MINET_THREADS = 0.05, 64


def measure(bench):
    build("all", "site")
    number, domains = (400, 20) if bench.quick else (4_000, 200)
    pages = subprocess.check_output(
        [PROGRAMS / "site", "urls", "--count", str(number), "--domains", str(domains)], text=True
    ).replace("/page/", "/bytes/1000?")
    # minet refuses .test; under .arpa each name is a domain just as well, and no one can own it.
    pages = pages.replace(".test/", ".arpa/")
    busiest = max(Counter(urlsplit(url).hostname for url in pages.split()).values())
    bound = (busiest - 1) * THROTTLE

    def rouet(port, directory):
        (directory / "urls").write_text(pages)
        command = [PROGRAMS / "fetch", "--throttle", THROTTLE, "--report", directory / "report"]
        command += ["--connect-to", f"::127.0.0.1:{port}", directory / "urls"]
        seconds, cpu, status = timed(command)
        statuses = Counter(
            line.split(",")[2] for line in (directory / "report").read_text().splitlines()[1:]
        )
        if status or statuses != {"200": number}:
            fail(f"fetch: exit status {status}, statuses {dict(statuses)}")
        return seconds, cpu * 1e6 / number

    def minet(port, directory):
        (directory / "urls").write_text(pages)
        with (directory / "urls").open() as urls:
            command = [*minet_command, "--polite", THROTTLE, MINET_THREADS, port]
            came = run(command, stdin=urls)
        if came.requests != number:
            fail(f"minet: {came.requests:.0f} results")
        return came.seconds, came.cpu

    players = {"rouet (fetch)": lambda: on_the_site(rouet)}
    try:
        minet_command = peers.minet()
        players[f"minet, {MINET_THREADS} threads"] = lambda: on_the_site(minet)
    except peers.Absent as why:
        say(f"skipped: minet: {why}")
    text = (
        f"{number} URLs on {domains} domains, {THROTTLE} s apart; the busiest domain has"
        f" {busiest}: at least {bound:.2f} s."
    )
    say(text)
    rows, data = [], {}
    for name, came in rounds_of(players, bench.rounds).items():
        seconds, cpu = [one[0][0] for one in came], [one[0][1] for one in came]
        gaps = [one[1] for one in came]
        ratio = [one / bound for one in seconds]
        data[name] = {"seconds": seconds, "cpu": cpu, "gap": gaps}
        rows.append(
            [name, middle(seconds, 2), middle(ratio, 3), spread(ratio, 3)]
            + [middle(cpu, 0), spread(cpu, 0), f"{min(gaps):.2f}"]
        )
    ours = data["rouet (fetch)"]
    over = [seconds / bound for seconds in ours["seconds"]]
    return Section(
        TITLE,
        text=[text],
        tables=[
            (
                ["", "s", "× bound", "spread", "CPU, µs a URL", "spread", "smallest gap, ms"],
                rows,
            )
        ],
        goals=[
            goal("polite run, × its lower bound", "≤ 1.05", over, lambda value: value <= 1.05),
            goal(
                "polite run, CPU a URL", "≤ 100", ours["cpu"], lambda cpu: cpu <= 100, unit="µs"
            ),
        ],
        data=data,
    )
