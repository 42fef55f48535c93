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

from nonlazy.sampling import Langevin, Rotations
from nonlazy.sampling.kernels import _rotations
from nonlazy.sampling.kernels._jump_attempts import Settings
from tests.sampling import exact_rank, test_feature_jump, test_fused, test_general_jump, test_jump
from tests.sampling.jump_exactness import joint_test
from tests.sampling.many_devices import on_devices, start
from tests.sampling.runs import float64
from tests.sampling.test_exactness import hamiltonian, langevin, rotations
from tests.statistical import joint, through_sample
from tests.statistical.test_shards import KERNELS, ranks_on_devices
from tests.statistical.through_sample import Case


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
    case: Case | None = None

    @property
    def name(self) -> str:
        """For messages."""
        return f"{self.sampler}; L = {self.depth}, {self.activation}, {self.inputs}; {self.test}"


def _ranks(
    sampler: str, activation: str, make: Callable, depth: int = 1, orthogonal: bool = True, readout="non-lazy",
    T: float = 0.1,
) -> Row:  # fmt: skip
    def p_value(seed: int) -> float:
        case = exact_rank.tiny(activation, depth=depth, readout=readout, orthogonal=orthogonal, T=T)
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


def _geweke(sampler: str, activation: str, make: Callable, depth: int = 1, orthogonal: bool = True) -> Row:
    def p_value(seed: int) -> float:
        case = exact_rank.tiny(activation, depth=depth, orthogonal=orthogonal)
        return joint.p_value(case, make(case), seed)

    inputs = "orthogonal" if orthogonal else "correlated"
    return Row(sampler, depth, activation, inputs, "joint", joint.STATISTICS, joint.REPETITIONS, p_value)


def _sample(what: str, case: Case) -> Row:
    """A row of whole runs."""
    words = case.activation if case.readout == "non-lazy" else f"{case.activation}, lazy"
    inputs = "orthogonal" if case.orthogonal else "correlated"
    return Row(
        f"sample(): {what}, {case.settings.get('precision', 'float32')}", case.depth, words, inputs, "whole runs",
        through_sample.STATISTICS, through_sample.REPLICAS, lambda seed: _public(case, seed), case,
    )  # fmt: skip


def _public(case: Case, seed: int) -> float:
    if case.settings.get("devices", 1) == 1:
        return through_sample.p_value(case, seed)
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "p"
        process = start(p_value_on_devices, out, PUBLIC.index(case), seed, devices=case.settings["devices"])
        said = process.communicate()[1]
        assert process.returncode == 0, said
        return float(out.read_text())


def p_value_on_devices(out: str, index: int, seed: int) -> None:
    """For a process with several devices."""
    Path(out).write_text(repr(through_sample.p_value(PUBLIC[index], seed)))


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


_DOUBLE: dict[str, Any] = {"precision": "float64"}
# Whole runs: what `nonlazy.sample` takes by default here, and what it is asked for.
_WHOLE_RUNS = [
    ("HMC, fused, jumps", Case("sigmoid", orthogonal=True)),
    ("HMC, fused, jumps", Case("tanh", readout="lazy", orthogonal=True)),
    ("HMC, fused, rotations", Case("relu", orthogonal=True)),
    ("HMC, jumps", Case("sigmoid", settings=_DOUBLE)),
    ("HMC, jumps", Case("sigmoid", depth=2, orthogonal=True)),
    ("HMC", Case("sigmoid", depth=2, readout="lazy")),
    # Nothing but trajectories moves its weakly constrained neurons.
    ("HMC", Case("softplus", settings={"thin": 40})),
    ("HMC, rotations", Case("relu", depth=2, settings=_DOUBLE)),
    ("HMC, rotations of layers", Case("linear", depth=2)),
    ("adjusted Langevin", Case("sigmoid", settings={"sampler": Langevin(adjusted=True), **_DOUBLE})),
    ("HMC, rotations, 7 chains at once", Case("relu", chains=through_sample.DRAWS)),
    ("HMC, rotations, 2 devices", Case("relu", settings={"devices": 2})),
]
PUBLIC = [case for _, case in _WHOLE_RUNS]

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
    _geweke("HMC", "sigmoid", lambda case: hamiltonian(0.25)),
    _geweke("HMC", "relu", lambda case: hamiltonian(0.25), depth=2, orthogonal=False),
    _geweke("HMC", "linear", lambda case: hamiltonian(0.25), orthogonal=False),
    _geweke("adjusted Langevin", "sigmoid", lambda case: langevin(case, 0.02)),
    _geweke("adjusted Langevin", "relu", lambda case: langevin(case, 0.02), depth=2, orthogonal=False),
    _geweke("pair rotations", "relu", lambda case: rotations()),
    _geweke("pair rotations", "relu", lambda case: rotations(), depth=2, orthogonal=False),
    _geweke("rotations of linear layers", "linear", _rotation_of_layers, depth=3, orthogonal=False),
    *(_sample(what, case) for what, case in _WHOLE_RUNS),
    # In single precision, as all rows of ranks; steps for an acceptance of 0.77 or more.
    _ranks("HMC at T = 1e-4", "sigmoid", lambda case: hamiltonian(0.008, length=0.25), T=1e-4),
    _ranks("HMC at T = 1e-4", "sigmoid", lambda case: hamiltonian(0.008, length=0.25), depth=3, T=1e-4),
    _ranks("HMC at T = 1e-4", "sigmoid", lambda case: hamiltonian(0.008, length=0.25), orthogonal=False, T=1e-4),
    _fused("HMC at T = 1e-4, fused", "sigmoid", length=0.25, step_size=0.008, T=1e-4),
)  # fmt: skip
SHARE = FAMILY_WISE / len(ROWS)


def p_value(row: Row, seed: int) -> float:
    """The row's p-value; no two rows have the same random numbers."""
    return row.p_value(_DEVICES * seed if row.sampler.endswith("devices") else 1000 * seed + ROWS.index(row))
