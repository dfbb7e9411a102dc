import numpy as np
import pytest
from scipy.sparse import csr_matrix, vstack

from active_learning.evaluation import folds
from active_learning.learners import basis
from active_learning.learners.resampling import Labeled, choose_folds, out_of_fold

from .synthetic import FORMS, learnable, partly, pool_of, sparse_topics

EVERY = np.ones(40, dtype=np.bool_)


def groups(n: int = 40) -> np.ndarray:
    return np.arange(n, dtype=np.uint64)


def test_out_of_fold_rows_are_not_taught():
    fold_of = np.arange(40) % 4

    def predictor(train, test):
        assert not set(train) & set(test)
        assert len(train) == 30
        return test * 10

    assert out_of_fold(fold_of, predictor).tolist() == (np.arange(40) * 10).tolist()


def test_teachers_are_never_left_out():
    fold_of = np.where(np.arange(40) < 30, -1, np.arange(40) % 2)

    def predictor(train, test):
        assert set(range(30)) <= set(train)
        assert len(train) == 35
        return test

    assert out_of_fold(fold_of, predictor).tolist() == list(range(30, 40))


def test_fewer_folds_or_none_where_classes_are_too_small():
    y = np.arange(40) % 2
    assert set(choose_folds(groups(), y, EVERY, (5, 0))) == set(range(5))
    lonely = np.array([0] * 39 + [1])
    assert choose_folds(groups(), lonely, EVERY, (5, 0)) is None
    one_group = np.zeros(40, dtype=np.uint64)
    assert choose_folds(one_group, y, EVERY, (5, 0)) is None


def test_what_only_teaches_has_no_fold_and_may_be_what_is_needed():
    lonely = np.array([0] * 39 + [1])
    judged = np.arange(40) < 39
    fold_of = choose_folds(groups(39), lonely, judged, (5, 0))
    assert fold_of is not None
    assert fold_of[39] == -1
    assert set(fold_of[:39]) == set(range(5))


def test_the_rule_of_what_is_enough_is_the_learners():
    y, ten = np.arange(40), folds(groups(), 10, 0)
    twin = next(row for row in range(1, 40) if ten[row] == ten[0])
    found = choose_folds(groups(), y, EVERY, (10, 0), lambda taught: {0, twin} & {*taught} != set())
    assert found is not None
    assert found[0] != found[twin]
    assert choose_folds(groups(), y, EVERY, (10, 0), lambda taught: 7 in taught) is None


def test_a_task_stays_in_its_fold_when_others_come():
    X, y = sparse_topics(300)
    data = Labeled.of(pool_of(X, partly(y, 100), 3))
    more = Labeled.of(pool_of(X, partly(y, 150), 3))
    before = dict(zip(data.tasks, data.folds(0), strict=True))
    after = dict(zip(more.tasks, more.folds(0), strict=True))
    assert {task: after[task] for task in before} == before
    assert not np.array_equal(data.folds(0), data.folds(1))


@pytest.mark.parametrize("form", FORMS)
def test_labelled_rows_are_scaled_by_the_whole_pool(form):
    pool = learnable("single", form)
    data = Labeled.of(pool)
    assert data.tasks.tolist() == pool.labeled.tolist()
    whole = data.scaling.apply(pool.X)
    assert abs(whole[pool.labeled] - data.X).max() == 0


def test_a_few_of_the_tasks_are_spread_over_all_and_stay_in_order():
    X, y = sparse_topics(300)
    data = Labeled.of(pool_of(X, partly(y, 200), 3))
    assert data.few(200)[0] is data
    few, places = data.few(50)
    assert len(places) == len(set(places)) == 50
    assert (places[0], places[-1]) == (0, 199)
    assert (np.diff(places) >= 3).all()
    assert few.tasks.tolist() == data.tasks[places].tolist()
    assert few.y.tolist() == data.y[places].tolist()
    assert few.u.tolist() == data.u[places].tolist()
    rows = few.basis.rows
    cosines = (data.X[places] @ data.X[places].T).toarray()
    np.testing.assert_allclose(rows @ rows.T, cosines, atol=1e-4)


def test_twins_stay_in_one_fold_where_a_model_reads_few_columns(monkeypatch):
    rng = np.random.default_rng(0)
    long_texts = csr_matrix((rng.random((60, 20_000)) < 0.01).astype(np.float32))
    pool = pool_of(vstack([long_texts, long_texts], format="csr"), np.arange(120) % 3, 3)
    monkeypatch.setattr(basis, "COEFFICIENTS", 600)
    data = Labeled.of(pool)
    assert len(data.basis.columns) == 200
    fold_of = data.folds(0)
    np.testing.assert_array_equal(fold_of[:60], fold_of[60:])
