"""What examples/c/throughput.c does, with Python's aiohttp.

    aiohttp.py N CONCURRENCY URL
"""

import asyncio
import resource
import sys
import time

del sys.path[0]  # where this file would be found in aiohttp's place
import aiohttp

LENGTH = 1024  # of the page


def cpu():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


async def fetch(number, concurrency, url):
    """Gives the number of errors."""
    errors = 0
    left = iter(range(number))

    async def work(client):
        nonlocal errors
        for _ in left:
            try:
                async with client.get(url) as answer:
                    body = await answer.read()
                if answer.status != 200 or len(body) != LENGTH:
                    raise ValueError(f"status {answer.status}, {len(body)} bytes")
            except Exception as error:
                errors += 1
                if errors == 1:
                    print("aiohttp:", error, file=sys.stderr)

    connector = aiohttp.TCPConnector(limit=concurrency)
    timeout = aiohttp.ClientTimeout(total=30)
    jar = aiohttp.DummyCookieJar()
    async with aiohttp.ClientSession(connector=connector, timeout=timeout, cookie_jar=jar) as client:
        await asyncio.gather(*(work(client) for _ in range(concurrency)))
    return errors


def main():
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    number, concurrency, url = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    wall, used = time.perf_counter(), cpu()
    errors = asyncio.run(fetch(number, concurrency, url))
    wall, used = time.perf_counter() - wall, cpu() - used
    print(
        f"{number} requests, {errors} errors, {wall:.3f} s, {number / wall:.0f} requests/s, "
        f"{used * 1e6 / number:.2f} CPU us/request"
    )
    sys.exit(1 if errors else 0)


main()
