"""Which neurons a picture shows, in which order, and where one code ends and the next begins."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Int

from nonlazy.codes import CodingScheme


# Beyond this many groups names and lines would cover the picture.
NAMED_GROUPS = 14


@dataclass(frozen=True, eq=False)
class Rows:
    """Neurons from top to bottom, grouped by code.

    **Fields:** `neurons`: their indices; `edges`: where each group begins and the last one ends; `codes`: index of each
    group's code, -1 for none; `total`: neurons in the layer.
    """

    neurons: Int[np.ndarray, " shown"]
    edges: Int[np.ndarray, " edges"]
    codes: tuple[int, ...]
    total: int

    @property
    def separated(self) -> bool:
        """Whether the groups are few enough to be named and set apart by lines."""
        return len(self.codes) <= NAMED_GROUPS


def rows_of(scheme: CodingScheme, at_most: int | None = None) -> Rows:
    """The rows of a layer's pictures.

    **Arguments:** `scheme`: of the layer; `at_most`: show the most active neurons (by mean square) only; None: 20 in a
    sparse layer, as in the paper, and all in others.

    **Returns:** `Rows` in the order of `scheme.order()`.
    """
    order = scheme.order()
    if at_most is None and scheme.kind == "sparse":
        # Every neuron with a code is shown, even where there are more.
        at_most = max(20, int(np.sum(scheme.neuron_codes >= 0)))
    if at_most is not None and at_most < order.size:
        kept = np.zeros(order.size, dtype=bool)
        kept[np.argsort(-scheme.mean_squares, kind="stable")[:at_most]] = True
        order = order[kept[order]]
    codes = scheme.neuron_codes[order]
    begins = np.flatnonzero(np.diff(codes, prepend=-2) != 0)
    return Rows(
        neurons=order,
        edges=np.append(begins, order.size),
        codes=tuple(int(code) for code in codes[begins]),
        total=scheme.neuron_codes.size,
    )
