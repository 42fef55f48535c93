"""Targets that no network fits exactly: where temperature 0 has no solution, whatever the theory."""

import numpy as np
from jaxtyping import Float

from nonlazy.errors import InvalidInput


# Sums of targets are compared up to the rounding of a sum.
ROUNDING = 1e-12
REMEDY = "Choose a temperature above 0, or remove one of them"


def check_contradictions(X: Float[np.ndarray, "P N0"], Y: Float[np.ndarray, "P m"], odd: bool) -> None:
    """Whether a network with phi(z) + phi(-z) constant (0 where `odd`) can meet all targets exactly.

    Equal inputs have equal outputs. Outputs of x and -x add up to the same for every x, because there are no biases (0
    where `odd`), and twice the output of an input of zeros is that sum, too. There are no other relations between the
    functions phi(w . x) of w (docs/theory/general-data.md, "Temperature 0").

    **Raises:** `nonlazy.errors.InvalidInput`.
    """
    # Adding 0 makes -0 equal to 0.
    _, first, twin = np.unique(np.concatenate([X, -X]) + 0.0, axis=0, return_index=True, return_inverse=True)
    first_twin = first[twin.reshape(-1)]
    same, opposite = first_twin[: len(X)], first_twin[len(X) :]
    wrong = np.flatnonzero((Y != Y[same]).any(axis=1))
    if wrong.size:
        raise InvalidInput(
            f"inputs {same[wrong[0]]} and {wrong[0]} are equal and their targets are not: at temperature 0 no "
            f"network fits both. {REMEDY}"
        )
    paired = np.flatnonzero(opposite < len(X))
    if not paired.size:
        return
    sums = Y[paired] + Y[opposite[paired]]
    expected = np.zeros(Y.shape[1]) if odd else sums[0]
    off = np.flatnonzero((np.abs(sums - expected) > ROUNDING * np.abs(Y).max()).any(axis=1))
    if off.size:
        wrong_pair = _named(paired[off[0]], opposite[paired[off[0]]])
        sum_ = "0" if odd else f"as much as those of {_named(paired[0], opposite[paired[0]])}"
        raise InvalidInput(
            f"the targets of {wrong_pair} do not add up to {sum_}, which the outputs of x and -x do for every x: "
            f"at temperature 0 no network fits them. {REMEDY}"
        )


def _named(mu, nu) -> str:
    return f"inputs {mu} and {nu} (x and -x)" if mu != nu else f"input {mu} (zeros, counted twice)"
