"""The sandbox's webhooks going out, against a real receiver that verifies them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from threading import Event as Signal

import pytest
from werkzeug.wrappers import Request, Response

from channels.bigcommerce import BigCommerceChannel
from channels.bigcommerce.sandbox import BigCommerceSandbox, Store
from channels.bigcommerce.sandbox.webhooks import RETRIES_S
from channels.bigcommerce.webhooks import BadEvent, Event
from channels.contract import Write
from channels.sandbox import served
from tests.channels.bigcommerce.conftest import Clock

Connect = Callable[..., BigCommerceChannel]


class Receiver:
    """A WSGI application that takes events as the worker will."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.channel: BigCommerceChannel
        self.events: list[Event] = []
        self.refused: list[str] = []
        self.status = 200
        self.came = Signal()

    def __call__(self, environ: dict[str, object], start_response: Callable[..., object]) -> Iterator[bytes]:
        request = Request(environ)
        body = request.get_data()
        try:
            self.events.append(self.channel.receive(dict(request.headers), body, now=self.clock()))
        except BadEvent as error:
            self.refused.append(error.refusal)
        self.came.set()
        yield from Response(status=self.status)(environ, start_response)


@pytest.fixture
def receiver(connect: Connect, clock: Clock) -> Iterator[Receiver]:
    receiver = Receiver(clock)
    with served(receiver) as address:
        receiver.channel = connect(webhook_url=address)
        receiver.channel.ensure_hooks()
        yield receiver


def refs(receiver: Receiver) -> set[str]:
    return {ref for event in receiver.events for ref in event.refs}


def test_a_sale_is_told_and_believed(sandbox: BigCommerceSandbox, store: Store, receiver: Receiver) -> None:
    shirt = store.add_product("Shirt", tracking="variant", variants={"S": 5})
    sandbox.deliveries.deliver()
    receiver.events.clear()
    order = store.sell("S", 2)
    sandbox.deliveries.deliver()
    assert receiver.refused == []
    assert refs(receiver) == {f"v{shirt.id}/{shirt.variants[0].id}", f"p{shirt.id}"}
    assert {number for event in receiver.events for number in event.orders} == {str(order.id)}
    assert "store/sku/inventory/order/updated" in {event.scope for event in receiver.events}


def test_our_own_write_comes_back_as_an_echo(sandbox: BigCommerceSandbox, store: Store, receiver: Receiver) -> None:
    mug = store.add("MUG", 5)
    sandbox.deliveries.deliver()
    receiver.events.clear()
    receiver.channel.write([Write(f"p{mug.id}", "MUG", 3, 5)])
    sandbox.deliveries.deliver()
    assert [event.claimed for event in receiver.events if event.scope == "store/product/inventory/updated"] == [3]


@pytest.mark.parametrize("auth", ["header", "standard"])
def test_each_mode_of_the_store_is_believed(
    sandbox: BigCommerceSandbox, store: Store, receiver: Receiver, connect: Connect, auth: str
) -> None:
    store.switches.sign = auth == "standard"
    receiver.channel = connect(webhook_auth=auth)
    store.add("MUG", 5)
    assert sandbox.deliveries.deliver() == 1
    assert (len(receiver.events), receiver.refused) == (1, [])


def test_a_failed_delivery_is_repeated_until_it_is_taken(
    sandbox: BigCommerceSandbox, store: Store, receiver: Receiver, clock: Clock
) -> None:
    receiver.status = 503
    store.add("MUG", 5)
    assert sandbox.deliveries.deliver() == 1
    assert sandbox.deliveries.deliver() == 0
    clock.advance(RETRIES_S[0])
    receiver.status = 200
    assert sandbox.deliveries.deliver() == 1
    assert sandbox.deliveries.waiting == 0
    assert len({event.key for event in receiver.events}) == 1


@pytest.mark.parametrize("sign_again", [True, False])
def test_after_two_days_in_vain_the_hook_is_switched_off(
    sandbox: BigCommerceSandbox, store: Store, receiver: Receiver, clock: Clock, sign_again: bool
) -> None:
    receiver.status, store.switches.sign_again = 500, sign_again
    store.add("MUG", 5)
    attempts = sandbox.deliveries.deliver()
    for wait_s in RETRIES_S:
        clock.advance(wait_s)
        attempts += sandbox.deliveries.deliver()
    assert (attempts, receiver.refused) == (12, [])
    assert receiver.channel.ensure_hooks().rearmed == ["store/product/created"]


@pytest.mark.parametrize(("switch", "expected"), [("drop", 0), ("duplicate", 2), ("late", 1)])
def test_deliveries_are_as_unreliable_as_they_are_told_to_be(
    sandbox: BigCommerceSandbox, store: Store, receiver: Receiver, clock: Clock, switch: str, expected: int
) -> None:
    setattr(store.switches, switch, 1.0)
    store.add("MUG", 5)
    at_once = sandbox.deliveries.deliver()
    clock.advance(store.switches.late_s)
    assert at_once + sandbox.deliveries.deliver() == expected
    assert (at_once == 0) == (switch in ("drop", "late"))


def test_late_deliveries_overtake_each_other(
    sandbox: BigCommerceSandbox, store: Store, receiver: Receiver, clock: Clock
) -> None:
    store.switches.late = 1.0
    made = [f"p{store.add(f'SKU-{number}', 1).id}" for number in range(20)]
    clock.advance(store.switches.late_s)
    sandbox.deliveries.deliver()
    told = [event.refs[0] for event in receiver.events]
    assert sorted(told) == sorted(made)
    assert told != made


def test_running_deliveries_go_out_by_themselves(sandbox: BigCommerceSandbox, store: Store, receiver: Receiver) -> None:
    with sandbox.deliveries.running(workers=2):
        store.add("MUG", 5)
        assert receiver.came.wait(5)


def test_a_hook_hears_only_of_its_scope(sandbox: BigCommerceSandbox, store: Store, receiver: Receiver) -> None:
    for hook in list(store.hooks.values()):
        if hook.scope != "store/order/created":
            del store.hooks[hook.id]
    store.add("MUG", 5)
    store.sell("MUG", 1)
    assert sandbox.deliveries.deliver() == 1
