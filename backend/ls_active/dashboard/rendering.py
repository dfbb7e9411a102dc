"""Templates, and the files that every page loads."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jinja2

from ls_active import __version__, words
from ls_active.dashboard import charts
from ls_active.dashboard.running import spent
from ls_active.dashboard.tasks import SHOWN

_HERE = Path(__file__).parent

STATIC: Mapping[str, tuple[str, bytes]] = {
    "page.css": ("text/css", (_HERE / "static" / "page.css").read_bytes()),
    "page.js": ("text/javascript", (_HERE / "static" / "page.js").read_bytes()),
    "mark.svg": ("image/svg+xml", (_HERE / "static" / "mark.svg").read_bytes()),
}

BUILT = hashlib.sha256(b"".join(content for _, content in STATIC.values())).hexdigest()[:12]
"""Part of their addresses: under one of them they never change."""

FOR_EVER = {"Cache-Control": "private, max-age=31536000, immutable"}
"""Of what never changes under its address."""


def templates(prefix: str) -> jinja2.Environment:
    """Return the templates of a service whose paths begin with a prefix."""
    found = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_HERE / "templates"),
        autoescape=True,
        auto_reload=False,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    found.globals |= {
        "prefix": prefix,
        "release": __version__,
        "built": BUILT,
        "drawn": charts.DRAWN,
        "size_of": charts.size_of,
        "shown": SHOWN,
        "sentence": words.sentence,
    }
    found.filters |= {
        "percent": words.percent,
        "share": _share,
        "spent": spent,
        "span": words.span,
        "when": _when,
        "ago": lambda moment: words.span(max(time.time() - moment, 0)),
        "sentence": words.sentence,
        "cell": _cell,
    }
    return found


def _share(share: float) -> str:
    """Return a share in per cent; what is not wholly sure is not called so."""
    return "over 99 %" if 0.995 <= share < 1 else words.percent(share)


def _when(moment: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(moment))


def _cell(value: Any) -> str:
    if value is None:
        return "not measured"
    if isinstance(value, float):
        return f"{value:.3f}"
    return f"{value:,}" if isinstance(value, int) else str(value)
