"""Over any schedule of callers, delays, deaths and header values the budget allows no call that it could know to be
too many, and everybody is served in the end."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from channels.services import Quota
from sync.budget import Urgency
from tests.budget.outside import OPERATION, Caller, Play, Tokens, Windows
from tests.conftest import START_MS, TimedStore

examples = settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])

callers = st.lists(
    st.builds(
        Caller,
        starts_ms=st.one_of(st.integers(0, 100), st.integers(3_000, 5_000), st.integers(0, 20_000)),
        urgency=st.sampled_from(Urgency),
        up_ms=st.one_of(st.just(5), st.integers(0, 900), st.integers(0, 4_000)),
        down_ms=st.one_of(st.just(5), st.integers(0, 900), st.integers(0, 4_000)),
        fate=st.sampled_from(["answered"] * 6 + ["lost"] * 3 + ["dies before", "dies after"]),
    ),
    min_size=1,
    max_size=40,
)
windows = st.builds(
    Windows,
    limit=st.one_of(st.integers(1, 4), st.integers(1, 40)),
    window_ms=st.integers(2000, 9000),
    began_ms=st.integers(START_MS - 9000, START_MS),
    talkative=st.booleans(),
)
mutes = st.sampled_from([0, 0, 0, 2, 3, 7])
#: Enough for every caller to have windows of its own, and for the dead to be buried one by one.
LONG_S = 3600


def everybody_was_served(play: Play) -> None:
    assert play.timeline.over
    assert all(caller.done_ms for caller in play.callers)


@examples
@given(outside=windows, crowd=callers, mute=mutes, draw=st.floats(0, 0.999), reserve=st.sampled_from([0, 0, 0.3]))
def test_a_window_alone_with_us_never_refuses_a_call(
    store: TimedStore, outside: Windows, crowd: Sequence[Caller], mute: int, draw: float, reserve: float
) -> None:
    def refused(caller: Caller) -> None:
        known = any(other.told and other.done_ms < caller.granted_ms for other in play.callers)
        assert not known, f"the channel refused {caller}"

    # muteness begins once the quota is known: what nobody ever tells cannot be kept
    play = Play(
        store,
        outside,
        reserve=reserve,
        draw=draw,
        refused=refused,
        mute=lambda n: bool(mute) and n > 1 and n % mute == 0,
    )
    play.call(*crowd)
    play.run(for_s=LONG_S)

    everybody_was_served(play)


@examples
@given(
    outside=windows,
    crowd=callers,
    draw=st.floats(0, 0.999),
    spends=st.lists(st.tuples(st.integers(0, 20_000), st.integers(1, 20)), max_size=12),
    changes=st.lists(st.tuples(st.integers(0, 20_000), st.integers(0, 40)), max_size=3),
)
def test_others_and_a_changing_quota_surprise_us_at_most_until_an_answer_tells(
    store: TimedStore,
    outside: Windows,
    crowd: Sequence[Caller],
    draw: float,
    spends: Sequence[tuple[int, int]],
    changes: Sequence[tuple[int, int]],
) -> None:
    def refused(caller: Caller) -> None:
        told = [other for other in play.callers if other.told and other.done_ms < caller.granted_ms]
        knew_limit = any(other.counted_ms > outside.changed_ms for other in told)
        knew_others = not outside.spent_ms or any(
            other.counted_ms > outside.spent_ms and outside.number_at(other.counted_ms) == outside.number
            for other in told
        )
        # a quota of nothing can only be asked, now and then, whether it still is one
        assert not (outside.limit and knew_limit and knew_others), f"the channel refused {caller}"

    play = Play(store, outside, draw=draw, refused=refused)
    for at, calls in spends:
        play.timeline.after(at, lambda calls=calls: outside.spend(play.timeline.ms, calls))
    for at, limit in changes:
        play.timeline.after(at, lambda limit=limit: outside.change(play.timeline.ms, limit))
    # in the end there is something for everybody
    play.timeline.after(25_000, lambda: outside.change(play.timeline.ms, max(1, outside.limit)))
    play.call(*crowd)
    play.run(for_s=LONG_S)

    everybody_was_served(play)


@examples
@given(
    rate=st.sampled_from([0.5, 1.0, 2.0, 5.0, 50.0]),
    burst=st.integers(1, 15),
    full=st.floats(0.5, 1),
    crowd=callers,
    mute=mutes,
    draw=st.floats(0, 0.999),
    told=st.sampled_from([1.0, 1.0, 0.3, 2.0]),
)
def test_a_bucket_never_refuses_a_call(
    store: TimedStore,
    rate: float,
    burst: int,
    full: float,
    crowd: Sequence[Caller],
    mute: int,
    draw: float,
    told: float,
) -> None:
    def refused(caller: Caller) -> None:
        # until an answer has told another rate, the documented one is all there is to go by
        known = any(other.told and other.done_ms < caller.granted_ms for other in play.callers)
        assert told < 1, f"the channel refused {caller}"
        assert not known, f"the channel refused {caller}"

    outside = Tokens(rate * told, burst, max(1.0, burst * full))
    plans = {OPERATION: Quota(rate=rate, burst=burst)}
    play = Play(
        store, outside, plans, draw=draw, refused=refused, mute=lambda n: bool(mute) and n > 1 and n % mute == 0
    )
    play.call(*crowd)
    play.run(for_s=LONG_S)

    everybody_was_served(play)
