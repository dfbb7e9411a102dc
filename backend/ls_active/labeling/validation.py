"""What Label Studio would drop without a word, or store and stumble over later."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any


def problems_of(
    prediction: Mapping[str, Any],
    singles: Collection[str],
    sdk: Callable[[dict[str, Any]], list[str]],
) -> list[str]:
    """Return what is wrong with a prediction, in words.

    Parameters
    ----------
    singles : collection of str
        Controls that take one choice only.
    sdk : callable
        What the SDK says of it.
    """
    problems = list(_not_json(prediction, "prediction"))
    if problems:
        return problems
    problems += _check_frame(prediction)
    problems += sdk(dict(prediction))
    result = prediction.get("result")
    regions = result if isinstance(result, list) else []
    for region in regions:
        problems += _check_region(region, singles)
    names = [region.get("from_name") for region in regions if isinstance(region, dict)]
    return problems + [
        f"{name!r}: one answer only, got {names.count(name)}"
        for name in singles
        if names.count(name) > 1
    ]


def _check_region(region: Any, singles: Collection[str]) -> Iterator[str]:
    if not isinstance(region, dict):
        return
    for name in ("from_name", "to_name"):
        if not isinstance(region.get(name), str):
            yield f"{name} must be a string, got {region.get(name)!r}"
    if "score" in region and not _is_share(region["score"]):
        yield f"a region's score must be within [0, 1], got {region['score']!r}"
    if region.get("type") == "choices":
        yield from _check_choices(region, singles)


def _check_choices(region: dict[str, Any], singles: Collection[str]) -> Iterator[str]:
    name, value = region.get("from_name"), region.get("value")
    chosen = value.get("choices") if isinstance(value, dict) else None
    if not isinstance(chosen, list) or not chosen:
        yield f"{name!r}: choices must be a list of at least one, got {chosen!r}"
    elif len(chosen) > 1 and isinstance(name, str) and name in singles:
        yield f"{name!r}: one choice only, got {chosen!r}"


def _check_frame(prediction: Mapping[str, Any]) -> Iterator[str]:
    version, score = prediction.get("model_version"), prediction.get("score")
    if not isinstance(version, str) or not version:
        yield f"model_version must be a non-empty string, got {version!r}"
    if not _is_share(score):
        yield f"score must be within [0, 1], got {score!r}"


def _is_share(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1


def _not_json(value: Any, where: str) -> Iterator[str]:
    """Name what is not plain JSON; numpy's numbers look the part and break elsewhere."""
    if type(value) is float and not math.isfinite(value):
        yield f"{where}: {value} is not JSON"
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from _not_json(item, f"{where}.{key}")
    elif isinstance(value, list):
        for position, item in enumerate(value):
            yield from _not_json(item, f"{where}[{position}]")
    elif type(value) not in (str, int, float, bool, type(None)):
        yield f"{where}: {type(value).__name__} is not a JSON type"
