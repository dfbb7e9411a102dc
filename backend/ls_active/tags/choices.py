"""`<Choices>` with one answer a task."""

from __future__ import annotations

import hashlib
from typing import Any, ClassVar

from ls_active.label_config import CONDITIONS, ControlTag, LabelConfig


class ChoicesAdapter:
    """One class a task: ``choice="single"`` (the default) or ``"single-radio"``."""

    tag: ClassVar[str] = "Choices"

    def why_not(self, control: ControlTag, config: LabelConfig) -> str | None:  # noqa: ARG002
        """Say why this control is not learned; None: it is."""
        mode = control.attribute("choice") or "single"
        if mode not in {"single", "single-radio"}:
            return f"several answers (choice={mode!r})"
        for name in ("perRegion", "perItem", "allowNested"):
            if control.has(name):
                return f'{name}="true"'
        for name in CONDITIONS:
            if control.attribute(name):
                return f"shown only sometimes ({name}={control.attribute(name)!r})"
        if control.dynamic:
            return "its choices come from the task's data"
        if len(control.labels) < 2:
            return f"it has {len(control.labels)} choices; two are needed"
        return None

    def classes(self, control: ControlTag) -> tuple[str, ...]:
        """Return the choices, as results spell them."""
        return control.labels

    def read(self, control: ControlTag, result: Any) -> str | None:
        """Return the choice of one annotation; two different ones say nothing."""
        regions = result if isinstance(result, list) else []
        answers = {
            choice
            for region in regions
            if isinstance(region, dict) and region.get("from_name") == control.name
            for choice in _choices(region.get("value"))
        }
        return answers.pop() if len(answers) == 1 and answers <= set(control.labels) else None

    def write(self, control: ControlTag, label: str, proba: float) -> list[dict[str, Any]]:
        """Return the one region that says `label`."""
        return [
            {
                "id": hashlib.sha256(control.name.encode()).hexdigest()[:10],
                "from_name": control.name,
                "to_name": control.to_names[0],
                "type": "choices",
                "value": {"choices": [label]},
                # Sums of probabilities stray beyond 1 by a rounding error.
                "score": min(max(float(proba), 0.0), 1.0),
            }
        ]


def _choices(value: Any) -> list[str]:
    chosen = value.get("choices") if isinstance(value, dict) else None
    return (
        [choice for choice in chosen if isinstance(choice, str)] if isinstance(chosen, list) else []
    )
