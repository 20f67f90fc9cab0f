"""Settings: where each value comes from, what a mistake says, and what never shows."""

from __future__ import annotations

from pathlib import Path

import pytest

from channels.bigcommerce import BigCommerceSettings
from sync.errors import SettingsError
from sync.settings import Settings, load_settings
from tests import settings_file
from tests.settings_file import alone

__all__ = ["alone"]

GOOD = """
authority = "store"

[channels.store]
type = "bigcommerce"
store_hash = "abc123"
access_token = "t0p-secret"
"""


def load(text: str = GOOD) -> Settings:
    return settings_file.load(text)


def refused(text: str) -> str:
    """What is said about a file that is wrong; every line names the file, which is left out here."""
    lines = settings_file.refused(text).splitlines()
    assert all(line.startswith("sync.toml: ") for line in lines)
    return "\n".join(line.removeprefix("sync.toml: ") for line in lines)


def token(settings: Settings) -> str:
    store = settings.channel_settings["store"]
    assert isinstance(store, BigCommerceSettings)
    return store.access_token.get_secret_value()


def secret_file(name: str, text: str) -> None:
    Path("secrets").mkdir(exist_ok=True)
    (Path("secrets") / name).write_text(text)


# --- where a value comes from


def test_what_the_file_does_not_say_has_its_default() -> None:
    settings = load()

    assert (settings.data_dir, settings.schedule, settings.log_format) == (Path.cwd() / "var", None, "text")
    assert settings.redis_url is settings.broker_url is settings.sentry_dsn is None


def test_without_a_channel_there_is_nothing_to_do() -> None:
    with pytest.raises(SettingsError, match=r"sync\.toml: there is no such file; .*\[channels.store\]"):
        load_settings()
    assert "[channels.store]" in refused("")


def test_the_environment_goes_before_a_secret_file_and_that_before_the_settings_file(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert token(load()) == "t0p-secret"

    secret_file("sync_channels__store__access_token", "from-a-secret-file\n")
    assert token(load()) == "from-a-secret-file"

    monkeypatch.setenv("SYNC_CHANNELS__STORE__ACCESS_TOKEN", "from-the-environment")
    assert token(load()) == "from-the-environment"


def test_secret_files_may_be_named_in_capitals() -> None:
    secret_file("SYNC_CHANNELS__STORE__ACCESS_TOKEN", "shouted")

    assert token(load()) == "shouted"


@pytest.mark.parametrize("text", ["1234567890", "0123", "1e5", "true", "null", "NaN", "-7", '"quoted"'])
def test_a_token_stays_the_text_it_is_whatever_it_looks_like(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("SYNC_CHANNELS__STORE__ACCESS_TOKEN", text)
    assert token(load()) == text

    monkeypatch.delenv("SYNC_CHANNELS__STORE__ACCESS_TOKEN")
    secret_file("sync_channels__store__access_token", text)
    assert token(load()) == text


def test_numbers_and_whole_channels_can_be_set_by_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SYNC_CHANNELS__STORE__LOCATION_ID", "7")
    monkeypatch.setenv("SYNC_CHANNELS__TILL__TYPE", "pos_csv")
    monkeypatch.setenv("SYNC_CHANNELS__TILL__PATH", "2026")

    settings = load()

    store = settings.channel_settings["store"]
    assert isinstance(store, BigCommerceSettings)
    assert store.location_id == 7
    assert settings.channel_settings["till"].type == "pos_csv"


def test_paths_are_relative_to_the_settings_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "shop.toml").write_text(
        'data_dir = "data"\nschedule = "beat.toml"\n[channels.t]\ntype = "pos_csv"\npath = "t"\n'
    )
    monkeypatch.setenv("SYNC_CONFIG", str(elsewhere / "shop.toml"))

    settings = load_settings()

    assert (settings.data_dir, settings.schedule) == (elsewhere / "data", elsewhere / "beat.toml")


def test_the_first_channel_is_the_authority_unless_another_is_named() -> None:
    two = '[channels.b]\ntype = "pos_csv"\npath = "b"\n[channels.a]\ntype = "pos_csv"\npath = "a"\n'

    assert load(two).authority == "b"
    assert load('authority = "a"\n' + two).authority == "a"


# --- what a mistake says


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('log_formt = "json"', "log_formt: there is no such key; did you mean 'log_format'?"),
        ('log_format = "xml"', "log_format: input should be 'text' or 'json'"),
        (GOOD + 'acces_token = "x"', "channels.store.acces_token: there is no such key; did you mean 'access_token'?"),
        (GOOD + "location_id = 0", "channels.store.location_id: input should be greater than or equal to 1"),
        (GOOD + 'write = "fast"', "channels.store.write: input should be 'catalog', 'inventory' or 'relative'"),
        ('[channels.x]\nkind = "a"', "channels.x.type: must say what the channel is, one of: amazon, bigcommerce"),
        ('[channels.x]\ntype = "bigcomerce"', "channels.x.type: there is no channel type 'bigcomerce'; did you mean"),
        ('[channels.X]\ntype = "pos_csv"', "channels.X: a channel's name is 1 to 32 of a-z"),
        ("channels = 5", "channels: input should be a valid dictionary"),
        ("[channels]\nstore = 5", "channels.store: must be a table, [channels.store]"),
        (
            'authority = "stor"\n' + GOOD.replace('authority = "store"', ""),
            "authority: there is no channel 'stor'; did",
        ),
    ],
)
def test_a_mistake_names_the_file_the_key_and_what_is_right(text: str, said: str) -> None:
    assert refused(text).startswith(said)


def test_a_missing_key_says_what_it_is_for() -> None:
    said = refused(GOOD.replace('access_token = "t0p-secret"', ""))

    assert said.startswith("channels.store.access_token: is missing (Access token of the store's API account")


def test_an_unknown_type_lists_the_known_ones_once() -> None:
    assert refused('[channels.x]\ntype = "ebay"').count("bigcommerce") == 1


def test_keys_that_do_not_go_together_name_their_channel() -> None:
    said = refused(GOOD + 'webhook_url = "https://sync.example.com"')

    assert said == "channels.store: webhook_url needs client_secret: without it no webhook can be verified"


def test_a_write_may_not_outlast_the_claim_on_its_listings() -> None:
    assert load("write_lease_s = 8\n" + GOOD + "read_timeout_s = 4\n").write_lease_s == 8
    said = refused("write_lease_s = 8\n" + GOOD + "read_timeout_s = 5\n")
    assert said == "write_lease_s: 8 s are too short for a write to channels.store; with its settings it needs 10"


def test_every_mistake_is_told_at_once() -> None:
    assert len(refused(GOOD + "location_id = 0\nsettle_s = -1\nnonsense = 1").splitlines()) == 3


def test_a_file_that_is_no_toml_says_where_it_stops_being_one() -> None:
    assert "line 2" in refused("authority = 'store'\nlog_format = = 1")


def test_a_file_that_was_named_must_be_there(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SYNC_CONFIG", str(tmp_path / "nowhere.toml"))

    with pytest.raises(SettingsError, match=r"nowhere.toml: there is no such file; SYNC_CONFIG must name"):
        load_settings()


# --- what never shows


def test_secrets_show_in_no_description_of_the_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SYNC_BROKER_URL", "redis://:p4ss@broker")
    settings = load('redis_url = "redis://:hunter2@host"\nsentry_dsn = "https://k3y@sentry/1"\n' + GOOD)

    shown = f"{settings!r} {settings} {settings.channel_settings} {settings.model_dump()} {settings.model_dump_json()}"
    for secret in ("t0p-secret", "hunter2", "p4ss", "k3y"):
        assert secret not in shown


@pytest.mark.parametrize(
    "wrong",
    [
        GOOD.replace('"t0p-secret"', '["t0p-secret"]'),
        GOOD.replace('"abc123"', '"t0p-secret!"'),
        GOOD.replace("access_token =", "acces_token ="),
        GOOD + 'client_secret = "t0p-secret',
        '[channels]\nstore = "t0p-secret"',
        'redis_url = ["t0p-secret"]',
    ],
)
def test_secrets_show_in_no_error(wrong: str) -> None:
    assert "t0p-secret" not in refused(wrong)


@pytest.mark.parametrize("dsn", ["t0p-secret", "https://t0p-secret@", "https://t0p-secret@sentry/"])
def test_a_dsn_under_which_nothing_would_be_reported_is_refused_without_being_shown(dsn: str) -> None:
    words = refused(f'sentry_dsn = "{dsn}"\n{GOOD}')
    assert words.startswith("sentry_dsn: must be a DSN")
    assert "t0p-secret" not in words


def test_a_file_that_is_not_utf_8_says_so() -> None:
    Path("sync.toml").write_bytes('authority = "Läden"'.encode("latin-1"))
    with pytest.raises(SettingsError, match="save it again as UTF-8"):
        load_settings()


@pytest.mark.parametrize("name", ["redis_url", "broker_url", "sentry_dsn"])
def test_an_empty_value_is_no_value(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"SYNC_{name.upper()}", "")
    assert getattr(load(), name) is None


@pytest.mark.parametrize(
    ("key", "value"), [("redis_url", "http://host"), ("redis_url", "redis://h:x/0"), ("broker_url", "nonsense")]
)
def test_an_address_that_cannot_be_one_is_refused_without_being_shown(key: str, value: str) -> None:
    said = refused(f'{key} = "{value}"\n{GOOD}')
    assert said.startswith(f"{key}: must be an address")
    assert value not in said


def test_a_misspelt_variable_is_an_error_unless_it_is_not_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SYNC_PORT_8080_TCP", "tcp://10.0.0.1:8080")
    load()
    monkeypatch.setenv("SYNC_REDISURL", "redis://host")
    with pytest.raises(SettingsError, match="SYNC_REDISURL: there is no such variable; did you mean 'redis_url'"):
        load()


def test_a_journal_of_changes_cannot_open_the_stock_of_record() -> None:
    till = '[channels.till]\ntype = "pos_csv"\npath = "pos"\nkind = "journal"\nmovement = "sold"\nid_column = "id"\n'
    said = refused(GOOD.replace('authority = "store"', 'authority = "till"') + till)
    assert "till knows changes and no counts" in said


def test_a_cluster_holds_the_store_but_cannot_be_the_broker() -> None:
    cluster, rabbit = 'redis_url = "redis+cluster://:t0p-secret@node:6379"', 'broker_url = "amqp://rabbit"'

    assert load(f"{cluster}\n{rabbit}\n{GOOD}").redis_url is not None
    for wrong in (cluster, cluster.replace("redis_url", "broker_url")):
        words = refused(f"{wrong}\n{GOOD}")
        assert words.startswith("broker_url: ")
        assert "a Redis Cluster cannot be the broker" in words
        assert "Sentinels or to RabbitMQ" in words
        assert "t0p-secret" not in words


# --- settings that go together


def test_no_channel_is_called_as_what_a_record_holds_beside_channels() -> None:
    assert refused(store("bundle")).startswith("channels.bundle: is a word of the stock of record")


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("write_lease_s = inf" + GOOD, "write_lease_s"),
        ("write_lease_s = 1e300" + GOOD, "write_lease_s"),
        (GOOD + "settle_s = inf", "channels.store.settle_s"),
        (GOOD + "read_timeout_s = inf", "channels.store.read_timeout_s"),
    ],
)
def test_a_time_without_an_end_is_none(text: str, key: str) -> None:
    assert refused(text).startswith(f"{key}: input should be")


STORE = """
[channels.{name}]
type = "bigcommerce"
store_hash = "{store}"
access_token = "t"
{more}
"""
ACCOUNT = """
[channels.{name}]
type = "amazon"
seller_id = "A1"
marketplace_id = "{market}"
client_id = "c"
client_secret = "s"
refresh_token = "r"
stock = "{stock}"
"""


def store(name: str, store_hash: str = "abc", more: str = "") -> str:
    return STORE.format(name=name, store=store_hash, more=more)


def account(name: str, market: str = "ATVP", stock: str = "merchant") -> str:
    return ACCOUNT.format(name=name, market=market, stock=stock)


@pytest.mark.parametrize(
    "twice",
    [
        store("one") + store("two"),
        store("one") + store("two", "ABC"),
        store("one") + store("two", more='write = "inventory"'),
        store("one", more='write = "relative"') + store("two", more='write = "inventory"'),
        account("one") + account("two"),
    ],
)
def test_no_stock_is_counted_by_two_channels(twice: str) -> None:
    assert refused(twice) == (
        "channels.two: counts the same stock as channels.one, so that each of its sales would be counted twice;"
        " keep one of them"
    )


@pytest.mark.parametrize(
    "apart",
    [
        store("one") + store("two", "abcd"),
        store("one", more='write = "inventory"\nlocation_id = 1')
        + store("two", more='write = "inventory"\nlocation_id = 11'),
        account("one") + account("two", "A1F8"),
        account("one") + account("two", stock="amazon"),
        store("one") + account("two"),
    ],
)
def test_two_channels_of_one_credential_may_count_two_stocks(apart: str) -> None:
    assert list(load(apart).channel_settings) == ["one", "two"]
