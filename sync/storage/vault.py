"""Secrets at rest: encrypted with keys that stand in the settings and never in the store. Needs the extra ``oauth``."""

from __future__ import annotations

import json
from collections.abc import Sequence

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from pydantic import SecretStr


class WrongKey(Exception):
    """No key of ours opens it, or it was put where it does not belong."""


class Vault:
    """Encrypts with the first key, and opens with any of them. What it holds is bound to its owner's name.

    Parameters:
        keys: Fernet keys, the newest first.
    """

    def __init__(self, keys: Sequence[SecretStr]) -> None:
        self._keys = MultiFernet([Fernet(key.get_secret_value()) for key in keys])

    def close(self, owner: str, secret: SecretStr) -> str:
        """The secret as it may be kept anywhere."""
        return self._keys.encrypt(json.dumps([owner, secret.get_secret_value()]).encode()).decode()

    def open(self, owner: str, closed: str) -> SecretStr:
        """The secret of an owner.

        Raises:
            WrongKey: it was closed with another key, or for another owner.
        """
        try:
            of, secret = json.loads(self._keys.decrypt(closed.encode()))
        except InvalidToken:
            raise WrongKey from None
        if of != owner:
            raise WrongKey
        return SecretStr(secret)

    def renew(self, closed: str) -> str:
        """The same, encrypted with the first key.

        Raises:
            WrongKey: no key opens it.
        """
        try:
            return self._keys.rotate(closed.encode()).decode()
        except InvalidToken:
            raise WrongKey from None
