"""``ls-active simulate``: what a team runs on data of its own before it trusts us."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from active_learning import Kind, Pool, Setup
from active_learning.held_out import measure_of
from ls_active.console import terminal
from ls_active.errors import BadRequest
from ls_active.simulate import compare, report
from ls_active.simulate.examples import Examples
from ls_active.simulate.pooling import Readable, pool_of
from ls_active.simulate.reading import read

LABELS = 200
"""The budget, or half of what can be asked if that is less."""

LOPSIDED = 0.8
"""The share of one class from which accuracy says little."""


@dataclass(frozen=True)
class Choices:
    """What was asked for on the command line."""

    text: Sequence[str] = ()
    label: str = ""
    strategies: Sequence[str] = ("auto",)
    seeds: int = 5
    labels: int | None = None
    batch: int = 10
    audit_share: float = 0.1
    macro: bool = False
    limit: int = 5_000
    out: Path = Path("simulation")


def run(data: Path, choices: Choices) -> None:
    """Replay the loop on labelled data, print what it saves, write the curves."""
    strategies = compare.known(choices.strategies)
    found = read(data, choices.text, choices.label)
    _check_out(choices.out)
    total = min(len(found.values), choices.limit)
    with terminal.counting("Making features", total) as advance:
        readable = pool_of(found, limit=choices.limit, advance=lambda: advance(1))
    pool = readable.pool
    setup = _setup(pool, choices)
    for line in _introduction(found, readable, setup, choices):
        terminal.say(line)
    runs = choices.seeds * len(strategies)
    with terminal.counting("Replaying", runs * setup.labels) as advance:
        compared = compare.Comparison(
            list(compare.replays(pool, strategies, setup, choices.seeds, advance))
        )
    measure = measure_of(pool.kind, macro=setup.macro)
    terminal.show(report.table(compared, measure))
    for line in report.verdicts(compared):
        terminal.say(line)
    paths = report.write(compared, choices.out, data.name, measure)
    terminal.say(f"Written: {' and '.join(map(str, paths))}")


def _setup(pool: Pool, choices: Choices) -> Setup:
    if choices.macro and pool.kind is not Kind.SINGLE:
        raise BadRequest("--macro is for labels that are one class each; these are not")
    askable = len(pool.ids) - len(compare.cut(pool, 0))
    wanted = choices.labels or min(LABELS, askable // 2)
    labels = min(wanted, askable)
    return Setup(labels, min(choices.batch, labels), choices.audit_share, choices.macro)


def _introduction(
    examples: Examples, readable: Readable, setup: Setup, choices: Choices
) -> list[str]:
    """Say what is about to be done, and what of the data is left out."""
    pool, held = readable.pool, len(compare.cut(readable.pool, 0))
    kinds = {
        Kind.MULTIPLE: "sets of classes",
        Kind.NUMBER: "a number",
    }
    what = kinds.get(pool.kind, f"{len(pool.classes)} classes")
    about = f"{len(pool.ids)} examples, {what}: {examples.source}."
    plan = (
        f"{held} are held out to judge on; {setup.labels} labels are asked of the others, "
        f"{setup.batch} at a time."
    )
    lines = [about, plan]
    if len(examples.values) > choices.limit:
        lines.append(f"{choices.limit} of {len(examples.values)} are taken at random (--limit).")
    if readable.unreadable:
        lines.append(f"{readable.unreadable} cannot be read; {readable.reason}")
    if choices.labels and choices.labels > setup.labels:
        lines.append(f"--labels {choices.labels} is more than there are: {setup.labels}.")
    if pool.kind is Kind.SINGLE and not setup.macro:
        index, most = Counter(pool.y.tolist()).most_common(1)[0]
        if most > LOPSIDED * len(pool.y):
            lines.append(
                f"{most / len(pool.y):.0%} are {pool.classes[index]!r}, so that accuracy says "
                "little: --macro judges by the mean F1 of the classes."
            )
    return lines


def _check_out(folder: Path) -> None:
    # Before minutes of work, not after them.
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadRequest(f"--out {folder} cannot be written: {error.strerror}") from None
