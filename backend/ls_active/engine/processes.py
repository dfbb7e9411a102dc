"""Child processes that never outlive their parent.

Also run as a script, by path and with nothing but the standard library, as the first thing in
each child: a shim that ties the child to its parent and then becomes the program. That is what
``preexec_fn`` is for, but code between fork and exec deadlocks where the parent has threads.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, NoReturn

_PR_SET_PDEATHSIG = 1
_WATCH_SECONDS = 1.0


def spawn(
    argv: Sequence[str],
    *,
    env: Mapping[str, str] | None = None,
    pass_fds: Sequence[int] = (),
    output: IO[bytes] | None = None,
) -> subprocess.Popen[bytes]:
    """Start a program in a session of its own that dies with us, even by SIGKILL.

    The session keeps a terminal's Ctrl-C from it: who started it stops it, in order. Call this in
    a thread that lives as long as the program: Linux ties it to the thread, not to the process.

    Parameters
    ----------
    argv : sequence of str
    env : mapping, optional
        Added to our environment.
    pass_fds : sequence of int
        File descriptors that the program keeps open.
    output : file, optional
        Where its output and errors go; ours by default.
    """
    shim = [sys.executable, "-I", "-S", str(Path(__file__).resolve()), str(os.getpid())]
    return subprocess.Popen(  # noqa: S603 - our own programs, no shell
        [*shim, *argv],
        # Handed on, not read: settings.py stays the only reader.
        env={**os.environ, **(env or {})},  # noqa: TID251
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT if output else None,
        pass_fds=pass_fds,
        start_new_session=True,
    )


def kill_group(process: subprocess.Popen[bytes]) -> None:
    """SIGKILL what `spawn` started and whatever it started in its session."""
    with suppress(ProcessLookupError, PermissionError):  # macOS: EPERM when only zombies are left
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def stop(process: subprocess.Popen[bytes], grace: float) -> None:
    """SIGTERM, and after `grace` seconds SIGKILL."""
    process.terminate()
    with suppress(subprocess.TimeoutExpired):
        process.wait(grace)
    kill_group(process)


def die_with_parent(parent: int) -> None:
    """Have the kernel kill us when our parent dies; end at once if it is dead already.

    Call it first thing in a forked child. macOS has only the second half.

    Parameters
    ----------
    parent : int
        What ``os.getpid()`` said in the parent before it forked.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def become(parent: int, argv: Sequence[str]) -> NoReturn:
    """Turn this process into `argv`, tied to `parent` by the kernel (Linux)."""
    die_with_parent(parent)
    try:
        os.execvp(argv[0], [*argv])  # noqa: S606 - our own programs, no shell
    except OSError as error:
        sys.exit(f"cannot start {argv[0]}: {error.strerror}")


def watch(parent: int, argv: Sequence[str]) -> int:
    """Run `argv` as a child and kill it when `parent` is gone: for kernels that do not.

    Returns
    -------
    int
        Its exit code as a shell would give it.
    """
    child = subprocess.Popen(argv, close_fds=False)  # noqa: S603 - our own programs, no shell
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda number, _frame: child.send_signal(number))
    while True:
        with suppress(subprocess.TimeoutExpired):
            code = child.wait(_WATCH_SECONDS)
            return code if code >= 0 else 128 - code
        if os.getppid() != parent:
            child.kill()


def main() -> NoReturn:
    """Be the shim: ``processes.py PARENT PROGRAM [ARGUMENT ...]``."""
    parent, argv = int(sys.argv[1]), sys.argv[2:]
    if sys.platform == "linux":
        become(parent, argv)
    sys.exit(watch(parent, argv))


if __name__ == "__main__":
    main()
