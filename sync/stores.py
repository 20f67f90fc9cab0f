"""Stores that have installed the marketplace app: which, since when, and their tokens, encrypted.

All of it is one hash, ``is:{stores}``. A field for each store hash holds JSON: ``scopes``, ``installed`` and
``removed`` (ms, 0 for never), ``looked`` (whether its listings were looked at once all processes knew it) and
``token``, which only the keys of the settings open; an uninstalled store has none. The field ``version`` changes with
every change, in the same command, so that processes notice by one question (:meth:`sync.context.Context.keep_up`).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import logging
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Annotated, Any, cast

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, ValidationError

from channels import ChannelSettings, channel_type
from channels.fields import Secret, Url
from sync.errors import SettingsError, SyncError
from sync.storage.store import PREFIX, Call, Store

if TYPE_CHECKING:
    from sync.storage.vault import Vault

log = logging.getLogger(__name__)

#: What the names of their channels begin with.
CHANNEL_PREFIX = "store-"

#: What stands in the table of a store's channel by itself.
OWN_KEYS = frozenset({"type", "store_hash", "access_token", "client_id", "client_secret"})

#: For how long the id of a signed message is remembered, in seconds: a little longer than it is valid (a day).
REMEMBER_S = 25 * 3600

#: After how many seconds all processes know of a store: longer than the longest task.
KNOWN_EVERYWHERE_S = 300.0

_KEY = f"{PREFIX}{{stores}}"
_VERSION = "version"


def _fernet_key(key: SecretStr) -> SecretStr:
    try:
        known = len(base64.urlsafe_b64decode(key.get_secret_value())) == 32
    except (binascii.Error, ValueError):
        known = False
    if not known:
        raise ValueError("must be 32 bytes in url-safe base64; docs/oauth.md says how to make one")
    return key


class OAuthSettings(BaseModel):
    """The ``[oauth]`` table: the marketplace app, and the stores that may join."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True, use_attribute_docstrings=True)

    client_id: str = Field(min_length=1)
    """The app's client id, from the developer portal."""

    client_secret: Secret
    """The app's client secret; it verifies callbacks and webhooks."""

    redirect_uri: str = Field(pattern=r"^https?://[^/\s@]+/\S+$")
    """The app's auth callback, exactly as it is registered, such as ``https://sync.example.com/bigcommerce/auth``."""

    encryption_keys: tuple[Annotated[SecretStr, AfterValidator(_fernet_key)], ...] = Field(min_length=1)
    """The keys of the tokens at rest, the newest first: it encrypts, and all of them decrypt."""

    stores: tuple[Annotated[str, Field(pattern=r"^[a-z0-9]{1,24}$")], ...] = ()
    """The hashes of the stores that join the stock of record. Others that install the app wait, and are not called."""

    channel: dict[str, Any] = Field(default_factory=dict, repr=False, exclude=True)
    """What the channel of each store is set to beside, such as ``write`` and ``webhook_url``."""

    login_url: Url = "https://login.bigcommerce.com"
    """Where codes are exchanged for tokens; only a sandbox needs another than the default."""

    def channel_settings(self, store_hash: str, token: SecretStr) -> ChannelSettings:
        """The settings of a store's channel.

        Raises:
            pydantic.ValidationError: ``channel`` holds what such a channel cannot be set to.
        """
        own = {
            "type": "bigcommerce",
            "store_hash": store_hash,
            "access_token": token,
            "client_id": self.client_id,
            "client_secret": self.client_secret,
        }
        return channel_type("bigcommerce").Settings.model_validate(self.channel | own)

    @property
    def names(self) -> dict[str, str]:
        """The names of the channels that may be, with their store hashes."""
        return {channel_of(store_hash): store_hash for store_hash in self.stores}

    def check(self, file: object, channels: Mapping[str, ChannelSettings]) -> ChannelSettings:
        """Make sure that the stores can join. Gives the settings that a channel of theirs will have.

        Raises:
            SettingsError: ``channel`` is wrong, or a store has a channel in the file already.
        """
        reserved = sorted(OWN_KEYS & set(self.channel))
        if reserved:
            raise SettingsError(f"{file}: oauth.channel.{reserved[0]}: is the store's own, and cannot be set for all")
        try:
            like = self.channel_settings("abc123", SecretStr("token"))
        except ValidationError as error:
            lines = [
                f"{file}: oauth.channel.{'.'.join(map(str, detail['loc']))}: {detail['msg']}"
                for detail in error.errors(include_input=False)
            ]
            raise SettingsError("\n".join(lines)) from None
        if taken := sorted(set(self.names) & set(channels)):
            raise SettingsError(f"{file}: channels.{taken[0]}: is the name of a store that installs the app; rename it")
        for name, settings in channels.items():
            store_hash = getattr(settings, "store_hash", None)
            if store_hash in self.stores:
                words = f"{file}: oauth.stores: {store_hash} is the store of channels.{name}"
                raise SettingsError(f"{words}; as two channels it would be counted twice")
        return like


def channel_of(store_hash: str) -> str:
    """The name of a store's channel."""
    return CHANNEL_PREFIX + store_hash


@dataclass(frozen=True, slots=True)
class Installed:
    """A store that has the app, or had it. Times are milliseconds by the store's clock."""

    store_hash: str
    scopes: tuple[str, ...] = ()
    installed_ms: int = 0
    #: 0 while it has the app.
    removed_ms: int = 0
    looked: bool = False
    #: Encrypted; empty for one that has uninstalled the app.
    token: str = field(default="", repr=False)
    #: As it was read, so that it is changed only if it is still the same.
    seen: str = field(default="", repr=False, compare=False)

    @property
    def channel(self) -> str:
        """The name of its channel."""
        return channel_of(self.store_hash)


class Stores:
    """The stores of one installation of ours.

    Parameters:
        store: Where they stand.
        settings: The app; ``None`` where there is none, and so no stores.
    """

    def __init__(self, store: Store, settings: OAuthSettings | None) -> None:
        self.store = store
        self.settings = settings
        self._vault = _vault(settings) if settings else None

    def version(self) -> str:
        """Changes whenever a store comes, goes or gets another token."""
        return cast("str | None", self.store.client.hget(_KEY, _VERSION)) or ""

    def to_be_looked_at(self, now_ms: int) -> list[Installed]:
        """Stores that all processes know by now, and whose listings were not looked at since.

        Until then a process that did not know a store may have moved stock without marking the store's listing.
        """
        since_ms = now_ms - round(KNOWN_EVERYWHERE_S * 1000)
        return [one for one in self.all()[1] if one.token and not one.looked and one.installed_ms < since_ms]

    def all(self) -> tuple[str, list[Installed]]:
        """All stores, also those that are gone, and the version of this list."""
        found = cast("dict[str, str]", self.store.client.hgetall(_KEY))
        version = found.pop(_VERSION, "")
        return version, [_parse(store_hash, text) for store_hash, text in sorted(found.items())]

    def get(self, store_hash: str) -> Installed | None:
        """One store; ``None`` where it never had the app."""
        text = cast("str | None", self.store.client.hget(_KEY, store_hash))
        return _parse(store_hash, text) if text else None

    def install(self, store_hash: str, token: SecretStr, scopes: Iterable[str], now_ms: int) -> Installed:
        """A store has installed the app, or was given another token."""
        closed = self._opened().close(store_hash, token)
        return self._put(Installed(store_hash, tuple(scopes), now_ms, token=closed))

    def uninstall(self, store_hash: str, now_ms: int) -> bool:
        """A store has uninstalled the app: its token is erased. False where it had none."""
        before = self.get(store_hash)
        if before is None or not before.token:
            return False
        self._put(Installed(store_hash, before.scopes, before.installed_ms, now_ms))
        return True

    def looked(self, installed: Installed) -> None:
        """Its listings were looked at once all processes knew it."""
        self._replace(replace(installed, looked=True))

    def channels(self, installed: Iterable[Installed]) -> dict[str, ChannelSettings]:
        """The settings of the channels of those that join. One whose token no key opens is left out, and told of."""
        if self.settings is None:
            return {}
        found = {}
        for one in installed:
            if one.token and one.store_hash in self.settings.stores:
                token = self.token(one)
                if token is None:
                    log.error("%s: no key of oauth.encryption_keys opens its token", one.channel)
                else:
                    found[one.channel] = self.settings.channel_settings(one.store_hash, token)
        return found

    def token(self, installed: Installed) -> SecretStr | None:
        """The token of a store; ``None`` where no key opens it, or it has none."""
        from sync.storage.vault import WrongKey  # cryptography is an extra

        try:
            return self._opened().open(installed.store_hash, installed.token) if installed.token else None
        except WrongKey:
            return None

    def is_repeated(self, message: str) -> bool:
        """Whether a signed message was acted on before."""
        return bool(self.store.client.exists(_message_key(message)))

    def acted_on(self, message: str) -> None:
        """Remember a signed message, so that whoever sends it again does nothing."""
        self.store.client.set(_message_key(message), "1", ex=REMEMBER_S)

    def rotate(self) -> tuple[int, int]:
        """Encrypt all tokens with the first key. Gives how many were, and how many no key opens."""
        from sync.storage.vault import WrongKey  # cryptography is an extra

        done = lost = 0
        for one in self.all()[1]:
            if one.token:
                try:
                    self._replace(replace(one, token=self._opened().renew(one.token)))
                except WrongKey:
                    lost += 1
                else:
                    done += 1
        return done, lost

    def state(self, installed: Installed) -> str:
        """How a store stands, in a word or two for people."""
        if self.settings is None or not installed.token:
            return "uninstalled"
        if self.token(installed) is None:
            return "locked"
        return "joined" if installed.store_hash in self.settings.stores else "waiting"

    def _put(self, installed: Installed) -> Installed:
        """Write a store and tell of the news, in one command."""
        fields = {installed.store_hash: _text(installed), _VERSION: uuid.uuid4().hex}
        self.store.client.hset(_KEY, mapping=fields)  # type: ignore[arg-type]
        return installed

    def _replace(self, installed: Installed) -> None:
        """Write what is no news, unless the store has changed since it was read."""
        call = Call([_KEY], [installed.store_hash, installed.seen, _text(installed)])
        self.store.run("replace_field", [call])

    def _opened(self) -> Vault:
        if self._vault is None:
            raise SyncError("there is no app: [oauth] is not set")
        return self._vault


def _vault(settings: OAuthSettings) -> Vault:
    try:
        from sync.storage.vault import Vault  # cryptography is an extra
    except ImportError as error:
        raise SyncError("[oauth] is set and its packages are missing: pip install 'inventory-sync[oauth]'") from error
    return Vault(settings.encryption_keys)


def _text(installed: Installed) -> str:
    return json.dumps(
        {
            "scopes": installed.scopes,
            "installed": installed.installed_ms,
            "removed": installed.removed_ms,
            "looked": installed.looked,
            "token": installed.token,
        }
    )


def _parse(store_hash: str, text: str) -> Installed:
    row = json.loads(text)
    return Installed(
        store_hash=store_hash,
        scopes=tuple(row["scopes"]),
        installed_ms=row["installed"],
        removed_ms=row["removed"],
        looked=row["looked"],
        token=row["token"],
        seen=text,
    )


def _message_key(message: str) -> str:
    return f"{_KEY}:message:{hashlib.blake2b(message.encode(), digest_size=12).hexdigest()}"
