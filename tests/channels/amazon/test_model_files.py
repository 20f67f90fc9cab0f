"""Every request that the adapter sends, and every answer of the mock, is as Amazon's own model files say.

The files (github.com/amzn/selling-partner-api-models) are not part of this repository. They are looked for where the
environment variable AMAZON_MODELS says, and else beside the repository under ``shared/specs/amazon``.
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import pytest
import requests

from channels.amazon.sandbox import AmazonSandbox
from channels.amazon.sandbox.account import FBA, MockLine, MockOrder
from channels.errors import Throttled
from channels.sandbox import Fault

PLACE = Path(os.environ.get("AMAZON_MODELS", Path(__file__).parents[4] / "shared" / "specs" / "amazon"))
MODELS = ["listingsItems_2021-08-01", "orders_2026-01-01", "reports_2021-06-30", "feeds_2021-06-30", "fbaInventory"]

#: The operations that this project uses.
USED = {
    "searchListingsItems",
    "getListingsItem",
    "patchListingsItem",
    "searchOrders",
    "createReport",
    "getReport",
    "getReportDocument",
    "getInventorySummaries",
    "createFeedDocument",
    "createFeed",
    "getFeed",
    "getFeedDocument",
}

QUANTITY_PATCH = {
    "productType": "PRODUCT",
    "patches": [
        {
            "op": "merge",
            "path": "/attributes/fulfillment_availability",
            "value": [{"fulfillment_channel_code": "DEFAULT", "quantity": 1}],
        }
    ],
}

pytestmark = pytest.mark.skipif(
    not all((PLACE / f"{name}.json").is_file() for name in MODELS),
    reason=f"Amazon's model files are not at {PLACE}; set AMAZON_MODELS to their folder",
)


class Model:
    """One Swagger 2.0 file."""

    def __init__(self, name: str) -> None:
        self.document = json.loads((PLACE / f"{name}.json").read_text())

    def operations(self) -> Iterator[tuple[str, str, dict[str, Any]]]:
        """Method, path and description of each operation."""
        for path, item in self.document["paths"].items():
            for method, operation in item.items():
                if method in ("get", "post", "patch", "put", "delete"):
                    yield method, path, operation | {"parameters": self._parameters(item, operation)}

    def operation(self, method: str, path: str) -> dict[str, Any] | None:
        """The operation that a request is for; the path as sent."""
        for its_method, template, operation in self.operations():
            pattern = re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(template))
            if its_method == method.lower() and re.fullmatch(pattern, path):
                return operation
        return None

    def parameters(self, method: str, path: str, place: str) -> list[dict[str, Any]]:
        """The parameters of an operation that stand in the path, the query or the body."""
        operation = self.operation(method, path)
        assert operation is not None
        return [one for one in operation["parameters"] if one["in"] == place]

    def complaints(self, value: Any, schema: dict[str, Any], where: str) -> Iterator[str]:
        """All that a value breaks of its schema. Names that the schema does not know count too."""
        schema = self._resolved(schema)
        kind = schema.get("type") or ("object" if "properties" in schema else None)
        if isinstance(kind, list):
            if value is None and "null" in kind:
                return
            (kind,) = set(kind) - {"null"}
        types = {"object": dict, "array": list, "string": str, "integer": int, "number": (int, float), "boolean": bool}
        if kind and (not isinstance(value, types[kind]) or (kind in ("integer", "number") and isinstance(value, bool))):
            yield f"{where}: {value!r} is no {kind}"
            return
        if "enum" in schema and value not in schema["enum"]:
            yield f"{where}: {value!r} is none of {schema['enum']}"
        if kind == "object":
            yield from self._object_complaints(value, schema, where)
        elif kind == "array":
            if not schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", len(value)):
                yield f"{where}: {len(value)} entries"
            for index, entry in enumerate(value):
                yield from self.complaints(entry, schema.get("items", {}), f"{where}[{index}]")
        elif kind in ("integer", "number"):
            if not schema.get("minimum", value) <= value <= schema.get("maximum", value):
                yield f"{where}: {value} is out of range"
        elif kind == "string":
            if schema.get("format") == "date-time":
                datetime.fromisoformat(value)
            if not schema.get("minLength", 0) <= len(value) <= schema.get("maxLength", len(value)):
                yield f"{where}: {len(value)} characters"

    def request_complaints(self, request: requests.PreparedRequest) -> Iterator[str]:
        """All that a request breaks of its operation."""
        url = urlsplit(request.url)
        given = {name: values[0] for name, values in parse_qs(url.query, keep_blank_values=True).items()}
        known = {one["name"]: one for one in self.parameters(request.method, url.path, "query")}
        yield from (f"{name} is unknown" for name in given if name not in known)
        for name, parameter in known.items():
            if name in given:
                yield from self.complaints(typed(given[name], parameter), parameter, name)
            elif parameter.get("required"):
                yield f"{name} is missing"
        for parameter in self.parameters(request.method, url.path, "body"):
            yield from self.complaints(json.loads(request.body), parameter["schema"], "body")

    def answer_complaints(self, response: requests.Response) -> Iterator[str]:
        """All that an answer breaks of its operation."""
        operation = self.operation(response.request.method, urlsplit(response.request.url).path)
        described = operation["responses"].get(str(response.status_code))
        if described is None:
            yield f"{operation['operationId']} never answers {response.status_code}"
        else:
            yield from self.complaints(response.json(), described["schema"], operation["operationId"])

    def _object_complaints(self, value: dict[str, Any], schema: dict[str, Any], where: str) -> Iterator[str]:
        yield from (f"{where}.{name} is missing" for name in schema.get("required", []) if name not in value)
        properties = schema.get("properties", {})
        for name, entry in value.items():
            if name in properties:
                yield from self.complaints(entry, properties[name], f"{where}.{name}")
            elif properties and not schema.get("additionalProperties"):
                yield f"{where}.{name} is unknown"

    def _parameters(self, item: dict[str, Any], operation: dict[str, Any]) -> list[dict[str, Any]]:
        return [self._resolved(one) for one in item.get("parameters", []) + operation.get("parameters", [])]

    def _resolved(self, schema: dict[str, Any]) -> dict[str, Any]:
        while "$ref" in schema:
            target: Any = self.document
            for part in schema["$ref"].removeprefix("#/").split("/"):
                target = target[part]
            schema = target
        return schema


def typed(text: str, parameter: dict[str, Any]) -> Any:
    """A query parameter's text as the type that it is to have."""
    if parameter["type"] == "array":
        return text.split(",")
    if parameter["type"] == "integer" and text.isdigit():
        return int(text)
    return {"true": True, "false": False}.get(text, text) if parameter["type"] == "boolean" else text


@functools.cache
def models() -> list[Model]:
    return [Model(name) for name in MODELS]


def model_of(method: str, path: str) -> Model:
    (model,) = [one for one in models() if one.operation(method, path)]
    return model


@pytest.fixture
def exchanges(channel) -> list[requests.Response]:
    """Every exchange of the channel with the mock."""
    seen: list[requests.Response] = []
    channel.client.session.hooks["response"].append(lambda response, **_: seen.append(response))
    return seen


def test_every_exchange_is_as_the_models_say(sandbox, connect, channel, exchanges, write, clock):
    for number in range(30):
        sandbox.account.put(f"SKU {number}", number)
    sandbox.account.put("FBA", 4, network=FBA)
    sandbox.account.put("a,b", None)
    sandbox.account.refuse("SKU 3")
    list(channel.read_all())
    channel.read(["SKU 1", "a,b", "gone"])
    write(channel, {"SKU 1": 5, "SKU 3": 5, "FBA": 5})
    orders = (
        [sandbox.account.sell("SKU 20", 1) for _ in range(101)] if sandbox.account.count("SKU 20", 500) is None else []
    )
    sandbox.account.advance(orders[0], "CANCELLED")
    sandbox.account.advance(orders[1], "SHIPPED")
    list(channel.sales(datetime.fromtimestamp(clock(), UTC) - timedelta(hours=1)))
    sandbox.faults.add(Fault("answer", match="^GET", status=429, times=1))
    with pytest.raises(Exception, match="QuotaExceeded"):
        list(channel.read_all())
    wanted = {f"SKU {number}": 7 for number in range(30)}
    feeding = connect(feed_from=20)
    feeding.client.session.hooks = channel.client.session.hooks
    write(feeding, wanted)
    write(feeding, wanted)
    warehouse = connect(stock="amazon")
    warehouse.client.session.hooks = channel.client.session.hooks
    list(warehouse.read_all())
    for number in range(1001):
        sandbox.account.put(f"MANY {number}", 1)
    for _ in range(2):
        with contextlib.suppress(Throttled):
            list(channel.read_all())
    used = set()
    for response in exchanges:
        if "/documents/" in response.url and "-06-30" not in response.url:
            continue
        (model,) = [
            one for one in models() if one.operation(response.request.method, urlsplit(response.request.url).path)
        ]
        assert list(model.request_complaints(response.request)) == []
        assert list(model.answer_complaints(response)) == []
        used.add(model.operation(response.request.method, urlsplit(response.request.url).path)["operationId"])
    assert used == USED


@pytest.mark.parametrize(
    ("act", "schema"),
    [
        (lambda account: account.put("A", 10), "ListingsItemMfnQuantityChange"),
        (lambda account: account.add_order(MockOrder("1", (MockLine("2", "A", 3),), 0, 0)), "OrderChangeNotification"),
    ],
)
def test_notifications_are_as_their_schemas_say(sandbox, act, schema):
    sandbox.notifications.copies = 1
    act(sandbox.account)
    (message,) = sandbox.notifications.receive(10)
    model = Model(f"schemas/{schema}")
    assert list(model.complaints(json.loads(message["Body"]), model.document, schema)) == []


def test_a_feed_and_its_report_are_as_their_schemas_say(sandbox, connect, write):
    wanted = {f"SKU {number}": number for number in range(30)}
    for sku in wanted:
        sandbox.account.put(sku, 10)
    sandbox.account.refuse("SKU 3")
    write(connect(feed_from=1), wanted)
    (feed,) = sandbox.feeds.all()
    for document, name in [
        (feed.document, "listings-feed-schema-v2"),
        (feed.result, "listings-feed-processing-report-schema-v2"),
    ]:
        model = Model(f"schemas/{name}")
        content = json.loads(sandbox.documents.get(document).content)
        assert list(model.complaints(content, model.document, name)) == []


def static_pairs() -> Iterator[Any]:
    """The exchanges that Amazon's own sandbox knows by heart."""
    if not all((PLACE / f"{name}.json").is_file() for name in MODELS):
        return
    for model in models():
        for method, path, operation in model.operations():
            for status, described in operation["responses"].items():
                for number, pair in enumerate(described.get("x-amzn-api-sandbox", {}).get("static", [])):
                    name = operation["operationId"]
                    if name in USED:
                        yield pytest.param(method, path, int(status), pair, id=f"{name}-{status}-{number}")


@pytest.mark.parametrize(("method", "path", "status", "pair"), list(static_pairs()))
def test_the_static_pairs_of_amazons_own_sandbox_pass_against_the_mock(clock, method, path, status, pair):
    given = {name: value["value"] for name, value in pair["request"]["parameters"].items() if "value" in value}
    expected = pair["response"]
    places = [place for place in given.get("marketplaceIds", []) if place != "invalid"] or ["ATVPDKIKX0DER"]
    sandbox = AmazonSandbox(
        clock=clock, rate_scale=None, marketplace_id=places[0], seller_id=given.setdefault("sellerId", "A1SANDBOXSELLR")
    )
    if status < 300:
        seed(sandbox, given, expected)
        clock.advance(2000)
    given.setdefault("sku", expected.get("sku", "A"))
    body = given.get("body", QUANTITY_PATCH if method == "patch" else None)
    if method == "post":
        sandbox.account.marketplace_id = body.get("marketplaceIds", places)[0]
        if "feedType" in body:  # the feeds of Amazon's examples are no more
            body["feedType"] = "JSON_LISTINGS_FEED"
    address = re.sub(r"\{(\w+)\}", lambda match: quote(given[match[1]], safe=""), path)
    known = {one["name"] for one in model_of(method, address).parameters(method, address, "query")}
    query = {"marketplaceIds": places} | ({"includedData": ["fulfillmentAvailability"]} if method == "get" else {})
    # What Amazon's pairs leave open is filled in; a page token only Amazon can have given.
    query = {name: value for name, value in (query | given).items() if name in known - {"paginationToken"}}
    if "orders" in path and "includedData" not in given:
        query.pop("includedData")
    params = {name: ",".join(value) if isinstance(value, list) else value for name, value in query.items()}
    with sandbox.serve() as url, requests.Session() as session:
        headers = {"x-amz-access-token": sandbox.gate.grant()}
        response = session.request(method, url + address, params=params, json=body, headers=headers, timeout=5)
    assert response.status_code == status
    model = model_of(method, address)
    assert list(model.answer_complaints(response)) == []
    assert essence(response.json()) == essence(expected)


def seed(sandbox: AmazonSandbox, given: dict[str, Any], expected: dict[str, Any]) -> None:
    """Make the account one that would be answered about so."""
    if "reportId" in given:
        sandbox.reports.create(given["reportId"])
        sandbox.reports.takes_s = 3600 if expected["processingStatus"] == "IN_PROGRESS" else 0
    if "feedId" in given:
        sandbox.feeds.waits_s = 10**9
        sandbox.feeds.create("", given["feedId"])
        sandbox.feeds.cancel(given["feedId"])
    for name in ("reportDocumentId", "feedDocumentId"):
        if name in given:
            sandbox.documents.add(b"", "text/plain", number=given[name])
    if "inputFeedDocumentId" in given.get("body", {}):
        sandbox.documents.add(b"", "text/plain", number=given["body"]["inputFeedDocumentId"])
    for item in expected.get("items", [expected] if "sku" in expected else []):
        stock = item.get("fulfillmentAvailability", [{"fulfillmentChannelCode": "DEFAULT", "quantity": 1}])
        sandbox.account.put(item["sku"], stock[0].get("quantity"), network=stock[0]["fulfillmentChannelCode"])
        sandbox.account.listing(item["sku"]).stock |= {
            one["fulfillmentChannelCode"]: one.get("quantity") for one in stock
        }
    for issue in expected.get("issues", []) if "submissionId" in expected else []:
        sandbox.account.refuse(expected["sku"], issue["code"], issue["message"])
    for order in expected.get("orders", []):
        lines = [
            MockLine(one["orderItemId"], one["product"]["sellerSku"], one["quantityOrdered"])
            for one in order["orderItems"]
        ]
        moments = [datetime.fromisoformat(order[name]).timestamp() for name in ("createdTime", "lastUpdatedTime")]
        progress = order["fulfillment"]
        by_amazon = progress["fulfilledBy"] == "AMAZON"
        sandbox.account.add_order(
            MockOrder(order["orderId"], tuple(lines), *moments, progress["fulfillmentStatus"], by_amazon)
        )


def essence(body: dict[str, Any]) -> Any:
    """What of an answer a stock keeper cares for; the rest is made up on either side."""
    if "errors" in body:
        return len(body["errors"])
    if "reportId" in body or "feedId" in body:
        return body.get("processingStatus")
    if "url" in body:
        return body.get("compressionAlgorithm")
    if "submissionId" in body:
        return body["sku"], body["status"], [(issue["code"], issue["message"]) for issue in body["issues"]]
    if "orders" in body:
        return [
            (
                order["orderId"],
                order["fulfillment"]["fulfillmentStatus"],
                line["product"]["sellerSku"],
                line["quantityOrdered"],
                line["fulfillment"]["quantityFulfilled"],
                line["fulfillment"]["quantityUnfulfilled"],
            )
            for order in body["orders"]
            for line in order["orderItems"]
        ]
    items = body.get("items", [body])
    return [(item["sku"], item.get("fulfillmentAvailability")) for item in items]
