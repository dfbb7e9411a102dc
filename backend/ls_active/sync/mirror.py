"""What Label Studio told us of one project, on a local disk.

A cache: ids, states, annotations and features of every task, in SQLite beside a feature file.
Deleting it costs one full sync. One process uses it at a time (a file lock that dies with it).
"""

from __future__ import annotations

import fcntl
import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from active_learning.features import stored_values
from active_learning.types import Features, Units
from ls_active.errors import LockLost
from ls_active.labeling.inputs import Reading, UnitRows
from ls_active.labeling.layout import Layout
from ls_active.sync.database import open_database
from ls_active.sync.features import EMPTY_ROW, open_features
from ls_active.sync.rows import Annotation, TaskState, TaskTable


class Mirror:
    """The local copy of one project.

    Parameters
    ----------
    folder : Path
        Made when missing.
    feature_key : str
        Names featurizers, their versions and the data fields; another key empties the mirror.
    shape : (int, bool)
        Columns of a task's features, and whether they are sparse.
    unit_shapes : sequence of (int, bool)
        The same for the units of each unit input.

    Raises
    ------
    LockLost
        If another process has the mirror open.
    """

    def __init__(
        self,
        folder: Path,
        feature_key: str,
        shape: tuple[int, bool],
        unit_shapes: Sequence[tuple[int, bool]] = (),
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._lock = (folder / "lock").open("w")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._lock.close()
            raise LockLost(f"another process is using the mirror in {folder}") from None
        try:
            self._open(feature_key, (shape, *unit_shapes))
        except BaseException:
            self._lock.close()
            raise

    def _open(self, feature_key: str, shapes: Sequence[tuple[int, bool]]) -> None:
        folder = self._folder
        self._db = open_database(folder, feature_key)
        places = [folder / "features", *(folder / f"units-{n}" for n in range(len(shapes) - 1))]
        lengths = self._lengths(len(places))
        self._files = [open_features(*each) for each in zip(places, shapes, lengths, strict=True)]
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
            self.set_note("lengths", json.dumps([file.length for file in self._files]))
        except BaseException:
            self._db.execute("ROLLBACK")
            for file, length in zip(self._files, self._lengths(len(self._files)), strict=True):
                file.length = length
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

    def put_features(self, ids: Sequence[int], digests: Sequence[bytes], read: Reading) -> None:
        """Attach what was read to tasks; what may be there the next time counts as not read."""
        there = stored_values(read.X) > 0
        rows = np.full(len(ids), EMPTY_ROW, dtype=np.int64)
        rows[there] = self._files[0].append(read.X[np.flatnonzero(there)])
        values = (
            (row, None if place in read.later else digests[place], read.errors.get(place), task)
            for place, (row, task) in enumerate(zip(rows.tolist(), ids, strict=True))
        )
        self._db.executemany("UPDATE tasks SET row = ?, digest = ?, error = ? WHERE id = ?", values)
        for place, units in enumerate(read.units):
            self._put_units(place, ids, units)

    def _put_units(self, place: int, ids: Sequence[int], units: Sequence[UnitRows | None]) -> None:
        self._db.executemany(
            "DELETE FROM units WHERE task = ? AND input = ?", ((task, place) for task in ids)
        )
        for task, cut in zip(ids, units, strict=True):
            if cut is None or not cut.X.shape[0]:
                continue
            numbers = self._files[1 + place].append(cut.X)
            self._db.execute(
                "INSERT INTO units VALUES (?, ?, ?, ?, ?)",
                (task, place, int(numbers[0]), len(numbers), cut.layout.to_bytes()),
            )

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
        for table, key in (("annotations", "task"), ("units", "task"), ("tasks", "id")):
            self._db.executemany(f"DELETE FROM {table} WHERE {key} = ?", gone)  # noqa: S608

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

    def pace(self, since: str) -> list[tuple[str, int, float]]:
        """Return of each annotator a name, the labels since a moment, and labels an hour of work.

        Hours in which nothing was submitted are no work; skips are no labels.
        """
        query = (
            "SELECT annotator, COUNT(*), COUNT(DISTINCT substr(created_at, 1, 13)) "
            "FROM annotations WHERE NOT skipped AND created_at >= ? GROUP BY annotator "
            "ORDER BY COUNT(*) DESC LIMIT 20"
        )
        rows = self._db.execute(query, (since,))
        return [(f"annotator {who or '?'}", int(n), n / hours) for who, n, hours in rows]

    def features(self, rows: NDArray[np.int64]) -> Features:
        """Return feature rows by the row numbers of `table`."""
        return self._files[0].read(rows)

    def unit_counts(self, place: int) -> dict[int, int]:
        """Return how many units each task has for one unit input; those without are left out."""
        query = "SELECT task, count FROM units WHERE input = ?"
        return dict(self._db.execute(query, (place,)).fetchall())

    def units(self, place: int, ids: Iterable[int]) -> Units:
        """Return the units of tasks for one unit input, in the order of `ids`."""
        query = "SELECT first, count FROM units WHERE task = ? AND input = ?"
        found = [self._db.execute(query, (int(task), place)).fetchone() or (0, 0) for task in ids]
        first, count = np.array(found, dtype=np.int64).reshape(-1, 2).T
        starts = np.concatenate([[0], np.cumsum(count)]).astype(np.int64)
        rows = np.arange(starts[-1], dtype=np.int64) + np.repeat(first - starts[:-1], count)
        return Units(self._files[1 + place].read(rows), starts)

    def layout(self, place: int, task: int) -> Layout | None:
        """Return where the units of a task lie, None where it has none."""
        query = "SELECT layout FROM units WHERE task = ? AND input = ?"
        found = self._db.execute(query, (int(task), place)).fetchone()
        return None if found is None else Layout.from_bytes(found[0])

    def forget_data_to_come(self, most: int) -> None:
        """Read some of the tasks anew whose file was not there when they were read."""
        self._db.execute(
            "UPDATE tasks SET unread = 1 WHERE id IN (SELECT id FROM tasks "
            "WHERE digest IS NULL AND error IS NOT NULL ORDER BY RANDOM() LIMIT ?)",
            (most,),
        )

    def errors(self) -> dict[str, int]:
        """Return how many tasks could not be read, by reason."""
        query = "SELECT error, COUNT(*) FROM tasks WHERE error IS NOT NULL GROUP BY error"
        return dict(self._db.execute(query).fetchall())

    def audits(self) -> dict[int, float]:
        """Return the tasks ever asked as audit tasks, and since when (Unix seconds)."""
        return dict(self._db.execute("SELECT task, placed_at FROM audits").fetchall())

    def _lengths(self, count: int) -> list[list[int]]:
        known: list[list[int]] = json.loads(self.note("lengths") or "[]")
        return known or [[0, 0] for _ in range(count)]
