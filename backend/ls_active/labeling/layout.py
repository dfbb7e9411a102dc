"""Where the units of one task lie: its tokens, its windows."""

from __future__ import annotations

import json
import zlib
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Layout:
    """The units of one task, in order.

    Attributes
    ----------
    spans : tuple of (float, float)
        Where each starts and ends, as results of the control count: code points, seconds, …
    text : str
        What was cut, if it is a text: regions quote it.
    """

    spans: tuple[tuple[float, float], ...]
    text: str = ""

    def touching(self, start: float, end: float) -> range:
        """Return the units that share something with ``[start, end)``, or hold an instant."""
        if start == end:
            inside = [i for i, (low, high) in enumerate(self.spans) if low <= start < high]
            if self.spans and start == self.spans[-1][1]:
                inside = [len(self.spans) - 1]
        else:
            inside = [i for i, (low, high) in enumerate(self.spans) if low < end and start < high]
        return range(inside[0], inside[-1] + 1) if inside else range(0)

    def to_bytes(self) -> bytes:
        """Return what `from_bytes` reads."""
        return zlib.compress(json.dumps([self.spans, self.text]).encode("utf-8", "surrogatepass"))

    @classmethod
    def from_bytes(cls, raw: bytes) -> Layout:
        """Rebuild a layout."""
        spans, text = json.loads(zlib.decompress(raw))
        return cls(tuple((low, high) for low, high in spans), text)


def runs(values: Sequence[str | None]) -> list[tuple[str, int, int]]:
    """Return each stretch of equal names as (name, first, last), gaps left out."""
    found: list[tuple[str, int, int]] = []
    for place, name in enumerate(values):
        if name is None:
            continue
        if found and found[-1][0] == name and found[-1][2] == place - 1:
            found[-1] = (name, found[-1][1], place)
        else:
            found.append((name, place, place))
    return found
