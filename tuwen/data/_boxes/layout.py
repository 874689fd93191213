"""How three boxes stand in a picture."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

SIDE, GAP = 100, 50
"""Pixels of a box, and between two of them in a row."""
BETWEEN = 128
"""The grey between the boxes."""


def lay_out(boxes: Sequence[NDArray[np.uint8]], layout: str) -> NDArray[np.uint8]:
    """Three boxes `[100, 100, 3]` as one picture: in a `row`, `[100, 400, 3]`, or in a `grid`, `[208, 208, 3]`.

    The grid has two above and one below, with a line of grey between.
    """
    if layout == "row":
        picture = np.full((SIDE, 3 * SIDE + 2 * GAP, 3), BETWEEN, np.uint8)
        for number, box in enumerate(boxes):
            start = number * (SIDE + GAP)
            picture[:, start : start + SIDE] = box
        return picture
    line = 8
    picture = np.full((2 * SIDE + line, 2 * SIDE + line, 3), BETWEEN, np.uint8)
    for box, (row, column) in zip(boxes, ((0, 0), (0, 1), (1, 0)), strict=True):
        y, x = row * (SIDE + line), column * (SIDE + line)
        picture[y : y + SIDE, x : x + SIDE] = box
    return picture
