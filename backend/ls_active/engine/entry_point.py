"""What a job may be: whoever writes to Redis could name any function."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from rq.exceptions import DeserializationError, NoSuchJobError
from rq.job import Job

from ls_active.errors import BackendError

_FIELDS = frozenset(
    {"data", "description", "exc_info", "origin", "status", "worker_name"}
    | {"created_at", "enqueued_at", "started_at", "ended_at", "last_heartbeat"}
    | {"timeout", "ttl", "result_ttl", "failure_ttl", "number_of_retries", "retries_left"}
)


class RefusedJob(BackendError):
    """Raised, in the work-horse, by a job that names anything but one of our entry points."""

    code = "refused_job"


class EntryPoint(Job):
    """A job that can only be a public function of one module, called with JSON.

    Attributes
    ----------
    module : str
        The module whose public functions are the entry points.
    """

    module: ClassVar[str] = "ls_active.jobs"

    def restore(self, raw_data: Mapping[bytes, bytes]) -> None:
        """Read the job's hash, less the fields that import, call or fetch something.

        Raises
        ------
        NoSuchJobError
            RQ did not write this; where it is met, it counts as gone.
        """
        try:
            super().restore({key: raw_data[key] for key in raw_data if key.decode() in _FIELDS})
        except (ValueError, TypeError, AssertionError) as error:
            raise NoSuchJobError(f"job {self.id} cannot be read: not one of ours") from error

    @property
    def func(self) -> Callable[..., Any]:
        """The entry point.

        Raises
        ------
        RefusedJob
            The job names something else. Nothing of what it names was imported.
        """
        try:
            name, instance = self.func_name, self.instance
        except DeserializationError as error:
            raise RefusedJob(f"job {self.id} is not JSON: not one of ours") from error
        module, _, attribute = str(name).rpartition(".")
        if instance is None and module == self.module and not attribute.startswith("_"):
            found = getattr(importlib.import_module(self.module), attribute, None)
            if inspect.isfunction(found) and found.__module__ == self.module:
                return found
        raise RefusedJob(
            f"job {self.id} names {name!r}, which is no entry point of {self.module}: somebody "
            "else writes to this Redis; give it a password or us another one"
        )
