"""The check of a channel's orders against what readings booked (rule 6): a sale under a write is found and booked.

An absolute write lays its level over whatever was sold since the last reading, and no later reading shows it. The
orders do. ``lua/lib_edge.lua`` keeps, for every listing that was written, a window with exact edges and what
readings booked in it; here the orders of that window are asked for, and the difference becomes a movement.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from channels import Sale
from sync.context import Context
from sync.deadline import Deadline
from sync.pull import read_refs
from sync.storage.store import Call, bucket_of, bucket_prefix, fold
from sync.telemetry import runs

log = logging.getLogger(__name__)

#: How many listings are audited together.
GATHER = 1000

#: The longest, in seconds, until a listing is looked at again whose window could not be closed. Where orders and
#: readings are sooner sure, it is looked at sooner.
LATER_S = 60.0

#: The most orders that one movement names.
ORDERS_NAMED = 5


class Finding(NamedTuple):
    """What the orders say about one listing, and on which state of it that rests (see ``lua/audit.lua``)."""

    folded: str
    word: str
    seen: str
    #: Units sold in a closed window, or the moment (ms) up to which nothing was sold; 0 of a listing that is gone.
    number: int
    #: The units among them that were sold beside a write, and so may have been swallowed by it; their orders.
    beside: int = 0
    orders: str = ""


class Sold(NamedTuple):
    """One line of an order: when (ms), how many units, and the order's id."""

    at_ms: int
    units: int
    order: str


class Edges(NamedTuple):
    """The accounts of a listing's sales as the store has them, word for word, with the moments in them."""

    folded: str
    ref: str
    #: ``T D clean phase W W1 A``, empty where nothing was ever written.
    edge: str
    #: ``T D clean T1 W W1 A``, empty where no closed window waits.
    due: str
    open_write: bool
    #: Whether the channel no longer shows it, so that no reading will tell anything.
    gone: bool

    @property
    def since_ms(self) -> int:
        """The first moment whose orders matter."""
        return int((self.due or self.edge).split(" ")[0])


def audit(context: Context, name: str, deadline: Deadline) -> bool:
    """Check every listing of a channel whose audit is due. True when none is left.

    Raises:
        channels.errors.ChannelError: orders or levels could not be read; the audits stay due.
    """
    channel = context.channel(name)
    if not channel.capabilities.orders:
        return True
    margin_ms = round(channel.capabilities.order_margin_s * 1000)
    settle_ms = round(channel.capabilities.settle_s * 1000)
    found: Counter[str] = Counter()
    while not deadline.over:
        asked_ms = context.store.now_ms()
        due = context.worklist.due_audits(name, asked_ms, GATHER)
        if not due:
            break
        edges = _edges(context, name, due)
        later_ms = asked_ms + min(round(LATER_S * 1000), 1000 + 2 * margin_ms + settle_ms)
        context.worklist.audit_later(name, due, later_ms)
        waiting = [edge for edge in edges if edge.due or edge.edge]
        if not waiting:
            continue
        since_ms = min(edge.since_ms for edge in waiting) - margin_ms
        sales = channel.sales(datetime.fromtimestamp(since_ms / 1000, UTC))
        sold = _by_sku(sales, context.aliases.ours(name), {edge.ref: edge.folded for edge in waiting})
        # the orders of the last moments may not be listed yet
        until_ms = asked_ms - margin_ms - settle_ms
        findings, unclear = _findings(waiting, sold, margin_ms, until_ms)
        found.update(_book(context, name, findings))
        read_refs(context, name, [edge.ref for edge in unclear], "an audit of orders")
    if found["moved"] or found["unclear"]:
        log.warning("%s: audit of orders: %s", name, ", ".join(f"{n} {what}" for what, n in sorted(found.items())))
    return not deadline.over


def _findings(
    waiting: Sequence[Edges], sold: Mapping[str, Sequence[Sold]], margin_ms: int, until_ms: int
) -> tuple[list[Finding], list[Edges]]:
    """What the orders tell at once, and the listings that must be read before they tell anything."""
    findings, unclear = [], []
    for edges in waiting:
        lines = sold.get(edges.folded, ())
        if edges.due:
            start, _, _, end, write, landed, _ = (int(part) for part in edges.due.split(" "))
            units = sum(line.units for line in lines if start < line.at_ms <= end)
            beside = [line for line in lines if write - margin_ms <= line.at_ms <= landed + margin_ms]
            by = sum(line.units for line in beside)
            findings.append(Finding(edges.folded, "close", edges.due, units, by, _named(beside)))
            continue
        start_ms, booked, _, phase, _, landed_ms, assumed = (int(part) for part in edges.edge.split(" "))
        if phase == 0:
            findings.append(Finding(edges.folded, "quiet", edges.edge, start_ms))
        elif landed_ms > until_ms:
            continue
        elif (
            booked == assumed == 0
            and not edges.open_write
            and not any(line.at_ms > start_ms - margin_ms for line in lines)
        ):
            findings.append(Finding(edges.folded, "quiet", edges.edge, until_ms))
        elif edges.gone:
            findings.append(Finding(edges.folded, "gone", edges.edge, 0))
        else:
            unclear.append(edges)
    return findings, unclear


def _by_sku(sales: Iterable[Sale], ours: Mapping[str, str], listed: Mapping[str, str]) -> dict[str, list[Sold]]:
    """What was sold of each of our SKUs, folded.

    ``ours``: them by the channel's, where they differ; ``listed``: them by the refs of listings, which tell them
    surely, for an order names a listing as it was or is called.
    """
    sold: dict[str, list[Sold]] = {}
    for sale in sales:
        if sale.units:
            sku = listed.get(sale.ref) or fold(ours.get(fold(sale.sku), sale.sku))
            sold.setdefault(sku, []).append(Sold(round(sale.at.timestamp() * 1000), sale.units, sale.order))
    return sold


def _named(sold: Iterable[Sold]) -> str:
    """The orders of some sales, for the history of a SKU."""
    orders = list(dict.fromkeys(sale.order for sale in sold))
    more = f" and {len(orders) - ORDERS_NAMED} more" if len(orders) > ORDERS_NAMED else ""
    return f"order {', '.join(orders[:ORDERS_NAMED])}{more}" if orders else ""


def _edges(context: Context, name: str, skus: Sequence[str]) -> list[Edges]:
    pipeline = context.store.client.pipeline(transaction=False)
    for sku in skus:
        fields = [f"{name}:{field}" for field in ("ref", "edge", "due", "write", "hold")]
        pipeline.hmget(f"{bucket_prefix(bucket_of(sku))}sku:{sku}", fields)
    return [
        Edges(sku, ref, edge or "", due or "", write is not None, (hold or "").startswith("missing"))
        for sku, (ref, edge, due, write, hold) in zip(skus, pipeline.execute(), strict=True)
        if ref
    ]


def _book(context: Context, name: str, findings: Sequence[Finding]) -> Counter[str]:
    """Book what was found; counts what became of each."""
    writable, kin = context.ledger.roster.writable, context.ledger.roster.recipes.kin
    context.ledger.bundles.link()
    cause = runs.caused(f"audit of {name}'s orders")
    head: list[str | int] = [name, context.store.now_ms(), cause, len(writable), *writable]
    rows: dict[int, list[Finding]] = {}
    for finding in findings:
        rows.setdefault(bucket_of(finding.folded), []).append(finding)
    calls = [
        Call(
            [bucket_prefix(bucket)],
            [*head, *kin(one.folded for one in mine), *(value for one in mine for value in one)],
        )
        for bucket, mine in rows.items()
    ]
    counts: Counter[str] = Counter()
    answers = context.store.run("audit", calls)
    context.ledger.bundles.work()
    for mine, answer in zip(rows.values(), answers, strict=True):
        for finding, what, units in zip(mine, answer[::2], answer[1::2], strict=True):
            counts[what] += 1
            if what == "moved":
                log.warning("%s: %s: %+d units that no reading showed, by its orders", name, finding.folded, units)
            elif what == "unclear":
                log.warning(
                    "%s: %s: its orders and levels differ by %+d units around a write, and somebody also raised the"
                    " level by hand: count it",
                    *(name, finding.folded, units),
                )
    if counts["moved"]:
        context.counters.add("movements", name, by=counts["moved"])
    return counts
