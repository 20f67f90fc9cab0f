"""BigCommerce over HTTP: headers, quota, and its many ways to say no.

Source of headers and bodies: developer.bigcommerce.com, "API rate limits", "API status codes" and "About our API".
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Set
from typing import Any, TypeVar

import requests
from pydantic import TypeAdapter, ValidationError

from channels.bigcommerce.settings import BigCommerceSettings
from channels.errors import ChannelError, Incomprehensible, Rejected, Unanswered
from channels.http import TIMEOUT_S, WORDS_LIMIT, HttpClient, Words, decoded, plain_text, text_of
from channels.services import Budget, Quota, header_int
from channels.shape import fault

#: The name that the control panel gives to the OAuth scope of a resource, by the beginning of its path.
SCOPES = {
    "/v3/catalog": "Products",
    "/v3/inventory": "Store Inventory",
    "/v3/settings": "Information & Settings",
    "/v2/orders": "Orders",
}

#: Statuses below 500 that leave open whether the request was carried out: a wait that ended too early at the
#: server's side (408, and 499 which BigCommerce documents), and a locked resource, which opens again (423).
UNCERTAIN = frozenset({408, 423, 499})

#: The most messages of one answer that are passed on; a batch of 50 can have 50.
MESSAGES_LIMIT = 10

#: Longer than any window of a quota, in seconds.
DAY_S = 86_400

#: The header by which gateways in front of a store tell when their window ends.
GATEWAY_RESET = "X-Rate-Limit-Reset"

#: How the Inventory API names an item in its words: ``[product_id 113]``, ``variant_id 106``.
_IDENTITY = re.compile(r"\b(product_id|variant_id)\W{1,3}(\d{1,19})\b")

#: A list in brackets that is too long for people.
_LONG_LIST = re.compile(r"\[([^\]]{120})[^\]]*\]")

T = TypeVar("T")


class ItemsRejected(Rejected):
    """A refusal that names the items it is about: pairs of ``product_id`` or ``variant_id`` and the id."""

    def __init__(
        self,
        channel: str,
        operation: str,
        words: str,
        items: Set[tuple[str, int]],
        *,
        status: int,
        fields: Mapping[str, str],
    ) -> None:
        super().__init__(channel, operation, words, status=status, fields=fields)
        self.items = frozenset(items)


class BigCommerceClient(HttpClient):
    """The HTTP session of one store."""

    def __init__(self, channel: str, settings: BigCommerceSettings, *, budget: Budget) -> None:
        super().__init__(
            channel,
            f"{settings.api_url}/stores/{settings.store_hash}",
            budget=budget,
            timeout_s=(TIMEOUT_S[0], settings.read_timeout_s),
        )
        self._access_token = settings.access_token

    def headers(self) -> Mapping[str, str]:
        """See :meth:`HttpClient.headers`."""
        return {"X-Auth-Token": self._access_token.get_secret_value(), "Accept": "application/json"}

    def quota(self, operation: str, response: requests.Response) -> Quota:
        """The store's quota as the answer tells it, or as a gateway in front of the store does."""
        headers = response.headers
        left = header_int(headers, "X-Rate-Limit-Requests-Left")
        reset_ms = header_int(headers, "X-Rate-Limit-Time-Reset-Ms")
        window_ms = header_int(headers, "X-Rate-Limit-Time-Window-Ms")
        gateway_reset_s = _gateway_reset_s(response)
        return Quota(
            left=left if left is not None else header_int(headers, "X-Rate-Limit-Remaining"),
            limit=header_int(headers, "X-Rate-Limit-Requests-Quota"),
            reset_s=reset_ms / 1000 if reset_ms is not None else gateway_reset_s,
            window_s=window_ms / 1000 if window_ms else None,
        )

    def pause_s(self, response: requests.Response) -> float:
        """The longest of ``X-Retry-After`` (seconds) and the reset (milliseconds), as BigCommerce asks.

        More than a day is the moment itself, which some gateways send, and no wait at all.
        """
        named_s = [header_int(response.headers, name) or 0 for name in ("X-Retry-After", "Retry-After", GATEWAY_RESET)]
        reset_ms = header_int(response.headers, "X-Rate-Limit-Time-Reset-Ms") or 0
        return max((pause_s for pause_s in (*named_s, reset_ms / 1000) if pause_s <= DAY_S), default=0.0)

    def words(self, response: requests.Response) -> Words:
        """The store's words: V2 lists, V3 and problem+json objects, batch errors, plain text and HTML."""
        try:
            body = decoded(response)
        except ValueError:
            body = None
        words = words_of(body) or Words(_without_markup(response))
        return words._replace(advice=_advice(response))

    def call(
        self,
        operation: str,
        method: str,
        path: str,
        *,
        params: Mapping[str, str | int] | None = None,
        json: Any = None,
    ) -> requests.Response:
        """See :meth:`HttpClient.call`. HTTP 207 and the statuses of ``UNCERTAIN`` raise :class:`Unanswered`.

        207 means that a part of the request failed ("the product information was updated successfully, but the
        inventory data failed to update"), and its data does not tell what of the stock was saved.
        """
        response = super().call(operation, method, path, params=params, json=json)
        if response.status_code == 207:
            words = self.words(response)
            raise Unanswered(self.channel, operation, words.text, status=207, fields=words.fields)
        return response

    def refusal(self, operation: str, response: requests.Response) -> ChannelError:
        """See :meth:`HttpClient.refusal`; a refusal that names items is an :class:`ItemsRejected`."""
        status, words = response.status_code, self.words(response)
        if status in UNCERTAIN:
            return Unanswered(self.channel, operation, words.text, status=status, fields=words.fields)
        error = super().refusal(operation, response)
        items = {(kind, int(number)) for kind, number in _IDENTITY.findall(text_of(response))}
        if isinstance(error, Rejected) and items:
            return ItemsRejected(self.channel, operation, words.text, items, status=status, fields=words.fields)
        return error

    def fetch(self, operation: str, path: str, params: Mapping[str, str | int], shape: type[T]) -> T:
        """GET and understand.

        Raises:
            Incomprehensible: the answer is not of this shape.
        """
        return self.understood(operation, self.call(operation, "GET", path, params=params), shape)

    def understood(self, operation: str, response: requests.Response, shape: type[T]) -> T:
        """The body of an answer. No content is an empty list, which is how V2 says that there are no rows.

        Raises:
            Incomprehensible: it is not of this shape.
        """
        body = [] if response.status_code == 204 else self.json(operation, response)
        try:
            return _adapter(shape).validate_python(body)
        except ValidationError as error:
            words = f"the answer is not of the documented shape ({fault(error)})"
            raise Incomprehensible(self.channel, operation, words, status=response.status_code) from error


_adapters: dict[object, TypeAdapter[Any]] = {}


def _adapter(shape: type[T]) -> TypeAdapter[T]:
    """Building one costs milliseconds, and there are only as many shapes as this package names."""
    if shape not in _adapters:
        _adapters[shape] = TypeAdapter(shape)
    return _adapters[shape]


def words_of(body: object) -> Words | None:
    """The words of a decoded error body, or ``None`` where it has none."""
    if isinstance(body, list):
        messages = [str(error["message"]) for error in body if isinstance(error, dict) and error.get("message")]
        return Words(_short("; ".join(messages[:MESSAGES_LIMIT]))) if messages else None
    if not isinstance(body, dict):
        return None
    if isinstance(body.get("batch_errors"), list):
        return _merged(words for error in body["batch_errors"] if (words := words_of(error)))
    errors = body.get("errors")
    if isinstance(errors, dict) and "title" in errors and "title" not in body:
        return words_of(errors)  # HTTP 207 has the whole problem under "errors"
    title = body.get("title") or body.get("detail") or body.get("message") or body.get("error")
    fields = errors if isinstance(errors, dict) else {}
    if not title and not fields:
        return None
    return Words(
        _short(str(title or "the request is not valid")),
        {str(name): _short(str(message)) for name, message in list(fields.items())[:MESSAGES_LIMIT]},
    )


def _merged(all_words: Iterable[Words]) -> Words | None:
    titles: dict[str, None] = {}
    fields: dict[str, str] = {}
    for words in all_words:
        titles[words.text] = None
        for name, message in words.fields.items():
            if len(fields) < MESSAGES_LIMIT:
                fields.setdefault(name, message)
    return Words(_short("; ".join(list(titles)[:MESSAGES_LIMIT])), fields) if titles else None


def _short(text: str) -> str:
    """One line, with the middle of long lists left out: what follows a list says what is wrong with it."""
    return _LONG_LIST.sub(r"[\1 ...]", " ".join(text.split()))[:WORDS_LIMIT]


def _without_markup(response: requests.Response) -> str:
    if "html" in response.headers.get("Content-Type", "").lower() or text_of(response).lstrip().startswith("<"):
        return response.reason or "an HTML page"
    return plain_text(response)


def _gateway_reset_s(response: requests.Response) -> int | None:
    """Seconds until a gateway's window ends. Some gateways send the moment instead, which is no wait at all."""
    reset_s = header_int(response.headers, GATEWAY_RESET)
    return reset_s if reset_s is not None and reset_s <= DAY_S else None


def _advice(response: requests.Response) -> str:
    """What a person should do about a 401, a 403 or a missing store."""
    if response.status_code == 401:
        return "Check access_token and store_hash in the settings: they must belong to the same store."
    if response.status_code == 403:
        path = response.request.path_url
        right = "read-only" if response.request.method == "GET" else "modify"
        for part, scope in SCOPES.items():
            if part in path:
                return f"The API account needs the scope {scope!r} ({right}); a new API account has to be made for it."
        return "Check which scopes the API account has, and what the store's plan allows."
    return ""
