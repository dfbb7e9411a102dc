"""What `make bench-labels` rests on: how sets are changed, what peers are given, what is kept."""

from __future__ import annotations

import json
import os

import numpy as np
import pytest
from rich.console import Console

from active_learning import loop, simulate
from active_learning.curves import Interval
from active_learning.features import similarity
from active_learning.scaling import scaling_of
from active_learning.simulation import Setup, answered, at_random, part_of, waiting
from tests.bench import label_cells, label_peers, label_report, label_sets
from tests.bench.code import digest_of, without_words
from tests.bench.label_cells import FULL, RANDOM, Cell
from tests.bench.label_sets import COPIES, FLIPPED, REPORTED, Trial
from tests.bench.report import Report, Table, markdown
from tests.unit.model.synthetic import dense_blobs, pool_of, sparse_topics

FORMS = pytest.mark.parametrize("form", [sparse_topics, dense_blobs])


def whole(form=dense_blobs, n=300):
    X, y = form(n)
    return pool_of(X, y, 3)


def learned(trial: Trial):
    rows = np.setdiff1d(np.arange(len(trial.truth.ids)), trial.test)
    return part_of(trial.truth, rows)


def rows_of(pool) -> list[bytes]:
    X = pool.X if isinstance(pool.X, np.ndarray) else pool.X.toarray()
    return [row.tobytes() for row in X]


class TestSets:
    @FORMS
    def test_a_cut_is_fixed_by_its_seed_and_shares_no_task(self, form):
        pool = whole(form)
        first, again, other = (label_sets.trial(pool, "plain", seed) for seed in (0, 0, 1))
        assert rows_of(first.truth) == rows_of(again.truth) != rows_of(other.truth)
        assert not set(rows_of(learned(first))) & set(rows_of(part_of(first.truth, first.test)))
        assert (len(learned(first).ids), len(first.test)) == (210, 90)

    @FORMS
    def test_copies_are_close_to_their_original_and_not_equal(self, form):
        pool = whole(form)
        trial = label_sets.trial(pool, "copies", 0)
        many = learned(trial)
        assert len(many.ids) == 210 // COPIES * COPIES
        Z = scaling_of(many).apply(many.X)
        near = similarity(Z, Z) >= 0.9
        assert np.median(near.sum(axis=1)) >= COPIES - 1
        # Of twenty words, three in a hundred leave half of the copies as they were.
        assert len(set(rows_of(many))) > 0.4 * len(many.ids)
        assert set(rows_of(part_of(trial.truth, trial.test))) <= set(rows_of(pool))

    def test_flips_are_in_the_pool_alone(self):
        pool = whole()
        plain, flipped = (label_sets.trial(pool, variant, 0) for variant in ("plain", "flips"))
        changed = plain.truth.y != flipped.truth.y
        assert changed.sum() == round(FLIPPED * 210)
        assert not changed[plain.test].any()

    def test_every_set_is_shown_by_a_tag_that_is_learned(self):
        assert len({data.name for data in REPORTED}) == len(REPORTED) >= 6
        assert all(data.version for data in REPORTED)


@pytest.mark.parametrize("name", sorted(label_peers.PEERS))
class TestPeers:
    def made(self, name):
        if label_peers.missing(name):
            pytest.skip(f"{label_peers.missing(name)} is not installed")
        return label_peers.PEERS[name][1]()

    def test_it_asks_through_a_whole_replay(self, name):
        rounds = list(simulate(whole(), self.made(name), Setup(40, 10), test=np.arange(100)))
        assert rounds[-1].labels == 40
        assert rounds[-1].score > 0.6

    def test_a_seed_fixes_it(self, name):
        runs = [
            [r.asked for r in simulate(whole(sparse_topics), self.made(name), Setup(30, 10))]
            for _ in range(2)
        ]
        assert runs[0] == runs[1]

    def test_what_needs_a_model_starts_as_random_does(self, name):
        peer = self.made(name)
        pool, same = answered(whole(), np.arange(0)), [np.random.default_rng(3) for _ in range(2)]
        if "typiclust" in name or "probcover" in name:
            pytest.skip("needs no model to start")
        assert peer(pool, None, 5, same[0]).tolist() == at_random(pool, None, 5, same[1]).tolist()


def test_a_library_may_start_with_its_own_spread():
    if label_peers.missing("scikit-activeml margin"):
        pytest.skip("scikit-activeml is not installed")
    both, spread, doubt = (
        label_peers.PEERS[f"scikit-activeml {name}"][1]()
        for name in ("typiclust, then margin", "typiclust", "margin")
    )
    truth = whole()
    for known, like in ((0, spread), (40, doubt)):
        pool = answered(truth, np.arange(known))
        model = loop.fit(pool).model if known else None
        asked = [peer(pool, model, 5, np.random.default_rng(3)).tolist() for peer in (both, like)]
        assert asked[0] == asked[1]


def test_a_library_asks_what_its_margin_says():
    if label_peers.missing("scikit-activeml margin"):
        pytest.skip("scikit-activeml is not installed")
    truth = whole()
    known = answered(truth, np.arange(40))
    model = loop.fit(known).model
    peer = label_peers.PEERS["scikit-activeml margin"][1]()
    asked = peer(known, model, 5, np.random.default_rng(0))
    ordered = np.sort(model.predict(known.X).questions, axis=1)
    margin = (ordered[:, -1] - ordered[:, -2])[waiting(known)]
    chosen = (ordered[:, -1] - ordered[:, -2])[asked]
    np.testing.assert_allclose(np.sort(chosen), np.sort(margin)[:5])


class TestCells:
    def test_what_was_kept_is_read(self, tmp_path):
        cell = Cell((10, 20), (0.5, 0.75), (0.1, 0.2), (0.3, 0.4), ("margin", "margin"))
        label_cells.keep(tmp_path / "deeper" / "x.json", cell)
        assert label_cells.load(tmp_path / "deeper" / "x.json") == cell
        assert label_cells.load(tmp_path / "none.json") is None

    def test_each_cell_has_a_place_of_its_own(self):
        places = {
            label_cells.path_of(data, variant, arm, seed)
            for data in REPORTED[:2]
            for variant in ("plain", "flips")
            for arm in ("auto", "margin", label_cells.FULL)
            for seed in range(2)
        }
        assert len(places) == 2 * 2 * 3 * 2

    def test_words_about_code_change_no_place(self, tmp_path):
        texts = ('"""One."""\nx = 1  # why\n', '"""Two."""\nx = 1\n', '"""One."""\nx = 2\n')
        found = []
        for n, text in enumerate(texts):
            (tmp_path / f"{n}.py").write_text(text)
            found.append(without_words(tmp_path / f"{n}.py"))
        assert found[0] == found[1] != found[2]

    def test_any_part_of_the_core_or_of_the_sets_changes_the_place(self, monkeypatch):
        def place():
            return label_cells.path_of(REPORTED[0], "plain", "margin", 0)

        first, core, sets = place(), label_cells._core(), label_sets.sources()
        monkeypatch.setattr(label_cells, "_core", lambda: "other")
        assert place() != first
        monkeypatch.setattr(label_cells, "_core", lambda: core)
        assert place() == first
        monkeypatch.setattr(label_sets, "sources", lambda: f"not {sets}")
        assert place() != first

    def test_a_digest_is_of_every_file(self, tmp_path):
        paths = [tmp_path / "one.py", tmp_path / "two.py"]
        for path in paths:
            path.write_text("x = 1")
        first = digest_of(paths)
        assert first != digest_of(paths[:1])
        (tmp_path / "more").mkdir()
        (tmp_path / "more" / "two.py").write_text("x = 2")
        assert first != digest_of([paths[0], tmp_path / "more" / "two.py"])

    def test_the_newest_is_found_whatever_code_made_it(self, tmp_path, monkeypatch):
        monkeypatch.setattr(label_cells, "CACHE", tmp_path)
        data, folder = REPORTED[0], tmp_path / "labels"
        for moment, digest in ((100, "0" * 12), (200, "1" * 12), (300, "2" * 12)):
            path = folder / f"{data.name}-plain-auto-1-{digest}.json"
            label_cells.keep(path, Cell((10,), (0.5,)))
            os.utime(path, (moment, moment))
        found = label_cells.newest(data, "plain", "auto", 1, 150)
        assert found == folder / f"{data.name}-plain-auto-1-{'2' * 12}.json"
        assert label_cells.newest(data, "plain", "auto", 1, 301) is None
        assert label_cells.newest(data, "plain", "auto", 0, 0) is None

    def test_a_second_run_reads_what_the_first_one_kept(self, tmp_path, monkeypatch):
        monkeypatch.setattr(label_cells, "CACHE", tmp_path)
        monkeypatch.setattr(label_cells, "ROUNDS", 4)
        monkeypatch.setattr(label_sets, "truth_of", lambda data: whole())
        names = ("margin", label_cells.RANDOM)
        assert list(label_cells.run(REPORTED[0], "plain", 0, names)) == ["full", *names]
        kept = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.json")}
        assert len(kept) == 3
        monkeypatch.setattr(label_sets, "truth_of", None)
        assert list(label_cells.run(REPORTED[0], "plain", 0, names)) == ["full", *names]
        assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.json")} == kept
        found = label_report.Results.read(REPORTED[:1], "plain", names, 1)
        assert found.mean_area("margin").value > 0
        assert found.mean_labels(label_cells.RANDOM).value == 1


def results_of(scores, tmp_path, monkeypatch, since=None):
    """What is read of some curves, by arm and seed, kept as if other code had made them."""
    monkeypatch.setattr(label_cells, "CACHE", tmp_path)
    data = REPORTED[0]
    for arm, curves in scores.items():
        for seed, curve in enumerate(curves):
            cell = Cell(tuple(10 * (n + 1) for n in range(len(curve))), curve, (0.1,) * len(curve))
            path = tmp_path / "labels" / f"{data.name}-plain-{arm}-{seed}-{'0' * 12}.json"
            label_cells.keep(path, cell)
    names = [arm for arm in scores if arm != FULL]
    return label_report.Results.read(REPORTED[:2], "plain", names, 9, since)


FAST, SLOW, NEVER = (0.5, 0.96), (0.1, 0.95), (0.1, 0.2)


class TestReport:
    def test_only_seeds_that_all_arms_have_finished_are_read(self, tmp_path, monkeypatch):
        curves = {FULL: [(1.0,)] * 3, "auto": [FAST] * 3, RANDOM: [SLOW, SLOW]}
        found = results_of(curves, tmp_path, monkeypatch, since=0)
        assert list(found.sets) == list(REPORTED[:1])
        assert len(found.full(REPORTED[0])) == len(found.areas(REPORTED[0], "auto")) == 2
        assert not results_of(curves, tmp_path, monkeypatch).sets

    @pytest.mark.parametrize(
        ("ours", "theirs", "start", "end"),
        [
            ([FAST, FAST], [SLOW, SLOW], "0", ")"),
            ([FAST, FAST], [SLOW, NEVER], "<", " 0/1"),
            ([NEVER, NEVER], [SLOW, SLOW], ">", " 2/0"),
            ([FAST, NEVER], [SLOW, NEVER], "~", " 1/1"),
            ([NEVER, NEVER], [NEVER, NEVER], "-", " 2/2"),
        ],
    )
    def test_late_arrivals_are_counted_and_marked(
        self, ours, theirs, start, end, tmp_path, monkeypatch
    ):
        curves = {FULL: [(1.0,)] * 2, "auto": ours, RANDOM: theirs}
        found = results_of(curves, tmp_path, monkeypatch, since=0)
        [[_, cell]] = label_report.arrivals(found).rows
        assert cell.startswith(start)
        assert cell.endswith(end)
        late = f"{ours.count(NEVER)}/{theirs.count(NEVER)}"
        assert late in {row[3] for row in label_report.means(found).rows if row[0] == "auto"}

    def test_markdown(self):
        table = Table("Title", ("a", "b"), ("a note",))
        table.row("x", 1.5)
        assert markdown(table) == (
            "**Title**\n\n| a | b |\n|---|---|\n| x | 1.5 |\n\na note.\n"
        )

    def test_an_interval_that_says_nothing_is_left_out(self):
        assert label_report.shown(Interval(0.5, 0.25, 0.75), 2) == "0.50 (0.25-0.75)"
        assert label_report.shown(Interval(0.5, 0.0, float("inf")), 2) == "0.50"

    def test_everything_is_written(self, tmp_path, monkeypatch):
        monkeypatch.setattr(label_cells, "CACHE", tmp_path)
        monkeypatch.setattr(label_cells, "ROUNDS", 4)
        monkeypatch.setattr(label_sets, "truth_of", lambda data: whole())
        names = ("auto", label_cells.RANDOM)
        for seed in range(2):
            list(label_cells.run(REPORTED[0], "plain", seed, names))
        results = label_report.Results.read(REPORTED[:1], "plain", names, 2)
        report = Report(Console(quiet=True))
        label_report.write(tmp_path / "out", results, [], report)
        report.save(tmp_path / "out" / "labels.json")
        tables = json.loads((tmp_path / "out" / "labels.json").read_text())["tables"]
        assert set(tables) == {"means", "needed", "plain area", "plain labels"}
        assert "| auto | " in (tmp_path / "out" / "labels.md").read_text()
        assert (tmp_path / "out" / "labels.png").stat().st_size > 10_000
