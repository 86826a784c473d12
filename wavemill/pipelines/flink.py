"""Flink's REST interface, as far as we need it: a job ends with the driver that wants its results.

Beam's job server takes a job back without telling Flink, which would go on with it.
"""

import contextlib
import json
import re
import time
import urllib.request
from typing import Any

ENDED = ("CANCELED", "FINISHED", "FAILED")
ANSWER_SECONDS = 5.0


def cancel_jobs(master: str, name: str, wait_seconds: float) -> int:
    """Cancel the jobs of a name that run; return how many there were.

    Args:
        master: host and port of the job manager's REST interface, or its URL.
        name: of the jobs.
        wait_seconds: how long to wait for their end; writers that end later can do no harm, as all
            files appear whole, but they would take the new job's room.

    Raises:
        OSError: the job manager does not answer.

    """
    page = master if re.match("https?://", master) else f"http://{master}"
    running = _running(page, name)
    for job in running:
        _ask(f"{page}/jobs/{job}?mode=cancel", "PATCH")
    ends = time.monotonic() + wait_seconds
    while running and time.monotonic() < ends and _running(page, name):
        time.sleep(0.2)
    return len(running)


def _running(page: str, name: str) -> list[str]:
    jobs = _ask(f"{page}/jobs/overview", "GET")["jobs"]
    return [job["jid"] for job in jobs if job["name"] == name and job["state"] not in ENDED]


def _ask(url: str, method: str) -> Any:
    request = urllib.request.Request(url, method=method)  # noqa: S310 - what the user gave
    with urllib.request.urlopen(request, timeout=ANSWER_SECONDS) as answer:  # noqa: S310
        text = answer.read()
    with contextlib.suppress(ValueError):
        return json.loads(text)
    return {}
