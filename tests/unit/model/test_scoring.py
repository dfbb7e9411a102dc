import numpy as np
import pytest

from active_learning.errors import InvalidInput
from active_learning.scoring import SLACK, check_proba


def test_rounding_of_float32_is_no_error():
    proba = np.full((4, 1000), 1e-3, dtype=np.float32)
    assert check_proba(proba) is proba


def test_the_message_says_by_how_much():
    with pytest.raises(InvalidInput, match=r"off by 0\.01"):
        check_proba(np.array([[0.5, 0.5 + 10 * SLACK]]))
