"""What examples/c/throughput.c and examples/c/fetch.c do, with the executors of Python's minet.

    minet.py N CONCURRENCY URL
    minet.py --polite THROTTLE CONCURRENCY PORT < URLS

The second one connects to 127.0.0.1:PORT whatever the host is, as curl's --connect-to does.
"""

import itertools
import resource
import socket
import sys
import time

del sys.path[0]  # where this file would be found in minet's place
from minet.executors import HTTPThreadPoolExecutor


LENGTH = 1024  # of the page


def wrong(answer, length):
    if answer.status != 200:
        return f"status {answer.status}"
    if length is not None and len(answer.body) != length:
        return f"{len(answer.body)} bytes"
    return None


def cpu():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def connect_to(port):
    """Has every name mean that port of this machine, without asking anyone."""

    def getaddrinfo(host, service, *_, **__):
        address = ("127.0.0.1", port)
        return [(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", address)]

    socket.getaddrinfo = getaddrinfo


def main():
    if len(sys.argv) == 5 and sys.argv[1] == "--polite":
        throttle, concurrency = float(sys.argv[2]), int(sys.argv[3])
        connect_to(int(sys.argv[4]))
        urls = map(str.strip, sys.stdin)
        parallelism, length = 1, None
    elif len(sys.argv) == 4:
        number, concurrency, url = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
        throttle, parallelism, length = 0, concurrency, LENGTH
        urls = itertools.repeat(url, number)
    else:
        sys.exit(__doc__)

    wall, used = time.perf_counter(), cpu()
    done = errors = 0
    with HTTPThreadPoolExecutor(max_workers=concurrency) as executor:
        for result in executor.request(urls, throttle=throttle, domain_parallelism=parallelism):
            done += 1
            why = result.error_code if result.error is not None else wrong(result.response, length)
            if why:
                errors += 1
                if errors == 1:
                    print("minet:", why, file=sys.stderr)
    wall, used = time.perf_counter() - wall, cpu() - used
    print(
        f"{done} requests, {errors} errors, {wall:.3f} s, {done / wall:.0f} requests/s, "
        f"{used * 1e6 / done:.2f} CPU us/request"
    )
    sys.exit(1 if errors else 0)


main()
