"""Names come in order however few of them stand in memory."""

from __future__ import annotations

import tracemalloc

from hypothesis import given
from hypothesis import strategies as st

from sync.storage.spill import in_order


@given(st.lists(st.text(max_size=5)), st.integers(1, 7))
def test_names_come_in_order_and_each_once(names: list[str], run: int) -> None:
    assert list(in_order(names, run)) == sorted(set(names))


def test_memory_is_the_same_for_many_names_as_for_few() -> None:
    def peak(count: int) -> int:
        tracemalloc.start()
        assert sum(1 for _ in in_order((f"sku-{number:09}" for number in range(count)), run=1000)) == count
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    assert peak(20_000) < 2 * peak(2_000)
