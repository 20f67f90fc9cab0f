"""Which channel types there are: those of this package, and those that others add by an entry point."""

from __future__ import annotations

from importlib.metadata import entry_points

from channels.contract import Channel

#: The entry point group under which a channel type is named.
GROUP = "inventory_sync.channels"


def channel_types() -> list[str]:
    """The names of all channel types that are installed, sorted."""
    return sorted(entry_points(group=GROUP).names)


def channel_type(name: str) -> type[Channel]:
    """The adapter class of a channel type.

    Raises:
        LookupError: no such type is installed; the message lists those that are.
        TypeError: the entry point names something that is not there, or is not a :class:`Channel`.
    """
    found = entry_points(group=GROUP, name=name)
    if not found:
        raise LookupError(f"no channel type {name!r} is installed; there are: {', '.join(channel_types())}")
    (point, *_) = found
    try:
        adapter = point.load()
    except (ImportError, AttributeError) as error:
        raise TypeError(f"the channel type {name!r} ({point.value}) cannot be loaded: {error}") from error
    if not (isinstance(adapter, type) and issubclass(adapter, Channel)):
        raise TypeError(f"the channel type {name!r} ({point.value}) is not a channels.Channel")
    return adapter
