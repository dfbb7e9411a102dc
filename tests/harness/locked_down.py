"""`ls-active serve` as the image runs it: nobody's user, no rights, nothing to write to but /data
and the shared memory that every container has.

``python -m tests.harness.locked_down MIB``, with the service's environment, as root on Linux. The
data folder has so many MiB and is seen from outside by `inside`; it goes with the process.
"""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
from pathlib import Path

from tests.harness.stack import ROOT

USER = 10001
"""As in the Dockerfile."""

ALONE = ("unshare", "--mount", "--propagation", "private")

# The mounts are of the new namespace alone. Code, packages and interpreter are bound to where any
# user may read them.
MOUNTS = """
set -e
mount -t tmpfs -o size=1m,mode=755 tmpfs /mnt
mkdir /mnt/code /mnt/packages /mnt/python /mnt/data
mount --bind "$1" /mnt/code
mount --bind "$2" /mnt/packages
mount --bind "$3" /mnt/python
mount -t tmpfs -o "size=$4m,mode=700,uid=$5,gid=$5" tmpfs /mnt/data
mount -t tmpfs -o size=64m,mode=1777 tmpfs /dev/shm
for place in / /tmp /mnt /mnt/code /mnt/packages /mnt/python; do
    if mountpoint -q "$place"; then mount -o remount,bind,ro "$place"; fi
done
cd /mnt/data
exec setpriv --reuid "$5" --regid "$5" --clear-groups --no-new-privs \
    --inh-caps=-all --ambient-caps=-all --bounding-set=-all \
    "/mnt/python/bin/$6" -m ls_active serve
"""


def possible() -> bool:
    """Return whether this machine lets us mount anything."""
    command = [
        "unshare",
        "--mount",
        "--propagation",
        "private",
        "mount",
        "-t",
        "tmpfs",
        "x",
        "/mnt",
    ]
    try:
        return subprocess.run(command, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return False


def inside(pid: int) -> Path:
    """Return the data folder as a process of the service sees it."""
    return Path(f"/proc/{pid}/root/mnt/data")


if __name__ == "__main__":
    # Nobody may read the folder that an interpreter of one's own looks for its library in.
    env = {
        **os.environ,  # noqa: TID251 - of the service
        "LD_LIBRARY_PATH": "/mnt/python/lib",
        "PYTHONPATH": "/mnt/code/backend:/mnt/code/model:/mnt/packages",
        "DATA_DIR": "/mnt/data",
        "HOME": "/nowhere",
    }
    python = Path(sys.executable).resolve()
    places = [ROOT, sysconfig.get_path("purelib"), python.parents[1]]
    words = [*map(str, places), sys.argv[1], str(USER), python.name]
    os.execvpe(ALONE[0], [*ALONE, "sh", "-c", MOUNTS, "sh", *words], env)
