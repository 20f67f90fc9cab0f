"""Text from outside, made fit to be shown: SKUs, file names, channels' own words.

A SKU is what somebody typed into a store, or what somebody who is no friend has put there. Signs that move a
terminal's cursor, change its title or turn the direction of a line are never passed on as they are.
"""

from __future__ import annotations

import re
from dataclasses import replace

from channels import Level, Page, Problem

#: What no SKU holds: controls, line breaks, and halves of a surrogate pair, which nothing can write down.
_UNFIT = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")

#: What is not shown as it is: the same, and signs that turn the direction of what follows.
_UNSHOWN = re.compile(rf"{_UNFIT.pattern[:-1]}\u202a-\u202e\u2066-\u2069]")

#: The longest SKU that is believed to be one, in characters; BigCommerce allows 255, and Amazon 40.
SKU_LIMIT = 255

#: The most of a SKU that is repeated in a message.
_REPEATED = 40


def shown(text: str) -> str:
    r"""The text with signs that act on a terminal spelt out, such as ``\x1b``."""
    return _UNSHOWN.sub(lambda sign: sign[0].encode("unicode_escape").decode("ascii"), text)


def with_skus_fit(page: Page) -> Page:
    """The page without the levels whose SKU is none; each is a problem instead, and stops only itself."""
    problems = [problem for level in page.levels if (problem := _problem(level))]
    if not problems:
        return page
    fit = [level for level in page.levels if _problem(level) is None]
    return replace(page, levels=fit, problems=[*page.problems, *problems])


def _problem(level: Level) -> Problem | None:
    if level.sku.isprintable() and len(level.sku) <= SKU_LIMIT and level.sku.strip():
        return None  # nearly all of them
    if not level.sku.strip():
        return Problem(shown(level.ref), "it has no SKU; give it one at the channel")
    if len(level.sku) > SKU_LIMIT:
        reason = f"its SKU is longer than {SKU_LIMIT} characters; give it a shorter one at the channel"
    elif _UNFIT.search(level.sku.strip()):
        reason = "its SKU holds a line break or another invisible sign; type the SKU anew at the channel"
    else:
        return None
    return Problem(shown(level.sku[:_REPEATED]), reason)
