"""Finds components by folder: a new featurizer, learner or strategy is one new file."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from functools import cache
from types import ModuleType
from typing import Any

from active_learning import featurizers as featurizer_folder
from active_learning import learners as learner_folder
from active_learning import strategies as strategy_folder
from active_learning.errors import InvalidInput, UnknownComponent
from active_learning.protocols import Featurizer, Learner, QueryStrategy, UnitFeaturizer
from active_learning.types import Kind


def discover(package: ModuleType, predicate: Callable[[type], bool]) -> list[type[Any]]:
    """Import every module of `package` and return the classes defined there that qualify.

    The order is that of the module names, then of definition.
    """
    found: list[type[Any]] = []
    for info in sorted(pkgutil.iter_modules(package.__path__), key=lambda info: info.name):
        module = importlib.import_module(f"{package.__name__}.{info.name}")
        found += [
            member
            for member in vars(module).values()
            if isinstance(member, type) and member.__module__ == module.__name__
            if predicate(member)
        ]
    return found


def declares_name(member: type) -> bool:
    """Whether a class names itself, which is what makes it a component."""
    return isinstance(vars(member).get("name"), str)


def by_name(classes: list[type[Any]]) -> dict[str, type[Any]]:
    """Key classes by the name they declare.

    Raises
    ------
    InvalidInput
        Two classes declare the same name: one would silently hide the other.
    """
    named: dict[str, type[Any]] = {}
    for member in classes:
        other = named.setdefault(member.name, member)
        if other is not member:
            raise InvalidInput(
                f"{member.__module__} and {other.__module__} both declare "
                f"{member.name!r}; rename one"
            )
    return named


@cache
def strategies() -> dict[str, QueryStrategy]:
    """Every query strategy, ready to use, by name."""
    found = by_name(discover(strategy_folder, declares_name))
    return {name: strategy() for name, strategy in found.items()}


def strategy_named(name: str) -> QueryStrategy:
    """Return one query strategy.

    Raises
    ------
    UnknownComponent
        Nothing of that name is in the folder.
    """
    known = strategies()
    if name not in known:
        raise UnknownComponent("strategy", name, known)
    return known[name]


@cache
def featurizers() -> dict[str, type[Featurizer]]:
    """Every featurizer class, by name."""
    found = discover(featurizer_folder, lambda member: "object_tags" in vars(member))
    return by_name(found)


@cache
def featurizer_of(object_tag: str, encoder: str = "") -> type[Featurizer] | None:
    """Return the featurizer of a Label Studio object tag such as ``"Text"``, None without one.

    Parameters
    ----------
    encoder : str
        Chooses among several: where there is one named ``<featurizer>-<encoder>``, it is that.
    """
    found = [item for item in featurizers().values() if object_tag in item.object_tags]
    return featurizers().get(f"{found[0].name}-{encoder}", found[0]) if found else None


@cache
def unit_featurizers() -> dict[str, type[UnitFeaturizer]]:
    """Every class that cuts a value into units, by name."""
    found = discover(featurizer_folder, lambda member: "unit_tags" in vars(member))
    return by_name(found)


def unit_featurizer_of(object_tag: str) -> type[UnitFeaturizer] | None:
    """Return what cuts the values of an object tag into units, None without one."""
    found = [item for item in unit_featurizers().values() if object_tag in item.unit_tags]
    return found[0] if found else None


@cache
def learners() -> dict[str, Learner]:
    """Every learner, ready to use, by name."""
    found = by_name(discover(learner_folder, lambda member: "kind" in vars(member)))
    return {name: learner() for name, learner in found.items()}


def learner_of(kind: Kind) -> Learner:
    """Return the learner of one kind of answer; there is one for each."""
    [found] = [learner for learner in learners().values() if learner.kind is kind]
    return found
