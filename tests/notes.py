"""Whether the notes of a store are as ``sync/lua/lib_note.lua`` says they are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import cast

import redis

from sync.storage.store import PREFIX


def faults(client: redis.Redis) -> list[str]:
    """Where its invariant does not hold: what points to a note is at rest, and each note knows how many those are."""
    found, pointing, known = [], Counter[tuple[str, str]](), Counter[tuple[str, str]]()
    for key in client.scan_iter(f"{PREFIX}{{*}}:sku:*"):
        fields = cast("dict[str, str]", client.hgetall(key))
        for channel in [field.removesuffix(":read") for field in fields if field.endswith(":read")]:
            read = fields[f"{channel}:read"]
            if read.startswith("@"):
                pointing[f"{key.partition('sku:')[0]}notes:{channel}", read[1:]] += 1
                if not _at_rest(fields, channel):
                    found.append(f"{key} points to a note of {channel} and is not at rest: {fields}")
    for key in client.scan_iter(f"{PREFIX}{{*}}:notes:*"):
        for name, text in cast("dict[str, str]", client.hgetall(key)).items():
            known[key, name] = int(text.split(" ")[1])
    if known != pointing:
        found.append(f"notes count {dict(known)} listings, and {dict(pointing)} point to them")
    return found


def _at_rest(fields: Mapping[str, str], channel: str) -> bool:
    listens = fields.get(f"{channel}:edge", "0 0 1 0").split(" ")[3] != "0"
    return not listens and not any(f"{channel}:{what}" in fields for what in ("write", "wrote", "hold"))
