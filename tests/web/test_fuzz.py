"""Ten thousand requests that are no events: each is refused, and none breaks anything."""

from __future__ import annotations

import json
import random
import time
from collections import Counter

from channels.bigcommerce.webhooks import BODY_HEADER, ID_HEADER, SECRET_HEADER, SIGNATURE_HEADER, TIME_HEADER
from tests.web.conftest import Desk, signed

REQUESTS = 10_000

SCRAPS = [
    *("", " ", "v1", "v1,", ",", "v1,AAAA", "v1,AAAA v1,BBBB", "-1", "0", "9" * 40, "1e9", "NaN", "ÿ", "\x7f", "١٢٣"),
    *("store", "../store", "%00", "a" * 5000, "'; DROP TABLE", "{}", "null", "\t", "v1," + "A" * 2000, "v1,=", "v2,x"),
]
HEADERS = [ID_HEADER, TIME_HEADER, SIGNATURE_HEADER, SECRET_HEADER, BODY_HEADER, "Content-Type", "X-Forwarded-For"]
CHANNELS = ["store"] * 6 + ["", "market", "nobody", "a/b", "%2F", "%ff%fe", "store/", "x" * 300, "ünï", "store?a=b"]
VALUES: list[object] = [
    *(None, True, -1, 0, 7, 2**31, 2**63, 10**400, 1.5, "", "7", "p7", "ÿ", "\ud800", "a" * 3000, [], [[]], {}),
    *({"product_id": 7}, {"product_id": "7"}, {"variant_id": 1}, "store/product/inventory/updated", "stores/abc123"),
]
KEYS = ["scope", "producer", "data", "hash", "created_at", "store_id", "inventory", "sku", "id", "type"]


def test_ten_thousand_malformed_requests_find_no_server_error(desk: Desk) -> None:
    chance = random.Random(4)
    statuses: Counter[int] = Counter()
    for _ in range(REQUESTS):
        body = a_body(chance, desk)
        headers = some_headers(chance, body)
        answer = desk.client.open(
            f"/webhooks/{chance.choice(CHANNELS)}",
            method=chance.choice(["POST"] * 12 + ["GET", "PUT", "HEAD", "OPTIONS", "DELETE"]),
            data=body,
            headers=headers,
        )
        if answer.request.method != "OPTIONS":
            assert answer.data == b""
        statuses[answer.status_code] += 1
    assert all(status < 500 for status in statuses), statuses
    assert statuses[401] > 1000
    assert statuses[400] > 300
    assert sum(desk.counted().values()) >= REQUESTS - statuses[200] - statuses[308]


def some_headers(chance: random.Random, body: bytes) -> list[tuple[str, str]]:
    """None, some scraps, or a right signature, perhaps with a scrap among it."""
    headers = signed(body) if chance.random() < 0.3 else {}
    if chance.random() < 0.1:
        headers = signed(body, at=time.time() + chance.choice([-400, 400, -86_400]))
    if not headers or chance.random() < 0.2:
        for name in chance.sample(HEADERS, chance.randrange(len(HEADERS))):
            headers[name] = "".join(part for part in chance.choice(SCRAPS) if part.isprintable())
    return list(headers.items())


def a_body(chance: random.Random, desk: Desk) -> bytes:
    """Noise, half an event, or an event with something else in its place."""
    kind = chance.randrange(5)
    if kind == 0:
        return chance.randbytes(chance.randrange(200))
    if kind == 1:
        return b" " * chance.choice([0, 1, 64 * 1024, 64 * 1024 + 1, 100_000])
    if kind == 2:
        return chance.choice([b"[" * 50_000, b"1" * 60_000, b'{"scope":' * 5000, b'"\\ud800"', b'{"scope":"\\u0000"}'])
    event = desk.event()
    for _ in range(chance.randrange(1, 4)):
        event[chance.choice(KEYS)] = chance.choice(VALUES)
    text = json.dumps(event).encode()
    return text[: chance.randrange(len(text))] if kind == 3 else text
