"""How many webhooks the receiver takes, and whether good ones get through a flood of forged ones.

``celery -A sync serve`` with two processes, the embedded store, and senders in processes of their own. Run it with
``python -m benchmarks.receiver [--rate 500] [--seconds 10]``. The limits are 500 requests a second on two cores with
a 99th percentile of 100 ms, every one of them kept, and good requests answered under a flood.
"""

from __future__ import annotations

import argparse
import http.client
import json
import multiprocessing
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from channels.bigcommerce.sandbox.webhooks import signature
from sync.commands.sandbox import settings_table
from sync.storage import embedded

SECRET = "a-client-secret"
PATH = "/webhooks/store"

#: Connections of the good sender; BigCommerce keeps several, too.
CONNECTIONS = 16


class Request(NamedTuple):
    """One request as it goes out."""

    body: bytes
    headers: dict[str, str]


def events(count: int, secret: str) -> list[Request]:
    """Events about as many listings, signed with a secret."""
    made, now = [], int(time.time())
    for number in range(count):
        inventory = {"product_id": number + 1, "method": "relative", "value": -1}
        event = {
            "scope": "store/product/inventory/order/updated",
            "store_id": "1001",
            "data": {"type": "product", "id": number + 1, "inventory": inventory},
            "hash": f"{number:040x}",
            "created_at": now,
            "producer": "stores/abc123",
        }
        body = json.dumps(event).encode()
        made.append(Request(body, signature(secret, f"msg_{number}", now, body)))
    return made


class Answer(NamedTuple):
    """What became of one request."""

    status: int
    #: From when it was to be sent to its answer, so that a receiver that falls behind shows it.
    took_s: float


def send_at(port: int, rate: float, requests: list[Request]) -> list[Answer]:
    """Send requests at a steady rate over a few connections; gives every answer."""
    answers: list[Answer] = []
    began = time.perf_counter() + 0.2

    def work(first: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        connection.connect()
        connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for number in range(first, len(requests), CONNECTIONS):
            due = began + number / rate
            time.sleep(max(0.0, due - time.perf_counter()))
            connection.request("POST", PATH, requests[number].body, requests[number].headers)
            answer = connection.getresponse()
            answer.read()
            answers.append(Answer(answer.status, time.perf_counter() - due))
        connection.close()

    threads = [threading.Thread(target=work, args=(first,)) for first in range(CONNECTIONS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


def flood(port: int, until: float, sent: multiprocessing.Queue[int]) -> None:
    """Send forged requests as fast as the receiver answers, over eight connections."""
    requests = events(50, "guessed")
    counts = [0] * 8

    def work(place: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        while time.time() < until:
            request = requests[counts[place] % len(requests)]
            connection.request("POST", PATH, request.body, request.headers)
            answer = connection.getresponse()
            answer.read()
            assert answer.status == 401, answer.status
            counts[place] += 1

    threads = [threading.Thread(target=work, args=(place,)) for place in range(len(counts))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    sent.put(sum(counts))


@contextmanager
def receiver() -> Iterator[int]:
    """A receiver with two processes; gives its port."""
    folder = Path(tempfile.mkdtemp(prefix="receiver-"))
    table = {"type": "bigcommerce", "store_hash": "abc123", "access_token": "x", "client_secret": SECRET}
    (folder / "sync.toml").write_text(settings_table("store", table), "utf-8")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    env = {name: value for name, value in os.environ.items() if not name.startswith("SYNC_")}
    command = [sys.executable, "-m", "celery", "-A", "sync", "serve", "--port", str(port), "--workers", "2"]
    process = subprocess.Popen(command, cwd=folder, env=env)
    try:
        wait_for_health(port)
        yield port
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)
        embedded.stop(folder / "var")


def wait_for_health(port: int) -> None:
    for _ in range(200):
        try:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
            connection.request("GET", "/readyz")
            if connection.getresponse().status == 200:
                return
        except OSError:
            pass
        time.sleep(0.05)
    raise SystemExit("the receiver does not start")


def report(what: str, answers: list[Answer], seconds: float) -> None:
    took = sorted(1000 * answer.took_s for answer in answers)
    statuses = dict(Counter(answer.status for answer in answers))
    middle, late = statistics.median(took), took[int(len(took) * 0.99) - 1]
    print(f"{what}: {len(answers)} requests, {len(answers) / seconds:.0f} a second, {statuses}")
    print(f"  median {middle:.1f} ms, 99th percentile {late:.1f} ms, longest {took[-1]:.1f} ms")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rate", type=float, default=500, help="good requests a second")
    parser.add_argument("--seconds", type=float, default=10)
    options = parser.parse_args()
    with receiver() as port:
        good = events(int(options.rate * options.seconds), SECRET)
        report("Good requests", send_at(port, options.rate, good), options.seconds)
        again = send_at(port, options.rate, good[: int(options.rate * 3)])
        report("The same again (repetitions)", again, 3)
        sent: multiprocessing.Queue[int] = multiprocessing.Queue()
        flooding = multiprocessing.Process(target=flood, args=(port, time.time() + options.seconds, sent))
        flooding.start()
        answers = send_at(port, 50, [*good[: int(50 * (options.seconds - 1))]])
        forged = sent.get()
        flooding.join()
        report(f"Good requests under {forged / options.seconds:.0f} forged ones a second", answers, options.seconds - 1)


if __name__ == "__main__":
    main()
