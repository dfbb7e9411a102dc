"""The tables behind the charts of a project, each from the record it is named for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from active_learning.evaluation import CALIBRATION_NEEDED
from ls_active.dashboard.views import Cell, Chart
from ls_active.records.ledger import Ledger
from ls_active.records.project import ProjectStatus

NOT_RECORDED = "not recorded for this version"

ON_CHOSEN = "on the tasks we chose"

MATRIX = 12
"""Classes up to which a matrix can be read; of more, what is mixed up most is listed."""

MIXED_UP = 20


def charts(status: ProjectStatus, ledger: Ledger, history: Mapping[str, Any]) -> list[Chart]:
    """Return all charts of a project, control by control.

    Parameters
    ----------
    history : mapping
        The document of that name; empty where there is none.
    """
    found: list[Chart] = []
    for place, head in enumerate(status.heads):
        title = head["control"] if len(status.heads) > 1 else ""
        # The status has what the evaluation of the version in force says, without its long lists.
        audit = head.get("audit") or {}
        found += [
            _learning(place, title, ledger, head),
            *_classes(place, title, head, audit),
            *_confusions(place, title, head, audit),
            *_calibration(place, title, head, audit),
            _uncertainty(place, title, history),
        ]
    # What is not there yet stands last.
    return sorted([*found, _throughput(status)], key=lambda chart: bool(chart.note))


def measure_of(head: Mapping[str, Any]) -> str:
    """Return what the figures of a control are: accuracy, or what stands for it; empty: unknown."""
    figures = head.get("chosen") or (head.get("audit") or {}).get("figures") or {}
    return str(figures.get("measure", ""))


def _learning(place: int, title: str, ledger: Ledger, head: Mapping[str, Any]) -> Chart:
    rows: list[tuple[Cell, ...]] = []
    for line in ledger.versions:
        record = next((h for h in line.heads if h["control"] == head["control"]), None)
        if record is None:
            continue
        audit, chosen = record["audit"] or {}, record["chosen"] or {}
        figures = (audit.get("value"), audit.get("low"), audit.get("high"), chosen.get("value"))
        if any(value is not None for value in figures):
            rows.append((record["labels"], *figures))
    columns = ("labels", "on random tasks", "at least", "at most", ON_CHOSEN)
    note = "" if rows else "no version was tested yet: it takes a few labels of each class"
    says = f"{_capital(measure_of(head) or 'quality')} of each version, on tasks it did not learn."
    if any(row[1] is not None for row in rows):
        says += " The band holds the true figure of all tasks 19 times in 20."
    return Chart(
        f"learning-{place}", _titled("Learning curve", title), "curve", columns, tuple(rows), note,
        says,
    )  # fmt: skip


def _classes(
    place: int, title: str, head: Mapping[str, Any], audit: Mapping[str, Any]
) -> Iterator[Chart]:
    chosen, honest = head.get("chosen") or {}, audit.get("figures") or {}
    support, recall = chosen.get("support") or {}, chosen.get("recall") or {}
    if chosen and not support:
        return  # A number has no classes.
    honestly = honest.get("recall") or {}
    rows = [
        (name, number, honestly.get(name), recall.get(name)) for name, number in support.items()
    ]
    # The worst first: that is what one looks for. A class without labels has no recall.
    rows.sort(key=lambda row: (row[3] is None, row[3] or 0.0, -row[1]))
    yield Chart(
        f"classes-{place}", _titled("Recall of each class, the worst first", title), "bars",
        ("class", "labels", "recall on random tasks", f"recall {ON_CHOSEN}"), tuple(rows),
        "" if rows else NOT_RECORDED,
        "Of the tasks that annotators gave a class, the share that the model gives it too.",
    )  # fmt: skip


def _confusions(
    place: int, title: str, head: Mapping[str, Any], audit: Mapping[str, Any]
) -> Iterator[Chart]:
    for name, basis, figures in (
        ("audit", "on random tasks", audit.get("figures")),
        ("chosen", ON_CHOSEN, head.get("chosen")),
    ):
        counts = (figures or {}).get("confusion") or {}
        answers = list(dict.fromkeys([*counts, *(said for row in counts.values() for said in row)]))
        if counts:
            draw = _matrix if len(answers) <= MATRIX else _mixed_up
            yield draw(f"confusion-{name}-{place}", basis, title, counts, answers)


def _matrix(
    name: str, basis: str, title: str, counts: Mapping[str, Any], answers: Sequence[str]
) -> Chart:
    rows: tuple[tuple[Cell, ...], ...] = tuple(
        (truth, *(row.get(said, 0) for said in answers)) for truth, row in counts.items()
    )
    says = "Tasks by what annotators said (rows) and what the model says (columns)."
    return Chart(
        name, _titled(f"Confusion {basis}", title), "matrix", ("labelled", *answers), rows,
        says=says,
    )  # fmt: skip


def _mixed_up(
    name: str, basis: str, title: str, counts: Mapping[str, Any], answers: Sequence[str]
) -> Chart:
    pairs = [
        (truth, said, times)
        for truth, row in counts.items()
        for said, times in row.items()
        if said != truth
    ]
    pairs.sort(key=lambda pair: -pair[2])
    says = f"Of {len(answers)} classes, those that the model takes for another most often."
    return Chart(
        name, _titled(f"Mixed up most {basis}", title), "table",
        ("labelled", "model says", "tasks"), tuple(pairs[:MIXED_UP]),
        "" if pairs else "the model mixes up nothing", says,
    )  # fmt: skip


def _calibration(
    place: int, title: str, head: Mapping[str, Any], audit: Mapping[str, Any]
) -> Iterator[Chart]:
    if measure_of(head) not in ("", "accuracy"):
        return  # Told of classes that exclude each other alone.
    figures, labels = audit.get("figures") or {}, audit.get("labels", 0)
    bins = figures.get("reliability") or ()
    needed = CALIBRATION_NEEDED
    missing = f"{needed - labels} more random labels are needed ({labels} of {needed})"
    says = "How often the model is right, beside how sure it was."
    if bins:
        # Of just what is drawn: the recorded error is of finer bins.
        off = 100 * _apart(bins)
        says += f" On average over tasks they are {off:.0f} points apart; on the line, none."
    yield Chart(
        f"calibration-{place}", _titled("Can its confidence be trusted?", title), "reliability",
        ("mean confidence", "share right", "at least", "at most", "random tasks"),
        tuple(tuple(each) for each in bins),
        "" if bins else missing if labels < needed else NOT_RECORDED, says,
    )  # fmt: skip


def _apart(bins: Sequence[Sequence[float]]) -> float:
    """Return the mean distance of confidence and share right over the tasks of all bins."""
    tasks = sum(number for *_, number in bins)
    return sum(abs(right - sure) * number for sure, right, _, _, number in bins) / tasks


def _uncertainty(place: int, title: str, history: Mapping[str, Any]) -> Chart:
    points = (_of(point.get("heads"), place) for point in history.get("points") or ())
    rows = tuple(
        (point["labels"], point["uncertainty"], point.get("agreement"))
        for point in points
        if point is not None and point.get("uncertainty") is not None
    )
    return Chart(
        f"uncertainty-{place}", _titled("Uncertainty over the pool", title), "line",
        ("labels", "uncertainty", "agreement with an earlier version"), rows,
        "" if rows else NOT_RECORDED,
        "How unsure the model is of a fixed sample of all tasks, and how far its answers agree "
        "with an earlier version's: 1 is wholly.",
    )  # fmt: skip


def _throughput(status: ProjectStatus) -> Chart:
    found = sorted(status.pace, key=lambda line: -line[1])
    rows = tuple((str(name), int(labels), round(pace, 1)) for name, labels, pace in found)
    return Chart(
        "throughput", "Labels per hour of work", "bars",
        ("annotator", "labels of the last 7 days", "labels per hour"), rows,
        "" if rows else "nobody labelled in the last 7 days",
        "An hour of work is one in which the annotator submitted anything.",
    )  # fmt: skip


def _of(items: Sequence[Any] | None, place: int) -> Any:
    return items[place] if items and place < len(items) else None


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _titled(title: str, control: str) -> str:
    return f"{title}: {control}" if control else title
