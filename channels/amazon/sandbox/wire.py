"""How the mock reads requests and words its answers."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime
from urllib.parse import unquote

from flask import Request
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response

#: The code that Amazon gives with a status.
CODES = {
    400: "InvalidInput",
    403: "Unauthorized",
    404: "NotFound",
    413: "RequestTooLarge",
    415: "UnsupportedMediaType",
    429: "QuotaExceeded",
    500: "InternalFailure",
    503: "ServiceUnavailable",
}

MESSAGES = {
    403: "Access to requested resource is denied.",
    429: "You exceeded your quota for the requested resource.",
    500: "We encountered an internal error. Please try again.",
}

#: What a load balancer in front of the API answers when nothing behind it does.
HTML_503 = "<html><body><h1>503 Service Temporarily Unavailable</h1></body></html>"


def answer(body: object, status: int = 200) -> Response:
    """A JSON answer."""
    return Response(json.dumps(body), status=status, mimetype="application/json")


def error(status: int, message: str = "", details: str = "") -> Response:
    """An error as Amazon words it; a 503 comes as HTML, from before the API."""
    if status == 503 and not message:
        return Response(HTML_503, status=503, mimetype="text/html")
    code = CODES.get(status, "InternalFailure" if status >= 500 else "InvalidInput")
    message = message or MESSAGES.get(status, "Request failed.")
    return answer({"errors": [{"code": code, "message": message, "details": details}]}, status)


class Refused(HTTPException):
    """A request that Amazon answers with an error."""

    def __init__(self, status: int, message: str, details: str = "") -> None:
        self.answer = error(status, message, details)
        super().__init__(message, response=self.answer)


class Query:
    """The query parameters of one request, each checked as it is read.

    Raises:
        Refused: with a 400, by any method whose parameter is not as the model says.
    """

    def __init__(self, request: Request, allowed: Iterable[str]) -> None:
        self._values = request.args
        unknown = set(self._values) - set(allowed)
        if unknown:
            raise Refused(400, f"Unknown parameter: {', '.join(sorted(unknown))}.")

    def text(self, name: str, *, among: Iterable[str] | None = None) -> str:
        """A parameter as it is; empty where it is not given."""
        value = self._values.get(name, "")
        if value and among is not None and value not in among:
            raise Refused(400, f"Invalid '{name}' provided: {value}.")
        return value

    def names(self, name: str, *, among: Iterable[str] | None = None, most: int | None = None) -> list[str]:
        """A list that is written with commas."""
        values = [value for value in self._values.get(name, "").split(",") if value]
        if most is not None and len(values) > most:
            raise Refused(400, f"'{name}' holds {len(values)} values, the most is {most}.")
        if among is not None and not set(values) <= set(among):
            raise Refused(400, f"Invalid '{name}' provided: {','.join(values)}.")
        return values

    def number(self, name: str, default: int, *, most: int) -> int:
        """A whole number from 1 on."""
        value = self._values.get(name)
        if value is None:
            return default
        if not value.isdigit() or not 1 <= int(value) <= most:
            raise Refused(400, f"'{name}' must be between 1 and {most}.")
        return int(value)

    def moment(self, name: str) -> float | None:
        """A time, as seconds since 1970."""
        value = self._values.get(name)
        if not value:
            return None
        try:
            return datetime.fromisoformat(value).timestamp()
        except ValueError:
            raise Refused(400, f"'{name}' is not an ISO 8601 date: {value}.") from None


def path_parts(request: Request, prefix: str) -> list[str]:
    """The parts of the path behind a prefix as they were sent, each decoded for itself.

    The path that WSGI gives is decoded already, so it cannot tell ``a%2Fb`` from ``a/b``.
    """
    raw = str(request.environ.get("REQUEST_URI", request.path)).partition("?")[0]
    return [unquote(part) for part in raw.removeprefix(prefix).strip("/").split("/")]
