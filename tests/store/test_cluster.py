"""A Redis Cluster holds the stock of record: every script finds its keys on one node, and nothing is ever repeated."""

from __future__ import annotations

import signal
import subprocess
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

import pytest
import redis
from cryptography.fernet import Fernet
from pydantic import SecretStr
from redis.cluster import RedisCluster

from channels import Level
from channels.diagnosis import Severity
from sync.deadline import Deadline
from sync.pull import pull
from sync.readings import Pulls
from sync.storage import embedded
from sync.storage.cluster import CLOCK_KEY, Cluster
from sync.storage.store import BUCKETS, Store
from sync.stores import OAuthSettings, Stores
from sync.views import doctor
from sync.views.drift import Kind, drifts
from tests.conftest import Bench, Clock, TimedStore, Town
from tests.ports import free_port, free_ports
from tests.waiting import wait_until

SLOTS = 16384
NODES = 3


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[int, subprocess.Popen[bytes]]]:
    """Three primaries that share all slots, by their ports."""
    folder = tmp_path_factory.mktemp("cluster")
    found = free_ports(2 * NODES)
    ports, buses = found[:NODES], found[NODES:]
    servers = {port: _serve(folder / str(port), port, bus) for port, bus in zip(ports, buses, strict=True)}
    try:
        nodes = [redis.Redis(port=port, decode_responses=True) for port in ports]
        wait_until(lambda: all(map(_answers, nodes)), 10, "the nodes answer")
        share = -(-SLOTS // NODES)
        for place, node in enumerate(nodes):
            last = min(SLOTS, (place + 1) * share) - 1
            node.execute_command("CLUSTER ADDSLOTSRANGE", place * share, last)
            node.execute_command("CLUSTER MEET", "127.0.0.1", ports[0], buses[0])
        wait_until(lambda: all(map(_is_whole, nodes)), 10, "the nodes know each other")
        for node in nodes:
            node.close()
        yield servers
    finally:
        for server in servers.values():
            server.kill()
            server.wait()


@pytest.fixture(scope="module")
def ports(servers: Mapping[int, object]) -> list[int]:
    return list(servers)


def _serve(folder: Path, port: int, bus: int) -> subprocess.Popen[bytes]:
    folder.mkdir()
    options = ["--port", str(port), "--cluster-enabled", "yes", "--cluster-port", str(bus), "--save", ""]
    command = [embedded._program(), *options, "--dir", str(folder), "--bind", "127.0.0.1", "--logfile", "log"]
    return subprocess.Popen(command)


def _answers(node: redis.Redis) -> bool:
    try:
        return bool(node.ping())
    except redis.RedisError:
        return False


def _is_whole(node: redis.Redis) -> bool:
    state = node.execute_command("CLUSTER INFO")
    return bool(state["cluster_state"] == "ok" and int(state["cluster_known_nodes"]) == NODES)


def _asked(ports: list[int]) -> Counter[str]:
    """How often all nodes together were asked for each command."""
    calls = Counter[str]()
    for port in ports:
        with redis.Redis(port=port) as node:
            calls.update({name: stats["calls"] for name, stats in node.info("commandstats").items()})
    return calls


def _url(ports: list[int]) -> str:
    return ";".join(f"redis+cluster://127.0.0.1:{port}" for port in ports)


@pytest.fixture
def store(ports: list[int], clock: Clock) -> Iterator[TimedStore]:
    """An empty cluster, by the test's clock."""
    store = TimedStore(_url(ports), clock)
    store.client.flushall()
    yield store
    store.close()


def test_stock_is_counted_moved_written_and_explained(store: TimedStore) -> None:
    bench = Bench(store)
    skus = [f"SKU-{number:03}" for number in range(100)]
    for sku in skus:
        bench.counted(10, sku)
    for sku in skus:
        bench.read("store", 7, sku)
    assert {record.on_hand for record in bench.ledger.every_record()} == {7}
    assert [record.sku for record in bench.ledger.every_record()] == skus
    assert bench.ledger.listings("store") == len(skus)
    assert [movement.units for movement in bench.ledger.history("SKU-042")] == [10, -3]

    assert sorted(bench.worklist.dirty("market", 1000)) == [sku.lower() for sku in skus]
    assert bench.claim("market", "SKU-042").what == "claimed"


def test_the_records_lie_on_all_nodes(store: TimedStore, ports: list[int]) -> None:
    bench = Bench(store)
    for number in range(200):
        bench.read("till", 10, f"SKU-{number}")
    sizes = []
    for port in ports:
        with redis.Redis(port=port) as node:
            sizes.append(node.dbsize())
    assert min(sizes) > 20


def test_a_page_that_is_as_it_was_costs_one_call_for_each_bucket_and_none_to_find_it(
    store: TimedStore, ports: list[int]
) -> None:
    bench = Bench(store)
    levels = [Level(f"SKU-{number}", f"ref-{number}", 1) for number in range(200)]
    for _ in range(2):
        bench.merge("store", levels)
    before = _asked(ports)
    bench.merge("store", levels)
    calls = _asked(ports) - before
    asked = [calls.pop(f"cmdstat_{command}") for command in ("evalsha", "hget", "hset")]
    assert asked == [BUCKETS] * 3
    assert not calls["cmdstat_hmget"], "no record is looked at"
    assert not any("getkeys" in command for command in calls)


def test_how_far_a_reading_has_come_is_kept_in_one_step(store: TimedStore) -> None:
    pulls = Pulls(store)
    pulls.begin("store", 1)
    assert pulls.advance("store", 1, "cursor", 250)
    assert pulls.state("store").cursor == "cursor"
    assert pulls.finish("store", pulls.state("store"), 2)
    assert pulls.state("store").last_rows == 250


def test_the_clock_is_that_of_one_node(ports: list[int]) -> None:
    store = Store(_url(ports))
    asked: set[str] = set()
    client = store.client
    assert isinstance(client, Cluster)
    real = client._execute_command

    def note(node: object, *args: object, **options: object) -> object:
        asked.add(str(node))
        return real(node, *args, **options)

    client._execute_command = note
    for _ in range(20):
        store.now_ms()
    assert asked == {str(client.get_node_from_key(CLOCK_KEY))}
    store.close()


def test_what_times_out_in_a_pipeline_is_not_sent_again(
    servers: Mapping[int, subprocess.Popen[bytes]], monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store(_url(list(servers)), timeout_s=0.5)
    assert isinstance(store.client, Cluster)
    key = "is:{7}:count"
    store.client.delete(key)
    server = servers[store.client.get_node_from_key(key).port]
    real = RedisCluster._execute_command

    def goes_on(*args: object, **options: object) -> object:
        server.send_signal(signal.SIGCONT)  # just in time for a repetition
        return real(*args, **options)

    monkeypatch.setattr(RedisCluster, "_execute_command", goes_on)
    server.send_signal(signal.SIGSTOP)
    pipeline = store.client.pipeline(transaction=False)
    pipeline.incr(key)
    with suppress(redis.TimeoutError):
        pipeline.execute()
    wait_until(lambda: store.client.get(key) is not None, 5, "the node has gone on")
    assert store.client.get(key) == "1"
    store.close()


def test_the_doctor_asks_every_primary(store: TimedStore, ports: list[int]) -> None:
    told = [row for row in doctor.store(store) if row.about == "append-only"]
    assert {row.what.split(": ")[0] for row in told} == {f"127.0.0.1:{port}" for port in ports}
    assert {row.severity for row in told} == {Severity.WARNING}  # these nodes keep nothing


def test_drift_is_found_on_all_nodes(store: TimedStore) -> None:
    town = Town.build(store)
    for number in range(40):
        town.put(f"SKU-{number:02}", 10)
    for name in town.context.channels:
        pull(town.context, name, Deadline(60))
    for number in range(40):
        town.till.shop.sell(f"SKU-{number:02}", 3)
    pull(town.context, "till", Deadline(60))
    found = list(drifts(town.context, ["store"]))
    assert [row.sku for row in found] == [f"SKU-{number:02}" for number in range(40)]
    assert {(row.kind, row.units) for row in found} == {(Kind.ON_ITS_WAY, 3)}


def test_installed_stores_are_kept(store: TimedStore) -> None:
    key = SecretStr(Fernet.generate_key().decode())
    app = OAuthSettings(client_id="app", client_secret="x", redirect_uri="https://a.example/b", encryption_keys=(key,))
    stores = Stores(store, app)
    stores.install("abc123", SecretStr("token"), ["store_v2_products"], store.now_ms())
    assert stores.rotate() == (1, 0)
    stores.acted_on("message")
    assert stores.is_repeated("message")
    assert stores.uninstall("abc123", store.now_ms())
    assert [one.token for one in stores.all()[1]] == [""]


def test_a_cluster_that_is_not_there_is_a_connection_error() -> None:
    with pytest.raises(redis.ConnectionError):
        Store(_url([free_port()]))
