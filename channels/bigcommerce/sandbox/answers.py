"""How the sandbox answers: BigCommerce's envelopes, pages and error bodies."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from flask import Request
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response

TYPE = "https://developer.bigcommerce.com/api-docs/getting-started/api-status-codes"

#: What each status is called where no more is to be said.
TITLES = {
    400: "Input is invalid",
    403: "You don't have a required scope to access the endpoint",
    404: "The requested resource was not found.",
    409: "Product was in conflict with another product",
    413: "The request payload is too large.",
    422: "JSON data is missing or invalid",
    429: "You have exceeded the rate limit",
    500: "There was an error processing your request",
    503: "Service unavailable",
}


class Refused(HTTPException):
    """An answer that is not the one asked for."""

    def __init__(self, response: Response) -> None:
        super().__init__(response=response)


def problem(
    status: int,
    title: str = "",
    errors: Mapping[str, str] | None = None,
    *,
    mimetype: str = "application/json",
) -> Response:
    """A V3 error; the Inventory API says it as ``application/problem+json``."""
    body = {
        "status": status,
        "title": title or TITLES.get(status, "Error"),
        "type": TYPE,
        "errors": dict(errors or {}),
    }
    return _json(body, status, mimetype)


def v2_error(status: int, message: str = "", **details: Any) -> Response:
    """A V2 error: an array."""
    error: dict[str, Any] = {"status": status, "message": message or TITLES.get(status, "Error")}
    return _json([error | ({"details": details} if details else {})], status)


def unauthorized() -> Response:
    """A 401, which is plain text."""
    return Response("Unauthorized", 401, mimetype="text/plain")


def unsupported() -> Response:
    """A 415, which is HTML."""
    html = "<html><head><title>415 Unsupported Media Type</title></head><body>415 Unsupported Media Type</body></html>"
    return Response(html, 415, mimetype="text/html")


def error_for(status: int) -> Response:
    """The store's own body for a status."""
    if status == 401:
        return unauthorized()
    return unsupported() if status == 415 else problem(status)


def envelope(data: Any) -> dict[str, Any]:
    """A V3 answer."""
    return {"data": data, "meta": {}}


def page_of(
    request: Request, rows: Sequence[Any], *, most: int, at_most: int | None = None
) -> tuple[Sequence[Any], dict[str, Any]]:
    """The rows of the page that was asked for, and what V3 says about it. ``at_most``: it has no more, asked or not.

    Raises:
        Refused: the limit is over the maximum (413).
    """
    limit, number = number_in(request, "limit", 50), number_in(request, "page", 1)
    if limit > most:
        raise Refused(problem(413, f"The limit exceeds the maximum of {most}."))
    limit = min(limit, at_most or limit)
    start = (number - 1) * limit
    part = rows[start : start + limit]
    pages = -(-len(rows) // limit)
    links = {"current": f"?page={number}&limit={limit}"}
    if number < pages:
        links["next"] = f"?page={number + 1}&limit={limit}"
    pagination = {
        "total": len(rows),
        "count": len(part),
        "per_page": limit,
        "current_page": number,
        "total_pages": pages,
        "links": links,
    }
    return part, {"pagination": pagination}


def number_in(request: Request, name: str, default: int) -> int:
    """A positive number among the query's parameters.

    Raises:
        Refused: it is none.
    """
    text = request.args.get(name, str(default))
    if not (text.isascii() and text.isdigit() and int(text) > 0):
        raise Refused(problem(422, f"{name} must be a positive number", {name: "not a positive number"}))
    return int(text)


def ids_in(request: Request, name: str) -> set[int] | None:
    """The ids of an ``:in`` filter, or ``None`` where it is not used."""
    text = request.args.get(name)
    if text is None:
        return None
    return {int(part) for part in text.split(",") if part.strip().isdigit()}


def only(request: Request, *known: str) -> None:
    """Refuse parameters that this sandbox does not understand, rather than give an answer they did not shape.

    Raises:
        Refused: there are such parameters. (BigCommerce ignores most of those that it does not know.)
    """
    unknown = sorted(set(request.args) - set(known))
    if unknown:
        raise Refused(problem(400, f"The sandbox does not understand: {', '.join(unknown)}"))


def body_of(request: Request) -> Any:
    """The JSON that was sent.

    Raises:
        Refused: it is not JSON (415, 400).
    """
    if request.mimetype != "application/json":
        raise Refused(unsupported())
    body = request.get_json(silent=True)
    if body is None:
        raise Refused(problem(400, "The request body is not valid JSON"))
    return body


def _json(body: Any, status: int, mimetype: str = "application/json") -> Response:
    return Response(json.dumps(body), status, mimetype=mimetype)
