"""What others do about a quota: a loop that sleeps when it was refused, and Celery's ``rate_limit``.

Both write one product with each call. The Celery app is run by ``python -m benchmarks.rivals NAME``: the ``celery``
command would want this project's settings.
"""

from __future__ import annotations

import json
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


def official(numbers: range) -> None:
    """One PUT after the other by the official client, which sleeps out a 429 by itself if told to."""
    from bigcommerce.api import BigcommerceApi

    limits = {"min_requests_remaining": 2, "wait": True, "callback_function": None}
    api = BigcommerceApi(
        client_id="sandbox", store_hash="sandbox", access_token="sandbox-token", rate_limiting_management=limits
    )
    for number in numbers:
        url = f"{os.environ['RIVALS_URL']}/stores/sandbox/v3/catalog/products/{number}"
        api.connection.put(url, {"inventory_level": 7})


def put_all(way: str, count: int) -> dict[str, float]:
    """So many PUTs by one of the ways; processor seconds and seconds."""
    numbers = range(FIRST_ID, FIRST_ID + count)
    if way == "official":
        official(range(FIRST_ID, FIRST_ID + 1))  # so that its import does not count
    cpu_s, began = time.process_time(), time.perf_counter()
    if way == "official":
        official(numbers)
    else:
        loop(numbers, time.time() + 3600)
    return {"cpu_s": time.process_time() - cpu_s, "took_s": time.perf_counter() - began}


if __name__ == "__main__" and sys.argv[1] == "put":
    print(json.dumps(put_all(sys.argv[2], int(sys.argv[3]))))
elif __name__ == "__main__":
    app.Worker(hostname=sys.argv[1], loglevel="ERROR", without_mingle=True, without_gossip=True).start()
