"""The Selling Partner API over HTTP: what its requests carry, and what its answers say of quotas and errors."""

from __future__ import annotations

import platform
import threading
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any, Literal, TypeVar
from urllib.parse import quote, urlsplit

import requests
from pydantic import BaseModel, ValidationError

from channels.amazon.auth import AccessTokens
from channels.amazon.limits import GET_LISTING, PATCH_LISTING, SEARCH_LISTINGS, SEARCH_ORDERS, Limit, limit_for
from channels.amazon.models import (
    Complaints,
    Listing,
    Orders,
    SearchResults,
    Submission,
    quantity_patch,
)
from channels.amazon.settings import AmazonSettings
from channels.errors import Denied, Incomprehensible, Rejected
from channels.http import UNNAMED_PAUSE_S, HttpClient, Words, plain_text
from channels.services import Quota, Services
from channels.shape import fault

#: The most listings on a page of a search, and the most identifiers in one (model listings-items 2021-08-01).
SEARCH_PAGE = 20

#: The most orders on a page (model orders 2026-01-01).
ORDERS_PAGE = 100

#: Calls a second between which a stated rate is believed to be one.
LEAST_RATE, MOST_RATE = 1e-5, 1e5

#: Seconds to wait for a connection, and then for each part of the answer. Short enough that the last patch of a
#: batch has its answer before the claim on its listing ends.
TIMEOUT_S = (5.0, 20.0)

#: Which parts of a listing are asked for: its stock, and nothing that would make the answer slower or longer.
PARTS = "fulfillmentAvailability"

DENIED_ADVICE = (
    "Check that the seller has authorised the application, that it has the roles Product Listing and "
    "Inventory and Order Tracking, and that seller_id, marketplace_id and api_url belong together."
)

Answer = TypeVar("Answer", bound=BaseModel)


class AmazonClient(HttpClient):
    """One seller's calls of the Selling Partner API."""

    def __init__(self, channel: str, settings: AmazonSettings, services: Services) -> None:
        timeout_s = (TIMEOUT_S[0], settings.read_timeout_s)
        super().__init__(channel, settings.api_url, budget=services.budget, timeout_s=timeout_s)
        self.seller_id = settings.seller_id
        self.marketplace_id = settings.marketplace_id
        self._tokens = AccessTokens(channel, settings, services.memory)
        #: The token of each thread's latest call, to say which one it was that Amazon refused.
        self._used = threading.local()
        #: The rate that the latest answer stated, by operation.
        self._rates: dict[str, float] = {}
        system = f"Language=Python/{platform.python_version()}; Platform={platform.system()}"
        self._agent = f"inventory-sync/{version('inventory-sync')} ({system})"

    def headers(self) -> Mapping[str, str]:
        """See :meth:`HttpClient.headers`. The three that SP-API asks for beside ``host``."""
        self._used.token = self._tokens.token()
        return {
            "x-amz-access-token": self._used.token,
            "x-amz-date": datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ"),
            "user-agent": self._agent,
        }

    def quota(self, operation: str, response: requests.Response) -> Quota:
        """See :meth:`HttpClient.quota`. The header states the rate alone, and is absent from a 429."""
        try:
            rate = float(response.headers.get("x-amzn-RateLimit-Limit", ""))
        except ValueError:
            return Quota()
        if not LEAST_RATE <= rate <= MOST_RATE:
            return Quota()
        self._rates[operation] = rate
        return Quota(rate=rate)

    def interval_s(self, limit: Limit) -> float:
        """Seconds in which one more call of this kind becomes free, by the latest answer or else by the plan."""
        return 1 / self._rates.get(limit.operation, limit.per_s)

    def pause_s(self, response: requests.Response) -> float:
        """See :meth:`HttpClient.pause_s`. Amazon names none, so: until the bucket holds a token again."""
        request = response.request
        limit = limit_for(request.method or "", urlsplit(request.url or "").path)
        rate = self.quota("", response).rate or (limit.per_s if limit else None)
        return max(UNNAMED_PAUSE_S, 1 / rate) if rate else UNNAMED_PAUSE_S

    def words(self, response: requests.Response) -> Words:
        """See :meth:`HttpClient.words`."""
        advice = DENIED_ADVICE if response.status_code in (401, 403) else ""
        try:
            complaints = Complaints.model_validate_json(response.content)
        except ValidationError:
            return Words(plain_text(response), advice=advice)
        return Words(complaints.words or plain_text(response), advice=advice)

    def request_id(self, response: requests.Response) -> str:
        """See :meth:`HttpClient.request_id`."""
        return str(response.headers.get("x-amzn-RequestId", ""))

    def call(
        self,
        operation: str,
        method: str,
        path: str,
        *,
        params: Mapping[str, str | int] | None = None,
        json: Any = None,
    ) -> requests.Response:
        """See :meth:`HttpClient.call`. A 403 means an ended token as well as a missing role: one new try tells.

        The models of feeds and reports name 401 for the token beside it.
        """
        try:
            return super().call(operation, method, path, params=params, json=json)
        except Denied as error:
            # of another operation: Login with Amazon gave no token
            if error.operation != operation or not self._tokens.refused(self._used.token):
                raise
        return super().call(operation, method, path, params=params, json=json)

    def ask(
        self,
        operation: str,
        method: str,
        path: str,
        model: type[Answer],
        *,
        params: Mapping[str, str | int] | None = None,
        json: Any = None,
    ) -> Answer:
        """Make one call whose answer is of the given form.

        Raises:
            Incomprehensible: it is not. For the rest see :meth:`HttpClient.call`.
        """
        response = self.call(operation, method, path, params=params, json=json)
        return self.understood(operation, response, model)

    def understood(self, operation: str, response: requests.Response, model: type[Answer]) -> Answer:
        """An answer's body.

        Raises:
            Incomprehensible: it is not of the given form.
        """
        try:
            return model.model_validate_json(response.content)
        except ValidationError as error:
            raise Incomprehensible(
                self.channel,
                operation,
                f"the answer is not what Amazon documents ({fault(error)})",
                status=response.status_code,
                request_id=self.request_id(response),
            ) from error

    def search(self, *, changed_after: datetime | None = None, page_token: str = "") -> SearchResults:
        """One page of the marketplace's listings by ``searchListingsItems``, in the order of their SKUs.

        The usual order is that of the last change, which a write in the middle of a reading would upset.
        ``changed_after``: only those whose last change is not before it.
        """
        params = {"sortBy": "sku", "sortOrder": "ASC"}
        if changed_after is not None:
            params["lastUpdatedAfter"] = _iso(changed_after)
        if page_token:
            params["pageToken"] = page_token
        return self._search(params, may_be_none=changed_after is not None)

    def look_up(self, skus: list[str]) -> SearchResults:
        """Up to 20 listings by their SKUs, which must hold no comma: ``searchListingsItems`` parts its list by them."""
        return self._search({"identifiersType": "SKU", "identifiers": ",".join(skus)}, may_be_none=True)

    def get(self, sku: str) -> Listing | None:
        """One listing by ``getListingsItem``; ``None`` where there is none."""
        path = self._item(GET_LISTING, sku)
        params = {"marketplaceIds": self.marketplace_id, "includedData": PARTS}
        try:
            return self.ask(GET_LISTING, "GET", path, Listing, params=params)
        except Rejected as error:
            if error.status == 404:
                return None
            raise

    def set_quantity(self, sku: str, units: int) -> Submission:
        """Submit a merchant's own quantity by ``patchListingsItem``."""
        path = self._item(PATCH_LISTING, sku)
        params = {"marketplaceIds": self.marketplace_id}
        return self.ask(PATCH_LISTING, "PATCH", path, Submission, params=params, json=quantity_patch(units))

    def orders(
        self, changed_after: datetime, fulfilled_by: Literal["merchant", "amazon"], *, page_token: str = ""
    ) -> Orders:
        """One page of the orders that the merchant or Amazon fulfils, by ``searchOrders``."""
        params: dict[str, str | int] = {
            "lastUpdatedAfter": _iso(changed_after),
            "marketplaceIds": self.marketplace_id,
            "fulfilledBy": fulfilled_by.upper(),
            "includedData": "FULFILLMENT,CANCELLATION",
            "maxResultsPerPage": ORDERS_PAGE,
        }
        if page_token:
            params["paginationToken"] = page_token
        return self.ask(SEARCH_ORDERS, "GET", "/orders/2026-01-01/orders", Orders, params=params)

    def close(self) -> None:
        """Close all connections."""
        self._tokens.close()
        super().close()

    def _search(self, params: Mapping[str, str], *, may_be_none: bool = False) -> SearchResults:
        path = f"/listings/2021-08-01/items/{quote(self.seller_id, safe='')}"
        # A page is ten listings unless one asks for more, be it that twenty were named.
        fixed: dict[str, str | int] = {"includedData": PARTS, "pageSize": SEARCH_PAGE}
        fixed["marketplaceIds"] = self.marketplace_id
        try:
            return self.ask(SEARCH_LISTINGS, "GET", path, SearchResults, params={**fixed, **params})
        except Rejected as error:
            if may_be_none and error.status == 404:  # documented for a search, too: there is none of them
                return SearchResults(number_of_results=0, items=[])
            raise

    def _item(self, operation: str, sku: str) -> str:
        if sku in (".", ".."):
            raise Rejected(self.channel, operation, f"the SKU {sku!r} cannot stand in an address")
        return f"/listings/2021-08-01/items/{quote(self.seller_id, safe='')}/{quote(sku, safe='')}"


def _iso(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
