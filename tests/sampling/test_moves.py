"""Which moves between neurons suit a posterior, and what is refused."""

import pytest

from nonlazy import Network, Posterior
from nonlazy.errors import InvalidInput
from nonlazy.sampling import HMC, Jumps, Langevin, Rotations
from nonlazy.sampling._samplers import resolve_moves
from tests.sampling.small_posteriors import general_task, orthogonal_task


TASK = orthogonal_task(4, 6)


def moves_of(network: Network, moves=None, *, task=TASK, sampler=None, orthogonal: bool = True):
    posterior = Posterior(network, task, 0.1, weight_variance=(1.0,) * network.depth)
    return resolve_moves(moves, posterior, sampler or HMC(), orthogonal)


@pytest.mark.parametrize(
    ("network", "expected"),
    [
        (Network(6, 1, "relu"), Rotations()),
        (Network(6, 3, "linear"), Rotations()),
        (Network(6, 1, "sigmoid"), Jumps()),
        (Network(6, 2, "tanh"), Jumps()),
        (Network(6, 2, "sigmoid", "lazy"), None),
        (Network(6, 1, "sigmoid", "lazy"), Jumps()),
        (Network(300, 2, "sigmoid"), Jumps()),
        (Network(301, 2, "sigmoid"), None),
        (Network(6, 1, "requ"), None),
    ],
    ids=lambda value: str(value),
)
def test_what_suits_a_posterior(network, expected):
    assert moves_of(network) == expected


def test_what_does_not_apply_is_refused_with_the_reason():
    for network, moves, words in (
        (Network(6, 2, "sigmoid", "lazy"), "jump", "a non-lazy readout, or one hidden layer on mutually orthogonal"),
        (Network(6, 1, "relu"), "jump", r"a sigmoidal \(bounded\) activation, not relu"),
        (Network(6, 1, "sigmoid"), "rotations", r"phi\(c z\) = c phi\(z\) for c > 0, not sigmoid"),
    ):
        with pytest.raises(InvalidInput, match=words):
            moves_of(network, moves)
    with pytest.raises(InvalidInput, match="the sampler HMC, not Langevin"):
        moves_of(Network(6), "jump", sampler=Langevin())
    with pytest.raises(InvalidInput, match="at most 6 classes, not 7"):
        moves_of(Network(6, 2), "jump", task=general_task(14, 20, classes=7), orthogonal=False)
    # What costs too much by default may be asked for.
    assert moves_of(Network(301, 2), "jump") == Jumps()
