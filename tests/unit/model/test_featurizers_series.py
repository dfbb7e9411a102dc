import json
import math
from datetime import UTC, datetime
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from active_learning.errors import Unreadable
from active_learning.featurizers import series as reading
from active_learning.featurizers.series import Columns, format_time, parse_time, read_series
from active_learning.featurizers.timeseries import (
    BANDS,
    MAX_SLOTS,
    SHARED,
    SLOTS,
    TimeSeriesFeaturizer,
)
from active_learning.featurizers.timeseries_windows import MAX_WINDOWS, TimeSeriesWindows
from tests.checks import featurizer as checks

RNG = np.random.default_rng(0)

SERIES = (
    {"time": list(range(40)), "a": RNG.normal(size=40).tolist(), "b": list(range(40))},
    {"time": [0, 1, 2.5], "a": [1, None, 3], "b": ["4", "x", 6.0]},
    {"time": list(range(3000)), "a": np.sin(np.arange(3000) / 9).tolist(), "b": [0] * 3000},
    "Time,A,B\n0,1,2\n1,3,\n2,,5\n",
    b'{"time": [1, 2], "a": [3, 4], "b": [5, 6]}',
)


def featurizer_of_two():
    return TimeSeriesFeaturizer({"timeColumn": "time", "channels": "a,b"})


def windows_of_two():
    return TimeSeriesWindows({"timeColumn": "time", "channels": "a,b"})


CASES = [pytest.param(check, id=check.__name__) for check in checks.yield_checks()]
UNIT_CASES = [pytest.param(check, id=check.__name__) for check in checks.yield_unit_checks()]


@pytest.mark.parametrize("check", CASES)
def test_featurizer(check):
    check(featurizer_of_two, SERIES)


@pytest.mark.parametrize("check", UNIT_CASES)
def test_windows(check):
    check(windows_of_two, SERIES)


# Reading


def read(value, **attributes):
    return read_series(value, Columns.of(attributes))


def test_an_object_of_columns():
    series = read({"T": [5, 6, 8], "A": [1, 2, 3], "x": [0, 0, 0]}, timeColumn="t", channels="a")
    np.testing.assert_array_equal(series.values, [[1, 2, 3]])
    np.testing.assert_array_equal(series.times, [5, 6, 8])


def test_channels_come_in_the_order_of_the_config():
    value = {"a": [1, 2], "b": [3, 4]}
    np.testing.assert_array_equal(read(value, channels="b, a").values, [[3, 4], [1, 2]])


def test_without_channels_all_columns_of_numbers_by_name():
    value = {"time": [0, 1], "b": [1, 2], "a": [3, 4], "words": ["x", "y"], "one": 7}
    np.testing.assert_array_equal(read(value, timeColumn="time").values, [[3, 4], [1, 2]])


def test_lists_are_no_numbers():
    with pytest.raises(Unreadable, match="not all times"):
        read({"time": [[0], [1]], "a": [1, 2]}, timeColumn="time", channels="a")
    with pytest.raises(Unreadable, match="no numbers"):
        read({"a": [[0], [1]]}, channels="a")


def test_gaps_are_bridged_and_remembered():
    series = read({"a": [None, 1, math.nan, "x", 4, math.inf]}, channels="a,absent")
    np.testing.assert_allclose(series.values, [[1, 1, 2, 3, 4, 4], [0] * 6])
    np.testing.assert_array_equal(series.known[0], [0, 1, 0, 0, 1, 0])
    assert not series.known[1].any()


@pytest.mark.parametrize(
    ("text", "attributes"),
    [
        ("time,a,b\n0,1,2\n5,3,4\n", {"timeColumn": "time", "channels": "a,b"}),
        ("Time;A;B\r\n0;1;2\r\n5;3;4", {"timeColumn": "time", "channels": "a,b", "sep": ";"}),
        ("time\ta\tb\n0\t1\t2\n5\t3\t4\n", {"timeColumn": "TIME", "channels": "A,B", "sep": "tab"}),
        ("time a b\n0 1 2\n5 3 4\n", {"timeColumn": "time", "sep": "auto"}),
        ('"time","a","b"\n0,1,"2"\n\n5,3,4\n', {"timeColumn": "time"}),
        ("0,1,2\n5,3,4\n", {"timeColumn": "0", "channels": "1,2"}),
        ("time,a,b\n0,1,2\n5,3,4\n", {"timeColumn": "0", "channels": "1,2"}),
        ("\ufefftime,a,b\n0,1,2,99\n5,3,4\n", {"timeColumn": "time"}),
        ('{"time": [0, 5], "a": [1, 3], "b": [2, 4]}', {"timeColumn": "time"}),
    ],
)
def test_files(text, attributes):
    series = read(text.encode(), **attributes)
    np.testing.assert_array_equal(series.values, [[1, 3], [2, 4]])
    np.testing.assert_array_equal(series.times, [0, 5])


def test_without_a_time_column_samples_are_numbered():
    series = read("a\n7\n8\n9\n")
    np.testing.assert_array_equal(series.times, [0, 1, 2])


def test_a_long_series_is_read_up_to_its_limit(monkeypatch):
    monkeypatch.setattr(reading, "MAX_VALUES", 100)
    value = {name: list(range(1000)) for name in "abcd"}
    assert read(value).values.shape == (4, 25)
    assert read("a,b\n" + "1,2\n" * 1000).values.shape == (2, 50)


def test_formatted_times_are_milliseconds():
    value = {"t": ["01/02/2020 00:00:00", "01/02/2020 00:00:01"], "a": [1, 2]}
    series = read(value, timeColumn="t", timeFormat="%m/%d/%Y %H:%M:%S", channels="a")
    start = datetime(2020, 1, 2, tzinfo=UTC).timestamp() * 1000
    np.testing.assert_array_equal(series.times, [start, start + 1000])


def test_many_formatted_times_are_read_here_and_there():
    days = [f"{2000 + place // 360}-{place % 360 // 30 + 1:02d}-{place % 28 + 1:02d}"
            for place in range(3600)]  # fmt: skip
    days.sort()
    value = {"t": days, "a": list(range(3600))}
    times = read(value, timeColumn="t", timeFormat="%Y-%m-%d").times
    exact = np.array([parse_time(day, "%Y-%m-%d") for day in days])
    assert np.abs(times - exact).max() < 10 * 86_400_000
    edges = [span[0] for span in TimeSeriesWindows(
        {"timeColumn": "t", "timeFormat": "%Y-%m-%d", "channels": "a"}
    ).cut(read(value, timeColumn="t", timeFormat="%Y-%m-%d"))[1]]  # fmt: skip
    assert set(edges) <= set(exact)


@pytest.mark.parametrize(
    ("value", "attributes", "why"),
    [
        (None, {}, "NoneType"),
        ([1, 2], {}, "list"),
        ("", {}, "empty"),
        ("{", {}, "JSON"),
        ({"a": []}, {}, "no numbers in any column"),
        ({"a": ["x"]}, {"channels": "a,b"}, "no numbers in 'a', 'b'"),
        ({"a": [1, 2]}, {"timeColumn": "t"}, "fewer times in 't'"),
        ({"a": [1, 2], "t": [1, "x"]}, {"timeColumn": "t"}, "ascending"),
        ({"a": [1, 2], "t": [2, 1]}, {"timeColumn": "t"}, "ascending"),
        ({"a": [1, 2], "t": ["x", "y"]}, {"timeColumn": "t", "timeFormat": "%Y"}, "ascending"),
        # As long as a cell may be is for the whole process to say.
        ("a\n" + '"' + "1" * 200_000, {}, "not CSV|no numbers"),
        (b"[[", {}, "no numbers"),
    ],
)
def test_what_is_no_series(value, attributes, why):
    with pytest.raises(Unreadable, match=why):
        read(value, **attributes)


FORMATS = (
    ("%Y-%m-%d %H:%M:%S.%L", "2020-03-05 15:38:07.042"),
    ("%m/%d/%Y %H:%M:%S", "03/05/2020 15:38:07"),
    ("%Y-%m-%dT%H:%M:%SZ", "2020-03-05T15:38:07Z"),
    ("%Q", "1583422687042"),
    ("%s", "1583422687"),
    ("%b %d, %Y", "Mar 05, 2020"),
)


@pytest.mark.parametrize(("time_format", "text"), FORMATS)
def test_times_are_written_as_they_were_read(time_format, text):
    assert format_time(parse_time(text, time_format), time_format) == text


@given(st.integers(-62_135_596_800_000, 253_402_300_799_999))
def test_any_time_comes_back(milliseconds):
    time_format = FORMATS[0][0]
    assert parse_time(format_time(milliseconds, time_format), time_format) == milliseconds


# Whole series


def features(value, **attributes):
    featurizer = TimeSeriesFeaturizer(attributes)
    return featurizer.parse(value)


def test_the_width_follows_the_channels():
    one, two = (TimeSeriesFeaturizer({"channels": names}).n_features for names in ("a", "a,b"))
    assert two - one == one - SHARED
    assert TimeSeriesFeaturizer().n_features == SHARED + SLOTS * (one - SHARED)
    many = TimeSeriesFeaturizer({"channels": ",".join(map(str, range(500)))})
    assert many.n_features == SHARED + MAX_SLOTS * (one - SHARED)


def test_more_channels_than_are_described_are_read_all_the_same():
    value = {f"c{place}": list(range(20)) for place in range(50)}
    row = features(value)
    assert row.shape == (TimeSeriesFeaturizer().n_features,)
    assert np.isfinite(row).all()


def test_patterns_do_not_depend_on_level_and_scale():
    x = RNG.normal(size=100).cumsum()
    one, other = (features({"a": (x * factor + shift).tolist()}, channels="a")
                  for factor, shift in ((1, 0), (8, 1000)))  # fmt: skip
    assert np.abs(one[3:SHARED] - other[3:SHARED]).mean() < 0.01
    assert not np.allclose(one[SHARED:], other[SHARED:])


def test_uneven_times_are_evened_out():
    even = np.linspace(0, 10, 201)
    gaps = np.sort(RNG.choice(even[1:-1], 150, replace=False))
    uneven = np.concatenate([[0], gaps, [10]])
    told = {"timeColumn": "t", "channels": "a"}
    one, other = (features({"t": t.tolist(), "a": np.sin(3 * t).tolist()}, **told)
                  for t in (even, uneven))  # fmt: skip
    ignorant = features({"a": np.sin(3 * uneven).tolist()}, channels="a")
    assert np.abs(one - other)[SHARED:].mean() < np.abs(one - ignorant)[SHARED:].mean() / 2


@pytest.mark.parametrize("n", [60, 5_000, 50_000])
def test_slow_and_fast_waves_are_told_apart_wherever_they_start(n):
    def patterns(periods, shift):
        wave = np.sin(2 * np.pi * periods * np.arange(n) / n + shift)
        return features({"a": wave.tolist()}, channels="a")[3:SHARED]

    slow, fast = ([patterns(periods, shift) for shift in (0, 1, 2)] for periods in (3, 9))
    within = max(np.abs(one - other).mean() for kind in (slow, fast) for one in kind
                 for other in kind)  # fmt: skip
    between = min(np.abs(one - other).mean() for one in slow for other in fast)
    assert between > 1.5 * within


NUMBERS = st.none() | st.floats() | st.integers(-(10**30), 10**30) | st.text(max_size=2)


@given(
    st.dictionaries(
        st.sampled_from(["a", "b", "t", "c"]), st.lists(NUMBERS, max_size=30) | NUMBERS
    ),
    st.sampled_from([{}, {"channels": "a,b"}, {"timeColumn": "t"}]),
)
def test_any_series(value, attributes):
    featurizer, windows = TimeSeriesFeaturizer(attributes), TimeSeriesWindows(attributes)
    for parsed in checks.readable(featurizer, value):
        X = featurizer.transform([parsed])
        assert X.shape == (1, featurizer.n_features)
        assert np.isfinite(np.square(X.astype(np.float64))).all()
    for parsed in checks.readable(windows, value):
        X, spans = windows.cut(parsed)
        assert X.shape == (len(spans), windows.n_features)
        assert np.isfinite(X).all()


@given(st.text(st.sampled_from('01.5,;"\n\r\tae-'), max_size=40), st.sampled_from(",;\t ."))
def test_any_file(text, separator):
    featurizer = TimeSeriesFeaturizer({"sep": separator})
    for parsed in checks.readable(featurizer, text.encode()):
        assert np.isfinite(featurizer.transform([parsed])).all()


# Windows


def cut(value, **attributes):
    windows = TimeSeriesWindows(attributes)
    return windows.cut(windows.parse(value))


@pytest.mark.parametrize("n", [2, 3, 24, MAX_WINDOWS + 1, 1733, 40_000])
def test_windows_tile_the_series(n):
    X, spans = cut({"a": np.sin(np.arange(n)).tolist()}, channels="a")
    assert len(X) == min(n - 1, MAX_WINDOWS)
    assert spans[0][0] == 0
    assert spans[-1][1] == n - 1
    assert all(one[1] == other[0] for one, other in pairwise(spans))
    assert len({row.tobytes() for row in X}) == len(X)


def test_windows_are_in_the_unit_of_the_times():
    times = np.sort(RNG.uniform(1e6, 2e6, 50))
    _, spans = cut({"t": times.tolist(), "a": list(range(50))}, timeColumn="t", channels="a")
    np.testing.assert_allclose(spans, np.stack([times[:-1], times[1:]], axis=1))


@pytest.mark.parametrize("times", [[7], [7, 7, 7]])
def test_a_series_that_takes_no_time_has_no_windows(times):
    value = {"t": times, "a": [1.0] * len(times)}
    X, spans = cut(value, timeColumn="t", channels="a")
    assert X.shape == (0, TimeSeriesWindows({"channels": "a"}).n_features)
    assert spans == []


def test_samples_at_the_same_time_are_in_one_window():
    _, spans = cut({"t": [0, 1, 1, 2], "a": [1, 2, 3, 4]}, timeColumn="t", channels="a")
    assert spans == [(0, 1), (1, 2)]


def test_windows_know_where_the_series_changes():
    n = 2000
    x = np.where(np.arange(n) < n // 2, np.sin(np.arange(n) * 0.3), np.sin(np.arange(n) * 0.9))
    X, spans = cut({"a": x.tolist()}, channels="a")
    first = np.array([end <= n // 2 - 40 for _, end in spans])
    second = np.array([start >= n // 2 + 40 for start, _ in spans])
    spread = X[first].std(axis=0) + X[second].std(axis=0)
    apart = np.abs(X[first].mean(axis=0) - X[second].mean(axis=0))
    assert (apart > 2 * spread).mean() > 0.1


def test_json_and_csv_are_the_same_series():
    value = {"t": [1, 2, 4], "a": [0.5, 0.25, 3]}
    text = "t,a\n1,0.5\n2,0.25\n4,3\n"
    told = {"timeColumn": "t", "channels": "a"}
    one, other, third = (features(v, **told) for v in (value, text, json.dumps(value).encode()))
    np.testing.assert_array_equal(one, other)
    np.testing.assert_array_equal(one, third)


def test_bands_only_where_there_are_as_many_frequencies():
    few, enough = (
        TimeSeriesFeaturizer({"channels": "a"}).parse({"a": np.sin(np.arange(n)).tolist()})
        for n in (2 * BANDS - 3, 2 * BANDS - 2)
    )
    assert not few[-BANDS:].any()
    assert enough[-BANDS:].all()
