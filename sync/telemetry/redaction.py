"""Keeping secrets out of whatever leaves the process as text: log lines and reports of errors.

Nothing here makes it right to log a secret. It stands behind the rule that nobody does, for the day on which a library
or a channel's own words do.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from urllib.parse import quote, unquote, urlsplit

from pydantic import BaseModel, SecretStr

from sync.settings import Settings

#: What stands in a secret's place.
MASK = "***"

#: Shorter values would blot out words and numbers that are none of theirs, and protect nothing.
SHORTEST = 6

#: Secrets that no settings name, by what stands before them: the password of an address, a header, a field. The
#: values of JSON, of a dict's repr and of a query string end where theirs do.
_FIELDS = (
    r"x-auth-token|x-amz-access-token|proxy-authorization|authorization|access_token|refresh_token|client_secret"
    r"|signed_payload_jwt|webhook-signature|x-amz-signature|password|passwd|api_key"
)
_NAMED = re.compile(_FIELDS, re.IGNORECASE)
_PATTERNS = (
    re.compile(r"(?<=://)[^/\s:@'\"]*:([^/\s@'\"]+)(?=@)"),
    re.compile(
        rf"(?:{_FIELDS})\\?[\"']?\s*[:=]\s*(?:b(?=[\"']))?\\?[\"']?(?:bearer |basic )?([^\s\"'\\,;&}}\]]+)",
        re.IGNORECASE,
    ),
    re.compile(r"[?&]code=([^&\s\"']+)"),  # what a login gives, in an address
    re.compile(r"\bbearer\s+([\w.~+/|=-]{6,})", re.IGNORECASE),
    re.compile(r"\b(Atz[ar]\|[\w.~+/=-]+)"),  # tokens of Login with Amazon, whatever stands before them
)


class Redactor:
    """Takes secrets out of text. Safe across threads.

    Parameters:
        secrets: Values that must not be seen, however they are quoted.
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._forms: frozenset[str] = frozenset()
        self._known: re.Pattern[str] | None = None
        self.learn(secrets)

    @classmethod
    def of(cls, settings: Settings) -> Redactor:
        """Knows all secrets of the settings."""
        return cls(value for model in (settings, *settings.channel_settings.values()) for value in secrets_of(model))

    def learn(self, secrets: Iterable[str]) -> None:
        """Know these too."""
        new = {form for secret in secrets for form in _forms(secret) if len(form) >= SHORTEST}
        if not new <= self._forms:
            self._forms |= new
            self._known = re.compile("|".join(map(re.escape, sorted(self._forms, key=len, reverse=True))))

    def clean(self, text: str) -> str:
        """The text without them."""
        if self._known:
            text = self._known.sub(MASK, text)
        for pattern in _PATTERNS:
            text = pattern.sub(_masked, text)
        return text

    def clean_all(self, value: object) -> object:
        """A value of JSON, every text in it cleaned."""
        if isinstance(value, str):
            return self.clean(value)
        if isinstance(value, dict):
            return {
                key: MASK if _NAMED.fullmatch(str(key)) and isinstance(item, str) else self.clean_all(item)
                for key, item in value.items()
            }
        if isinstance(value, (list, tuple)):
            return [self.clean_all(item) for item in value]
        return value


def _masked(match: re.Match[str]) -> str:
    start = match.start(1) - match.start()
    return match[0][:start] + MASK + match[0][start + len(match[1]) :]


def _forms(secret: str) -> tuple[str, ...]:
    """A secret as it is, inside a text of JSON, and inside an address."""
    return secret, json.dumps(secret)[1:-1], repr(secret)[1:-1], quote(secret, safe="")


def secrets_of(model: BaseModel) -> Iterator[str]:
    """Every secret in a settings model, and the passwords of addresses by themselves."""
    for value in _hidden(model):
        yield value
        for part in value.split(";"):  # several addresses of Sentinels
            password = _password(part)
            if password:
                yield password
                yield unquote(password)


def _hidden(model: BaseModel) -> Iterator[str]:
    for _, value in model:
        if isinstance(value, SecretStr):
            yield value.get_secret_value()
        elif isinstance(value, BaseModel):
            yield from _hidden(value)
        elif isinstance(value, tuple):
            yield from (item.get_secret_value() for item in value if isinstance(item, SecretStr))


def _password(address: str) -> str | None:
    try:
        return urlsplit(address).password
    except ValueError:
        return None
