"""One field of a task's data, and what makes features of it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any

from active_learning import registry
from ls_active.labeling.fields import VECTOR
from ls_active.labeling.label_config import ObjectTag

WORDS = "words"
"""The text encoder that counts words; any other one is a featurizer of its own."""


@dataclass(frozen=True)
class Input:
    """One field of a task's data and what makes features of it.

    Attributes
    ----------
    field : str
        A key of the task's data.
    featurizer : str
        A name of `registry.featurizers`, or of `registry.unit_featurizers` where units are cut.
    version : int
        Of the featurizer.
    media : bool
        The value is the address of a file.
    attributes : tuple of (str, str)
        Of the object tag, sorted.
    """

    field: str
    featurizer: str
    version: int
    media: bool
    attributes: tuple[tuple[str, str], ...] = ()

    @property
    def key(self) -> str:
        """Names the features: any change of how they are made, or from what, changes it."""
        digest = ""
        if self.attributes:
            digest = "/" + hashlib.sha256(json.dumps(self.attributes).encode()).hexdigest()[:8]
        return f"{self.featurizer}/{self.version}/{self.field}{digest}"


def reader_of(shown: ObjectTag, numbers: tuple[str, ...], text_encoder: str) -> Any:
    """Return the featurizer of what an object tag shows, None without one."""
    if shown.field is None:
        return None
    if shown.tag == "Text" and shown.field in numbers:
        return registry.featurizers()["number"]
    return registry.featurizer_of(shown.tag, text_encoder)


def input_of(shown: ObjectTag, featurizer: Any) -> Input:
    """Return what an object tag shows as what a featurizer reads."""
    assert shown.field is not None  # noqa: S101 - the caller looked
    media = featurizer.media or shown.attribute("valueType").lower() == "url"
    kept = {k: v for k, v in shown.attributes.items() if k.lower() not in {"name", "value"}}
    return Input(
        shown.field, featurizer.name, featurizer.version, media, tuple(sorted(kept.items()))
    )


def vector_input(length: int) -> Input:
    """Return the input of ready vectors."""
    featurizer = registry.featurizers()["vector"]
    attributes = (("length", str(length)),)
    return Input(VECTOR, featurizer.name, featurizer.version, media=False, attributes=attributes)
