"""Scripts in the words of a trace: what they were asked and what they answered, no token and no stream id."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from sync.storage.store import Call


def lines(name: str, calls: Sequence[Call], answers: Sequence[Any], start_ms: int) -> Iterator[str]:
    """The lines for one run of a script."""
    if name == "absent":  # asked in the order in which the server keeps its keys, another one each time it starts
        found = sorted(zip(_flat(answers, 0), _flat(answers, 1), strict=True))
        yield from (f"finds {calls[0].args[0]} {sku} {what}" for sku, what in found)
        return
    for call, answer in zip(calls, answers, strict=True):
        args = [str(arg) for arg in call.args]
        if name == "merge":
            yield from _merge(args, answer, start_ms)
        elif name == "claim":
            rows = zip(args[8::4], args[9::4], args[10::4], answer[::2], answer[1::2], strict=True)
            verb = "claims" if args[3] else "looks at"
            for sku, revision, target, what, base in rows:
                started = f" from {base}" if base else ""
                yield f"{verb} {args[0]} {sku} for {target} at revision {revision}: {what}{started}"
        elif name == "settle":
            for sku, result, what in zip(args[4::3], args[5::3], answer, strict=True):
                yield f"settles {args[0]} {sku} as {result}: {what}"
        elif name == "audit":
            kin = 4 + int(args[3])
            first = kin + 1 + int(args[kin])
            for row, what, units in zip(range(first, len(args), 6), answer[::2], answer[1::2], strict=True):
                sku, word, *seen = (_since(arg, start_ms) for arg in args[row : row + 6])
                moved = f" {units:+d}" if units else ""
                yield f"audits {args[0]} {sku}: {word} [{seen[0]}] {' '.join(seen[1:])}: {what}{moved}"
        elif name == "same":
            began, ended = ((int(arg) - start_ms) / 1000 for arg in args[1:3])
            if answer:
                yield f"knows rows of {args[0]} by their note, read {began:.3f} to {ended:.3f}"
        elif name in ("suspect", "kin_done", "link"):
            continue  # what they change shows in what follows
        elif name == "unmark":
            if answer[0]:
                yield f"unmarks {answer[0]}"
        else:
            yield f"{name} {' '.join(_since(arg, start_ms) for arg in args)}: {answer}"


def _flat(answers: Sequence[Any], place: int) -> list[str]:
    return [str(part) for answer in answers for part in answer[place::2]]


def _merge(args: Sequence[str], answer: Sequence[Any], start_ms: int) -> Iterator[str]:
    began, ended = ((int(arg) - start_ms) / 1000 for arg in args[2:4])
    flat = json.loads(args[-3])
    rows = zip(flat[::4], flat[3::4], strict=True)
    told: dict[int, list[str]] = {}
    for index, what, units in zip(answer[::3], answer[1::3], answer[2::3], strict=True):
        told.setdefault(index, []).append(f"{what} {units:+d}" if units else what)
    words = [f"{sku}={level} {' and '.join(told.get(index, ['as known']))}" for index, (sku, level) in enumerate(rows)]
    yield f"merges {args[0]}, read {began:.3f} to {ended:.3f}: {', '.join(words)}"


def _since(text: str, start_ms: int) -> str:
    """Moments as seconds since the start."""
    return " ".join(
        f"{(int(part) - start_ms) / 1000:.3f}" if part.isdigit() and len(part) == 13 else part
        for part in text.split(" ")
    )
