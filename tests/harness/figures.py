"""What processes use, read from the kernel."""

from __future__ import annotations

from pathlib import Path


def memory(pid: int) -> float:
    """Return the resident memory of a process and its children, in MiB."""
    return sum(map(_memory, family(pid)))


def _memory(pid: int) -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    [line] = [line for line in lines if line.startswith("VmRSS")]
    return int(line.split()[1]) / 1024


def open_files(pid: int) -> int:
    """Return how many files a process and its children hold open."""
    return sum(len(list(Path(f"/proc/{each}/fd").iterdir())) for each in family(pid))


def family(pid: int) -> list[int]:
    """Return a process and all below it."""
    found = [pid]
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            found += family(int(child))
    return found


def folder_size(folder: Path) -> float:
    """Return what a folder takes on the disk, in MiB."""
    return sum(path.stat().st_blocks * 512 for path in folder.rglob("*") if path.is_file()) / 2**20
