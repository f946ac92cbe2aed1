"""benches/stream.c, run and read: what the sections share that watch a long stream."""

import contextlib
import json
import resource
import subprocess
import tempfile
from pathlib import Path
from urllib.parse import urlsplit

from . import tools
from .tools import PROGRAMS, fail


def descriptors():
    """Raises this process's limit to what it may be, for those it starts; gives it."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


@contextlib.contextmanager
def nginx(files=None, **options):
    """nginx with its page of 1 KB and `files` more, a name and its bytes each; a name that ends in
    .gz is said to be compressed. Gives its port."""
    with tempfile.TemporaryDirectory() as directory:
        for name, content in (files or {}).items():
            (Path(directory) / name).write_bytes(content)
        server = (
            f"location /files/ {{ alias {directory}/; }}"
            f" location ~ ^/files/(.*\\.gz)$ {{ alias {directory}/$1;"
            " add_header Content-Encoding gzip; }"
        )
        with tools.nginx(server=server, **options) as url:
            yield urlsplit(url).port


def stream(port, **sizes):
    """Runs it to its end; gives its last line, with the samples in it. `threads` is then a dict of
    the names that threads have."""
    command = [str(PROGRAMS / "stream"), f"--port={port}"]
    for name, value in sizes.items():
        flag = "--" + name.replace("_", "-")
        command.append(flag if value is True else f"{flag}={value}")
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True)
    if done.returncode:
        fail(f"{' '.join(command)}: exit status {done.returncode}")
    *samples, end = [json.loads(line) for line in done.stdout.splitlines()]
    end["threads"] = {thread.pop("name"): thread for thread in end["threads"]}
    return {**end, "samples": samples}


def children_cpu():
    """The CPU time in seconds of all programs that this one has run to their end."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime
