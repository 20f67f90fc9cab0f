"""Amazon's own count of what it holds of the merchant's goods in its warehouses (FBA). Only ever read.

Shapes: the model fbaInventory (FBA Inventory API v1) of selling-partner-api-models.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from pydantic import Field, ValidationError

from channels.amazon import models
from channels.amazon.client import AmazonClient
from channels.amazon.limits import GET_INVENTORY
from channels.amazon.models import Pagination, Payload, Reading, Units
from channels.contract import Level, Page, Problem

#: The most SKUs that one question may name.
NAMES = 50


class Details(Payload):
    """The parts of a count. What can be sold is ``fulfillable``; the total has inbound and reserved units too."""

    fulfillable_quantity: Units | None = None


class Summary(Payload):
    """The count of one SKU."""

    seller_sku: str = Field(min_length=1)
    inventory_details: Details | None = None


class Inventory(Payload):
    """What stands in ``payload``, each count still as it came."""

    inventory_summaries: list[dict[str, Any]]


class Summaries(Payload):
    """The answer to ``getInventorySummaries``."""

    payload: Inventory
    pagination: Pagination | None = None

    @property
    def next_token(self) -> str:
        """The token of the page after this one, valid for 30 seconds; empty on the last."""
        return (self.pagination and self.pagination.next_token) or ""


class AmazonStock:
    """Reads the units that Amazon can sell from its warehouses.

    Parameters:
        client: Who asks.
    """

    #: The most refs that one reading takes.
    read_batch = NAMES

    def __init__(self, client: AmazonClient) -> None:
        self._client = client

    def read_all(self, cursor: str | None) -> Iterator[Page]:
        """Every SKU, page by page. There is no going on later: Amazon's page token lives for 30 seconds."""
        token = ""
        while True:
            summaries = self._ask({"nextToken": token} if token else {})
            yield Page(*reading(summaries.payload.inventory_summaries))
            token = summaries.next_token
            if not token:
                return

    def read(self, refs: Sequence[str]) -> Page:
        """These SKUs, by one call but for those with a comma, which a list cannot name."""
        listable = [ref for ref in refs if "," not in ref]
        questions = [{"sellerSkus": ",".join(listable)}] if listable else []
        questions += [{"sellerSku": ref} for ref in refs if "," in ref]
        found: list[dict[str, Any]] = []
        for question in questions:
            token = ""
            while True:
                summaries = self._ask(question | ({"nextToken": token} if token else {}))
                found += summaries.payload.inventory_summaries
                token = summaries.next_token
                if not token:
                    break
        return Page(*reading(found))

    def _ask(self, question: Mapping[str, str]) -> Summaries:
        marketplace = self._client.marketplace_id
        params: dict[str, str | int] = {
            "granularityType": "Marketplace",
            "granularityId": marketplace,
            "marketplaceIds": marketplace,
            "details": "true",
        }
        params.update(question)
        return self._client.ask(GET_INVENTORY, "GET", "/fba/inventory/v1/summaries", Summaries, params=params)


def reading(counts: Iterable[Mapping[str, Any]]) -> Reading:
    """What counts say of the units that can be sold. A quantity that is not stated is a problem, never zero."""
    levels: list[Level] = []
    problems: list[Problem] = []
    for count in counts:
        try:
            summary = Summary.model_validate(count)
        except ValidationError as error:
            problems.append(models.misshapen(count.get("sellerSku"), error))
            continue
        units = summary.inventory_details.fulfillable_quantity if summary.inventory_details else None
        if units is None:
            problems.append(Problem(summary.seller_sku, "Amazon does not say how many of it can be sold"))
        elif len(summary.seller_sku) > models.REF_LIMIT:
            problems.append(Problem(summary.seller_sku, f"its SKU is longer than {models.REF_LIMIT} characters"))
        else:
            levels.append(Level(summary.seller_sku, summary.seller_sku, units))
    return Reading(levels, problems)
