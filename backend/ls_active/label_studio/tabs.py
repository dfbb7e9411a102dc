"""Tabs of the Data Manager: made once, then kept up to date."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ls_active.label_studio.http import LabelStudioHttp


@dataclass(frozen=True)
class Tab:
    """What a tab shows.

    Attributes
    ----------
    title : str
        It is known by this: one with the same title is brought up to date.
    tasks : sequence of int or None
        Only these; None: all that match `unlabeled`.
    unlabeled : bool
        Only tasks that are not done.
    ordering : sequence of str
        Columns such as ``tasks:predictions_score``; a minus before one turns it round.
    """

    title: str
    tasks: Sequence[int] | None = None
    unlabeled: bool = False
    ordering: Sequence[str] = ()

    @property
    def data(self) -> dict[str, Any]:
        """The tab in the Data Manager's own words."""
        filters = [_equal("id", "Number", task) for task in self.tasks or ()]
        if self.tasks is not None and not filters:
            # No filter at all would show every task.
            filters = [_equal("id", "Number", 0)]
        if self.unlabeled:
            filters.append(_equal("is_labeled", "Boolean", value=False))
        return {
            "title": self.title,
            "type": "list",
            "target": "tasks",
            "filters": {"conjunction": "or" if self.tasks is not None else "and", "items": filters},
            "ordering": list(self.ordering),
        }


def put_tab(http: LabelStudioHttp, project_id: int, tab: Tab) -> int:
    """Make a tab, or bring the one of this title up to date; return its number."""
    body = {"project": project_id, "data": tab.data}
    for view in http.json("GET", "/api/dm/views", params={"project": project_id}):
        if (view.get("data") or {}).get("title") == tab.title:
            http.json("PATCH", f"/api/dm/views/{view['id']}", body=body)
            return int(view["id"])
    return int(http.json("POST", "/api/dm/views", body=body)["id"])


def _equal(column: str, kind: str, value: Any) -> dict[str, Any]:
    return {
        "filter": f"filter:tasks:{column}", "operator": "equal", "type": kind, "value": value,
    }  # fmt: skip
