"""Small runs of the paper's toy task: neurons that change their code, and neurons that do not."""

import pytest

import nonlazy as nl
from nonlazy.sampling import Jumps, Planted
from tests.sampling import runs


MAJOR = ((1, 1, 0), (1, 0, 1), (0, 1, 1))


def posterior(N: int, T: float, y_minus: float = 0.5, activation: str = "sigmoid") -> nl.Posterior:
    task = nl.tasks.toy(P=N, N0=N + 4, y_minus=y_minus, seed=0)
    return nl.Posterior(nl.Network(N, 1, activation), task, T)


def sample(target: nl.Posterior, start, moves, **changes) -> nl.Run:
    settings = dict(draws=60, warmup=90, seed=1, chain_method="sequential", progress=False, start=start, moves=moves)
    return nl.sample(target, **{**settings, **changes})


@pytest.fixture(scope="package")
def compiled(tmp_path_factory):
    with runs.quick_compilation(str(tmp_path_factory.mktemp("compiled"))):
        yield


@pytest.fixture(scope="package")
def moving(compiled):
    """Two chains with jumps at N = P = 40, T = 1e-2, one begun without 1-1-1 and one with a quarter of it."""
    target = posterior(40, 1e-2)
    starts = Planted(MAJOR), Planted((*MAJOR, (1, 1, 1)))
    return tuple(sample(target, start, Jumps(every=1), draws=200, warmup=60) for start in starts)


@pytest.fixture(scope="package")
def frozen(compiled):
    """The same starts without jumps at N = P = 120, T = 1e-3; as many draws as leave an excess known to a few nats."""
    target = posterior(120, 1e-3)
    starts = Planted(MAJOR), Planted((*MAJOR, (1, 1, 1)))
    return tuple(sample(target, start, "none", draws=960) for start in starts)
