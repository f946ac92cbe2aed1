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

MINET_THREADS = 64


def measure(bench):
    build("all", "site")
    section = Section(TITLE, text=[INTRODUCTION])
    try:
        minet_command = peers.minet()
    except peers.Absent as why:
        minet_command = None
        say(f"skipped: minet: {why}")
    rows = []
    number, domains = (400, 20) if bench.quick else (4_000, 200)
    ours, bound = compare(section, rows, minet_command, bench.rounds, number, domains, 0.05)
    over = [seconds / bound for seconds in ours["seconds"]]
    section.goals += [
        goal("polite run, × its lower bound", "≤ 1.05", over, lambda value: value <= 1.05),
        goal("polite run, CPU a URL", "≤ 100", ours["cpu"], lambda cpu: cpu <= 100,
             "1.3 to 1.5 wake-ups a URL; a bare one took 15 µs, and each finds the caches cold;"
             " 45 % is the kernel's, four system calls a wait the `polling` crate's (4 µs a URL)",
             "µs"),
    ]
    number, domains = (4_000, 200) if bench.quick else (40_000, 2_000)
    compare(section, rows, minet_command, bench.rounds, number, domains, 0.01)
    heads = ["", "s", "× bound", "spread", "CPU, µs a URL", "spread", "smallest gap, ms"]
    section.tables.append((heads, rows))
    return section


INTRODUCTION = (
    "`examples/c/fetch.c` and minet's executor fetch the same URLs from the test site over real"
    " sockets. Each domain is another host, all at one address. The number of URLs of a domain"
    " follows Zipf's law (exponent 0.8), and their order is shuffled. The lower bound is the"
    " busiest domain's (n − 1) · throttle. It contains no time for the requests themselves,"
    " although the throttle begins anew after each. CPU covers the whole process with its start"
    " and its report on each URL. The site's log tells when each request came, and gives the"
    " smallest gap between two requests to one domain. Most of the CPU is waking up: with a"
    " request every few milliseconds, each step (a group's time has come, an answer is there, a"
    " result can be taken) finds the processor asleep and its caches cold. A busier machine"
    " takes less CPU a URL."
)


def compare(section, rows, minet_command, rounds, number, domains, throttle):
    """Runs both over that many URLs; gives our figures and the lower bound."""
    pages = subprocess.check_output(
        [PROGRAMS / "site", "urls", "--count", str(number), "--domains", str(domains)], text=True
    ).replace("/page/", "/bytes/1000?")
    # minet refuses .test; under .arpa each name is a domain just as well, and no one can own it.
    pages = pages.replace(".test/", ".arpa/")
    busiest = max(Counter(urlsplit(url).hostname for url in pages.split()).values())
    bound = (busiest - 1) * throttle

    def rouet(port, directory):
        (directory / "urls").write_text(pages.replace(".arpa/", f".arpa:{port}/"))
        command = [PROGRAMS / "fetch", "--throttle", throttle, "--report", directory / "report"]
        command += ["--dns", f"*:{port}:127.0.0.1", directory / "urls"]
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
            command = [*minet_command, "--polite", throttle, MINET_THREADS, port]
            came = run(command, stdin=urls)
        if came.requests != number:
            fail(f"minet: {came.requests:.0f} results")
        return came.seconds, came.cpu

    players = {"rouet (fetch)": lambda: on_the_site(rouet)}
    if minet_command:
        players[f"minet, {MINET_THREADS} threads"] = lambda: on_the_site(minet)
    what = f"{number:,} URLs on {domains:,} domains"
    text = (
        f"{what}, {throttle} s apart; the busiest domain has {busiest:,}: at least {bound:.2f} s."
    )
    say(text)
    section.text.append(text)
    data = section.data[what] = {}
    for name, came in rounds_of(players, rounds).items():
        seconds, cpu = [one[0][0] for one in came], [one[0][1] for one in came]
        gaps = [one[1] for one in came]
        ratio = [one / bound for one in seconds]
        data[name] = {"seconds": seconds, "cpu": cpu, "gap": gaps}
        rows.append(
            [f"{what}: {name}", middle(seconds, 2), middle(ratio, 3), spread(ratio, 3)]
            + [middle(cpu, 0), spread(cpu, 0), f"{min(gaps):.2f}"]
        )
    return data["rouet (fetch)"], bound
