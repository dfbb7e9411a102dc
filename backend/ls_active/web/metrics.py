"""Prometheus figures: what the loop did, read when somebody looks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from ls_active.engine.figures import QueueFigures
from ls_active.errors import BackendError, QueueDown
from ls_active.records.project import ProjectStatus

_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 100)


class Metrics:
    """The figures of one API process.

    Parameters
    ----------
    queue : callable
        Returns the queue's figures; may raise `QueueDown`.
    projects : callable
        Returns the status of every project.
    """

    def __init__(
        self,
        queue: Callable[[], QueueFigures],
        projects: Callable[[], Iterable[ProjectStatus]],
    ) -> None:
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "ls_active_requests", "Requests answered.", ["route", "status"], registry=self._registry
        )
        self._seconds = Histogram(
            "ls_active_request_seconds",
            "Seconds from a request's first byte to the end of its answer.",
            ["route"],
            buckets=_BUCKETS,
            registry=self._registry,
        )
        self._hints = Counter(
            "ls_active_webhooks", "Webhooks by outcome.", ["outcome"], registry=self._registry
        )
        self._registry.register(_LoopCollector(queue, projects))

    def request(self, route: str, status: int, seconds: float) -> None:
        """Count one request."""
        self._requests.labels(route, str(status)).inc()
        self._seconds.labels(route).observe(seconds)

    def webhook(self, outcome: str) -> None:
        """Count one webhook: ``"accepted"``, ``"ignored"`` or ``"training"``."""
        self._hints.labels(outcome).inc()

    def render(self) -> bytes:
        """Return all figures in Prometheus's text format. Reads Redis and the store: blocking."""
        return generate_latest(self._registry)


class _LoopCollector(Collector):
    """Reads queue and projects at the moment of a scrape."""

    def __init__(
        self,
        queue: Callable[[], QueueFigures],
        projects: Callable[[], Iterable[ProjectStatus]],
    ) -> None:
        self._queue = queue
        self._projects = projects

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Yield every gauge; what cannot be read is missing, not zero."""
        yield from self._collect_queue()
        try:
            projects = list(self._projects())
        except BackendError:
            projects = []
        for name, (help_text, read) in _PROJECT_GAUGES.items():
            gauge = GaugeMetricFamily(f"ls_active_{name}", help_text, labels=["project"])
            for project in projects:
                value = read(project)
                if value is not None:
                    gauge.add_metric([project.uid], value)
            yield gauge
        yield _states(projects)
        yield _stages(projects)

    def _collect_queue(self) -> Iterator[GaugeMetricFamily]:
        try:
            figures = self._queue()
        except QueueDown:
            yield GaugeMetricFamily("ls_active_redis_up", "Whether Redis answers.", value=0)
            return
        yield GaugeMetricFamily("ls_active_redis_up", "Whether Redis answers.", value=1)
        yield GaugeMetricFamily("ls_active_workers", "RQ workers alive.", value=figures.workers)
        jobs = GaugeMetricFamily("ls_active_jobs", "RQ jobs by state.", labels=["state"])
        for state in ("queued", "running", "failed"):
            jobs.add_metric([state], getattr(figures, state))
        yield jobs


def _states(projects: Iterable[ProjectStatus]) -> GaugeMetricFamily:
    gauge = GaugeMetricFamily(
        "ls_active_project",
        "Always 1; the labels say title and state.",
        labels=["project", "title", "state"],
    )
    for project in projects:
        gauge.add_metric([project.uid, project.title, str(project.state)], 1)
    return gauge


def _stages(projects: Iterable[ProjectStatus]) -> GaugeMetricFamily:
    gauge = GaugeMetricFamily(
        "ls_active_refit_stage_seconds",
        "Seconds of the last refit by stage.",
        labels=["project", "stage"],
    )
    for project in projects:
        for stage, seconds in project.timings.items():
            gauge.add_metric([project.uid, stage], seconds)
    return gauge


def _publication_number(project: ProjectStatus) -> float | None:
    """Return 3 for ``al-7.3``."""
    number = project.publication.rpartition(".")[2]
    return float(number) if number.isdecimal() else None


def _audit_figure(key: str) -> Callable[[ProjectStatus], float | None]:
    def read(project: ProjectStatus) -> float | None:
        figures = (project.first.get("audit") or {}).get("figures") or {}
        return figures.get(key)

    return read


_PROJECT_GAUGES: dict[str, tuple[str, Callable[[ProjectStatus], float | None]]] = {
    "labels": ("Labelled tasks.", lambda project: project.labels),
    "tasks": ("Tasks.", lambda project: project.tasks),
    "version": ("Number of the current model.", lambda project: project.version),
    "publication": (
        "Number of the current publication, counted over all models.",
        _publication_number,
    ),
    "updated_timestamp_seconds": ("When a job last reported.", lambda project: project.updated_at),
    "audit_accuracy": (
        "Estimated accuracy (or what stands for it) on random tasks.",
        _audit_figure("value"),
    ),
    "audit_accuracy_low": ("Its lower 95 % bound.", _audit_figure("low")),
    "audit_accuracy_high": ("Its upper 95 % bound.", _audit_figure("high")),
}
