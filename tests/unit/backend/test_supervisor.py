from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from ls_active.engine.processes import spawn, stop
from ls_active.engine.supervisor import Process, Supervisor
from ls_active.errors import QueueDown
from tests.redis_fixture import wait_until

# A child that writes its id to FOLDER/NAME and what becomes of it to FOLDER/log.
CHILD = """
import os, pathlib, signal, sys, time
folder, name, *how = sys.argv[1:]
folder = pathlib.Path(folder)
def say(what):
    with (folder / "log").open("a") as log:
        log.write(f"{what} {name}\\n")
def stop(*_):
    say("stopped")
    sys.exit(0)
if "stubborn" in how:
    signal.signal(signal.SIGTERM, lambda *_: say("refused"))
else:
    signal.signal(signal.SIGTERM, stop)
say("started")
(folder / name).write_text(str(os.getpid()))
if "dying" in how:
    sys.exit(3)
if "parent" in how and os.fork() == 0:
    (folder / "grandchild").write_text(str(os.getpid()))
while True:
    time.sleep(60)
"""

# A supervisor as a process of its own: signals and its death need one.
SUPERVISOR = """
import logging, sys
sys.path[:] = {path!r}
from ls_active.engine.supervisor import Process, Supervisor
logging.basicConfig(level="INFO", format="%(message)s")
child = [sys.executable, "-c", {child!r}, {folder!r}]
children = [Process(name, [*child, name, *how]) for name, *how in {children!r}]
sys.exit(Supervisor(children, backoff=(0.05, 0.2), grace={grace!r}).run())
"""


class Running:
    """A supervisor at work in a folder."""

    def __init__(self, folder: Path, children: list[list[str]], grace: float) -> None:
        self.folder = folder
        script = SUPERVISOR.format(
            path=sys.path, child=CHILD, folder=str(folder), children=children, grace=grace
        )
        self.process = subprocess.Popen(
            [sys.executable, "-c", script], stderr=subprocess.PIPE, text=True
        )

    def log(self) -> list[str]:
        log = self.folder / "log"
        return log.read_text().splitlines() if log.exists() else []

    def pid(self, name: str) -> int:
        file = self.folder / name
        wait_until(lambda: file.exists() and file.read_text())
        return int(file.read_text())

    def ends(self) -> tuple[int, str]:
        _, errors = self.process.communicate(timeout=20)
        return self.process.returncode, errors


@contextmanager
def running(folder: Path, *children: list[str], grace: float = 10.0) -> Iterator[Running]:
    supervisor = Running(folder, list(children), grace)
    try:
        yield supervisor
    finally:
        supervisor.process.kill()
        supervisor.process.communicate()


def is_alive(pid: int) -> bool:
    with suppress(ProcessLookupError):
        os.kill(pid, 0)
        return True
    return False


class TestStop:
    @pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
    def test_is_in_reverse_order_and_clean(self, tmp_path, number):
        with running(tmp_path, ["server"], ["worker"], ["api"]) as supervisor:
            for name in ("server", "worker", "api"):
                supervisor.pid(name)
            supervisor.process.send_signal(number)
            code, _ = supervisor.ends()
            assert code == 0
            assert supervisor.log()[-3:] == ["stopped api", "stopped worker", "stopped server"]

    def test_kills_who_does_not_stop_in_time(self, tmp_path):
        with running(tmp_path, ["stubborn", "stubborn"], ["api"], grace=0.3) as supervisor:
            pid = supervisor.pid("stubborn")
            supervisor.pid("api")
            supervisor.process.terminate()
            code, errors = supervisor.ends()
            assert code == 1
            assert "stubborn did not stop in time and is killed" in errors
            assert supervisor.log()[-2:] == ["stopped api", "refused stubborn"]
            assert not is_alive(pid)

    def test_a_second_signal_ends_the_waiting(self, tmp_path):
        with running(tmp_path, ["stubborn", "stubborn"], grace=120) as supervisor:
            supervisor.pid("stubborn")
            supervisor.process.terminate()
            wait_until(lambda: "refused stubborn" in supervisor.log())
            supervisor.process.terminate()
            code, _ = supervisor.ends()
            assert code == 1


class TestRestart:
    def test_of_a_child_that_was_killed(self, tmp_path):
        with running(tmp_path, ["server"], ["api"]) as supervisor:
            first = supervisor.pid("api")
            supervisor.pid("server")
            os.kill(first, signal.SIGKILL)
            wait_until(lambda: supervisor.pid("api") != first)
            supervisor.process.terminate()
            code, errors = supervisor.ends()
            assert code == 0
            assert "api ended with code -9\napi starts again in 0.05 s" in errors
            assert supervisor.log().count("started server") == 1

    def test_waits_longer_each_time(self, tmp_path):
        with running(tmp_path, ["dying", "dying"]) as supervisor:
            wait_until(lambda: supervisor.log().count("started dying") == 5)
            supervisor.process.terminate()
            _, errors = supervisor.ends()
            waits = [line.split()[-2] for line in errors.splitlines() if "again in" in line]
            assert waits[:4] == ["0.05", "0.1", "0.2", "0.2"]
            assert "dying ended with code 3" in errors

    def test_waits_the_shortest_again_after_a_healthy_time(self, tmp_path, caplog):
        died = 0

        class Dying:
            name = "dying"

            def start(self) -> subprocess.Popen[bytes]:
                nonlocal died
                died += 1
                if died == 4:
                    os.kill(os.getpid(), signal.SIGTERM)
                return spawn([sys.executable, "-c", "import time; time.sleep(0.2)"])

        assert Supervisor([Dying()], backoff=(0.01, 10.0), healthy_after=0.1).run() == 0
        assert caplog.text.count("dying starts again in 0.01 s") == 3

    def test_takes_a_dead_childs_own_children_along(self, tmp_path):
        with running(tmp_path, ["api", "parent"]) as supervisor:
            grandchild = supervisor.pid("grandchild")
            os.kill(supervisor.pid("api"), signal.SIGKILL)
            wait_until(lambda: not is_alive(grandchild))
            supervisor.process.terminate()
            supervisor.ends()

    def test_that_fails_is_tried_again(self, caplog):
        starts = 0

        class Failing:
            name = "failing"

            def start(self) -> subprocess.Popen[bytes]:
                nonlocal starts
                starts += 1
                if starts == 1:
                    return spawn([sys.executable, "-c", ""])
                if starts == 4:
                    os.kill(os.getpid(), signal.SIGTERM)
                raise QueueDown("no room")

        assert Supervisor([Failing()], backoff=(0.01, 0.02)).run() == 0
        assert starts == 4
        assert "failing did not start: no room" in caplog.text


class TestStart:
    def test_that_fails_at_first_stops_the_others_and_is_raised(self, tmp_path):
        class Failing:
            name = "failing"

            def start(self) -> subprocess.Popen[bytes]:
                wait_until((tmp_path / "server").exists)
                raise QueueDown("no room")

        server = Process("server", [sys.executable, "-c", CHILD, str(tmp_path), "server"])
        before = signal.getsignal(signal.SIGTERM)
        with pytest.raises(QueueDown, match="no room"):
            Supervisor([server, Failing()]).run()
        assert (tmp_path / "log").read_text().endswith("stopped server\n")
        assert signal.getsignal(signal.SIGTERM) is before

    def test_adds_to_the_environment_and_shows_none_of_it(self, monkeypatch):
        monkeypatch.setenv("KEPT", "1")
        code = "import os, sys; sys.exit(int(os.environ['KEPT'] + os.environ['ADDED']))"
        process = Process("child", [sys.executable, "-c", code], {"ADDED": "77"})
        assert process.start().wait() == 177
        assert "77" not in repr(process)

    def test_of_a_missing_program_says_so(self, capfd):
        assert spawn(["no-such-program"]).wait() == 1
        assert "cannot start no-such-program: No such file" in capfd.readouterr().err


class TestDeath:
    def test_of_the_supervisor_leaves_no_orphans(self, tmp_path):
        with running(tmp_path, ["server"], ["stubborn", "stubborn"]) as supervisor:
            pids = [supervisor.pid("server"), supervisor.pid("stubborn")]
            supervisor.process.kill()
            wait_until(lambda: not any(map(is_alive, pids)))

    def test_before_the_shim_could_look_is_noticed(self):
        shim = Path(spawn.__code__.co_filename)
        other = str(os.getppid())
        child = subprocess.run([sys.executable, str(shim), other, "true"], check=False, timeout=10)
        assert child.returncode == 1


WATCHER = """
import os, sys
sys.path[:] = {path!r}
from ls_active.engine import processes
processes._WATCH_SECONDS = 0.05
sys.exit(processes.watch(os.getppid(), sys.argv[1:]))
"""


class TestWatch:
    """What stands in for the kernel on macOS; it works everywhere."""

    def watcher(self, tmp_path: Path, *how: str) -> list[str]:
        child = [sys.executable, "-c", CHILD, str(tmp_path), "api", *how]
        return [sys.executable, "-c", WATCHER.format(path=sys.path), *child]

    def test_passes_on_signals_and_the_exit_code(self, tmp_path):
        watcher = subprocess.Popen(self.watcher(tmp_path))
        wait_until((tmp_path / "api").exists)
        stop(watcher, 10)
        assert watcher.returncode == 0
        assert "stopped api" in (tmp_path / "log").read_text()
        assert subprocess.run(self.watcher(tmp_path, "dying"), check=False).returncode == 3

    def test_kills_the_child_of_a_dead_parent(self, tmp_path):
        parent = "import subprocess, sys; subprocess.run(sys.argv[1:])"
        process = subprocess.Popen([sys.executable, "-c", parent, *self.watcher(tmp_path)])
        wait_until(lambda: (tmp_path / "api").exists() and (tmp_path / "api").read_text())
        child = int((tmp_path / "api").read_text())
        process.kill()
        process.wait()
        wait_until(lambda: not is_alive(child))
