from __future__ import annotations

import numpy as np
import torch

from augmint.numerics.vicinity import Vicinity, class_neighbors


def test_near_rows_are_of_the_class_and_repeat_where_it_is_small() -> None:
    rows = np.array([[0.0], [1.0], [5.0], [0.1]], np.float32)
    origin, near = class_neighbors(rows, np.array([0, 0, 0, 1]), 3)
    assert near[:3].tolist() == [[1, 2, 1], [0, 2, 0], [1, 0, 1]]
    assert origin.tolist() == [0, 1, 2, 0] and near[3].tolist() == near[0].tolist()  # alone: borrows from row 0


def test_rows_that_are_all_alone_stay_where_they_are() -> None:
    rows = np.array([[0.0], [1.0]], np.float32)
    at = torch.tensor([0, 1, 1])
    drawn = Vicinity(rows, np.array([0, 1]), 4, 1.0).draw(at, torch.Generator().manual_seed(0))
    assert drawn.tolist() == [[0.0], [1.0], [1.0]]


def test_the_blur_has_the_spread_of_the_steps() -> None:
    rows = np.array([[0.0, 0.0], [3.0, 0.0], [-3.0, 0.0]], np.float32)
    drawn = Vicinity(rows, np.zeros(3, np.int64), 2, 0.5).draw(
        torch.zeros(20000, dtype=torch.int64), torch.Generator().manual_seed(0)
    )
    # Both steps are 3 long: variance (v^2 / k) (9 + 9) = 2.25.
    np.testing.assert_allclose(drawn.var(dim=0).numpy(), [2.25, 0.0], rtol=0.05)
    np.testing.assert_allclose(drawn.mean(dim=0).numpy(), [0.0, 0.0], atol=0.05)
    still = Vicinity(rows, np.zeros(3, np.int64), 2, 0.0).draw(torch.tensor([1]), torch.Generator())
    assert still.tolist() == [[3.0, 0.0]]
