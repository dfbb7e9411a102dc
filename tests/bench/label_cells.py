"""One run of one arm on one set under one seed, kept on disk so that a benchmark can go on."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TypeAlias

import numpy as np

import active_learning
from active_learning import loop, registry
from active_learning.held_out import quality
from active_learning.protocols import QueryStrategy
from active_learning.simulation import Asker, Setup, answered, at_random, part_of, simulate
from tests.bench import label_peers, label_sets
from tests.bench.code import digest_of
from tests.bench.data_sets import CACHE
from tests.bench.label_sets import LabelSet, Trial

ROUNDS = 12

FEW, MANY = 10, 20
"""Labels between two models, the latter from ten classes on: twenty a class in all, or so."""

AUDIT = 0.1
"""The share of the arm that is the loop as it is delivered, its honest estimate included."""

FULL = "full"
"""The cell that says how good a model of all labels is."""

RANDOM, AUDITED = "random", "auto, with audit"

OF_TOKENS = {"mnlp": "least_confidence", "token_entropy": "entropy"}
"""Strategies for sequences, and what they are where a task asks one question: not run twice."""

Strategy: TypeAlias = str | QueryStrategy | Asker


@dataclass(frozen=True)
class Arm:
    """Something that chooses what to ask."""

    name: str
    make: Callable[[], Strategy]
    audit_share: float = 0.0
    package: str = ""


@dataclass(frozen=True)
class Cell:
    """A learning curve: after each batch, labels, score and seconds."""

    labels: tuple[int, ...]
    scores: tuple[float, ...]
    ask: tuple[float, ...] = ()
    fit: tuple[float, ...] = ()
    picked: tuple[str, ...] = ()


def arms() -> dict[str, Arm]:
    """Return ours, the loop as delivered, random, and what other libraries have."""
    own = [name for name in registry.strategies() if name not in {RANDOM, *OF_TOKENS}]
    found = [Arm(name, lambda name=name: name) for name in sorted(own)]
    if "auto" in own:
        found.append(Arm(AUDITED, lambda: "auto", AUDIT))
    found.append(Arm(RANDOM, lambda: at_random))
    for name, (package, make) in label_peers.PEERS.items():
        found.append(Arm(name, make, package=package))
    return {arm.name: arm for arm in found}


def setup_of(data: LabelSet, n_classes: int, audit_share: float = 0.0) -> Setup:
    """Return what is the same for all arms of a set."""
    batch = FEW if n_classes < 10 else MANY
    return Setup(ROUNDS * batch, batch, audit_share, data.macro)


def path_of(data: LabelSet, variant: str, arm: str, seed: int) -> Path:
    """Return where a cell is kept: elsewhere once anything that decides it has changed."""
    known = arms().get(arm)
    package = known.package if known else ""
    about = (
        _core(), label_sets.sources(), data.version, _release(package), ROUNDS, FEW, MANY, AUDIT,
        digest_of([Path(str(label_peers.__file__))]) if package else "",
    )  # fmt: skip
    digest = hashlib.sha256(repr(about).encode()).hexdigest()[:12]
    return CACHE / "labels" / f"{_stem(data, variant, arm, seed)}-{digest}.json"


def newest(data: LabelSet, variant: str, arm: str, seed: int, since: float) -> Path | None:
    """Return the newest cell kept from a moment on, in seconds, whatever code made it."""
    stem = _stem(data, variant, arm, seed)
    found = [
        (path.stat().st_mtime, path)
        for path in (CACHE / "labels").glob(f"{stem}-{'[0-9a-f]' * 12}.json")
    ]
    return max((each for each in found if each[0] >= since), default=(0.0, None))[1]


def _stem(data: LabelSet, variant: str, arm: str, seed: int) -> str:
    return "-".join((data.name, variant, arm.replace(" ", "_").replace(",", ""), str(seed)))


@cache
def _core() -> str:
    """Return the digest of all of the core: names do not tell which parts decide a cell."""
    return digest_of(sorted(Path(active_learning.__file__).parent.rglob("*.py")))


@cache
def _release(package: str) -> str:
    if not package:
        return ""
    [name, *_] = importlib.metadata.packages_distributions()[package]
    return f"{name} {importlib.metadata.version(name)}"


def load(path: Path) -> Cell | None:
    """Return a cell that was kept."""
    if not path.exists():
        return None
    return Cell(**{name: tuple(value) for name, value in json.loads(path.read_text()).items()})


def keep(path: Path, cell: Cell) -> None:
    """Keep a cell; another process may read it at once."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    part.write_text(json.dumps(cell.__dict__))
    part.rename(path)


def run(data: LabelSet, variant: str, seed: int, names: tuple[str, ...]) -> Iterator[str]:
    """Make the cells of one cut of a set that are not there yet; yield the name of each."""
    left = [name for name in (FULL, *names) if not path_of(data, variant, name, seed).exists()]
    trial = label_sets.trial(label_sets.truth_of(data), variant, seed) if left else None
    for name in (FULL, *names):
        if name in left and trial is not None:
            cell = _full(data, trial) if name == FULL else _curve(data, trial, arms()[name], seed)
            keep(path_of(data, variant, name, seed), cell)
        yield name


def _full(data: LabelSet, trial: Trial) -> Cell:
    rows = np.setdiff1d(np.arange(len(trial.truth.ids)), trial.test)
    pool = answered(part_of(trial.truth, rows), np.arange(len(rows)))
    judged = part_of(trial.truth, trial.test)
    score = quality(loop.fit(pool).model, pool, judged, macro=data.macro)
    return Cell((len(rows),), (score,))


def _curve(data: LabelSet, trial: Trial, arm: Arm, seed: int) -> Cell:
    rounds = simulate(
        trial.truth,
        arm.make(),
        setup_of(data, len(trial.truth.classes), arm.audit_share),
        seed=seed,
        test=trial.test,
        # Whatever else runs on the machine; there is one thread.
        clock=time.process_time,
    )
    points = [
        (each.labels, each.score, each.seconds_to_ask, each.seconds_to_fit, each.strategy)
        for each in rounds
    ]
    labels, scores, ask, fit, picked = zip(*points, strict=True)
    return Cell(labels, scores, ask, fit, picked)
