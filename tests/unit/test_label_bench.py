"""What `make bench-labels` rests on: how sets are changed, what peers are given, what is kept."""

from __future__ import annotations

import json

import numpy as np
import pytest
from rich.console import Console

from active_learning import loop, simulate
from active_learning.curves import Interval
from active_learning.features import similarity
from active_learning.scaling import scaling_of
from active_learning.simulation import Setup, answered, at_random, part_of, waiting
from tests.bench import label_cells, label_peers, label_report, label_sets
from tests.bench.label_cells import Cell
from tests.bench.label_sets import COPIES, FLIPPED, REPORTED, Trial
from tests.bench.report import Report, Table
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
        if name.split()[-1] in {"typiclust", "probcover"}:
            pytest.skip("needs no model")
        assert peer(pool, None, 5, same[0]).tolist() == at_random(pool, None, 5, same[1]).tolist()


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
            found.append(label_cells.without_words(tmp_path / f"{n}.py"))
        assert found[0] == found[1] != found[2]

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


class TestReport:
    def test_markdown(self):
        table = Table("Title", ("a", "b"), ("a note",))
        table.row("x", 1.5)
        assert label_report.markdown(table) == (
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
