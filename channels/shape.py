"""What is wrong with the shape of something that came from outside, in words that repeat nothing of it."""

from __future__ import annotations

from pydantic import ValidationError


def fault(error: ValidationError) -> str:
    """The first thing that is wrong, and where: ``data.0.id: Input should be a valid integer``.

    No value is repeated, for an answer may hold what nobody should read, such as an address that is signed.
    """
    first = error.errors(include_input=False, include_url=False, include_context=False)[0]
    place = ".".join(str(part) for part in first["loc"])
    return f"{place or 'at its top'}: {first['msg']}"
