"""`<Taxonomy>`: one path in a tree, or any number of them."""

from __future__ import annotations

from typing import Any, ClassVar

from active_learning.outcomes import Verdict
from active_learning.types import Answer, Kind
from ls_active.labeling.label_config import ControlTag, LabelConfig
from ls_active.labeling.layout import Layout
from ls_active.labeling.tags import names_in, region

MAX_PATHS = 1000
"""A head has a row of weights a path; of more, few would ever see a label."""

SEPARATOR = " / "


class TaxonomyAdapter:
    """A class is a path from the root; with ``maxUsages="1"`` one a task, else a set of them."""

    tag: ClassVar[str] = "Taxonomy"
    region_type: ClassVar[str] = "taxonomy"
    compares: ClassVar[bool] = False

    def why_not(self, control: ControlTag, config: LabelConfig) -> str | None:  # noqa: ARG002
        """Say why this control is not learned; None: it is."""
        paths = len(_allowed(control))
        most = control.attribute("maxUsages")
        if most and not (most.isdecimal() and int(most)):
            return f"maxUsages={most!r} is no number of answers"
        if control.attribute("apiUrl"):
            return "its choices come from an address (apiUrl)"
        if not 2 <= paths <= MAX_PATHS:
            return f"it has {paths} paths; 2 to {MAX_PATHS} can be learned"
        if len(set(self.classes(control))) != paths:
            return "two of its paths have the same name"
        return None

    def kind(self, control: ControlTag) -> Kind:
        """Return what an answer is."""
        return Kind.SINGLE if control.attribute("maxUsages") == "1" else Kind.MULTIPLE

    def classes(self, control: ControlTag) -> tuple[str, ...]:
        """Return every path, its parts joined by a slash."""
        return tuple(SEPARATOR.join(path) for path in _allowed(control))

    def read(self, control: ControlTag, result: Any, layout: Layout | None) -> Answer | None:  # noqa: ARG002
        """Return the path or paths of one annotation."""
        return names_in(self, control, result, _paths)

    def write(
        self,
        control: ControlTag,
        verdict: Verdict,
        layout: Layout | None,  # noqa: ARG002
    ) -> list[dict[str, Any]]:
        """Return the one region that says the verdict, none for an empty set."""
        answer = verdict.answer
        wanted = {answer} if isinstance(answer, str) else answer
        assert isinstance(wanted, set | frozenset)  # noqa: S101 - `kind` said so
        most = int(control.attribute("maxUsages") or len(wanted))
        shares = dict(zip(self.classes(control), verdict.shares, strict=False))
        likely = sorted(wanted, key=lambda name: shares.get(name, 1.0), reverse=True)[:most]
        paths = [list(path) for path in _allowed(control) if SEPARATOR.join(path) in likely]
        value = {"taxonomy": paths}
        return [region(control, "taxonomy", value, verdict.confidence)] if paths else []


def _paths(said: Any) -> list[str]:
    paths = said if isinstance(said, list) else []
    return [SEPARATOR.join(map(str, path)) for path in paths if isinstance(path, list) and path]


def _allowed(control: ControlTag) -> list[tuple[str, ...]]:
    """Return the paths that an annotator may choose: the leaves alone, if the control says so."""
    if not control.has("leafsOnly"):
        return list(control.paths)
    inner = {path[:-1] for path in control.paths}
    return [path for path in control.paths if path not in inner]
