"""What bundles are made of, as a merchant sets it: a gift box of a mug and two teas, a pack of six of one SKU."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Set
from pathlib import Path
from typing import NamedTuple

from sync.errors import SettingsError
from sync.stock.sheets import rows
from sync.storage.store import fold


class Part(NamedTuple):
    """A component of a bundle."""

    folded: str
    #: The SKU as it is written.
    sku: str
    #: Units of it in each bundle.
    units: int


class Recipe(NamedTuple):
    """A bundle and its components."""

    folded: str
    sku: str
    parts: tuple[Part, ...]

    def __str__(self) -> str:
        return ", ".join(f"{part.units} {part.sku}" for part in self.parts)


def read_back(bundle: str, text: str, components: Set[str]) -> Recipe:
    """A recipe from its text. ``bundle``, ``components``: folded SKUs, without which the text may be read otherwise."""
    parts, words = list[Part](), ""
    for piece in re.split(r", (?=\d+ )", text):
        words = f"{words}, {piece}" if words else piece
        units, sku = words.split(" ", 1)
        if fold(sku) in components:
            parts.append(Part(fold(sku), sku, int(units)))
            words = ""
    return Recipe(bundle, bundle, tuple(parts))


class Recipes:
    """All bundles, and who concerns whom. A component is no bundle itself."""

    def __init__(self, recipes: Iterable[Recipe] = ()) -> None:
        self.bundles: Mapping[str, Recipe] = {recipe.folded: recipe for recipe in recipes}
        self._parents: dict[str, list[str]] = {}
        for recipe in self.bundles.values():
            for part in recipe.parts:
                self._parents.setdefault(part.folded, []).append(recipe.folded)

    def __bool__(self) -> bool:
        return bool(self.bundles)

    def made_with(self, folded: str) -> list[str]:
        """The bundles that a SKU is a component of."""
        return self._parents.get(folded, [])

    def kin(self, folded: Iterable[str]) -> list[str | int]:
        """What a script is told of the bundles and components among these SKUs (``lua/lib_movement.lua``)."""
        if not self.bundles:
            return [0]
        signs = [
            f"{'=' if sku in self.bundles else '+'}{sku}"
            for sku in dict.fromkeys(folded)
            if sku in self.bundles or sku in self._parents
        ]
        return [len(signs), *signs]


def recipes_of(table: Mapping[str, Mapping[str, int]], sheet: Path | None, file: Path) -> Recipes:
    """The bundles of ``[bundles]`` and of the CSV that ``bundles_csv`` names.

    Raises:
        SettingsError: a bundle is set twice, is made of a bundle or of nothing, or the CSV has a bad row.
    """
    found: dict[str, Recipe] = {}
    where: dict[str, str] = {}

    def add(bundle: str, component: str, units: int, place: str) -> None:
        recipe = found.setdefault(fold(bundle), Recipe(fold(bundle), bundle.strip(), ()))
        part = Part(fold(component), component.strip(), units)
        if part.folded in (known.folded for known in recipe.parts):
            raise SettingsError(f"{place}: {component} is in {bundle} twice; add the units up")
        found[recipe.folded] = recipe._replace(parts=(*recipe.parts, part))
        where.setdefault(recipe.folded, place)

    for bundle, parts in table.items():
        place = f"{file}: bundles.{bundle}"
        if not parts:
            raise SettingsError(f"{place}: is made of nothing; name its components, such as {{ MUG = 1, TEA = 2 }}")
        if fold(bundle) in found:
            raise SettingsError(f"{place}: is there twice; upper and lower case are the same")
        for component, units in parts.items():
            add(bundle, component, units, place)
    if sheet:
        in_table = set(found)
        for place, cells in rows(file.parent / sheet, needed=("bundle", "component", "units")):
            if fold(cells["bundle"]) in in_table:
                raise SettingsError(f"{place}: {cells['bundle']} stands in [bundles] of the settings file already")
            if not cells["units"].isdecimal() or int(cells["units"]) < 1:
                raise SettingsError(f"{place}: units must be a whole number from 1 on, not {cells['units']!r}")
            add(cells["bundle"], cells["component"], int(cells["units"]), place)
    for recipe in found.values():
        for part in recipe.parts:
            if part.folded in found:
                raise SettingsError(
                    f"{where[recipe.folded]}: {part.sku} is a bundle itself; name what it is made of instead"
                )
    return Recipes(found.values())
