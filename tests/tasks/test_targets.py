import numpy as np
import pytest

from nonlazy.errors import InvalidInput
from nonlazy.tasks import one_hot


def test_one_hot_values():
    expected = [[1.0, -0.5, -0.5], [-0.5, -0.5, 1.0]]
    assert one_hot([0, 2], 3, 1.0, -0.5).tolist() == expected
    assert one_hot(np.array([0, 2], dtype=np.uint8), 3, 1, -0.5).tolist() == expected


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        (([0, 3], 3), "labels reach 3"),
        (([-1], 3), "counted from 0"),
        (([0.5], 3), "integers"),
        ((["cat"], 3), "return_inverse"),
        (([[0]], 3), "vector"),
        (([0], 0), "classes is 0"),
        (([0], 2, 0.5, 0.5), "both 0.5"),
        (([0], 2, float("nan"), 0.0), "y_plus is nan"),
    ],
)
def test_refusals(arguments, match):
    with pytest.raises(InvalidInput, match=match):
        one_hot(*arguments)
