"""The tables behind the charts of a project, each from the record it is named for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ls_active.dashboard.views import Cell, Chart
from ls_active.ledger import Ledger
from ls_active.project import ProjectStatus

NOT_RECORDED = "not recorded for this version"

ON_CHOSEN = "on the tasks we chose"


def charts(
    status: ProjectStatus, ledger: Ledger, history: Mapping[str, Any], evaluation: Mapping[str, Any]
) -> list[Chart]:
    """Return all charts of a project, control by control.

    Parameters
    ----------
    history : mapping
        The document of that name; empty where there is none.
    evaluation : mapping
        Of the version in force; empty while it is not made.
    """
    found = []
    for place, head in enumerate(status.heads):
        title = head["control"] if len(status.heads) > 1 else ""
        audit = _of(evaluation.get("audits"), place) or {}
        found += [
            _learning(place, title, ledger, head),
            _classes(place, title, head, audit),
            *_confusions(place, title, head, audit),
            _calibration(place, title, audit),
            _uncertainty(place, title, history),
        ]
    # What is not there yet stands last.
    return sorted([*found, _throughput(status)], key=lambda chart: bool(chart.note))


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
    says = "How good each version is on tasks that its model did not learn from."
    if any(row[1] is not None for row in rows):
        says += " The band holds the true figure of all tasks 19 times in 20."
    return Chart(
        f"learning-{place}", _titled("Learning curve", title), "curve", columns, tuple(rows), note,
        says,
    )  # fmt: skip


def _classes(place: int, title: str, head: Mapping[str, Any], audit: Mapping[str, Any]) -> Chart:
    chosen, honest = head.get("chosen") or {}, audit.get("figures") or {}
    support, recall = chosen.get("support") or {}, chosen.get("recall") or {}
    honestly = honest.get("recall") or {}
    rows = tuple(
        (name, number, honestly.get(name), recall.get(name)) for name, number in support.items()
    )
    note = "" if rows else NOT_RECORDED
    return Chart(
        f"classes-{place}", _titled("Labels and recall of each class", title), "bars",
        ("class", "labels", "recall on random tasks", f"recall {ON_CHOSEN}"), rows, note,
        "Recall: of the tasks that are of a class, the share that the model calls so.",
    )  # fmt: skip


def _confusions(
    place: int, title: str, head: Mapping[str, Any], audit: Mapping[str, Any]
) -> Iterator[Chart]:
    for name, basis, figures in (
        ("audit", "on random tasks", audit.get("figures")),
        ("chosen", ON_CHOSEN, head.get("chosen")),
    ):
        counts = (figures or {}).get("confusion") or {}
        if counts:
            yield _confusion(
                f"confusion-{name}-{place}", _titled(f"Confusion {basis}", title), counts
            )


def _confusion(name: str, title: str, counts: Mapping[str, Mapping[str, int]]) -> Chart:
    answers = list(dict.fromkeys([*counts, *(said for row in counts.values() for said in row)]))
    rows: tuple[tuple[Cell, ...], ...] = tuple(
        (truth, *(row.get(said, 0) for said in answers)) for truth, row in counts.items()
    )
    says = "Rows are what annotators said, columns what the model says."
    return Chart(name, title, "matrix", ("labelled", *answers), rows, says=says)


def _calibration(place: int, title: str, audit: Mapping[str, Any]) -> Chart:
    figures = audit.get("figures") or {}
    error, labels = figures.get("calibration_error"), audit.get("labels", 0)
    rows: tuple[tuple[Cell, ...], ...] = ()
    note = f"shown from 100 random labels on ({labels} so far)" if labels < 100 else NOT_RECORDED
    if error is not None:
        rows, note = ((figures["n"], error),), ""
    return Chart(
        f"calibration-{place}", _titled("Calibration", title), "table",
        ("random labels", "calibration error"), rows, note,
        "How far the confidence is from the share that is right, on average: 0 is perfect.",
    )  # fmt: skip


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
        "How unsure the model is of a fixed sample of all tasks, and how often it still changes "
        "its mind: 1 is never.",
    )  # fmt: skip


def _throughput(status: ProjectStatus) -> Chart:
    rows = tuple((str(name), int(labels), round(pace, 1)) for name, labels, pace in status.pace)
    return Chart(
        "throughput", "Labels per hour", "bars",
        ("annotator", "labels of the last 7 days", "labels per hour of work"), rows,
        "" if rows else "nobody labelled in the last 7 days",
        "An hour of work is one in which the annotator submitted anything.",
    )  # fmt: skip


def _of(items: Sequence[Any] | None, place: int) -> Any:
    return items[place] if items and place < len(items) else None


def _titled(title: str, control: str) -> str:
    return f"{title}: {control}" if control else title
