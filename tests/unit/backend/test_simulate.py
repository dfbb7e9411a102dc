"""``ls-active simulate``: what it reads, what it refuses, what it writes."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from PIL import Image

from active_learning import Kind, Round
from ls_active.errors import BadRequest
from ls_active.simulate import compare, report
from ls_active.simulate.compare import Comparison, Replay
from ls_active.simulate.pooling import kind_of, pool_of
from ls_active.simulate.reading import read
from tests.harness.command_line import Done, run_here

N = 60
WORDS = {"sports": "match goal team player", "money": "bank price market share"}


def text(row: int) -> tuple[str, str]:
    """A text that names its topic, and the topic."""
    topic = list(WORDS)[row % 2]
    words = np.random.default_rng(row).permutation(WORDS[topic].split())[:3]
    return f"Report {row}: the {' '.join(words)} of today", topic


def write_csv(
    path: Path, header: list[str], rows: list[tuple[Any, ...]], delimiter: str = ","
) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, delimiter=delimiter).writerows([header, *rows])
    return path


def write_lines(path: Path, rows: list[Any]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return path


def texts_csv(folder: Path, header: tuple[str, str] = ("text", "topic"), **options: Any) -> Path:
    return write_csv(folder / "texts.csv", list(header), [text(n) for n in range(N)], **options)


def pool(path: Path, *columns: str, label: str = "", limit: int = 1_000):
    return pool_of(read(path, columns, label), limit=limit, advance=lambda: None)


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., Done]:
    def command(path: Path, *arguments: str) -> Done:
        out = ("--out", str(tmp_path / "out"))
        return run_here("simulate", str(path), *out, *arguments, env={})

    return command


class TestCommand:
    def test_it_prints_a_table_and_writes_the_curves(self, run, tmp_path):
        done = run(texts_csv(tmp_path), "--seeds", "2", "--labels", "20", "--batch", "5")
        assert done.returncode == 0, done.stderr
        assert "60 examples, 2 classes: 'topic' from the text of 'text'" in done.stdout
        assert "18 are held out" in done.stdout
        assert "2 seeds are too few to tell" in done.stdout
        rows = list(csv.DictReader(io.StringIO((tmp_path / "out" / "curves.csv").read_text())))
        assert {row["strategy"] for row in rows} == {"auto", "random"}
        assert len(rows) == 2 * 2 * 4
        assert [row["labels"] for row in rows[:4]] == ["5", "10", "15", "20"]
        assert all(0 <= float(row["score"]) <= 1 for row in rows)
        with Image.open(tmp_path / "out" / "curves.png") as picture:
            assert picture.width > 500

    def test_the_same_twice(self, run, tmp_path):
        path, found = texts_csv(tmp_path), []
        for _ in range(2):
            assert run(path, "--seeds", "1", "--labels", "20").returncode == 0
            rows = list(csv.reader((tmp_path / "out" / "curves.csv").read_text().splitlines()))
            found.append([row[:4] for row in rows])
        assert found[0] == found[1]

    def test_a_budget_beyond_the_data_is_cut(self, run, tmp_path):
        done = run(texts_csv(tmp_path), "--seeds", "1", "--labels", "500", "--strategy", "margin")
        assert done.returncode == 0, done.stderr
        assert "--labels 500 is more than there are: 42" in done.stdout

    def test_lopsided_classes_are_pointed_out(self, run, tmp_path):
        rows = [(text(n)[0], "rare" if n % 12 == 0 else "usual") for n in range(N)]
        path = write_csv(tmp_path / "rare.csv", ["text", "label"], rows)
        done = run(path, "--seeds", "1", "--labels", "10")
        assert "92% are 'usual'" in done.stdout
        assert "--macro" in done.stdout
        macro = run(path, "--seeds", "1", "--labels", "10", "--macro")
        assert "mean F1 of the classes" in macro.stdout

    @pytest.mark.parametrize(
        ("arguments", "reason"),
        [
            (("--strategy", "best"), "unknown strategy 'best'; known: "),
            (("--label", "nope"), "has no column 'nope'; it has text (text), topic (2 different"),
            (("--text", "topic", "--label", "topic"), "cannot be both"),
            (("--out", "/proc/nothing"), "--out /proc/nothing cannot be written"),
        ],
    )
    def test_what_it_refuses(self, tmp_path, arguments, reason):
        done = run_here("simulate", str(texts_csv(tmp_path)), *arguments, env={})
        assert done.returncode == 1
        assert reason in done.stderr
        assert len(done.stderr.splitlines()) == 1


class TestReading:
    @pytest.mark.parametrize("delimiter", [",", ";", "\t"])
    def test_csv(self, tmp_path, delimiter):
        found = read(texts_csv(tmp_path, delimiter=delimiter), (), "")
        assert (found.tag, len(found.values)) == ("Text", N)
        assert (found.values[3], found.answers[3]) == text(3)

    def test_a_byte_order_mark_is_no_name(self, tmp_path):
        path = texts_csv(tmp_path)
        path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
        assert read(path, ("text",), "topic").values[0] == text(0)[0]

    def test_two_columns_need_no_usual_names(self, tmp_path):
        found = read(texts_csv(tmp_path, header=("what", "which")), (), "")
        assert (found.values[3], found.answers[3]) == text(3)

    def test_texts_of_several_columns_are_one(self, tmp_path):
        rows = [{"a": f"first {n}", "b": text(n)[0], "label": text(n)[1]} for n in range(N)]
        found = read(write_lines(tmp_path / "x.jsonl", rows), ("a", "b"), "")
        assert found.values[5] == f"first 5\n{text(5)[0]}"

    def test_rows_without_a_label_are_left_out(self, tmp_path):
        rows = [(*text(n)[:1], text(n)[1] if n % 2 else " ") for n in range(N)]
        path = write_csv(tmp_path / "x.csv", ["text", "label"], rows)
        assert len(read(path, (), "").values) == N / 2

    def test_a_table_is_learned_from_all_but_its_label_and_number(self, tmp_path):
        rows = [(n, n % 7, n % 2 * 3.5, "ab"[n % 2]) for n in range(N)]
        found = read(write_csv(tmp_path / "x.csv", ["id", "x", "y2", "class"], rows), (), "")
        assert found.tag == "Table"
        assert found.values[1] == {"x": "1", "y2": "3.5"}
        assert pool(tmp_path / "x.csv").pool.classes == ("a", "b")

    def test_a_folder_of_texts(self, tmp_path):
        for n in range(N):
            value, topic = text(n)
            (tmp_path / topic).mkdir(exist_ok=True)
            (tmp_path / topic / f"{n}.txt").write_text(value)
        (tmp_path / "money" / ".hidden.txt").write_text("no")
        (tmp_path / "notes.txt").write_text("of no class")
        found = pool(tmp_path).pool
        assert (len(found.ids), found.classes) == (N, ("money", "sports"))

    def test_a_folder_of_images(self, tmp_path):
        for n in range(40):
            folder = tmp_path / ("dark" if n % 2 else "light")
            folder.mkdir(exist_ok=True)
            shade = np.random.default_rng(n).integers(0, 90, (32, 32, 3)) + 160 * (n % 2 == 0)
            Image.fromarray(shade.astype(np.uint8)).save(folder / f"{n}.png")
        (tmp_path / "dark" / "broken.png").write_bytes(b"\x89PNG nothing")
        found = pool(tmp_path)
        assert len(found.pool.ids) == 40
        assert found.unreadable == 1
        assert "broken.png: " in found.reason

    def test_a_folder_of_sounds(self, tmp_path):
        for n in range(30):
            folder = tmp_path / ("high" if n % 2 else "low")
            folder.mkdir(exist_ok=True)
            seconds = np.arange(8_000) / 16_000
            tone = np.sin(2 * np.pi * (200 + 40 * n + 1500 * (n % 2)) * seconds)
            soundfile.write(folder / f"{n}.wav", tone, 16_000)
        assert read(tmp_path, (), "").tag == "Audio"
        assert pool(tmp_path).pool.classes == ("high", "low")

    def test_a_limit_takes_some_of_all(self, tmp_path):
        found = pool(texts_csv(tmp_path), limit=40).pool
        assert len(found.ids) == 40

    @pytest.mark.parametrize(
        ("name", "content", "reason"),
        [
            ("x.csv", "", "holds no rows"),
            ("x.csv", "text,label\n", "holds no rows"),
            ("x.csv", "text,label\nOne, two,b\n", "line 2 of .* has more cells"),
            ("x.csv", "text,text\na,b\n", "same name"),
            ("x.csv", "text,label\ncaf\xe9,b\n", "not UTF-8"),
            (
                "x.csv",
                "a,b,c\n1,2,3\n4,5,6\n",
                "which column .* is the label.*a .2 different values",
            ),
            ("x.jsonl", '{"text": "a"}\nnonsense\n', "line 2 .* is not JSON"),
            ("x.jsonl", "[1, 2]\n", "line 1 .* should be an object .* got list"),
            ("x.xlsx", "", "of no kind that is read"),
        ],
    )
    def test_what_is_wrong_with_a_file(self, tmp_path, name, content, reason):
        (tmp_path / name).write_bytes(content.encode("latin-1"))
        with pytest.raises(BadRequest, match=reason):
            read(tmp_path / name, (), "")

    def test_two_texts_are_asked_about(self, tmp_path):
        rows = [{"one": text(n)[0], "two": text(n + 1)[0], "label": text(n)[1]} for n in range(N)]
        with pytest.raises(BadRequest, match=r"is the text\? Say --text .*one \(text\), two"):
            read(write_lines(tmp_path / "x.jsonl", rows), (), "")

    def test_what_is_wrong_with_a_folder(self, tmp_path):
        with pytest.raises(BadRequest, match="does not exist"):
            read(tmp_path / "none", (), "")
        with pytest.raises(BadRequest, match="holds no folders"):
            read(tmp_path, (), "")
        (tmp_path / "a").mkdir()
        (tmp_path / "a" / "x.txt").write_text("x")
        with pytest.raises(BadRequest, match="nothing to name"):
            read(tmp_path, ("text",), "")
        (tmp_path / "a" / "x.png").write_bytes(b"x")
        with pytest.raises(BadRequest, match="several kinds"):
            read(tmp_path, (), "")


class TestPooling:
    @pytest.mark.parametrize(
        ("answers", "kind"),
        [
            (["a", "b"] * 20, Kind.SINGLE),
            (list(range(5)) * 20, Kind.SINGLE),
            ([n / 7 for n in range(50)], Kind.NUMBER),
            ([str(n) for n in range(200)], Kind.NUMBER),
            ([["a"], ["a", "b"], []], Kind.MULTIPLE),
            ([True, False] * 20, Kind.SINGLE),
        ],
    )
    def test_kinds(self, answers, kind):
        assert kind_of(answers) is kind

    def test_sets_and_numbers_are_replayed(self, run, tmp_path):
        rows = [{"text": text(n)[0], "label": [text(n)[1], "all"]} for n in range(N)]
        sets = write_lines(tmp_path / "sets.jsonl", rows)
        assert pool(sets).pool.kind is Kind.MULTIPLE
        assert run(sets, "--seeds", "1", "--labels", "20").returncode == 0
        rows = [{"text": text(n)[0], "label": n / 7 + 10 * (n % 2)} for n in range(N)]
        numbers = write_lines(tmp_path / "numbers.jsonl", rows)
        done = run(numbers, "--seeds", "1", "--labels", "20")
        assert done.returncode == 0, done.stderr
        assert "R²" in done.stdout
        refused = run(numbers, "--macro")
        assert "--macro is for labels that are one class each" in refused.stderr

    @pytest.mark.parametrize(
        ("label", "reason"),
        [
            (lambda n: "same", "every example is 'same'"),
            (lambda n: f"name {n}", "60 different values in 60 examples"),
            (lambda n: {"a": 1}, "got dict"),
        ],
    )
    def test_labels_that_are_none(self, tmp_path, label, reason):
        rows = [{"text": text(n)[0], "label": label(n)} for n in range(N)]
        with pytest.raises(BadRequest, match=reason):
            pool(write_lines(tmp_path / "x.jsonl", rows), label="label")

    def test_too_few(self, tmp_path):
        rows = [{"text": text(n)[0] if n < 10 else 3 * [n], "label": text(n)[1]} for n in range(N)]
        with pytest.raises(BadRequest, match=r"10 of 60 .* at least 30 .*example 11: must be text"):
            pool(write_lines(tmp_path / "x.jsonl", rows), "text")


def replays(name: str, seeds: int, scores: list[float]) -> list[Replay]:
    rounds = [Round(10 * n + 10, score, (), name, 0.1, 0.1) for n, score in enumerate(scores)]
    return [Replay(name, seed, rounds, 1.0) for seed in range(seeds)]


class TestVerdicts:
    BAD, GOOD = [0.1, 0.5, 0.9, 0.96], [0.6, 0.96, 0.97, 0.98]

    def words(self, ours: list[float], theirs: list[float], seeds: int = 5) -> list[str]:
        found = replays("auto", seeds, ours) + replays(compare.RANDOM, seeds, theirs)
        return list(report.verdicts(Comparison(found)))

    def test_what_the_figures_mean(self):
        [better] = self.words(self.GOOD, self.BAD)
        assert "0.51 (0.51-0.51) of the labels" in better
        assert better.endswith("better than random on this data.")
        assert self.words(self.BAD, self.GOOD)[0].endswith("worse than random on this data.")
        assert self.words(self.GOOD, self.GOOD)[0].endswith("no difference from random is shown.")

    def test_few_seeds_allow_no_verdict(self):
        first, second = self.words(self.GOOD, self.BAD, seeds=2)
        assert "random on this data" not in first
        assert "too few" in second

    def test_where_nobody_arrives_areas_are_compared(self):
        first, second = self.words([0.2, 0.4], [0.1, 0.2])
        assert "2.00 (2.00-2.00) of random's mean quality: better" in first
        assert "--labels gives more" in second

    def test_nothing_to_compare(self):
        first, _ = self.words([0.0, 0.0], [0.0, 0.0])
        assert first == "auto: there is nothing to compare."
