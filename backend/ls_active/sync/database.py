"""The mirror's tables, and making them anew where they are of no use."""

from __future__ import annotations

import errno
import json
import logging
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ls_active.errors import StoreError

logger = logging.getLogger(__name__)

LEFT_OVER, LEFT_OVER_LEAST = 3, 100_000
"""Rows of features kept for each that is in use, and in any case: they are only ever appended, so
every edit of a task leaves one behind. Beyond, the mirror is made anew."""

FORMAT = 5
"""Raised when a table changes its meaning; a mirror of another format is rebuilt."""

_TABLES = """
PRAGMA journal_mode = WAL;
PRAGMA synchronous = NORMAL;
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE tasks (
    id INTEGER PRIMARY KEY, row INTEGER NOT NULL, digest BLOB, error TEXT, unread INTEGER NOT NULL,
    updated_at TEXT NOT NULL, is_labeled INTEGER NOT NULL,
    annotations INTEGER NOT NULL, skips INTEGER NOT NULL);
CREATE TABLE annotations (
    id INTEGER PRIMARY KEY, task INTEGER NOT NULL, annotator INTEGER, result TEXT NOT NULL,
    skipped INTEGER NOT NULL, ground_truth INTEGER NOT NULL,
    created_at TEXT NOT NULL, updated_at TEXT NOT NULL, lead_time REAL);
CREATE INDEX annotations_of_task ON annotations (task);
CREATE INDEX annotations_by_time ON annotations (created_at);
CREATE TABLE audits (task INTEGER PRIMARY KEY, placed_at REAL NOT NULL);
CREATE TABLE units (
    task INTEGER NOT NULL, input INTEGER NOT NULL, first INTEGER NOT NULL, count INTEGER NOT NULL,
    layout BLOB NOT NULL, PRIMARY KEY (task, input));
"""


_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EIO}


@contextmanager
def disk_errors(folder: Path) -> Iterator[None]:
    """Say what a full or broken disk did to the mirror in a folder.

    Raises
    ------
    StoreError
        SQLite or the system refused to write.
    """
    try:
        yield
    except sqlite3.OperationalError as error:
        raise StoreError(f"cannot use {folder}: {error}; is the disk full?") from error
    except OSError as error:
        if error.errno not in _NO_ROOM:
            raise
        raise StoreError(f"cannot use {folder}: {error.strerror}") from error


def open_database(folder: Path, feature_key: str) -> sqlite3.Connection:
    """Open the tables; of another format, of other features, damaged or overgrown, they begin anew.

    The features of the tasks, which their rows number, go with them.
    """
    key, database = f"{FORMAT}:{feature_key}", _connect(folder)
    if _key_of(database) != key or _overgrown(database):
        # A damaged cache is rebuilt like one that is missing.
        database.close()
        for features in (folder / "features", *folder.glob("units-*")):
            shutil.rmtree(features, ignore_errors=True)
        for path in folder.glob("mirror.sqlite3*"):
            path.unlink()
        database = _connect(folder)
        database.executescript(_TABLES)
        database.execute("INSERT INTO meta VALUES ('key', ?)", (key,))
    database.execute("PRAGMA synchronous = NORMAL")
    return database


def _connect(folder: Path) -> sqlite3.Connection:
    return sqlite3.connect(folder / "mirror.sqlite3", isolation_level=None)


def _key_of(database: sqlite3.Connection) -> str | None:
    try:
        found = database.execute("SELECT value FROM meta WHERE key = 'key'").fetchone()
    except sqlite3.DatabaseError:
        return None
    return None if found is None else str(found[0])


def _overgrown(database: sqlite3.Connection) -> bool:
    """Whether the files of features hold far more than what is in use."""
    try:
        return _left_over(database)
    except sqlite3.OperationalError:
        raise
    except sqlite3.DatabaseError:
        return True  # Damaged beyond its first page.


def _left_over(database: sqlite3.Connection) -> bool:
    found = database.execute("SELECT value FROM meta WHERE key = 'lengths'").fetchone()
    written = [rows for rows, _ in json.loads(found[0])] if found else []
    query = (
        "SELECT COUNT(*) FROM tasks UNION ALL "
        "SELECT COALESCE(SUM(count), 0) FROM units WHERE input = ?"
    )
    for place, rows in enumerate(written):
        if rows <= LEFT_OVER_LEAST:
            continue  # Spares the count, which reads a whole table.
        tasks, units = (row[0] for row in database.execute(query, (place - 1,)))
        used = units if place else tasks
        if rows > LEFT_OVER * used + LEFT_OVER_LEAST:
            logger.info("%d rows of features for %d in use: the mirror is made anew", rows, used)
            return True
    return False
