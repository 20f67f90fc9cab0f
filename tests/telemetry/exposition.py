"""Reads Prometheus' text format, and takes nothing that is not it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

SAMPLE = re.compile(r'([a-z_:][a-z0-9_:]*)(?:\{((?:[a-z_]+="(?:[^"\\\n]|\\.)*",?)*)\})? (-?[0-9.e+-]+)')
LABEL = re.compile(r'([a-z_]+)="((?:[^"\\]|\\.)*)"')

Labels = frozenset[tuple[str, str]]


@dataclass(slots=True)
class Family:
    """One metric as it was exposed."""

    help: str
    kind: str = ""
    #: Values by the sample's name and labels.
    samples: dict[tuple[str, Labels], float] = field(default_factory=dict)


def parse(text: str) -> dict[str, Family]:
    """All metrics by their full name."""
    assert text.endswith("\n")
    families: dict[str, Family] = {}
    name = ""
    for line in text.splitlines():
        if line.startswith("# HELP "):
            name, words = line.removeprefix("# HELP ").split(" ", 1)
            assert name not in families, f"{name} comes twice"
            families[name] = Family(words)
        elif line.startswith("# TYPE "):
            families[name].kind = line.removeprefix(f"# TYPE {name} ")
        else:
            match = SAMPLE.fullmatch(line)
            assert match, f"no sample: {line}"
            suffixes = ("_bucket", "_sum", "_count") if families[name].kind == "histogram" else ("",)
            assert match[1] in [name + suffix for suffix in suffixes], f"{match[1]} stands below {name}"
            key = (match[1], frozenset(LABEL.findall(match[2] or "")))
            assert key not in families[name].samples, f"{line} comes twice"
            families[name].samples[key] = float(match[3])
    return families


def value(text: str, sample: str, **labels: str) -> float | None:
    """One value; ``None`` where it is not exposed."""
    for family in parse(text).values():
        if (sample, frozenset(labels.items())) in family.samples:
            return family.samples[sample, frozenset(labels.items())]
    return None
