"""CPU of TLS connections, and of requests on them, beside a bare libcurl loop."""

import contextlib
import json
import subprocess
import tempfile
from pathlib import Path

from .tools import (
    PROGRAMS,
    Section,
    attempt,
    build,
    fail,
    goal,
    middle,
    nginx,
    ratios,
    rounds_of,
    say,
    skipped,
    spread,
)

TITLE = "TLS and HTTP/2"

# Where systems have their bundle of authorities.
BUNDLES = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
)

PAGE = ("All work and no play. " * 47)[:1023]  # and a letter before it
CLOSE = "keepalive_timeout 0;"
NO_SESSIONS = "ssl_session_cache off; ssl_session_tickets off;"

# What is measured: its name, requests, how many at once, and of the server its protocol, what is
# added to its listen directive, and to its block.
ONE = "new connection, 1 authority"
ALL = "new connection, the system's authorities"
RESUMED, RESUMED_12 = "resumed connection, TLS 1.3", "resumed connection, TLS 1.2"
BURST = "new connections, 8 at once, TLS 1.3 tickets"
KEPT, H2 = "request on kept connections, HTTP/1.1", "request, HTTP/2"
PLAIN = "request on kept connections, HTTP/1.1, no TLS"
CASES = {
    ONE: (1_000, 1, "TLSv1.3", "", CLOSE + NO_SESSIONS),
    ALL: (1_000, 1, "TLSv1.3", "", CLOSE + NO_SESSIONS),
    RESUMED: (1_000, 1, "TLSv1.3", "", CLOSE),
    RESUMED_12: (1_000, 1, "TLSv1.2", "", CLOSE + "ssl_session_cache shared:sessions:1m;"),
    BURST: (1_000, 8, "TLSv1.3", "", CLOSE),
    KEPT: (30_000, 32, "TLSv1.3", "", ""),
    H2: (30_000, 32, "TLSv1.3", "http2", ""),
    PLAIN: (30_000, 32, None, "", ""),
}
GOALS = (
    (ONE, "CPU of a new TLS connection"),
    (RESUMED, "CPU of a resumed TLS connection"),
    (KEPT, "CPU of a request on kept TLS connections"),
    (H2, "CPU of an HTTP/2 request"),
)


class Authority:
    """A certificate authority for a test, and a server's certificate by it, in a directory."""

    def __init__(self, directory):
        self.file, self.key = directory / "ca.pem", directory / "key.pem"
        self.certificate = directory / "chain.pem"
        curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
        ca_key, request = directory / "ca-key.pem", directory / "request.pem"
        names = directory / "names"
        names.write_text("subjectAltName = IP:127.0.0.1, DNS:localhost\n")
        steps = (
            ("req", "-x509", *curve, "-keyout", ca_key, "-out", self.file, "-days", "30")
            + ("-subj", "/CN=Authority of a benchmark"),
            ("req", *curve, "-keyout", self.key, "-out", request, "-subj", "/CN=localhost"),
            ("x509", "-req", "-in", request, "-CA", self.file, "-CAkey", ca_key)
            + ("-set_serial", "1", "-days", "30", "-extfile", names, "-out", self.certificate),
        )
        for step in steps:
            try:
                why = attempt("openssl", *step)
            except FileNotFoundError:
                fail("no openssl: install it to run this")
            if why:
                fail(f"openssl {step[0]}: {why}")

    def beside_the_systems(self):
        """A bundle of the system's authorities and this one, and how many there are; or None."""
        bundle = next((Path(path) for path in BUNDLES if Path(path).exists()), None)
        if bundle is None:
            return None
        whole = bundle.read_text(errors="replace") + self.file.read_text()
        file = self.file.with_name("bundle.pem")
        file.write_text(whole)
        return file, whole.count("BEGIN CERTIFICATE")

    def nginx(self, protocol="TLSv1.3", listen="", server=""):
        """One nginx with a certificate; without TLS when `protocol` is None. The first letter of
        its page, of 1 KB, is r if the session was resumed, and a point if not."""
        page = f'default_type text/html; return 200 "${{ssl_session_reused}}{PAGE}";'
        server += f"location / {{ {page} }}"
        if protocol is None:
            return nginx(listen=listen, server=server)
        server += (
            f"ssl_certificate {self.certificate}; ssl_certificate_key {self.key};"
            f"ssl_protocols {protocol};"
        )
        return nginx(listen=f"ssl {listen}", server=server, scheme="https")


def tls(*words):
    command = [str(word) for word in (PROGRAMS / "tls", *words)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=600)
    if done.returncode:
        fail(f"{' '.join(command)}: exit status {done.returncode}")
    return json.loads(done.stdout)


def measure(bench):
    build("all", "bare")
    with tempfile.TemporaryDirectory() as directory, contextlib.ExitStack() as servers:
        authority = Authority(Path(directory))
        bundle = authority.beside_the_systems()
        players, urls = {}, {}
        for case, (number, at_once, protocol, listen, server) in CASES.items():
            if case == ALL and bundle is None:
                say(f"skipped: {ALL}: this system has no bundle of them")
                continue
            file = bundle[0] if case == ALL else authority.file
            urls[case] = servers.enter_context(authority.nginx(protocol, listen, server))
            words = (number // 20 if bench.quick else number, at_once, file, urls[case])
            for client in ("bare", "rouet"):
                players[case, client] = lambda client=client, words=words: tls(client, *words)
        came = rounds_of(players, bench.rounds)
        opened = count_opens(bundle, authority, urls[ONE])
    return report(came, bundle, opened)


def count_opens(bundle, authority, url):
    """How often the file of authorities was opened: (threads, connections) -> times."""
    file = bundle[0] if bundle else authority.file
    runs = {(threads, number): 0 for threads in (1, 2) for number in (1, 200)}
    for threads, number in runs:
        came = tls("rouet", number, 4, file, url, threads)
        if came["connections"] != number:
            fail(f"{came['connections']} connections for {number} requests")
        runs[threads, number] = came["opened"]
    return runs


def resumed(one):
    """The part of a run's connections that were."""
    return one["resumed"] / one["requests"]


def report(came, bundle, opened):
    cpu = {key: [one["cpu"] for one in runs] for key, runs in came.items()}
    rows, goals = [], []
    for case in dict.fromkeys(case for case, _ in came):
        ratio = ratios(cpu[case, "rouet"], cpu[case, "bare"])
        more = [ours - bare for ours, bare in zip(cpu[case, "rouet"], cpu[case, "bare"])]
        last = came[case, "rouet"][-1]
        rows.append(
            [case, middle(cpu[case, "bare"]), middle(cpu[case, "rouet"])]
            + [spread(cpu[case, "rouet"]), middle(ratio, 2), spread(ratio, 2), middle(more)]
            + [f"{last['requests']:,}", f"{last['connections']:,}"]
            + ["" if case in (KEPT, H2, PLAIN) else f"{100 * resumed(last):.0f} %"]
        )
    for case, what in GOALS:
        ratio = ratios(cpu[case, "rouet"], cpu[case, "bare"])
        what = f"{what}, × bare libcurl"
        note = "as without TLS: a request's own cost" if case in (KEPT, H2) else ""
        goals.append(goal(what, "≤ 1.25", ratio, lambda value: value <= 1.25, note))
    for case, (_, _, _, listen, _) in CASES.items():
        # What the table says of a case must be so.
        for client in ("bare", "rouet"):
            for one in came.get((case, client), []):
                if case in (ONE, ALL) and resumed(one) > 0:
                    fail(f"{case}, {client}: sessions were resumed")
                if case in (RESUMED, RESUMED_12) and resumed(one) < 0.95:
                    fail(f"{case}, {client}: only {100 * resumed(one):.0f} % were")
    what = "opens of the file of authorities, per thread, for 200 connections"
    opens = opened[2, 200] / 2
    goals.append(goal(what, "≤ 1", [max(opens, opened[1, 200])], lambda value: value <= 1))
    if bundle:
        more = ratios(cpu[ALL, "rouet"], cpu[ONE, "rouet"])
        what = f"CPU of a new connection with {bundle[1]} authorities, × with one"
        goals.append(goal(what, "≤ 1.25", more, lambda value: value <= 1.25))
    else:
        what = "CPU of a new connection with the system's authorities, × with one"
        goals.append(skipped(what, "≤ 1.25", "this system has no bundle of them"))

    of_all = f"; the system's are {bundle[1]} with the test's own" if bundle else ""
    times = ", ".join(
        f"{count} for {number} connection{'s' if number > 1 else ''} on {threads} "
        f"thread{'s' if threads > 1 else ''}"
        for (threads, number), count in opened.items()
    )
    text = [
        "CPU of the client, user and system, divided by its requests, against one nginx of one"
        " process on loopback. Its certificate is on the curve P-256, by an authority made for"
        f" the run. Pages have 1 KB. *1 authority* is a file with that one{of_all}. The bare loop"
        " is in `benches/tls.c` too: the same libcurl and OpenSSL, with one thread, as rouet has"
        " here.",
        "Where connections are new or resumed, the server closes each after its answer, so a"
        " request is a connection. nginx says of each page whether its session was resumed. A"
        " TLS 1.3 ticket is good for one connection, and nginx gives two: one connection at a"
        " time resumes all, which politeness makes the rule; of several at once some find no"
        " ticket. With TLS 1.2 curl asks for no tickets, and the server must keep the sessions.",
        "Where connections are kept, 32 requests at once go to one nginx after a first one"
        " alone, and HTTP/2 carries all on its connection. Without that first one each of the 32"
        " would open a connection, because none knows yet that the server speaks HTTP/2. With a"
        " `domain_parallelism` of 1, the default, this does not happen. The last line is the"
        " same without TLS: what rouet adds to a request does not depend on it.",
        "curl reads the authorities once for each thread of the pool, and again after a day."
        f" The kernel counted how often the file was opened: {times}.",
    ]
    heads = ["", "bare, CPU µs", "rouet, CPU µs", "spread", "× bare", "spread", "more, µs"]
    heads += ["requests", "connections", "resumed"]
    data = {f"{case}, {client}": runs for (case, client), runs in came.items()}
    data["opened"] = [[*key, count] for key, count in opened.items()]
    return Section(TITLE, text=text, tables=[(heads, rows)], goals=goals, data=data)
