"""What a channel finds when it is asked whether all is well: findings, each with what to do about it.

A channel type offers :meth:`channels.contract.Channel.diagnose`. It puts its checks together here, so that one which
cannot be made is a finding like any other, and a channel that does not answer is not asked on and on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC
from email.utils import parsedate_to_datetime
from enum import StrEnum
from typing import NamedTuple

from channels.errors import ChannelError, Denied, Throttled, Unanswered, Unreachable
from channels.services import Quota

#: How many of many are named in one finding.
EXAMPLES = 3

#: By how many seconds two clocks may differ before people should know, where nothing narrower is at stake.
CLOCK_S = 2.0

#: The share of a quota below which little is left of it.
LITTLE = 0.1


class Severity(StrEnum):
    """How bad it is."""

    #: It is as it should be.
    OK = "ok"
    #: Nothing is wrong, and people should know.
    NOTE = "note"
    #: It works, and one day or for some listings it will not.
    WARNING = "warning"
    #: It does not work, or units will be lost by it.
    ERROR = "error"


class Finding(NamedTuple):
    """One thing that was looked at, and how it is."""

    severity: Severity
    #: What was looked at, in a word or two that stay the same.
    about: str
    #: How it is, as one sentence.
    what: str
    #: What a person should do; empty where there is nothing to do.
    advice: str = ""


class Check(NamedTuple):
    """One look at a channel. It may raise any :class:`ChannelError`."""

    about: str
    look: Callable[[], Iterator[Finding]]
    #: How bad it is where the look itself fails.
    if_it_fails: Severity = Severity.ERROR


def examine(checks: Iterable[Check]) -> Iterator[Finding]:
    """Make checks one after the other. Where no further one would be answered, the rest is left out."""
    for check in checks:
        try:
            yield from check.look()
        except ChannelError as error:
            yield failed(check.about, error, check.if_it_fails)
            if _is_hopeless(error):
                yield Finding(Severity.NOTE, "other checks", "were left out, for they would fail like this one")
                return


def failed(about: str, error: ChannelError, severity: Severity = Severity.ERROR) -> Finding:
    """The finding for a call that failed. One that there was no leave for says nothing about the channel."""
    status = f" (HTTP {error.status})" if error.status else ""
    what = f"{error.operation} failed{status}: {error.reason}"
    if isinstance(error, Throttled):
        return Finding(Severity.WARNING, about, what, f"Look again in {error.retry_after_s:.0f} s.")
    return Finding(Severity.ERROR if _lets_nobody_in(error) else severity, about, what, error.advice)


def clock(date: str | None, asked_at: float, answered_at: float, bearable_s: float = CLOCK_S) -> Iterator[Finding]:
    """How far a server's clock is from ours, by the ``Date`` of its answer, which is cut to whole seconds.

    Parameters:
        date: The header, as it came.
        asked_at, answered_at: Unix seconds by our clock.
        bearable_s: What may be; a second more is, because of the cut.
    """
    try:
        said = parsedate_to_datetime(date or "").replace(tzinfo=UTC).timestamp()
    except ValueError:
        return
    behind_s, ahead_s = asked_at - (said + 1), said - answered_at
    off_s = max(behind_s, ahead_s, 0.0)
    if off_s > bearable_s:
        way = "behind" if behind_s > 0 else "ahead of"
        what = f"its clock is {off_s:.0f} s {way} ours"
        advice = "Have this machine's clock set by NTP: times of orders are compared with readings."
        yield Finding(Severity.WARNING, "clock", what, advice)
    else:
        yield Finding(Severity.OK, "clock", "agrees with ours")


def quota(told: Quota) -> Iterator[Finding]:
    """What an answer said of our quota."""
    if told.left is not None and told.limit:
        left = f"{told.left} of {told.limit} calls are left"
        left += f" for {told.reset_s:.0f} s" if told.reset_s is not None else ""
        if told.left < told.limit * LITTLE:
            advice = "Other apps spend it too: see which, or expect readings and writes to take longer."
            yield Finding(Severity.WARNING, "quota", left, advice)
        else:
            yield Finding(Severity.OK, "quota", left)
    elif told.rate is not None:
        yield Finding(Severity.OK, "quota", f"{told.rate:g} calls a second of this kind")


def some(names: Sequence[str]) -> str:
    """A few of many, as a sentence names them."""
    more = f" and {len(names) - EXAMPLES} more" if len(names) > EXAMPLES else ""
    return ", ".join(names[:EXAMPLES]) + more


def _is_hopeless(error: ChannelError) -> bool:
    """Whether other calls will fail as this one did: nobody is let in, or nobody answers."""
    return _lets_nobody_in(error) or isinstance(error, (Throttled, Unreachable, Unanswered))


def _lets_nobody_in(error: ChannelError) -> bool:
    """Whether the credential itself is refused, and not one right of it (403)."""
    return isinstance(error, Denied) and error.status != 403
