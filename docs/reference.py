"""Writes ``settings.md`` from the settings models: ``python docs/reference.py``. A test holds them together."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import get_args

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from channels import channel_type
from sync.settings import Settings

PAGE = Path(__file__).with_name("settings.md")

INTRODUCTION = """\
# Settings

What can be set, and what it means. This page is written by `python docs/reference.py`; change the models instead.

The file is `sync.toml` in the working folder, or the one that `SYNC_CONFIG` names. The environment goes before it:
`SYNC_` and the key, nested by `__`, as in `SYNC_CHANNELS__STORE__ACCESS_TOKEN`. In between come secret files in
`/run/secrets`, named like the variables. Paths are relative to the settings file. A key that is not on this page is an
error.
"""

CHANNELS = {
    "bigcommerce": "A BigCommerce store",
    "amazon": "A seller account on Amazon",
    "pos_csv": "A till's folder of CSV files",
}


def page() -> str:
    """The whole page."""
    parts = [INTRODUCTION, "## Of the worker\n", *_table(Settings)]
    for key, field in Settings.model_fields.items():
        model = _model_of(field)
        if model:
            parts += [f"\n## `[{key}]`\n", *_table(model)]
    for name, title in CHANNELS.items():
        parts += [f'\n## {title} (`type = "{name}"`)\n', *_table(channel_type(name).Settings)]
    return "\n".join(parts) + "\n"


def _table(model: type[BaseModel]) -> Iterator[str]:
    yield "| key | default | meaning |\n|---|---|---|"
    for name, field in model.model_fields.items():
        words = " ".join((field.description or "").replace("``", "`").replace("|", "\\|").split())
        yield f"| `{name}` | {_default(field)} | {words} |"


def _model_of(field: FieldInfo) -> type[BaseModel] | None:
    """The model of a key that is a table, be it one that may be left out."""
    kinds = (field.annotation, *get_args(field.annotation))
    return next((kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel)), None)


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "**required**"
    if _model_of(field):
        return "see below" if field.default is not None else "unset; see below"
    value = field.get_default(call_default_factory=True, validated_data={})
    if value in (None, "", (), {}, []):
        return "unset"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, tuple):
        return f"`{', '.join(map(str, value))}`"
    return f"`{value}`"


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
