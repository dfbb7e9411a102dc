"""Finds components by folder: a new featurizer, learner or strategy is one new file."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from types import ModuleType
from typing import Any

from active_learning import featurizers as featurizer_folder
from active_learning import learners as learner_folder
from active_learning import strategies as strategy_folder
from active_learning.errors import InvalidInput, UnknownComponent
from active_learning.types import Featurizer, Model, QueryStrategy


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


def featurizers() -> dict[str, type[Featurizer]]:
    """Every featurizer class, by name."""
    return by_name(discover(featurizer_folder, declares_name))


def featurizer_for(object_tag: str) -> Featurizer | None:
    """Return a featurizer for a Label Studio object tag such as ``"Text"``, None without one."""
    for featurizer in featurizers().values():
        if object_tag in featurizer.object_tags:
            return featurizer()
    return None


def learners() -> dict[str, type[Model]]:
    """Every model class that can be fitted and restored, by name."""
    return by_name(discover(learner_folder, declares_name))
