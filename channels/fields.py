"""Fields that the settings of several channel types have: addresses and secrets, checked before anything is sent."""

from __future__ import annotations

import re
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, SecretStr, StringConstraints


def absent(value: object) -> object:
    """An empty text, as a compose file passes on an unset variable, is no value."""
    return None if value == "" else value


def _sayable(secret: SecretStr) -> SecretStr:
    if not re.fullmatch(r"[!-~]+", secret.get_secret_value()):
        raise ValueError("must be letters, digits and signs of ASCII without blanks; copy it again")
    return secret


def _address(url: str) -> str:
    try:
        parts = urlsplit(url)
        if parts.hostname and parts.port != 0:
            return url
    except ValueError:  # its words repeat a part of it
        pass
    raise ValueError("must be an address such as https://example.com")


#: An address to which a path is added: no user and password, for those would be shown, and no query.
Url = Annotated[str, StringConstraints(pattern=r"^https?://[^\s/@?#]+(/[^\s?#]*)?$"), AfterValidator(_address)]

#: A token or a secret as channels give them out. It can stand in a header, and proves something: it is never empty.
Secret = Annotated[SecretStr, AfterValidator(_sayable)]

#: The same, where there may be none.
OptionalSecret = Annotated[Secret | None, BeforeValidator(absent)]
