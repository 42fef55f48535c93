"""Every sampler of the library in one family of calibrated tests, with one false-alarm rate over all of them.

A row is one call of a harness of `tests/sampling`: exact ranks (`exact_rank`, Gandy & Scott, arXiv 2001.06465), which
are simulation-based calibration (Talts et al., arXiv 1804.06788) with a chain that starts at the draw, so that nothing
has to converge; or the joint test of weights and targets (`jump_exactness`, Geweke 2004). Each gives one p-value over
its statistics by Bonferroni, and each row gets the same share of the rate, by Bonferroni again: correct samplers
fail one of all rows in at most one of a thousand seeds.
"""

import functools
import json
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import scipy.stats

from nonlazy.sampling import Rotations
from nonlazy.sampling.kernels import _rotations
from nonlazy.sampling.kernels._jump_attempts import Settings
from tests.sampling import exact_rank, test_feature_jump, test_fused, test_general_jump, test_jump
from tests.sampling.jump_exactness import joint_test
from tests.sampling.many_devices import on_devices
from tests.sampling.runs import float64
from tests.sampling.test_exactness import hamiltonian, langevin, rotations
from tests.statistical.test_shards import KERNELS, ranks_on_devices


FAMILY_WISE = 1e-3
JOINT_REPETITIONS = 8000
# All rows on several devices come from one process, at as many seeds from here on.
_DEVICES = 1_000_000
# Mean changes that the joint test compares, and ranks that the others do.
JOINT_STATISTICS, RANKS, FUSED_RANKS = 14, 5, 2


@dataclass(frozen=True)
class Row:
    """One test: what is sampled how, and the p-value for a seed."""

    sampler: str
    depth: int
    activation: str
    inputs: str
    test: str
    statistics: int
    replicas: int
    p_value: Callable[[int], float]

    @property
    def name(self) -> str:
        """For messages."""
        return f"{self.sampler}; L = {self.depth}, {self.activation}, {self.inputs}"


def _ranks(sampler: str, activation: str, make: Callable, depth: int = 1, orthogonal: bool = True, readout="non-lazy"):
    def p_value(seed: int) -> float:
        case = exact_rank.tiny(activation, depth=depth, readout=readout, orthogonal=orthogonal)
        return exact_rank.p_value(case, make(case), seed)

    inputs = "orthogonal" if orthogonal else "correlated"
    words = activation if readout == "non-lazy" else f"{activation}, lazy"
    return Row(sampler, depth, words, inputs, "ranks", RANKS, exact_rank.REPETITIONS, p_value)


def _fused(sampler: str, activation: str, **settings) -> Row:
    def p_value(seed: int) -> float:
        return test_fused.ranks(activation, seed=seed, **settings)

    return Row(sampler, 1, activation, "orthogonal", "ranks", FUSED_RANKS, test_fused.REPETITIONS, p_value)


def _joint(sampler: str, inputs: str, make: Callable[[], tuple[Any, Any]], settings: Settings, depth: int = 1) -> Row:
    def p_value(seed: int) -> float:
        with float64():
            subject, table = make()
            ((largest, _, accepted, _),) = joint_test(subject, table, settings, 1.0, JOINT_REPETITIONS, seed=seed)
        assert accepted > 0.01, f"{sampler}: {accepted:.3g} changes a repetition are too few to tell"
        return float(min(1.0, JOINT_STATISTICS * 2 * scipy.stats.norm.sf(largest)))

    return Row(sampler, depth, "sigmoid", inputs, "joint", JOINT_STATISTICS, JOINT_REPETITIONS, p_value)


@functools.cache
def _device_ranks(seed: int) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "ranks.json"
        on_devices(ranks_on_devices, out, seed)
        return json.loads(out.read_text())


def _devices(name: str) -> Row:
    activation, depth, orthogonal, kind = KERNELS[name]
    sampler = {"hmc": "HMC", "langevin": "adjusted Langevin", "rotations": "pair rotations"}[kind]
    inputs = "orthogonal" if orthogonal else "correlated"
    return Row(
        f"{sampler}, 4 devices", depth, activation, inputs, "ranks", RANKS, exact_rank.REPETITIONS,
        lambda seed: _device_ranks(seed)[name],
    )  # fmt: skip


def _rotation_of_layers(case):
    return rotations(_rotations.rotate_linear)


ROWS = (
    _ranks("HMC", "sigmoid", lambda case: hamiltonian(0.25)),
    _ranks("HMC", "sigmoid", lambda case: hamiltonian(0.25), depth=3),
    _ranks("HMC", "sigmoid", lambda case: hamiltonian(0.25), readout="lazy"),
    _ranks("HMC", "relu", lambda case: hamiltonian(0.25), orthogonal=False),
    _ranks("HMC", "relu", lambda case: hamiltonian(0.25), depth=2),
    _ranks("HMC", "linear", lambda case: hamiltonian(0.25), depth=2, orthogonal=False),
    _fused("HMC, fused on the CPU", "sigmoid"),
    _fused("HMC, fused on the CPU", "tanh"),
    _fused("HMC, fused, with rotations", "relu", moves=Rotations(), rotations=3),
    _ranks("adjusted Langevin", "sigmoid", lambda case: langevin(case, 0.02)),
    _ranks("adjusted Langevin", "relu", lambda case: langevin(case, 0.02), orthogonal=False),
    _ranks("adjusted Langevin", "sigmoid", lambda case: langevin(case, 0.02), depth=2),
    _ranks("pair rotations", "relu", lambda case: rotations()),
    _ranks("pair rotations", "relu", lambda case: rotations(), orthogonal=False),
    _ranks("pair rotations", "relu", lambda case: rotations(), depth=2),
    _ranks("rotations of linear layers", "linear", _rotation_of_layers, depth=3, orthogonal=False),
    _joint("jumps", "orthogonal", test_jump.small, Settings()),
    _joint("jumps and flips", "orthogonal", test_jump.with_complements, Settings()),
    _joint("jumps and flips", "correlated", lambda: test_general_jump.subject(test_general_jump.LOOSE), Settings()),
    _joint(
        "jumps and flips", "correlated, rank 4", lambda: test_general_jump.subject(test_general_jump.LOOSE, 4),
        Settings(),
    ),
    _joint(
        "jumps and flips", "correlated, P > N", lambda: test_general_jump.subject(test_general_jump.TIGHT),
        test_general_jump.AS_TABLED,
    ),
    _joint("jumps in the feature layer", "correlated", lambda: test_feature_jump.small(6, 6, 0.01), Settings(), 2),
    _joint(
        "jumps in the feature layer", "orthogonal", lambda: test_feature_jump.small(6, 6, 0.01, 3, True), Settings(), 3
    ),
    *(_devices(name) for name in KERNELS if "counts" not in name),
)  # fmt: skip
SHARE = FAMILY_WISE / len(ROWS)


def p_value(row: Row, seed: int) -> float:
    """The row's p-value; no two rows have the same random numbers."""
    return row.p_value(_DEVICES * seed if row.sampler.endswith("devices") else 1000 * seed + ROWS.index(row))
