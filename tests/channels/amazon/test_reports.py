"""Accounts with more listings than a search shows: the report names them, the live listings state their levels."""

from __future__ import annotations

import gzip

import pytest
import requests

from channels.amazon.documents import Document, unpack
from channels.amazon.sandbox.account import FBA
from channels.contract import Level
from channels.errors import Incomprehensible, Rejected, Throttled, Unanswered
from channels.sandbox import Fault
from channels.services import Services

#: One more than a search shows.
MANY = 1001


@pytest.fixture
def large(sandbox):
    """An account with many listings."""
    for number in range(MANY):
        sandbox.account.put(f"SKU-{number:04}", number)
    return sandbox.account


@pytest.fixture
def ready(large, channel, sandbox):
    """A channel to it, which has its report."""
    with pytest.raises(Throttled):
        list(channel.read_all())
    sandbox.forget_calls()
    return channel


def rows(pages):
    return [row for page in pages for row in page.levels]


@pytest.mark.parametrize("compressed", [False, True])
def test_every_listing_of_a_large_account_is_read(sandbox, large, channel, clock, compressed):
    sandbox.reports.takes_s = 120
    sandbox.reports.compressed = compressed
    with pytest.raises(Throttled, match="still making") as caught:
        list(channel.read_all())
    assert caught.value.retry_after_s > 0
    clock.advance(120)
    read = rows(channel.read_all())
    assert sorted(read) == [Level(f"SKU-{n:04}", f"SKU-{n:04}", n) for n in range(MANY)]


def test_while_the_report_is_made_nothing_is_read_and_no_other_is_asked_for(sandbox, large, connect, clock, memory):
    sandbox.reports.takes_s = 120
    for _ in range(3):
        with pytest.raises(Throttled):
            list(connect(Services(memory=memory)).read_all())
        clock.advance(30)
    names = [call.operation for call in sandbox.calls]
    assert names == ["search listings", "create report", "get report", "get report"]


def test_levels_are_those_of_now_and_not_those_of_the_report(large, ready):
    large.count("SKU-0007", 777)
    assert {row.sku: row.units for row in rows(ready.read_all())}["SKU-0007"] == 777


def test_a_large_reading_costs_one_call_for_twenty_listings_and_two_for_the_report(sandbox, ready):
    list(ready.read_all())
    names = [call.operation for call in sandbox.calls]
    assert names == ["get report", "get report document"] + ["search listings"] * 51


def test_a_report_serves_for_an_hour_and_then_a_new_one_is_asked_for(sandbox, large, ready, clock):
    list(ready.read_all())
    large.put("NEW", 1)
    assert "NEW" not in {row.sku for row in rows(ready.read_all())}
    clock.advance(3601)
    with pytest.raises(Throttled):
        list(ready.read_all())
    assert "NEW" in {row.sku for row in rows(ready.read_all())}


def test_a_reading_goes_on_from_its_cursor(ready):
    pages = list(ready.read_all())
    rest = list(ready.read_all(pages[10].cursor))
    assert rows(pages[:11]) + rows(rest) == rows(pages)
    assert pages[-1].cursor is None


def test_listings_that_amazon_fulfils_cost_no_look(sandbox, large, channel):
    for number in range(MANY):
        large.put(f"FBA-{number:04}", 1, network=FBA)
    with pytest.raises(Throttled):
        list(channel.read_all())
    sandbox.forget_calls()
    assert len(rows(channel.read_all())) == MANY
    assert sum(call.operation == "search listings" for call in sandbox.calls) == 51


def test_a_listing_gone_since_the_report_is_left_out(large, ready):
    large.remove("SKU-0500")
    pages = list(ready.read_all())
    assert "SKU-0500" not in {row.sku for row in rows(pages)}
    assert [problem for page in pages for problem in page.problems] == []


def test_a_sku_that_the_report_cannot_spell_is_a_problem(large, channel):
    large.put("한글-1", 5)
    large.put("Ä-1", 6)
    with pytest.raises(Throttled):
        list(channel.read_all())
    pages = list(channel.read_all())
    assert [problem.where for page in pages for problem in page.problems] == ["??-1"]
    assert "Ä-1" in {row.sku for row in rows(pages)}


@pytest.mark.parametrize("ending", ["CANCELLED", "FATAL"])
def test_a_report_that_came_to_nothing_is_asked_for_again(sandbox, ready, ending):
    sandbox.reports.ending = ending
    with pytest.raises(Unanswered, match=ending):
        list(ready.read_all())
    sandbox.reports.ending = "DONE"
    with pytest.raises(Throttled):
        list(ready.read_all())
    assert len(rows(ready.read_all())) == MANY


def test_a_report_stuck_for_an_hour_is_asked_for_again(sandbox, large, channel, clock):
    sandbox.reports.takes_s = 10**9
    with pytest.raises(Throttled):
        list(channel.read_all())
    clock.advance(3601)
    with pytest.raises(Throttled):
        list(channel.read_all())
    assert [call.operation for call in sandbox.calls].count("create report") == 2


def test_a_document_that_is_no_longer_kept_is_forgotten(sandbox, ready):
    list(ready.read_all())
    sandbox.documents.drop_all()
    with pytest.raises(Rejected):
        list(ready.read_all())
    with pytest.raises(Throttled):
        list(ready.read_all())


@pytest.mark.parametrize(
    "trouble", [Fault("hang up"), Fault("answer", status=503), Fault("answer", status=403), Fault("garbage")]
)
def test_a_document_that_cannot_be_had_is_an_error_and_no_empty_reading(sandbox, ready, trouble):
    trouble.match = "GET /documents/"
    sandbox.faults.add(trouble)
    with pytest.raises((Unanswered, Incomprehensible)):  # and nobody is told to look for his credentials
        list(ready.read_all())


def test_a_compressed_document_that_was_cut_off_is_an_error(sandbox, large, channel, monkeypatch):
    sandbox.reports.compressed = True
    monkeypatch.setattr(sandbox.documents, "cut", 100)
    with pytest.raises(Throttled):
        list(channel.read_all())
    with pytest.raises(Incomprehensible, match="compressed"):
        list(channel.read_all())


def test_the_access_token_does_not_go_to_where_documents_are_kept(sandbox, ready):
    assert rows(ready.read_all())  # the mock refuses whoever tells it there


def test_a_compressed_document_of_several_parts_is_read_to_its_end():
    parts = gzip.compress(b"one\ntwo\n") + gzip.compress(b"three\n")
    for size in (1, 7, 1000):
        chunks = (parts[start : start + size] for start in range(0, len(parts), size))
        assert b"".join(unpack(chunks)) == b"one\ntwo\nthree\n"


@pytest.mark.parametrize("charset", ["base64", "idna", "undefined", "no-such", ""])
def test_a_document_in_no_alphabet_is_read_in_the_usual_one(sandbox, ready, charset):
    told = rows(ready.read_all())
    for blob in sandbox.documents._blobs.values():
        blob.content_type = f"text/plain; charset={charset}"
    assert rows(ready.read_all()) == told


def test_a_signed_address_is_in_no_error(channel):
    answer = requests.Response()
    answer.status_code = 200
    answer._content = b'{"url": "https://s3.example.com/x?X-Amz-Signature=hush-hush", "compressionAlgorithm": "ZIP"}'
    with pytest.raises(Incomprehensible, match="compressionAlgorithm") as caught:
        channel.client.understood("get report document", answer, Document)
    assert "hush-hush" not in f"{caught.value}{caught.value.__cause__}"
