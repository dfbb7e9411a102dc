import hashlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from active_learning import loop
from active_learning.audit import audit_set, interleave, uniform_order
from active_learning.loop import estimate_audit
from active_learning.types import UNLABELED, Pool, Serving

from .synthetic import pool_of, sparse_topics


def rows_of(*numbers: int) -> np.ndarray:
    return np.array(numbers, dtype=np.int64)


def test_the_order_is_the_documented_hash():
    digest = hashlib.sha256(b"12.1700000000:3:41").digest()
    assert uniform_order("12.1700000000", 3, [41])[0] == int.from_bytes(digest[:8], "big")
    assert uniform_order("1.0", 0, []).shape == (0,)


def test_the_order_depends_on_project_and_seed_but_not_on_the_other_tasks():
    ids = np.arange(1, 200)
    order = uniform_order("1.0", 0, ids)
    np.testing.assert_array_equal(order[50:], uniform_order("1.0", 0, ids[50:]))
    assert not np.array_equal(order, uniform_order("1.0", 1, ids))
    assert not np.array_equal(order, uniform_order("2.0", 0, ids))


def test_the_order_is_uniform():
    share = uniform_order("1.0", 0, range(20_000)) / 2.0**64
    counts = np.histogram(share, bins=20, range=(0, 1))[0]
    assert np.abs(counts - 1000).max() < 5 * np.sqrt(1000)


def test_interleave_by_hand():
    rows, is_audit = interleave(
        rows_of(1, 2, 3, 4, 5, 6),
        audit_rows=rows_of(9, 8, 7),
        audit_share=0.25,
        n_resolved=2,
        audit_resolved=0,
        k=6,
    )
    assert rows.tolist() == [1, 9, 2, 3, 4, 8]
    assert is_audit.tolist() == [False, True, False, False, False, True]


def test_a_debt_is_paid_at_once_and_a_credit_is_waited_out():
    ranked, audit = np.arange(20), np.arange(100, 120)
    owing = {"audit_rows": audit, "audit_share": 0.1, "n_resolved": 50, "k": 10}
    assert interleave(ranked, audit_resolved=2, **owing)[1].tolist() == [True] * 3 + [False] * 6 + [
        True
    ]
    assert not interleave(ranked, audit_resolved=6, **owing)[1].any()


@pytest.mark.parametrize(("audit_share", "share"), [(0.0, 0), (1.0, 10), (0.29, 2)])
def test_shares_at_the_edges(audit_share, share):
    _, is_audit = interleave(
        np.arange(10),
        audit_rows=np.arange(10, 20),
        audit_share=audit_share,
        n_resolved=0,
        audit_resolved=0,
        k=10,
    )
    assert is_audit.sum() == share


@given(
    st.lists(st.integers(0, 30), unique=True),
    st.lists(st.integers(0, 30), unique=True),
    st.floats(0, 1),
    st.integers(0, 100),
    st.integers(0, 100),
    st.integers(0, 40),
)
def test_interleave_places_no_row_twice_and_fills_the_head(
    ranked, audit, audit_share, n_resolved, audit_resolved, k
):
    rows, is_audit = interleave(
        rows_of(*ranked),
        audit_rows=rows_of(*audit),
        audit_share=audit_share,
        n_resolved=n_resolved,
        audit_resolved=audit_resolved,
        k=k,
    )
    placed = rows.tolist()
    assert len(placed) == len(set(placed)) == min(k, len({*ranked, *audit}))
    assert set(rows[is_audit].tolist()) <= set(audit)
    assert set(rows[~is_audit].tolist()) <= set(ranked)


@given(st.floats(0, 1), st.integers(1, 5), st.randoms(use_true_random=False))
def test_the_share_is_kept_when_every_label_ranks_anew(audit_share, annotators, random):
    """Annotators take one of the first few places each; every label re-ranks."""
    ranked, audit = list(range(150)), list(range(1000, 1150))
    audited = 0
    for n in range(120):
        rows, is_audit = interleave(
            rows_of(*ranked),
            audit_rows=rows_of(*audit),
            audit_share=audit_share,
            n_resolved=n,
            audit_resolved=audited,
            k=10,
        )
        place = random.randrange(annotators)
        (audit if is_audit[place] else ranked).remove(rows[place])
        audited += bool(is_audit[place])
        assert abs(audited - audit_share * (n + 1)) <= 1 + (annotators - 1)
        if annotators == 1:
            assert abs(audited - audit_share * (n + 1)) <= 1


def pool_in_order(states: str) -> Pool:
    """One task a letter, in audit order: l labelled, s skipped for good, . waiting."""
    n = len(states)
    labels = np.array([0 if state == "l" else UNLABELED for state in states], dtype=np.int64)
    resolved = np.array([state != "." for state in states], dtype=np.bool_)
    return Pool(
        ids=np.arange(10, 10 + n),
        X=np.zeros((n, 2), dtype=np.float32),
        y=labels,
        serving=np.where(resolved, Serving.NO, Serving.YES).astype(np.int8),
        resolved=resolved,
        u=np.arange(n, dtype=np.uint64),
        classes=("a", "b"),
    )


@pytest.mark.parametrize(
    ("states", "held", "rows", "skipped"),
    [
        ("lsl.l", (), [0, 2], 1),
        ("lsl.l", (13,), [0, 2, 4], 2),
        ("lsl.l", (10, 13), [0, 2, 4], 2),
        (".ll", (), [], 0),
        ("lll", (), [0, 1, 2], 0),
        ("", (), [], 0),
    ],
)
def test_audit_set_ends_at_the_first_gap(states, held, rows, skipped):
    found, passed = audit_set(pool_in_order(states), held)
    assert (found.tolist(), passed) == (rows, skipped)


def test_the_audit_set_goes_by_u_not_by_row():
    pool = pool_in_order("l.l")
    turned = Pool(
        pool.ids, pool.X, pool.y, pool.serving, pool.resolved,
        np.array([2, 1, 0], dtype=np.uint64), pool.classes,
    )  # fmt: skip
    assert audit_set(turned)[0].tolist() == [2]


def audited_pool(n_audit: int, n_chosen: int, seed: int, classes: int = 3):
    """The first `n_audit` tasks of the audit order are labelled, and the easiest of the rest."""
    X, y = sparse_topics(900, classes, noise=0.6, seed=seed)
    pool = pool_of(X, np.full(900, UNLABELED), classes, uid=f"{seed}.0")
    order = np.argsort(pool.u)
    own = np.asarray(X[:, : 20 * classes].sum(axis=1)).ravel()
    chosen = sorted(order[n_audit:], key=lambda row: -own[row])[:n_chosen]
    shown = np.full(900, UNLABELED)
    shown[order[:n_audit]] = y[order[:n_audit]]
    shown[chosen] = y[chosen]
    return pool_of(X, shown, classes, uid=f"{seed}.0"), y


def test_no_figures_before_enough_labels():
    pool, _ = audited_pool(29, 50, 0)
    found = estimate_audit(pool)
    assert (found.labels, found.skipped, found.needed, found.figures) == (29, 0, 30, None)


def test_figures_are_of_the_audit_set_only():
    pool, _ = audited_pool(40, 60, 0)
    found = estimate_audit(pool)
    assert found.labels >= 40
    assert found.figures is not None
    assert (found.figures.n, found.figures.basis) == (found.labels, "audit")


def test_one_class_has_no_figures():
    pool, _ = audited_pool(40, 20, 0)
    alike = pool_of(pool.X, np.where(pool.y == UNLABELED, UNLABELED, 1), 3, uid="0.0")
    assert estimate_audit(alike).figures is None


@pytest.mark.slow
def test_the_interval_covers_the_accuracy_on_the_pool():
    """Tasks are chosen by a rule that out-of-fold figures would fall for."""
    covered, errors = 0, []
    for seed in range(40):
        pool, truth = audited_pool(50, 60, seed)
        model = loop.fit(pool).model
        rest = pool.y == UNLABELED
        right = model.predict_proba(pool.X)[rest].argmax(axis=1) == truth[rest]
        found = estimate_audit(pool).figures
        covered += found.low <= right.mean() <= found.high
        errors.append(found.value - right.mean())
    assert covered >= 34
    assert abs(np.mean(errors)) < 0.05
