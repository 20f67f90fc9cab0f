"""What answers mean, whatever they hold: nothing is invented, nothing is lost, and missing is not zero."""

from __future__ import annotations

import gzip
import zlib
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.amazon.documents import split, unpack
from channels.amazon.models import Order, Submission, listings, outcome, quantity_patch, reading, sales
from channels.contract import MAX_UNITS, Result, Write

CODES = st.sampled_from(["DEFAULT", "AMAZON_NA", "AMAZON_EU", "OTHER"])
QUANTITIES = st.one_of(st.none(), st.integers(-5, MAX_UNITS + 5), st.text(max_size=3), st.booleans(), st.floats())
AVAILABILITY = st.fixed_dictionaries({"fulfillmentChannelCode": CODES}, optional={"quantity": QUANTITIES})
ITEMS = st.fixed_dictionaries(
    {"sku": st.text(min_size=1, max_size=70)},
    optional={"fulfillmentAvailability": st.lists(AVAILABILITY, max_size=3), "summaries": st.none()},
)
LINES = st.fixed_dictionaries(
    {
        "orderItemId": st.text(min_size=1, max_size=14),
        "quantityOrdered": st.integers(0, 1000),
        "product": st.fixed_dictionaries({}, optional={"sellerSku": st.text(min_size=1, max_size=40)}),
    },
    optional={
        "fulfillment": st.fixed_dictionaries({}, optional={"quantityFulfilled": st.integers(0, 1000)}),
        "cancellation": st.fixed_dictionaries({}, optional={"cancellationExecution": st.just({})}),
    },
)


@given(st.lists(ITEMS, max_size=5))
def test_a_level_is_a_quantity_that_stands_there_for_stock_of_the_merchants_alone(items):
    levels, problems = reading(listings(items))
    stated = {
        (item["sku"], entry.get("quantity"))
        for item in items
        for entry in item.get("fulfillmentAvailability", [])
        if entry["fulfillmentChannelCode"] == "DEFAULT"
    }
    assert all((row.sku, row.units) in stated and 0 <= row.units <= MAX_UNITS for row in levels)
    assert all(row.ref == row.sku and len(row.ref) <= 64 for row in levels)
    assert len(levels) + len(problems) <= len(items)


@given(st.lists(ITEMS, max_size=5))
def test_only_what_amazon_fulfils_is_left_out_without_a_word(items):
    levels, problems = reading(listings(items))
    theirs = [
        item
        for item in items
        if (codes := [entry["fulfillmentChannelCode"] for entry in item.get("fulfillmentAvailability", [])])
        and any(code.startswith("AMAZON") for code in codes)
    ]
    assert len(items) - len(levels) - len(problems) <= len(theirs)


@given(st.lists(LINES, max_size=4), st.sampled_from(["PENDING", "UNSHIPPED", "SHIPPED", "CANCELLED"]))
def test_a_sale_takes_what_was_ordered_or_shipped_and_nothing_else(lines, status):
    order = Order.model_validate(
        {
            "orderId": "1",
            "createdTime": "2026-01-01T00:00:00Z",
            "fulfillment": {"fulfillmentStatus": status},
            "orderItems": lines,
        }
    )
    told = list(sales(order))
    assert [sale.sku for sale in told] == [line["product"]["sellerSku"] for line in lines if line["product"]]
    for sale in told:
        assert sale.at == datetime(2026, 1, 1, tzinfo=UTC)
    if status == "CANCELLED":
        shipped = sum(line.get("fulfillment", {}).get("quantityFulfilled", 0) for line in lines if line["product"])
        assert sum(sale.units for sale in told) == shipped


def test_a_line_that_was_cancelled_alone_gives_its_stock_back():
    line = {"orderItemId": "1", "quantityOrdered": 3, "product": {"sellerSku": "A"}}
    asked = line | {"orderItemId": "2", "cancellation": {"cancellationRequest": {"requester": "BUYER"}}}
    done = line | {"orderItemId": "3", "cancellation": {"cancellationExecution": {"cancelledBy": "BUYER"}}}
    partly = done | {"orderItemId": "4", "fulfillment": {"quantityFulfilled": 1}}
    order = {
        "orderId": "1",
        "createdTime": "2026-01-01T00:00:00Z",
        "fulfillment": {"fulfillmentStatus": "UNSHIPPED"},
        "orderItems": [line, asked, done, partly],
    }
    assert [sale.units for sale in sales(Order.model_validate(order))] == [3, 3, 0, 1]


@pytest.mark.parametrize(
    ("issues", "reason"),
    [
        ([], "Amazon calls the submission invalid and says no more"),
        ([("W1", "WARNING", "odd")], "W1: odd"),
        ([("W1", "WARNING", "odd"), ("E1", "ERROR", "wrong"), ("E2", "ERROR", "worse")], "E1: wrong; E2: worse"),
    ],
)
def test_an_invalid_submission_is_refused_with_its_errors_first(issues, reason):
    submission = Submission.model_validate(
        {
            "sku": "A",
            "status": "INVALID",
            "submissionId": "1",
            "issues": [{"code": code, "severity": severity, "message": words} for code, severity, words in issues],
        }
    )
    assert outcome(Write("A", "A", 1, 0), submission)[1:] == (Result.REFUSED, None, reason)


@given(st.integers(0, MAX_UNITS))
def test_a_patch_states_the_quantity_and_whose_it_is(units):
    (patch,) = quantity_patch(units)["patches"]
    assert patch["op"] == "merge"
    assert patch["value"] == [{"fulfillment_channel_code": "DEFAULT", "quantity": units}]


@given(st.text(alphabet="ab\t\r\n", max_size=40), st.integers(1, 7))
def test_lines_are_the_same_in_whatever_pieces_they_come(text, size):
    pieces = [text[start : start + size] for start in range(0, len(text), size)]
    assert list(split(pieces)) == list(split([text]))


@given(st.binary(max_size=300), st.integers(1, 50))
def test_a_packed_document_is_the_same_in_whatever_pieces_it_comes(content, size):
    packed = gzip.compress(content)
    pieces = [packed[start : start + size] for start in range(0, len(packed), size)]
    assert b"".join(unpack(pieces)) == content
    with pytest.raises(zlib.error):
        list(unpack(pieces[:-1]))
