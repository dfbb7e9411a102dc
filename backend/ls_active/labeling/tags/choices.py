"""`<Choices>`: one answer a task, or any number of them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

from active_learning.outcomes import Verdict
from active_learning.types import Answer, Kind
from ls_active.labeling.label_config import ControlTag, LabelConfig
from ls_active.labeling.layout import Layout
from ls_active.labeling.tags import names_in, region

MODES = {"single": Kind.SINGLE, "single-radio": Kind.SINGLE, "multiple": Kind.MULTIPLE}

SEPARATOR = " / "
"""Between the parts of a nested choice, in the name of its class."""


class ChoicesAdapter:
    """One class a task (``choice="single"``, the default), or a set of them (``"multiple"``).

    With ``allowNested`` a class is a path. Label Studio's import drops predictions of such paths:
    they order the queue, and nothing is filled in.
    """

    tag: ClassVar[str] = "Choices"
    region_type: ClassVar[str] = "choices"
    compares: ClassVar[bool] = False

    def why_not(self, control: ControlTag, config: LabelConfig) -> str | None:  # noqa: ARG002
        """Say why this control is not learned; None: it is."""
        mode = control.attribute("choice") or "single"
        if mode not in MODES:
            return f"choice={mode!r} (it learns {', '.join(MODES)})"
        names = self.classes(control)
        if len(names) < 2:
            return f"it has {len(names)} choices; two are needed"
        return "two of its choices have the same name" if len(set(names)) < len(names) else None

    def kind(self, control: ControlTag) -> Kind:
        """Return what an answer is."""
        return MODES[control.attribute("choice") or "single"]

    def classes(self, control: ControlTag) -> tuple[str, ...]:
        """Return the choices, as results spell them; those within others only where they show."""
        nested = control.has("allowNested")
        return tuple(SEPARATOR.join(path) for path in control.paths if nested or len(path) == 1)

    def read(self, control: ControlTag, result: Any, layout: Layout | None) -> Answer | None:  # noqa: ARG002
        """Return the choice or choices of one annotation."""
        return names_in(self, control, result, _choices)

    def write(
        self,
        control: ControlTag,
        verdict: Verdict,
        layout: Layout | None,  # noqa: ARG002
    ) -> list[dict[str, Any]]:
        """Return the one region that says the verdict, none for an empty set."""
        if control.has("allowNested"):
            return []
        answer, names = verdict.answer, self.classes(control)
        wanted = {answer} if isinstance(answer, str) else answer
        assert isinstance(wanted, set | frozenset)  # noqa: S101 - `kind` said so
        chosen = [name for name in names if name in wanted]
        if not chosen and control.has("required"):
            chosen = [max(zip(verdict.shares, names, strict=True))[1]]
        value = {"choices": chosen}
        return [region(control, "choices", value, verdict.confidence)] if chosen else []


def _choices(said: Any) -> Iterable[str]:
    for choice in said if isinstance(said, list) else []:
        if isinstance(choice, str):
            yield choice
        elif isinstance(choice, list) and choice:
            yield SEPARATOR.join(map(str, choice))
