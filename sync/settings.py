"""The settings: environment over secret files over the settings file over defaults, checked before anything runs."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from itertools import combinations
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field, PrivateAttr, SecretStr, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    NestedSecretsSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from channels import ChannelSettings, channel_type, channel_types
from channels.fields import absent
from sync.errors import SettingsError, instead
from sync.guard.judge import GuardSettings
from sync.policy.rules import PolicySettings, Rule, rules_of
from sync.stock.mapping import Aliases, MappingSettings, aliases_of
from sync.stock.recipes import Recipes, recipes_of
from sync.storage import addresses
from sync.storage.addresses import BROKER_SCHEMES, STORE_SCHEMES
from sync.stores import OAuthSettings

#: The environment variable that names the settings file.
FILE_VARIABLE = "SYNC_CONFIG"

#: The settings file when nothing names another.
DEFAULT_FILE = "sync.toml"

#: Where containers mount secrets: one file for each, named like the environment variable, in lower or upper case.
SECRETS_FOLDER = "/run/secrets"

#: Variables that Kubernetes sets by itself for a service called "sync".
KUBERNETES = re.compile(r"SYNC_(SERVICE_(HOST|PORT)|PORT)(_.*)?")

#: Why the store may live on a cluster, and the broker not.
NO_CLUSTER = "Celery needs all its keys on one server; set broker_url to a single Redis, to Sentinels or to RabbitMQ"

#: What a channel may be called: it becomes part of keys, addresses and metrics.
CHANNEL_NAME = re.compile(r"[a-z][a-z0-9_-]{0,31}")

#: What begins other fields of a SKU's record than those of a channel (see ``sync/stock/records.py``).
RESERVED = frozenset({"bundle"})


class _Textual(EnvSettingsSource):
    """A source whose values in a channel's table stay text, lists and tables apart: a token may be all digits."""

    def decode_complex_value(self, field_name: str, field: FieldInfo | None, value: Any) -> Any:
        decoded = super().decode_complex_value(field_name, field, value)  # type: ignore[arg-type]
        return decoded if field or isinstance(decoded, (dict, list)) else value


class _Environment(_Textual):
    """Variables of the environment."""


class _SecretFiles(_Textual, NestedSecretsSettingsSource):
    """One file for each secret."""


def _address(schemes: tuple[str, ...]) -> Callable[[SecretStr | None], SecretStr | None]:
    """Checks that a text is an address of one of these schemes; the address itself may hold a password."""

    def check(value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            addresses.check(value.get_secret_value(), schemes)
        return value

    return check


def _dsn(value: SecretStr | None) -> SecretStr | None:
    if value is not None:
        from sentry_sdk.utils import BadDsn, Dsn  # takes its time, and most have none

        try:
            Dsn(value.get_secret_value())
        except BadDsn:
            raise ValueError("must be a DSN as Sentry shows it, such as https://key@sentry.example.com/1") from None
    return value


def _broker(value: SecretStr | None) -> SecretStr | None:
    if value is not None and value.get_secret_value().startswith("redis+cluster:"):
        raise ValueError(f"a Redis Cluster cannot be the broker: {NO_CLUSTER}")
    return _address(BROKER_SCHEMES)(value)


class Settings(BaseSettings):
    """Everything that can be set. Keys of the file are these names; variables are ``SYNC_`` and the name."""

    model_config = SettingsConfigDict(
        env_prefix="SYNC_",
        env_nested_delimiter="__",
        allow_inf_nan=False,
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,
        use_attribute_docstrings=True,
    )

    redis_url: Annotated[SecretStr | None, BeforeValidator(absent), AfterValidator(_address(STORE_SCHEMES))] = None
    """The server of the stock of record (``redis://...``, see ``docs/deployment.md``); unset: the embedded one."""

    broker_url: Annotated[SecretStr | None, BeforeValidator(absent), AfterValidator(_broker)] = None
    """Celery's broker, such as RabbitMQ (see ``docs/deployment.md``); unset: the same server as ``redis_url``."""

    data_dir: Path = Path("var")
    """The folder of the embedded store, relative to the settings file."""

    authority: str = ""
    """The channel whose first count opens the stock of record; unset: the first channel in the file."""

    schedule: Path | None = None
    """The beat schedule, in the format of ``celerybeat-schedule.example``; unset: that example."""

    write_lease_s: float = Field(default=60.0, gt=0, le=3600)
    """For how long a worker may hold listings for a write, in seconds; what one had that died is looked at after it."""

    sentry_dsn: Annotated[SecretStr | None, BeforeValidator(absent), AfterValidator(_dsn)] = None
    """Where errors are reported; unset: nowhere."""

    log_format: Literal["text", "json"] = "text"
    """How a log line looks."""

    policy: PolicySettings = Field(default_factory=PolicySettings)
    """What the channels show of the stock of record; see ``docs/policy.md``."""

    mapping: MappingSettings = Field(default_factory=MappingSettings)
    """Which SKUs differ between channels; see ``docs/mapping.md``."""

    bundles: dict[str, dict[str, Annotated[int, Field(ge=1)]]] = Field(default_factory=dict)
    """SKUs that are made of others: for each, its components and how many of each; see ``docs/bundles.md``."""

    bundles_csv: Path | None = None
    """A CSV file with more of them: the columns ``bundle``, ``component`` and ``units``, a row for each component."""

    guard: GuardSettings = Field(default_factory=GuardSettings)
    """What is held until a person approves it; see ``docs/guard.md``."""

    oauth: OAuthSettings | None = None
    """A marketplace app whose stores join as channels; see ``docs/oauth.md``. Unset: there is none."""

    channels: Annotated[dict[str, Any], BeforeValidator(lambda value: value or {})] = Field(
        default_factory=dict, repr=False, exclude=True
    )
    """One table for each channel, as written, secrets and all; each holds ``type`` and the keys of that type."""

    _file: Path = PrivateAttr(default=Path(DEFAULT_FILE))
    _channels: dict[str, ChannelSettings] = PrivateAttr(default_factory=dict)
    _rules: tuple[Rule, ...] = PrivateAttr(default=())
    _recipes: Recipes = PrivateAttr(default_factory=Recipes)
    _aliases: Aliases = PrivateAttr(default_factory=Aliases)

    @property
    def file(self) -> Path:
        """The file these settings were read from, whether or not it exists."""
        return self._file

    @property
    def channel_settings(self) -> Mapping[str, ChannelSettings]:
        """The checked settings of every channel, in the order of the file."""
        return self._channels

    @property
    def channel_names(self) -> list[str]:
        """All channels that may be: those of the file, and those of stores that may install the app."""
        return [*self._channels, *(self.oauth.names if self.oauth else ())]

    @property
    def rules(self) -> tuple[Rule, ...]:
        """All rules of ``policy``, those of its CSV included."""
        return self._rules

    @property
    def recipes(self) -> Recipes:
        """All bundles, those of their CSV included."""
        return self._recipes

    @property
    def aliases(self) -> Aliases:
        """The SKUs that channels write otherwise than we do."""
        return self._aliases

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Environment, then secret files, then the settings file."""
        return (
            _Environment(settings_cls),
            _SecretFiles(
                file_secret_settings,
                secrets_dir=SECRETS_FOLDER,
                secrets_dir_missing="ok",
                secrets_prefix="SYNC_",
                secrets_nested_delimiter="__",
            ),
            TomlConfigSettingsSource(settings_cls, toml_file=settings_file()),
        )


def settings_file() -> Path:
    """The settings file that is meant: ``SYNC_CONFIG``, or ``sync.toml`` in the working folder."""
    return Path(os.environ.get(FILE_VARIABLE) or DEFAULT_FILE).absolute()


def load_settings() -> Settings:
    """Read and check the settings.

    Raises:
        SettingsError: something is wrong; the message names the file, each key and what would be right.
    """
    file = settings_file()
    _check_variables()
    if FILE_VARIABLE in os.environ and not file.is_file():
        raise SettingsError(f"{file}: there is no such file; {FILE_VARIABLE} must name your settings file")
    try:
        settings = Settings()
    except ValidationError as error:
        raise SettingsError(_explain(file, (), error.errors(), Settings)) from None
    except UnicodeDecodeError:
        raise SettingsError(f"{file}: is not written in UTF-8; save it again as UTF-8 text") from None
    except ValueError as error:
        raise SettingsError(f"{file}: is no TOML: {error}") from None
    except OSError as error:
        raise SettingsError(f"{file}: cannot be read: {error.strerror}") from None
    if not settings.channels and not (settings.oauth and settings.oauth.stores):
        raise SettingsError(
            f"{file}: {'channels: there is none' if file.is_file() else 'there is no such file'}; it must have a table"
            " for each place that sells or counts, such as [channels.store]"
        )
    settings._file = file
    settings._channels = {name: _channel(file, name, table) for name, table in settings.channels.items()}
    if settings.broker_url is None and settings.redis_url is not None:
        try:
            _broker(settings.redis_url)
        except ValueError as error:
            raise SettingsError(
                f"{file}: broker_url: is not set, so redis_url would be the broker, but {error}"
            ) from None
    _check_places(file, settings.channel_settings)
    like = settings.oauth and settings.oauth.check(file, settings.channel_settings)
    names = settings.channel_names
    if settings.authority and settings.authority not in names:
        words = instead(settings.authority, names)
        raise SettingsError(f"{file}: authority: there is no channel {settings.authority!r}{words}")
    authority = settings.authority or names[0]
    if authority in settings.channels and not settings.channel_settings[authority].knows_counts:
        raise SettingsError(
            f"{file}: authority: {authority} knows changes and no counts, so it cannot open the stock of record; name a"
            " channel that counts"
        )
    tables = {f"channels.{name}": channel for name, channel in settings.channel_settings.items()}
    for table, channel in (tables | ({"oauth.channel": like} if like else {})).items():
        if settings.write_lease_s < channel.least_lease_s:
            raise SettingsError(
                f"{file}: write_lease_s: {settings.write_lease_s:g} s are too short for a write to {table};"
                f" with its settings it needs {channel.least_lease_s:g}"
            )
    settings.guard.check(file, names)
    settings._rules = rules_of(settings.policy, file, names)
    settings._recipes = recipes_of(settings.bundles, settings.bundles_csv, file)
    settings._aliases = aliases_of(settings.mapping, file, names)
    base = file.parent
    return settings.model_copy(
        update={
            "data_dir": base / settings.data_dir,
            "schedule": base / settings.schedule if settings.schedule else None,
            "authority": authority,
        }
    )


def _channel(file: Path, name: str, table: Any) -> ChannelSettings:
    key = f"channels.{name}"
    if not isinstance(table, dict):
        raise SettingsError(f"{file}: {key}: must be a table, [{key}]")
    if not CHANNEL_NAME.fullmatch(name):
        raise SettingsError(f"{file}: {key}: a channel's name is 1 to 32 of a-z, 0-9, _ and -, a letter first")
    if name in RESERVED:
        raise SettingsError(f"{file}: {key}: is a word of the stock of record; call the channel otherwise")
    kind = table.get("type")
    if not isinstance(kind, str):
        raise SettingsError(f"{file}: {key}.type: must say what the channel is, one of: {', '.join(channel_types())}")
    try:
        model = channel_type(kind).Settings
    except TypeError as error:
        raise SettingsError(f"{file}: {key}.type: {error}") from None
    except LookupError:
        raise SettingsError(
            f"{file}: {key}.type: there is no channel type {kind!r}{instead(kind, channel_types())}"
        ) from None
    try:
        checked = model.model_validate(table)
    except ValidationError as error:
        raise SettingsError(_explain(file, ("channels", name), error.errors(), model)) from None
    paths = {
        field: file.parent / value for field, value in checked if isinstance(value, Path) and not value.is_absolute()
    }
    return checked.model_copy(update=paths) if paths else checked


def _check_places(file: Path, channels: Mapping[str, ChannelSettings]) -> None:
    """No stock may be counted twice."""
    for (name, one), (other, another) in combinations(channels.items(), 2):
        places = sorted((one.stock_place, another.stock_place))
        if one.type == another.type and places[0] and places[1].startswith(places[0]):
            raise SettingsError(
                f"{file}: channels.{other}: counts the same stock as channels.{name}, so that each of its sales would"
                " be counted twice; keep one of them"
            )


def _explain(file: Path, table: tuple[str, ...], errors: list[ErrorDetails], model: type[BaseModel]) -> str:
    """One line for each thing that is wrong: the file, the key, what would be right."""
    return "\n".join(f"{file}: {_key(table, error)}: {_advice(error, model)}" for error in errors)


def _key(table: tuple[str, ...], error: ErrorDetails) -> str:
    return ".".join(str(part) for part in (*table, *error["loc"])) or "(the whole file)"


def _advice(error: ErrorDetails, model: type[BaseModel]) -> str:
    key, model = str(error["loc"][-1]) if error["loc"] else "", _model_at(model, error["loc"])
    if error["type"] == "extra_forbidden":
        return f"there is no such key{instead(key, model.model_fields)}"
    if error["type"] == "missing":
        return f"is missing{_meaning(model, key)}"
    message = error["msg"].removeprefix("Value error, ")
    meaning = _meaning(model, key) if error["type"] in ("string_pattern_mismatch", "string_type", "too_short") else ""
    return message[0].lower() + message[1:] + meaning


def _model_at(model: type[BaseModel], loc: tuple[int | str, ...]) -> type[BaseModel]:
    """The model that the last part of a place in the settings is a key of."""
    for part in loc[:-1]:
        field = model.model_fields.get(str(part))
        for inner in (field.annotation, *get_args(field.annotation)) if field else ():
            if isinstance(inner, type) and issubclass(inner, BaseModel):
                model = inner
    return model


def _meaning(model: type[BaseModel], key: str) -> str:
    field = model.model_fields.get(key)
    words = (field.description or "").replace("``", "").strip().rstrip(".") if field else ""
    return f" ({words})" if words else ""


def _check_variables() -> None:
    """A misspelt variable is an error like a misspelt key."""
    for name in os.environ:
        top = name.removeprefix("SYNC_").split("__")[0].lower()
        if not name.startswith("SYNC_") or name == FILE_VARIABLE or top in Settings.model_fields:
            continue
        if not KUBERNETES.fullmatch(name):
            raise SettingsError(f"{name}: there is no such variable{instead(top, Settings.model_fields)}")
