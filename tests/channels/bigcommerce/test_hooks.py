"""Our hooks at the store: made, mended, armed again, and nobody else's touched."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from channels.bigcommerce import BigCommerceChannel
from channels.bigcommerce.hooks import LOCATION_SCOPES, SCOPES, Hook, plan, wanted_hooks
from channels.bigcommerce.sandbox import BigCommerceSandbox, Store
from channels.bigcommerce.webhooks import SECRET_HEADER
from channels.errors import Throttled
from channels.sandbox import Fault

Connect = Callable[..., BigCommerceChannel]

WEBHOOK_URL = "http://receiver.example"


@pytest.fixture
def listening(connect: Connect) -> BigCommerceChannel:
    return connect(webhook_url=WEBHOOK_URL)


def test_a_store_without_hooks_gets_all_of_them(store: Store, listening: BigCommerceChannel) -> None:
    assert sorted(listening.ensure_hooks().created) == sorted(SCOPES)
    assert {hook.destination for hook in store.hooks.values()} == {"http://receiver.example/webhooks/store"}
    assert all(SECRET_HEADER in (hook.headers or {}) for hook in store.hooks.values())


def test_the_inventory_api_needs_the_hooks_of_locations_too(connect: Connect) -> None:
    done = connect(webhook_url=WEBHOOK_URL, write="relative").ensure_hooks()
    assert set(done.created) == {*SCOPES, *LOCATION_SCOPES}


def test_hooks_that_are_right_cost_one_reading(sandbox: BigCommerceSandbox, listening: BigCommerceChannel) -> None:
    listening.ensure_hooks()
    sandbox.requests.clear()
    done = listening.ensure_hooks()
    assert (done.created, done.repaired, done.rearmed, done.deleted, done.problems) == ([], [], [], [], [])
    assert [line.split()[0] for line in sandbox.requests] == ["GET"]


def test_hooks_on_later_pages_are_not_made_again(
    sandbox: BigCommerceSandbox, store: Store, listening: BigCommerceChannel
) -> None:
    listening.ensure_hooks()
    store.switches.page_rows = 5
    made = len(sandbox.requests)
    listening.ensure_hooks()
    assert not [request for request in sandbox.requests[made:] if not request.startswith("GET")]


def test_a_hook_that_was_switched_off_is_armed_again_and_told_of(store: Store, listening: BigCommerceChannel) -> None:
    listening.ensure_hooks()
    next(iter(store.hooks.values())).is_active = False
    assert listening.ensure_hooks().rearmed == [SCOPES[0]]
    assert all(hook.is_active for hook in store.hooks.values())


def test_a_changed_address_is_repaired_and_not_doubled(
    store: Store, connect: Connect, listening: BigCommerceChannel
) -> None:
    listening.ensure_hooks()
    moved = connect(webhook_url="http://elsewhere.example/base")
    assert sorted(moved.ensure_hooks().repaired) == sorted(SCOPES)
    assert {hook.destination for hook in store.hooks.values()} == {"http://elsewhere.example/base/webhooks/store"}
    assert len(store.hooks) == len(SCOPES)


def test_a_changed_secret_is_repaired(store: Store, listening: BigCommerceChannel) -> None:
    listening.ensure_hooks()
    hook = next(iter(store.hooks.values()))
    right = hook.headers
    hook.headers = {SECRET_HEADER: "old"}
    assert listening.ensure_hooks().repaired == [hook.scope]
    assert hook.headers == right


def test_a_second_hook_of_ours_and_one_we_no_longer_want_are_deleted(
    store: Store, listening: BigCommerceChannel
) -> None:
    listening.ensure_hooks()
    pattern = next(iter(store.hooks.values()))
    for scope in (SCOPES[0], "store/cart/*"):
        body = {"scope": scope, "destination": "http://old.example/webhooks/store", "headers": pattern.headers}
        listening.client.call("create", "POST", "/v3/hooks", json=body)
    assert sorted(listening.ensure_hooks().deleted) == sorted([SCOPES[0], "store/cart/*"])
    assert len(store.hooks) == len(SCOPES)


def test_hooks_of_others_are_left_alone(store: Store, listening: BigCommerceChannel) -> None:
    theirs = [
        {"scope": SCOPES[0], "destination": "https://other.example/webhooks/store", "is_active": False},
        {"scope": SCOPES[0], "destination": "https://other.example/x", "headers": {SECRET_HEADER: "theirs"}},
        {"scope": SCOPES[0], "destination": "https://us.example/webhooks/second", "headers": {SECRET_HEADER: "x"}},
    ]
    for body in theirs:
        listening.client.call("create", "POST", "/v3/hooks", json=body)
    before = [(hook.id, hook.destination, hook.is_active) for hook in store.hooks.values()]
    listening.ensure_hooks()
    assert [(hook.id, hook.destination, hook.is_active) for hook in store.hooks.values()][:3] == before


def test_without_an_address_ours_are_taken_away(store: Store, connect: Connect, listening: BigCommerceChannel) -> None:
    listening.ensure_hooks()
    assert sorted(connect().ensure_hooks().deleted) == sorted(SCOPES)
    assert store.hooks == {}


def test_what_the_store_refuses_of_one_hook_does_not_stop_the_others(
    sandbox: BigCommerceSandbox, store: Store, listening: BigCommerceChannel
) -> None:
    sandbox.faults.add(Fault("answer", "^POST", 1, status=422))
    done = listening.ensure_hooks()
    assert len(done.created) == len(SCOPES) - 1
    (problem,) = done.problems
    assert problem.startswith(SCOPES[0])


def test_two_processes_at_once_are_no_problem(sandbox: BigCommerceSandbox, listening: BigCommerceChannel) -> None:
    sandbox.faults.add(Fault("answer", "^POST", 1, status=409))
    assert listening.ensure_hooks().problems == []


def test_a_throttled_store_is_told_to_the_caller(sandbox: BigCommerceSandbox, listening: BigCommerceChannel) -> None:
    sandbox.faults.add(Fault("answer", "^POST", 1, status=429))
    with pytest.raises(Throttled):
        listening.ensure_hooks()


def test_the_hook_at_the_right_address_is_kept_whatever_its_age(listening: BigCommerceChannel) -> None:
    wanted = wanted_hooks("store", listening.settings)[:1]
    (want,) = wanted
    old = Hook(id=1, scope=want.scope, destination="http://x/webhooks/store", headers=want.headers, is_active=True)
    new = Hook(id=2, scope=want.scope, destination=want.destination, headers=want.headers, is_active=True)
    assert plan("store", wanted, [old, new]) == ([], [], [old])
