"""What `doctor` finds at a seller account: each bad setting, over HTTP, and nothing where all is well."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from channels.amazon import AmazonChannel
from channels.amazon.diagnosis import MANY_MESSAGES, PAGES
from channels.amazon.sandbox import AmazonSandbox
from channels.amazon.sandbox.account import FBA
from channels.diagnosis import Severity

Connect = Callable[..., AmazonChannel]


def found(channel: AmazonChannel, about: str) -> list[tuple[str, str]]:
    """What is not well about something: how bad, and in which words."""
    return [(row.severity, row.what) for row in channel.diagnose() if row.about == about and row.severity != "ok"]


@pytest.mark.parametrize("stock", ["merchant", "amazon"])
def test_an_account_that_is_well_gives_no_warning_and_is_only_read(
    sandbox: AmazonSandbox, connect: Connect, stock: str
) -> None:
    sandbox.account.put("A", 3)
    severities = {row.severity for row in connect(stock=stock).diagnose()}
    assert severities <= {Severity.OK, Severity.NOTE}
    assert {line.split(" ")[0] for line in sandbox.requests} == {"GET", "POST"}
    assert [line for line in sandbox.requests if line.startswith("POST")] == ["POST /auth/o2/token"]


def test_a_large_account_costs_a_few_calls(sandbox: AmazonSandbox, channel: AmazonChannel) -> None:
    for number in range(500):
        sandbox.account.put(f"SKU-{number}", 1)
    rows = [row.what for row in channel.diagnose() if row.about == "listings"]
    assert rows == ["500 can be read, of which 100 were looked at"]
    assert len(sandbox.calls) <= PAGES + 3


def test_credentials_that_give_no_token_are_the_only_thing_that_is_said(connect: Connect) -> None:
    rows = list(connect(client_secret="of-another-application").diagnose())
    assert [row.severity for row in rows] == ["error", "note"]
    assert "get an access token failed" in rows[0].what
    assert "client_secret" in rows[0].advice


def test_another_marketplace_than_the_sellers_is_an_error(connect: Connect) -> None:
    (severity, what), *_ = found(connect(marketplace_id="A1PA6795UKMFR9"), "marketplace")
    assert severity == "error"
    assert "there are: ATVPDKIKX0DER" in what


def test_a_marketplace_in_which_nothing_is_sold_is_an_error(sandbox: AmazonSandbox, channel: AmazonChannel) -> None:
    sandbox.account.is_participating = False
    assert [severity for severity, _ in found(channel, "marketplace")] == ["error"]


def test_suspended_listings_are_a_warning(sandbox: AmazonSandbox, channel: AmazonChannel) -> None:
    sandbox.account.has_suspended_listings = True
    assert [severity for severity, _ in found(channel, "marketplace")] == ["warning"]


def test_a_role_that_is_needed_for_nothing_else_is_not_missed(sandbox: AmazonSandbox, channel: AmazonChannel) -> None:
    sandbox.account.tells_participation = False
    assert [severity for severity, _ in found(channel, "marketplace")] == ["note"]
    assert found(channel, "listings") == []


def test_listings_that_amazon_fulfils_are_named(sandbox: AmazonSandbox, channel: AmazonChannel) -> None:
    sandbox.account.put("OURS", 3)
    sandbox.account.put("THEIRS", 5, network=FBA)
    ((severity, what),) = found(channel, "listings")
    assert severity == "note"
    assert "1 fulfilled by Amazon: THEIRS" in what


def test_a_listing_with_two_offers_is_a_warning(sandbox: AmazonSandbox, channel: AmazonChannel) -> None:
    sandbox.account.put("BOTH", 3)
    listing = sandbox.account.listing("BOTH")
    assert listing is not None
    listing.stock[FBA] = None
    ((severity, what),) = found(channel, "listings")
    assert severity == "warning"
    assert "an offer of the merchant's beside it: BOTH" in what


def test_skus_that_differ_in_case_alone_are_an_error(sandbox: AmazonSandbox, channel: AmazonChannel) -> None:
    sandbox.account.put("mug", 3)
    sandbox.account.put("MUG", 4)
    ((severity, what),) = found(channel, "duplicate SKUs")
    assert severity == "error"
    assert "MUG and mug" in what


def test_a_queue_that_nobody_empties_is_a_warning(sandbox: AmazonSandbox, connect: Connect, url: str) -> None:
    channel = connect(**sandbox.queue_settings(url))
    assert found(channel, "queue") == []
    for number in range(MANY_MESSAGES + 1):
        sandbox.notifications.put(str(number))
    ((severity, what),) = found(channel, "queue")
    assert severity == "warning"
    assert "1001 notifications wait" in what


def test_a_queue_that_is_not_there_is_a_warning(sandbox: AmazonSandbox, connect: Connect, url: str) -> None:
    table = sandbox.queue_settings(url) | {"queue_url": f"{url}/000000000000/another"}
    ((severity, what),) = found(connect(**table), "queue")
    assert severity == "warning"
    assert "does not exist" in what


def test_without_a_queue_it_is_said_that_changes_are_found_late(channel: AmazonChannel) -> None:
    assert [severity for severity, _ in found(channel, "queue")] == ["note"]
