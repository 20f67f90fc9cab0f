"""The Listings Items API of the mock (model listings-items 2021-08-01): search, get and patch."""

from __future__ import annotations

import base64
import copy
import uuid
from typing import Any

from flask import Blueprint, Request, request
from werkzeug.wrappers import Response

from channels.amazon.models import AMAZON
from channels.amazon.sandbox.account import Account, MockListing, iso
from channels.amazon.sandbox.wire import Query, Refused, answer, path_parts

PREFIX = "/listings/2021-08-01/items/"

#: The most listings that can be paged through in one search, and the most on a page.
REACH = 1000
PAGE = 20

PARTS = (
    "summaries",
    "attributes",
    "issues",
    "offers",
    "fulfillmentAvailability",
    "procurement",
    "relationships",
    "productTypes",
)
COMMON = ("marketplaceIds", "issueLocale", "includedData")
SEARCH = (
    *COMMON,
    "identifiers",
    "identifiersType",
    "variationParentSku",
    "packageHierarchySku",
    "createdAfter",
    "createdBefore",
    "lastUpdatedAfter",
    "lastUpdatedBefore",
    "withIssueSeverity",
    "withStatus",
    "withoutStatus",
    "sortBy",
    "sortOrder",
    "pageSize",
    "pageToken",
)
OPERATIONS = ("add", "replace", "merge", "delete")
ATTRIBUTE = "fulfillment_availability"
SELECTOR = "fulfillment_channel_code"

#: The SKU at which Amazon's own sandbox shows its 400.
BAD_SKU = "BadSKU"


def blueprint(account: Account) -> Blueprint:
    """The routes, over one account."""
    routes = Blueprint("listings", __name__)

    @routes.get(PREFIX + "<rest:_path>")
    def search_or_get(_path: str) -> Response:
        sku = _sku(account, request)
        return _search(account, request) if sku is None else _get(account, request, sku)

    @routes.patch(PREFIX + "<rest:_path>")
    def patch(_path: str) -> Response:
        sku = _sku(account, request)
        if sku is None:
            raise Refused(404, "The requested resource could not be found.")
        return _patch(account, request, sku)

    return routes


def document(account: Account, listing: MockListing, parts: list[str]) -> dict[str, Any]:
    """A listing as the API shows it."""
    body: dict[str, Any] = {"sku": listing.sku}
    if "summaries" in parts:
        body["summaries"] = [
            {
                "marketplaceId": account.marketplace_id,
                "asin": listing.asin,
                "productType": "PRODUCT",
                "conditionType": "new_new",
                "status": ["BUYABLE", "DISCOVERABLE"],
                "itemName": listing.title,
                "createdDate": iso(listing.created_at),
                "lastUpdatedDate": iso(listing.updated_at),
            }
        ]
    if "attributes" in parts:
        body["attributes"] = listing.attributes
    if "issues" in parts:
        body["issues"] = []
    if "fulfillmentAvailability" in parts:
        body["fulfillmentAvailability"] = [
            {"fulfillmentChannelCode": code} | ({} if units is None else {"quantity": units})
            for code, units in listing.stock.items()
        ]
    return body


def apply(listing: MockListing, operation: str, value: list[dict[str, Any]]) -> None:
    """One patch operation on the stock attribute, whose elements are told apart by their network.

    ``replace`` lays the new list over the old one, whole; ``merge`` changes only the fields that it names.
    """
    elements = listing.attributes.setdefault(ATTRIBUTE, [])
    names = {element[SELECTOR] for element in value}
    if operation == "merge":
        for element in value:
            for old in elements:
                if old[SELECTOR] == element[SELECTOR]:
                    old.update(element)
                    break
            else:
                elements.append(dict(element))
    elif operation == "delete":
        elements[:] = [old for old in elements if old[SELECTOR] not in names]
    else:
        elements[:] = [dict(element) for element in value]


def issues_of(listing: MockListing, patches: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What Amazon finds wrong with patches that are well formed."""
    if listing.refusal:
        return [_issue(listing.refusal.code, listing.refusal.message)]
    issues = []
    for patch in patches:
        name = patch["path"].removeprefix("/attributes/")
        if patch["path"] != f"/attributes/{ATTRIBUTE}":
            issues.append(_issue("90000900", f"The attributes are invalid: {name}.", name))
            continue
        for element in patch["value"]:
            quantity = element.get("quantity", 0)
            if not isinstance(element.get(SELECTOR), str):
                issues.append(_issue("90220", f"'{SELECTOR}' is required but missing.", ATTRIBUTE))
            elif not isinstance(quantity, int) or isinstance(quantity, bool) or quantity < 0:
                issues.append(_issue("90224", "'quantity' must be a whole number from 0 on.", ATTRIBUTE))
            elif element[SELECTOR].startswith(AMAZON) and "quantity" in element:
                issues.append(_issue("4000003", "The quantity of stock that Amazon holds cannot be set.", ATTRIBUTE))
    return issues


def checked_patches(body: object) -> list[dict[str, Any]]:
    """The patches of a request body, well formed.

    Raises:
        Refused: they are not.
    """
    if not isinstance(body, dict) or not isinstance(body.get("productType"), str):
        raise Refused(400, "'productType' is missing.")
    patches = body.get("patches")
    if not isinstance(patches, list) or not patches:
        raise Refused(400, "'patches' must hold at least one patch.")
    for index, patch in enumerate(patches):
        if not isinstance(patch, dict) or patch.get("op") not in OPERATIONS:
            raise Refused(400, f"Op is invalid for patch at index of {index}.")
        path = patch.get("path")
        if not isinstance(path, str) or not path.startswith("/attributes/") or path.count("/") != 2:
            raise Refused(400, f"Path is invalid for patch at index of {index}.")
        value = patch.get("value")
        if not isinstance(value, list) or not all(isinstance(element, dict) for element in value):
            raise Refused(400, f"Value is missing for patch at index of {index}.")
    return patches


def _sku(account: Account, request: Request) -> str | None:
    parts = path_parts(request, PREFIX)
    if len(parts) > 2:
        raise Refused(404, "The requested resource could not be found.")
    if parts[-1] == BAD_SKU:
        raise Refused(400, "Invalid input", "Invalid input")
    if parts[0] != account.seller_id:
        raise Refused(403, "Access to requested resource is denied.", "The seller has not authorised this application.")
    return parts[1] if len(parts) == 2 else None


def _marketplace(account: Account, query: Query) -> None:
    if account.marketplace_id not in query.names("marketplaceIds"):
        raise Refused(400, "Invalid 'marketplaceIds' provided.")


def _get(account: Account, request: Request, sku: str) -> Response:
    query = Query(request, COMMON)
    _marketplace(account, query)
    parts = query.names("includedData", among=PARTS) or ["summaries"]
    with account.lock:
        listing = account.listing(sku)
        if listing is None:
            raise Refused(404, f"SKU '{sku}' not found in marketplace {account.marketplace_id}.")
        return answer(document(account, listing, parts))


def _search(account: Account, request: Request) -> Response:
    query = Query(request, SEARCH)
    _marketplace(account, query)
    parts = query.names("includedData", among=PARTS) or ["summaries"]
    size = query.number("pageSize", 10, most=PAGE)
    order = query.text("sortBy", among=("sku", "createdDate", "lastUpdatedDate")) or "lastUpdatedDate"
    descending = (query.text("sortOrder", among=("ASC", "DESC")) or "DESC") == "DESC"
    names = query.names("identifiers", most=PAGE)
    kind = query.text("identifiersType", among=("SKU", "ASIN"))
    if bool(names) != bool(kind):
        raise Refused(400, "'identifiers' and 'identifiersType' must be given together.")
    spans = [query.moment(name) for name in ("createdAfter", "createdBefore", "lastUpdatedAfter", "lastUpdatedBefore")]
    start = _offset(query.text("pageToken"))
    with account.lock:
        found = [listing for listing in account.listings() if _matches(listing, names, kind, spans)]
        keys = {"sku": lambda one: one.sku, "createdDate": lambda one: (one.created_at, one.sku)}
        found.sort(key=keys.get(order, lambda one: (one.updated_at, one.sku)), reverse=descending)
        items = [document(account, listing, parts) for listing in found[start : min(start + size, REACH)]]
    pagination = {}
    if start + size < min(len(found), REACH):
        pagination["nextToken"] = _token(start + size)
    if start:
        pagination["previousToken"] = _token(max(0, start - size))
    return answer({"numberOfResults": len(found), "pagination": pagination, "items": items})


def _matches(listing: MockListing, names: list[str], kind: str, spans: list[float | None]) -> bool:
    created_after, created_before, updated_after, updated_before = spans
    return (
        (not names or (listing.sku if kind == "SKU" else listing.asin) in names)
        and (created_after is None or listing.created_at >= created_after)
        and (created_before is None or listing.created_at <= created_before)
        and (updated_after is None or listing.updated_at >= updated_after)
        and (updated_before is None or listing.updated_at <= updated_before)
    )


def _patch(account: Account, request: Request, sku: str) -> Response:
    query = Query(request, (*COMMON, "mode"))
    _marketplace(account, query)
    query.names("includedData", among=("identifiers", "issues"))
    preview = query.text("mode", among=("VALIDATION_PREVIEW",))
    if request.mimetype != "application/json":
        raise Refused(415, f"Content type '{request.mimetype}' is not supported.")
    patches = checked_patches(request.get_json(silent=True))
    with account.lock:
        listing = account.listing(sku)
        if listing is None:
            raise Refused(404, f"SKU '{sku}' not found in marketplace {account.marketplace_id}.")
        status, issues = submitted(account, listing, patches, preview=bool(preview))
    body = {"sku": sku, "status": status, "submissionId": str(uuid.uuid4()), "issues": issues}
    return answer(body)


def submitted(
    account: Account,
    listing: MockListing,
    patches: list[dict[str, Any]],
    *,
    preview: bool = False,
    at: float | None = None,
) -> tuple[str, list[dict[str, Any]]]:
    """Take patches for a listing, by whatever way they came and at what moment; answers the status and the issues."""
    issues = issues_of(listing, patches)
    if issues:
        return "INVALID", issues
    if preview:
        return "VALID", []
    before = copy.deepcopy(listing.attributes)
    for patch in patches:
        apply(listing, patch["op"], patch["value"])
    if listing.attributes != before or any("quantity" in element for patch in patches for element in patch["value"]):
        account.submit(listing, at)
    return "ACCEPTED", []


def _issue(code: str, message: str, attribute: str = "") -> dict[str, Any]:
    category = "MISSING_ATTRIBUTE" if code == "90220" else "INVALID_ATTRIBUTE"
    issue: dict[str, Any] = {"code": code, "message": message, "severity": "ERROR", "categories": [category]}
    return issue | ({"attributeNames": [attribute]} if attribute else {})


def _token(offset: int) -> str:
    return base64.urlsafe_b64encode(f"from {offset}".encode()).decode()


def _offset(token: str) -> int:
    if not token:
        return 0
    try:
        word, _, number = base64.urlsafe_b64decode(token).decode().partition(" ")
        if word != "from":
            raise ValueError(word)
        return int(number)
    except ValueError:
        raise Refused(400, "Invalid 'pageToken' provided.") from None
