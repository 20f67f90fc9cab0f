"""What others do about a quota: a loop that sleeps when it was refused, and Celery's ``rate_limit``.

Both write one product with each call. The Celery app is run by ``python -m benchmarks.rivals NAME``: the ``celery``
command would want this project's settings.
"""

from __future__ import annotations

import os
import sys
import time

import requests
from celery import Celery

app = Celery("rivals", broker=os.environ.get("RIVALS_BROKER", "memory://"))
app.conf.update(task_ignore_result=True, worker_prefetch_multiplier=4, worker_concurrency=4, worker_pool="threads")

#: The product ids of a sandbox follow from the order in which they were added.
FIRST_ID = 101


def put(session: requests.Session, number: int) -> requests.Response:
    """One level by one PUT."""
    url = f"{os.environ['RIVALS_URL']}/stores/sandbox/v3/catalog/products/{number}"
    headers = {"X-Auth-Token": "sandbox-token"}
    return session.put(url, json={"inventory_level": 7}, headers=headers, timeout=30)


def loop(numbers: range, until: float) -> None:
    """One PUT after the other; a 429 is slept out and the call made again."""
    with requests.Session() as session:
        for number in numbers:
            while time.time() < until:
                response = put(session, number)
                if response.status_code != 429:
                    break
                time.sleep(int(response.headers["X-Rate-Limit-Time-Reset-Ms"]) / 1000)


@app.task(name="rivals.put_one", rate_limit=os.environ.get("RIVALS_RATE"))
def put_one(number: int) -> None:
    """One level; a refused one comes again."""
    with requests.Session() as session:
        response = put(session, number)
    if response.status_code == 429:
        put_one.apply_async((number,), countdown=int(response.headers["X-Rate-Limit-Time-Reset-Ms"]) / 1000)


if __name__ == "__main__":
    app.Worker(hostname=sys.argv[1], loglevel="ERROR", without_mingle=True, without_gossip=True).start()
