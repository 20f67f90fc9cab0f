"""Objects in a bucket: each content once, nothing changed there."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import ValidationError

pytest.importorskip("boto3")

from channels.errors import Denied, Rejected, Unanswered, Unreachable
from channels.pos_csv import PosCsvSettings

from .conftest import Shop
from .s3_stub import BUCKET, S3Stub, serving

Table = Callable[..., str]


@pytest.fixture
def stub() -> Iterator[S3Stub]:
    with serving() as stub:
        yield stub


class Bucket:
    """The till that exports into the bucket, and the settings that read it."""

    def __init__(self, stub: S3Stub, shop: Shop) -> None:
        self.stub = stub
        self.shop = shop
        self.settings: dict[str, object] = {
            "s3_bucket": BUCKET,
            "s3_prefix": "exports/",
            "s3_endpoint_url": stub.url,
            "s3_access_key_id": "AKIA",
            "s3_secret_access_key": "secret",
        }

    def put(self, name: str, content: str, *, age_s: float = 0.0) -> None:
        self.stub.put(f"exports/{name}", content, self.shop.clock() - timedelta(seconds=age_s))

    def levels(self, **more: object) -> dict[str, int]:
        return self.shop.levels(**(self.settings | more))

    @property
    def fetched(self) -> list[str]:
        return [request for request in self.stub.requests if request != "GET ?list"]


@pytest.fixture
def bucket(stub: S3Stub, shop: Shop) -> Bucket:
    return Bucket(stub, shop)


def test_an_object_is_fetched_and_read_with_the_time_it_was_put(bucket: Bucket, table: Table) -> None:
    bucket.put("stock.csv", table(A=3), age_s=60)
    (page,) = bucket.shop.read(**bucket.settings)
    assert [(row.sku, row.units) for row in page.levels] == [("A", 3)]
    assert (page.source, page.as_of) == ("stock.csv", bucket.shop.clock() - timedelta(seconds=60))


def test_an_object_is_fetched_once_and_again_when_its_content_changes(bucket: Bucket, table: Table) -> None:
    bucket.put("stock.csv", table(A=3), age_s=60)
    for _ in range(3):
        bucket.levels()
    assert bucket.fetched == ["GET exports/stock.csv"]
    bucket.put("stock.csv", table(A=2))
    assert bucket.levels() == {"A": 2}


def test_a_listing_of_several_pages_is_taken_whole_and_oldest_first(bucket: Bucket, table: Table) -> None:
    for number in range(5):
        bucket.put(f"stock{number}.csv", table(A=number), age_s=60 + number)
    assert [page.levels[0].units for page in bucket.shop.read(**bucket.settings)] == [4, 3, 2, 1, 0]


def test_only_objects_directly_below_the_prefix_that_fit_the_pattern_are_fetched(bucket: Bucket, table: Table) -> None:
    for key in ("stock.csv", "exports/old/stock.csv", "exports/", "exports/notes.txt", "exports/.stock.csv"):
        bucket.stub.put(key, table(A=3), bucket.shop.clock())
    assert bucket.levels() == {}
    assert bucket.fetched == []


def test_an_object_that_is_replaced_between_listing_and_getting_is_left_for_later(bucket: Bucket, table: Table) -> None:
    bucket.put("stock.csv", table(A=3))

    def replace(key: str) -> None:
        bucket.stub.on_get = lambda key: None
        bucket.put("stock.csv", table(A=2))

    bucket.stub.on_get = replace
    assert bucket.levels() == {}
    assert bucket.levels() == {"A": 2}


def test_an_object_that_is_gone_meanwhile_is_no_trouble(bucket: Bucket, table: Table) -> None:
    bucket.put("stock.csv", table(A=3))
    bucket.stub.on_get = lambda key: bucket.stub.objects.clear()
    assert bucket.levels() == {}


def test_a_connection_that_breaks_in_the_middle_leaves_nothing_and_is_told(bucket: Bucket, table: Table) -> None:
    bucket.put("stock.csv", table(A=3))
    bucket.stub.cut_after = 8
    with pytest.raises(Unanswered, match=r"fetch stock\.csv"):
        bucket.levels()
    assert bucket.shop.files() == []
    bucket.stub.cut_after = None
    assert bucket.levels() == {"A": 3}


@pytest.mark.parametrize(
    ("status", "code", "error"),
    [(403, "AccessDenied", Denied), (404, "NoSuchBucket", Rejected), (503, "SlowDown", Unanswered)],
)
def test_a_refusal_is_told_in_the_words_of_the_service(
    bucket: Bucket, status: int, code: str, error: type[Exception]
) -> None:
    bucket.stub.refuse = (status, code)
    with pytest.raises(error, match=f"{code} it is") as caught:
        bucket.levels()
    assert "secret" not in str(caught.value).replace("s3_secret_access_key", "")


def test_a_service_that_is_away_is_unreachable(bucket: Bucket) -> None:
    with pytest.raises(Unreachable, match="no connection to"):
        bucket.levels(s3_endpoint_url="http://127.0.0.1:9")


def test_a_lacking_package_is_named(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "channels.pos_csv.s3", None)
    with pytest.raises(Rejected, match=r"inventory-sync\[s3\]"):
        bucket.levels()


def test_half_a_key_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match="belong together"):
        PosCsvSettings.model_validate(
            {"type": "pos_csv", "path": tmp_path, "s3_bucket": BUCKET, "s3_access_key_id": "AKIA"}
        )
