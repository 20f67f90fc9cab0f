"""The outside world: one package a channel type, and the contract that they all keep."""

from __future__ import annotations

from channels.contract import (
    MAX_UNITS,
    Capabilities,
    Channel,
    ChannelSettings,
    Document,
    Level,
    Outcome,
    Page,
    Problem,
    Result,
    Sale,
    Write,
)
from channels.diagnosis import Finding, Severity
from channels.registry import channel_type, channel_types
from channels.services import Services

__all__ = [
    "MAX_UNITS",
    "Capabilities",
    "Channel",
    "ChannelSettings",
    "Document",
    "Finding",
    "Level",
    "Outcome",
    "Page",
    "Problem",
    "Result",
    "Sale",
    "Services",
    "Severity",
    "Write",
    "channel_type",
    "channel_types",
]
