"""Metropolis-adjusted Langevin dynamics and Hamiltonian Monte Carlo draw from the same posterior.

Above the temperature at which neurons freeze in their codes, so that chains from any start agree. Of the quantities
that do not change when neurons are exchanged, 16 are compared, each within 4 Monte Carlo errors: a false alarm in a
thousand, and the seeds are fixed.
"""

import math

import pytest

import nonlazy as nl
from nonlazy.sampling import HMC, Langevin, Record


def compare(N: int, T: float, chains: int, draws: dict[str, int], steps: int) -> None:
    task = nl.tasks.toy(P=N, N0=N + 5, y_minus=-0.5, seed=1)
    posterior = nl.Posterior(nl.Network(N, 1, "sigmoid"), task, T)
    tables = []
    for name, sampler in (("hmc", HMC()), ("langevin", Langevin(adjusted=True, steps=steps))):
        run = nl.sample(
            posterior, draws[name], chains, seed=1, sampler=sampler, moves="none", warmup=100,
            chain_method="batched", record=Record(snapshots=1, kernels=False), progress=False,
        )  # fmt: skip
        tables.append(run.diagnostics().table)
    assert len(tables[0]) == 16
    for one, other in zip(*tables, strict=True):
        assert one.quantity == other.quantity
        assert min(one.ess, other.ess) > 50, f"{one.quantity}: {one.ess:.0f} and {other.ess:.0f} effective draws"
        error = math.hypot(one.mcse, other.mcse)
        assert abs(one.mean - other.mean) < 4 * error, f"{one.quantity}: {one.mean} and {other.mean} +- {error}"
        # Errors so large that everything agrees would prove nothing.
        assert error < 0.05 * abs(one.mean), f"{one.quantity}: {one.mean} +- {error}"


@pytest.mark.usefixtures("quick_compilation")
def test_they_agree_on_a_small_network():
    compare(20, 0.5, 4, {"hmc": 300, "langevin": 160}, steps=80)


@pytest.mark.statistical
def test_they_agree_at_n_and_p_of_a_hundred():
    compare(100, 0.2, 2, {"hmc": 4000, "langevin": 200}, steps=800)
