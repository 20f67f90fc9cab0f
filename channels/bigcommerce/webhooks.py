"""Webhooks as they come in: is it from our store, and what is to be looked at because of it. No I/O.

An event is a hint and nothing more: no level is ever taken from it. Sources: docs/integrations/webhooks of
github.com/bigcommerce/docs, and the Standard Webhooks specification, which BigCommerce signs by.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import re
from collections.abc import Iterable, Mapping
from typing import Annotated

from pydantic import Field, SecretStr, ValidationError

from channels.bigcommerce.models import Id, Payload, Ref
from channels.bigcommerce.settings import BigCommerceSettings
from channels.webhooks import BODY_LIMIT, BadEvent, Event, Refusal

#: How far the timestamp of a signed event may be from our clock, in seconds, to either side.
TOLERANCE_S = 300

#: The header that every hook of ours carries, and that BigCommerce sends back with each event.
SECRET_HEADER = "X-Inventory-Sync-Secret"  # noqa: S105 - a name, not a secret

#: The headers of Standard Webhooks: a message's id, when it was sent, and its signatures.
ID_HEADER, TIME_HEADER, SIGNATURE_HEADER = "webhook-id", "webhook-timestamp", "webhook-signature"

#: The header of ``webhook_auth = "body"``: hex HMAC-SHA256 of the raw body.
BODY_HEADER = "X-BC-Webhook-Signature"


def receive(settings: BigCommerceSettings, headers: Mapping[str, str], body: bytes, *, now: float) -> Event:
    """Verify and understand one request. ``body``: exactly as it came; ``now``: unix seconds.

    Raises:
        BadEvent: it is refused, and says why.
    """
    if len(body) > BODY_LIMIT:
        raise BadEvent(Refusal.OVERSIZED)
    refusal = verify(settings, headers, body, now=now)
    if refusal is not None:
        raise BadEvent(refusal)
    event = parse(settings, body)
    # The id of Standard Webhooks is signed with the rest; without that anybody could give any.
    message = next((value for name, value in headers.items() if name.lower() == ID_HEADER), "")
    return event._replace(message=message) if settings.webhook_auth == "standard" else event


# Is it from our store?


def verify(settings: BigCommerceSettings, headers: Mapping[str, str], body: bytes, *, now: float) -> Refusal | None:
    """Why this request is not from the store, or ``None`` where it proves that it is."""
    secrets = [secret for secret in (settings.client_secret, settings.client_secret_previous) if secret is not None]
    lower = {name.lower(): value for name, value in headers.items()}
    if settings.webhook_auth == "header":
        return _by_header(secrets, lower, settings.store_hash)
    if settings.webhook_auth == "body":
        return _by_body(secrets, lower, body)
    refusal = _by_standard(secrets, lower, body, now)
    if refusal is Refusal.STALE and _by_header(secrets, lower, settings.store_hash) is None:
        # Deliveries are repeated for two days, and whether each is signed anew is not documented. Refusing the late
        # ones would end in BigCommerce switching the hook off; what they can do to us is one reading.
        return None
    return refusal


def secret_header(client_secret: SecretStr, store_hash: str) -> str:
    """The value of ``SECRET_HEADER``: derived, so that every process knows it and nobody else can work it out."""
    return _hmac(client_secret, f"inventory-sync webhook header for {store_hash}".encode()).hex()


def _by_header(secrets: list[SecretStr], headers: Mapping[str, str], store_hash: str) -> Refusal | None:
    given = headers.get(SECRET_HEADER.lower(), "")
    if not given:
        return Refusal.UNSIGNED
    return _refused(_equal(given, secret_header(secret, store_hash)) for secret in secrets)


def _by_body(secrets: list[SecretStr], headers: Mapping[str, str], body: bytes) -> Refusal | None:
    given = headers.get(BODY_HEADER.lower(), "").strip().lower()
    if not given:
        return Refusal.UNSIGNED
    return _refused(_equal(given, _hmac(secret, body).hex()) for secret in secrets)


def _by_standard(secrets: list[SecretStr], headers: Mapping[str, str], body: bytes, now: float) -> Refusal | None:
    """Standard Webhooks: base64 HMAC-SHA256 of ``id.timestamp.body``; the raw client secret is the key."""
    names = (ID_HEADER, TIME_HEADER, SIGNATURE_HEADER)
    message_id, timestamp, signatures = (headers.get(name, "") for name in names)
    if not (message_id and timestamp and signatures):
        return Refusal.UNSIGNED
    signed = f"{message_id}.{timestamp}.".encode(errors="replace") + body
    given = [value for version, _, value in (part.partition(",") for part in signatures.split()) if version == "v1"]
    rights = [_hmac(secret, signed) for secret in secrets]  # once, however many signatures somebody sends
    refusal = _refused(_same_bytes(value, right) for right in rights for value in given)
    if refusal is not None:
        return refusal
    if not re.fullmatch(r"[0-9]{1,12}", timestamp) or abs(now - int(timestamp)) > TOLERANCE_S:
        return Refusal.STALE
    return None


def _refused(proofs: Iterable[bool]) -> Refusal | None:
    """Each proof is looked at, so that the time taken does not tell which secret fits."""
    return None if any(list(proofs)) else Refusal.FORGED


def _hmac(secret: SecretStr, message: bytes) -> bytes:
    return hmac.digest(secret.get_secret_value().encode(), message, hashlib.sha256)


def _equal(given: str, right: str) -> bool:
    return hmac.compare_digest(given.encode(errors="replace"), right.encode())


def _same_bytes(given: str, right: bytes) -> bool:
    try:
        return hmac.compare_digest(base64.b64decode(given, validate=True), right)
    except (binascii.Error, ValueError):
        return False


# What is to be looked at?


class _Inventory(Payload):
    product_id: Id | None = None
    variant_id: Id | None = None
    method: object = None
    value: object = None


class _Sku(Payload):
    product_id: Id
    variant_id: Id


class _Data(Payload):
    type: object = None
    id: object = None
    inventory: _Inventory | None = None
    sku: _Sku | None = None
    product_id: Id | None = None
    variant_id: Id | None = None
    location_id: Id | None = None


class _Body(Payload):
    scope: Annotated[str, Field(min_length=1, max_length=200)]
    producer: str
    data: object = None
    hash: object = None
    created_at: object = None


#: Scopes about stock, with the channel's id (or the literal ``*``) left open.
_STOCK = re.compile(
    r"store/inventory/updated"
    r"|store/(product|sku)/inventory/(order/)?(updated|\*)"
    r"|store/channel/([0-9]+|\*)/inventory/product/"
    r"(stock_changed|low_stock_reached|out_of_stock_reached|settings_changed|\*)"
)

#: Scopes about listings that appear, change their SKU or their tracking, or go. ``product`` and ``sku`` events of other
#: kinds (bulk imports come under a wildcard) ask for no more than a reading, so they are let in as well.
_LISTING = re.compile(r"store/(product|sku)/([a-z_/]+|\*)")

#: Scopes about orders.
_ORDER = re.compile(r"store/(channel/([0-9]+|\*)/)?order/([a-zA-Z_/]+|\*)")


def parse(settings: BigCommerceSettings, body: bytes) -> Event:
    """What a verified body asks to look at.

    Data of an unexpected shape is no reason to refuse an event: the store would send it for two days and then
    switch the hook off. What is known of it is that something changed.

    Raises:
        BadEvent: it is malformed, or about another store.
    """
    try:
        event = _Body.model_validate(json.loads(body))
    except (ValidationError, ValueError, RecursionError):
        raise BadEvent(Refusal.MALFORMED) from None
    if event.producer != f"stores/{settings.store_hash}":
        raise BadEvent(Refusal.FOREIGN)
    try:
        data = _Data.model_validate(event.data)
    except ValidationError:
        data = _Data()
    created_at = event.created_at if type(event.created_at) is int else 0
    is_named = isinstance(event.hash, str) and event.hash
    key = f"{event.hash}:{created_at}" if is_named else hashlib.sha256(body).hexdigest()
    hint = Event(event.scope, key, created_at)
    if _STOCK.fullmatch(event.scope):
        if _elsewhere(settings, data):
            return hint
        refs = _refs(data)
        return hint._replace(refs=refs, whole=not refs, claimed=_claimed(data))
    if _LISTING.fullmatch(event.scope):
        return hint._replace(refs=_refs(data), gone=event.scope.endswith("/deleted"))
    if _ORDER.fullmatch(event.scope):
        is_order = isinstance(data.id, (int, str)) and not isinstance(data.id, bool)
        return hint._replace(orders=(str(data.id),) if is_order else ())
    return hint._replace(known=False)


def _elsewhere(settings: BigCommerceSettings, data: _Data) -> bool:
    """Whether the stock of another location changed, of which the levels we read know nothing."""
    return settings.write != "catalog" and data.location_id not in (None, settings.location_id)


def _refs(data: _Data) -> tuple[str, ...]:
    """The listings that an event names.

    ``data.id`` of a sku event is the V2 SKU id and names nothing here. Events of a location name a variant even
    where the product is what counts, so that they ask for the whole product.
    """
    if data.inventory is not None and data.inventory.product_id:
        return (str(Ref(data.inventory.product_id, data.inventory.variant_id)),)
    if data.sku is not None:
        return (str(Ref(data.sku.product_id, data.sku.variant_id)),)
    if data.product_id:
        return (str(Ref(data.product_id)),)
    if data.type == "product" and isinstance(data.id, int) and not isinstance(data.id, bool) and data.id > 0:
        return (str(Ref(data.id)),)
    return ()


def _claimed(data: _Data) -> int | None:
    inventory = data.inventory
    if inventory is None or inventory.method != "absolute":
        return None
    return inventory.value if isinstance(inventory.value, int) and not isinstance(inventory.value, bool) else None
