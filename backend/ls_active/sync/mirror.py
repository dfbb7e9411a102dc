"""What Label Studio told us of one project, on a local disk.

A cache: ids, states, annotations and features of every task, in SQLite beside a feature file.
Deleting it costs one full sync. One process uses it at a time (a file lock that dies with it).
"""

from __future__ import annotations

import fcntl
import json
import shutil
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from ls_active.errors import LockLost
from ls_active.sync.features import EMPTY_ROW, FeatureFile

FORMAT = 2
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
CREATE TABLE audits (task INTEGER PRIMARY KEY, placed_at REAL NOT NULL);
"""


@dataclass(frozen=True)
class TaskState:
    """A task's row without its data."""

    id: int
    updated_at: str
    is_labeled: bool
    annotations: int
    skips: int


@dataclass(frozen=True)
class Annotation:
    """One annotation, its result cut down to what a tag can read."""

    id: int
    task: int
    annotator: int | None
    result: list[dict[str, Any]]
    skipped: bool
    ground_truth: bool
    created_at: str
    updated_at: str
    lead_time: float | None


@dataclass(frozen=True, eq=False)
class TaskTable:
    """Every task as columns, in ascending id."""

    ids: NDArray[np.int64]
    rows: NDArray[np.int64]
    is_labeled: NDArray[np.bool_]
    annotations: NDArray[np.int64]
    skips: NDArray[np.int64]


class Mirror:
    """The local copy of one project.

    Parameters
    ----------
    folder : Path
        Made when missing.
    feature_key : str
        Names featurizer, its version and the data fields; another key empties the mirror.
    n_features : int
        Columns of a feature row.

    Raises
    ------
    LockLost
        If another process has the mirror open.
    """

    def __init__(self, folder: Path, feature_key: str, n_features: int) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._lock = (folder / "lock").open("w")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._lock.close()
            raise LockLost(f"another process is using the mirror in {folder}") from None
        self._db = self._open(f"{FORMAT}:{feature_key}")
        self._features = FeatureFile(folder / "features", n_features, self._feature_length())
        with self.transaction():
            pass  # Commits the empty row of a new feature file.

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._db.close()
        self._lock.close()

    # Notes: the cursor and other single values

    def note(self, key: str) -> str | None:
        """Return a single value kept beside the tables."""
        found = self._db.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        return None if found is None else str(found[0])

    def set_note(self, key: str, value: str | None) -> None:
        """Keep a single value, or forget it."""
        if value is None:
            self._db.execute("DELETE FROM meta WHERE key = ?", (key,))
        else:
            self._db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, value))

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Make everything inside happen or not happen."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
            rows, nonzeros = self._features.length
            self.set_note("feature_length", json.dumps([rows, nonzeros]))
        except BaseException:
            self._db.execute("ROLLBACK")
            self._features.rows, self._features.nonzeros = self._feature_length()
            raise
        self._db.execute("COMMIT")

    # Writing

    def put_states(self, states: Iterable[TaskState]) -> None:
        """Insert tasks (without features yet: unread) or update their states."""
        self._db.executemany(
            "INSERT INTO tasks VALUES (?, ?, NULL, NULL, 1, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE "
            "SET updated_at = excluded.updated_at, is_labeled = excluded.is_labeled, "
            "annotations = excluded.annotations, skips = excluded.skips",
            ((s.id, EMPTY_ROW, s.updated_at, s.is_labeled, s.annotations, s.skips) for s in states),
        )

    def set_unread(self, ids: Iterable[int], *, unread: bool) -> None:
        """Remember that the data of tasks is to be read, or that it was."""
        pairs = ((unread, task) for task in ids)
        self._db.executemany("UPDATE tasks SET unread = ? WHERE id = ?", pairs)

    def put_features(
        self, ids: Sequence[int], digests: Sequence[bytes], X: csr_matrix, errors: Mapping[int, str]
    ) -> None:
        """Attach one feature row a task; `errors` names those that could not be read."""
        unreadable = np.array([task in errors for task in ids], dtype=bool)
        rows = np.where(unreadable, EMPTY_ROW, self._features.append(X))
        values = (
            (int(row), digest, errors.get(task), task)
            for row, digest, task in zip(rows, digests, ids, strict=True)
        )
        self._db.executemany("UPDATE tasks SET row = ?, digest = ?, error = ? WHERE id = ?", values)

    def put_annotations(self, task: int, annotations: Iterable[Annotation]) -> None:
        """Replace all annotations of a task."""
        self._db.execute("DELETE FROM annotations WHERE task = ?", (task,))
        self._db.executemany(
            "INSERT OR REPLACE INTO annotations VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                (
                    a.id, task, a.annotator, json.dumps(a.result), a.skipped, a.ground_truth,
                    a.created_at, a.updated_at, a.lead_time,
                )
                for a in annotations
            ),
        )  # fmt: skip

    def remove(self, ids: Iterable[int]) -> None:
        """Forget tasks and what belongs to them."""
        gone = [(task,) for task in ids]
        self._db.executemany("DELETE FROM annotations WHERE task = ?", gone)
        self._db.executemany("DELETE FROM tasks WHERE id = ?", gone)

    def place_audits(self, ids: Iterable[int], when: float) -> None:
        """Remember since when tasks are asked as audit tasks; the first time counts."""
        placed = ((int(task), when) for task in ids)
        self._db.executemany("INSERT OR IGNORE INTO audits VALUES (?, ?)", placed)

    def drop_audits(self, ids: Iterable[int]) -> None:
        """Forget that tasks were asked as audit tasks: they are asked for another reason now."""
        self._db.executemany("DELETE FROM audits WHERE task = ?", ((int(task),) for task in ids))

    # Reading

    def states(self, low: int = 0, high: int | None = None) -> dict[int, TaskState]:
        """Return task states by id, for ``low <= id <= high``."""
        rows = self._db.execute(
            "SELECT id, updated_at, is_labeled, annotations, skips FROM tasks "
            "WHERE id BETWEEN ? AND ?",
            (low, 2**62 if high is None else high),
        )
        return {row[0]: TaskState(row[0], row[1], bool(row[2]), row[3], row[4]) for row in rows}

    def digests(self, ids: Iterable[int]) -> dict[int, bytes | None]:
        """Return the content digest of each known task among `ids`; None: no features yet."""
        query = "SELECT digest FROM tasks WHERE id = ?"
        found = ((task, self._db.execute(query, (task,)).fetchone()) for task in ids)
        return {task: row[0] for task, row in found if row is not None}

    def unread(self) -> list[int]:
        """Return the tasks whose data is new, or may be, and is still to be read; ascending."""
        query = "SELECT id FROM tasks WHERE unread ORDER BY id"
        return [row[0] for row in self._db.execute(query)]

    def counts(self) -> tuple[int, int]:
        """Return how many tasks we know, and how many annotations with skips among them."""
        query = "SELECT (SELECT COUNT(*) FROM tasks), (SELECT COUNT(*) FROM annotations)"
        tasks, annotations = self._db.execute(query).fetchone()
        return int(tasks), int(annotations)

    def count_between(self, low: int, high: int) -> int:
        """Return how many tasks have ``low <= id <= high``."""
        query = "SELECT COUNT(*) FROM tasks WHERE id BETWEEN ? AND ?"
        return int(self._db.execute(query, (low, high)).fetchone()[0])

    def last_id(self) -> int:
        """Return the highest task id, 0 in an empty mirror."""
        return int(self._db.execute("SELECT COALESCE(MAX(id), 0) FROM tasks").fetchone()[0])

    def table(self) -> TaskTable:
        """Return every task as columns."""
        query = "SELECT id, row, is_labeled, annotations, skips FROM tasks ORDER BY id"
        values = np.array(self._db.execute(query).fetchall(), dtype=np.int64).reshape(-1, 5)
        ids, rows, labeled, annotations, skips = values.T
        return TaskTable(ids, rows, labeled.astype(bool), annotations, skips)

    def annotations(self) -> Iterator[Annotation]:
        """Yield every annotation, by task and id."""
        for row in self._db.execute("SELECT * FROM annotations ORDER BY task, id"):
            yield Annotation(
                row[0], row[1], row[2], json.loads(row[3]), bool(row[4]), bool(row[5]), *row[6:]
            )

    def features(self, rows: NDArray[np.int64]) -> csr_matrix:
        """Return feature rows by the row numbers of `table`."""
        return self._features.read(rows)

    def errors(self) -> dict[str, int]:
        """Return how many tasks could not be read, by reason."""
        query = "SELECT error, COUNT(*) FROM tasks WHERE error IS NOT NULL GROUP BY error"
        return dict(self._db.execute(query).fetchall())

    def audits(self) -> dict[int, float]:
        """Return the tasks ever asked as audit tasks, and since when (Unix seconds)."""
        return dict(self._db.execute("SELECT task, placed_at FROM audits").fetchall())

    # Opening

    def _open(self, key: str) -> sqlite3.Connection:
        database = self._connect()
        if _key_of(database) != key:
            # A damaged cache is rebuilt like one that is missing.
            database.close()
            shutil.rmtree(self._folder / "features", ignore_errors=True)
            for path in self._folder.glob("mirror.sqlite3*"):
                path.unlink()
            database = self._connect()
            database.executescript(_TABLES)
            database.execute("INSERT INTO meta VALUES ('key', ?)", (key,))
        database.execute("PRAGMA synchronous = NORMAL")
        return database

    def _connect(self) -> sqlite3.Connection:
        return sqlite3.connect(self._folder / "mirror.sqlite3", isolation_level=None)

    def _feature_length(self) -> tuple[int, int]:
        rows, nonzeros = json.loads(self.note("feature_length") or "[0, 0]")
        return rows, nonzeros


def _key_of(database: sqlite3.Connection) -> str | None:
    try:
        found = database.execute("SELECT value FROM meta WHERE key = 'key'").fetchone()
    except sqlite3.DatabaseError:
        return None
    return None if found is None else str(found[0])
