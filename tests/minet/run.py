"""Does jobs with minet: JSON lines in, JSON lines out, in the same order.

A job is {"kind": "request" or "resolve", "url": ..., "args": {...}}, the arguments being those of
minet's request or resolve. Only documented names of minet are used here.
"""

import codecs
import json
import sys

from minet.executors import HTTPThreadPoolExecutor

THREADS = 32


def text(value):
    """What JSON can carry: no halves of surrogate pairs."""
    if value is None:
        return None
    return value.encode("utf-8", "surrogatepass").decode("utf-8", "replace")


def stack(entries):
    return [[text(entry.url), entry.type, entry.status or 0] for entry in entries]


def encoding(response):
    try:
        return codecs.lookup(response.encoding).name
    except (LookupError, TypeError):
        return response.encoding


def outcome_of_request(result):
    if result.error_code is not None:
        return {"error": result.error_code}
    response = result.response
    outcome = {
        "error": None,
        "status": response.status,
        "end_url": text(response.end_url),
        "stack": stack(response.stack),
        "encoding": None,
        "text": None,
    }
    if response.is_text:
        try:
            outcome["encoding"] = encoding(response)
            outcome["text"] = text(response.text())
        except Exception as error:
            outcome["text"] = "raised " + type(error).__name__
    return outcome


def outcome_of_resolve(result):
    if result.error_code is not None:
        return {"error": result.error_code}
    return {
        "error": None,
        "end_url": text(result.stack[-1].url),
        "stack": stack(result.stack),
    }


def outcomes(kind, jobs):
    options = {
        "ordered": True,
        "throttle": 0,
        "domain_parallelism": THREADS,
        "key": lambda job: job["url"],
        kind + "_args": lambda payload: payload.item["args"],
    }
    # One of its own each time: an exception leaves an executor that does nothing any more.
    with HTTPThreadPoolExecutor(max_workers=THREADS, daemonic=True) as executor:
        if kind == "request":
            yield from map(outcome_of_request, executor.request(jobs, **options))
        else:
            yield from map(outcome_of_resolve, executor.resolve(jobs, **options))


def attempt(kind, jobs):
    """Does jobs at once. An exception ends all of them: the rest then starts again."""
    done = []
    while len(done) < len(jobs):
        try:
            done.extend(outcomes(kind, jobs[len(done) :]))
        except Exception:
            done.append(alone(kind, jobs[len(done)]))
    return done


def alone(kind, job):
    try:
        return next(outcomes(kind, [job]))
    except Exception as error:
        return {"error": "raised " + type(error).__name__}


def main():
    jobs = [json.loads(line) for line in sys.stdin]
    done = [None] * len(jobs)
    for kind in ("request", "resolve"):
        places = [place for place, job in enumerate(jobs) if job["kind"] == kind]
        for place, result in zip(places, attempt(kind, [jobs[place] for place in places])):
            done[place] = result
    for result in done:
        print(json.dumps(result))


if __name__ == "__main__":
    main()
