"""Documents that Amazon keeps elsewhere for us to fetch: behind an address that is valid for minutes."""

from __future__ import annotations

import codecs
import zlib
from collections.abc import Iterable, Iterator
from typing import Literal

import requests

from channels.amazon.client import AmazonClient
from channels.amazon.models import Payload
from channels.errors import Incomprehensible, Unanswered

#: The bytes that are taken at a time.
CHUNK = 64 * 1024

#: What makes zlib expect the frame of gzip.
GZIP_FRAME = 16 + zlib.MAX_WBITS


class Document(Payload):
    """Where a document can be fetched (models reports and feeds 2021-06-30)."""

    url: str
    compression_algorithm: Literal["GZIP"] | None = None


def lines(client: AmazonClient, operation: str, document: Document, default_encoding: str) -> Iterator[str]:
    """The lines of a document as they come, without their ends, so that a large one never is in memory whole.

    The address carries its own right to read; the access token must not go there, and no quota is counted.

    Raises:
        channels.errors.ChannelError: the document cannot be had.
        Incomprehensible: it is not compressed as Amazon said.
    """
    try:
        with client.session.get(document.url, timeout=client.timeout_s, allow_redirects=False, stream=True) as response:
            if response.status_code != 200:
                # What is said there may repeat the signed address, and is about neither our credentials nor a row.
                words = f"the document cannot be had: HTTP {response.status_code}"
                raise Unanswered(client.channel, operation, words, status=response.status_code)
            encoding = _encoding(response, default_encoding)
            packed = document.compression_algorithm is not None
            chunks: Iterator[bytes] = response.iter_content(CHUNK)
            yield from split(codecs.iterdecode(unpack(chunks) if packed else chunks, encoding, errors="replace"))
    except zlib.error as error:
        raise Incomprehensible(client.channel, operation, "the document is not compressed as Amazon says") from error
    except requests.RequestException as error:
        raise client.failure(operation, error) from error


def split(texts: Iterable[str]) -> Iterator[str]:
    """The lines of a text that comes in pieces, without their ends; the last one may have none."""
    rest = ""
    for text in texts:
        *whole, rest = (rest + text).split("\n")
        yield from (line.removesuffix("\r") for line in whole)
    if rest:
        yield rest.removesuffix("\r")


def unpack(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The content of a gzip file that comes in pieces. It may be several such files, one behind the other.

    Raises:
        zlib.error: it is none, or its end is missing.
    """
    unpacking = zlib.decompressobj(GZIP_FRAME)
    for chunk in chunks:
        rest = chunk
        while rest:
            if unpacking.eof:
                unpacking = zlib.decompressobj(GZIP_FRAME)
            yield unpacking.decompress(rest)
            rest = unpacking.unused_data
    if not unpacking.eof:
        raise zlib.error("the end is missing")


def _encoding(response: requests.Response, default: str) -> str:
    """The charset of the Content-Type, where it names one that text can be written in."""
    _, _, name = response.headers.get("Content-Type", "").partition("charset=")
    name = name.strip(' "')
    try:
        b"\xff".decode(name, errors="replace")
    except (LookupError, ValueError):
        return default
    return name
