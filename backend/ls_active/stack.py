"""The processes of one machine: server, API, workers, timer; each a role of this module.

``python -m ls_active.stack ROLE`` is how the supervisor starts the last three.
"""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable, Mapping

import uvicorn
from pydantic import SecretStr
from redis.exceptions import RedisError

from ls_active.engine import worker
from ls_active.engine.supervisor import Child, Process, Supervisor
from ls_active.engine.valkey import EmbeddedValkey
from ls_active.job_desk import JobDesk
from ls_active.settings import Settings, as_environment, get_settings
from ls_active.web.app import create_app
from ls_active.web.auth import Guard, is_loopback

logger = logging.getLogger(__name__)

PROBE_EVERY = 60.0
"""Seconds between checks that our key works."""

ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
"""Processes are how we use the cores: threads of numerical libraries would fight over them."""


def serve(settings: Settings) -> int:
    """Run everything on this machine until stopped; return an exit code."""
    children: list[Child] = []
    if not settings.redis_url.get_secret_value():
        server = EmbeddedValkey(settings.local_dir / "valkey")
        settings = settings.model_copy(update={"redis_url": SecretStr(server.url)})
        children.append(server)
    return _supervise(settings, [*children, _process("api", settings), *_workers(settings)])


def work(settings: Settings) -> int:
    """Run the workers and the timer of this machine until stopped; return an exit code."""
    return _supervise(settings, _workers(settings))


def _supervise(settings: Settings, children: list[Child]) -> int:
    configure_logging(settings)
    return Supervisor(children).run()


def _workers(settings: Settings) -> list[Child]:
    workers = [_process("worker", settings, f"worker {n + 1}") for n in range(settings.workers)]
    return [*workers, _process("timer", settings)]


def _process(role: str, settings: Settings, name: str = "") -> Process:
    argv = [sys.executable, "-m", "ls_active.stack", role]
    return Process(name or role, argv, {**as_environment(settings), **ONE_THREAD})


def configure_logging(settings: Settings) -> None:
    """Log to standard error, one line an event."""
    logging.basicConfig(
        level=settings.log_level, format="%(asctime)s %(levelname).1s %(name)s: %(message)s"
    )
    for chatty in ("httpx", "httpcore", "uvicorn.access"):
        logging.getLogger(chatty).setLevel(logging.WARNING)


def _run_api(settings: Settings) -> None:
    if not (is_loopback(settings.host) or Guard(settings).closed):
        logger.warning(
            "listening on %s without BASIC_AUTH_USER and BASIC_AUTH_PASS: whoever reaches it may "
            "retrain; see to it that only Label Studio does", settings.host,
        )  # fmt: skip
    uvicorn.run(
        create_app(settings),
        host=settings.host,
        port=settings.port,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=True,
    )


def _run_worker(settings: Settings) -> None:
    worker.run_worker(settings.redis_url.get_secret_value())


def _run_timer(settings: Settings) -> None:
    desk = JobDesk(settings, patient=True)
    probed = -PROBE_EVERY

    def projects() -> list[str]:
        nonlocal probed
        if time.monotonic() - probed >= PROBE_EVERY:
            probed = time.monotonic()
            desk.probe()
        return desk.active_projects()

    _probe_at_once(desk)
    worker.run_timer(desk.coalescer, desk.queue, projects)


def _probe_at_once(desk: JobDesk) -> None:
    try:
        desk.probe()
    except RedisError:
        logger.warning("Redis does not answer yet")


ROLES: Mapping[str, Callable[[Settings], None]] = {
    "api": _run_api,
    "worker": _run_worker,
    "timer": _run_timer,
}


def main() -> None:
    """Run the role that the first argument names."""
    settings = get_settings()
    configure_logging(settings)
    ROLES[sys.argv[1]](settings)


if __name__ == "__main__":
    main()
