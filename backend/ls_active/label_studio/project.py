"""What Label Studio says of a project, and of whom a key belongs to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import httpx


@dataclass(frozen=True)
class Project:
    """A project as Label Studio describes it.

    ``model_version`` is empty where Label Studio says ``null``: both make it serve at random.
    """

    id: int
    uid: str
    title: str
    label_config: str
    model_version: str
    sampling: str
    skip_queue: str
    maximum_annotations: int
    overlap_cohort_percentage: int
    show_overlap_first: bool
    show_ground_truth_first: bool
    task_number: int
    total_annotations_number: int
    skipped_annotations_number: int

    @classmethod
    def of(cls, body: Mapping[str, Any]) -> Project:
        """Read a project from Label Studio's answer."""
        created = datetime.fromisoformat(body["created_at"])
        known = {name: body[name] for name in cls.__dataclass_fields__ if name in body}
        computed = {
            # As Label Studio itself makes it for /setup and /predict.
            "uid": f"{body['id']}.{int(created.timestamp())}",
            "model_version": body["model_version"] or "",
        }
        return cls(**known | computed)

    @classmethod
    def read(cls, answer: httpx.Response) -> Project:
        """Read the one project of an answer."""
        return cls.of(answer.json())


@dataclass(frozen=True)
class Identity:
    """Whom the key belongs to, and which Label Studio says so."""

    user_id: int
    email: str
    version: str

    @classmethod
    def of(cls, body: Mapping[str, Any], version: str) -> Identity:
        """Read a user from the answer of a Label Studio of this version."""
        return cls(body["id"], body["email"], version)
