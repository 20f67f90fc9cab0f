"""The first look at a file's bytes: is it text at all, how is it encoded, and what is its hash."""

from __future__ import annotations

import codecs
import hashlib
import os
from pathlib import Path
from typing import NamedTuple

from channels.pos_csv.models import Unreadable
from channels.pos_csv.settings import PosCsvSettings

_CHUNK = 1 << 20

#: How files begin that are no CSV, and what to tell the shopkeeper.
_OTHERS = {
    b"\x1f\x8b": "it is a compressed file; unpack it first",
    b"%PDF": "it is a PDF document; export the list as CSV",
}

#: How workbooks begin: .xlsx and .ods are ZIP archives, .xls is a compound document.
_WORKBOOKS = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")

#: The "encoding" of a workbook.
WORKBOOK = "workbook"

#: Byte order marks; the four-byte ones come first because they begin like the shorter ones.
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


class Scan(NamedTuple):
    """What the bytes of a file tell."""

    sha256: str
    encoding: str
    #: Whether the last line ends as all others do; where it does not, it may have been cut.
    ends_with_newline: bool
    #: Size and modification time, to notice a file that changes while it is read.
    stamp: tuple[int, int]


def stamp(path: Path) -> tuple[int, int]:
    """Size and modification time of a file."""
    status = path.stat()
    return status.st_size, status.st_mtime_ns


def scan(path: Path, settings: PosCsvSettings) -> Scan:
    """Look through all bytes of a file, in constant memory.

    Raises:
        Unreadable: it is empty, too large, not text, or in an encoding that nobody named.
        OSError: it cannot be read.
    """
    before = stamp(path)
    if before[0] == 0:
        raise Unreadable("the file is empty, and an empty list is not taken for an empty shop; nothing was changed")
    if before[0] > settings.max_bytes:
        raise Unreadable(f"the file is larger than {settings.max_bytes} bytes; raise max_bytes if that is right")
    digest = hashlib.sha256()
    utf8 = codecs.getincrementaldecoder("utf-8")()
    is_utf8, tail, marked = True, b"", ""
    with path.open("rb") as file:
        head = file.read(8)
        for magic, words in _OTHERS.items():
            if head.startswith(magic):
                raise Unreadable(words)
        marked = next((encoding for mark, encoding in _MARKS if head.startswith(mark)), "")
        if head.startswith(_WORKBOOKS):
            marked = WORKBOOK
        file.seek(0, os.SEEK_SET)
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
            tail = chunk[-4:]
            if marked in ("", "utf-8-sig"):
                if b"\x00" in chunk:
                    raise Unreadable("it is not a text file, or its end was lost while it was copied; export it again")
                if is_utf8:
                    is_utf8 = _decodes(utf8, chunk)
    if is_utf8 and marked in ("", "utf-8-sig"):
        is_utf8 = _decodes(utf8, b"", final=True)
    return Scan(
        digest.hexdigest(),
        marked or ("utf-8" if is_utf8 else _configured(settings)),
        tail.rstrip(b"\x00").endswith((b"\n", b"\r")),
        before,
    )


def _decodes(decoder: codecs.IncrementalDecoder, chunk: bytes, *, final: bool = False) -> bool:
    try:
        decoder.decode(chunk, final)
    except UnicodeDecodeError:
        return False
    return True


def _configured(settings: PosCsvSettings) -> str:
    if settings.encoding is None:
        raise Unreadable(
            "its letters are not in UTF-8, and guessing would risk wrong SKUs; set encoding for this till "
            "(often cp1252 in the West, cp949 in Korea, cp932 in Japan), or export as UTF-8"
        )
    return settings.encoding
