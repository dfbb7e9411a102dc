"""What is kept of an annotation's result: all that may be an answer that is learned."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ls_active.labeling.tags import regions_of

KEPT = ("from_name", "to_name", "type", "value")

DEEPEST = 300
"""Levels of a region: beyond, nobody's answer, and further on Python cannot write or read JSON."""


class Regions:
    """Cuts results down to what a tag can read.

    Parameters
    ----------
    names : iterable of str
        Of the controls that are learned.
    types : iterable of str
        Of the regions that they make: a control that is learned later finds its own.
    """

    def __init__(self, names: Iterable[str], types: Iterable[str]) -> None:
        self._names, self._types = tuple(names), tuple(types)

    def of(self, result: Any) -> list[dict[str, Any]]:
        """Return all regions but those of others; what nests without end in one is left out."""
        return [_cut(region) for region in regions_of(result) if self._reads(region)]

    def _reads(self, region: dict[str, Any]) -> bool:
        """Whether a region may be an answer; one that does not say whose or what it is may be."""
        name, kind = region.get("from_name"), region.get("type")
        typed = kind in self._types if isinstance(kind, str) else not isinstance(name, str)
        return typed or name in self._names


def _cut(region: dict[str, Any]) -> dict[str, Any]:
    parts = {key: region.get(key) for key in KEPT}
    return {key: None if _is_bottomless(part) else part for key, part in parts.items()}


def _is_bottomless(part: Any) -> bool:
    inside = [part]
    for _ in range(DEEPEST):
        if not inside:
            return False
        inside = [inner for each in inside for inner in _parts(each)]
    return True


def _parts(part: Any) -> Iterable[Any]:
    if isinstance(part, dict):
        return part.values()
    return part if isinstance(part, list) else ()
