"""Sampling that is killed with SIGKILL twenty times, at random moments, ends with the bits of an uninterrupted run."""

import signal
from typing import Any

import numpy as np
import pytest

from nonlazy.sampling import Record, open_run
from tests.sampling.runs import assert_same_draws, quick_compilation, sample
from tests.sampling.test_interruptions import Sampling


pytestmark = pytest.mark.statistical
KILLS = 20
ARGUMENTS: dict[str, Any] = dict(chains=1, draws=2000, thin=1, record=Record(snapshots=3, test=False))
# A checkpoint after every draw: most of the time goes into writing, and most kills come in the middle of it.
WRITING = dict(checkpoint_seconds=0.0)
SCRIPT = """
import sys
from tests.sampling.runs import sample
from tests.statistical.test_killed_runs import ARGUMENTS, WRITING
sample(store=sys.argv[1], chain_method=sys.argv[2], **ARGUMENTS, **WRITING)
"""


@pytest.fixture
def compiled_quickly(tmp_path):
    with quick_compilation(str(tmp_path / "compiled")):
        yield


def test_twenty_kills_of_sampling_change_no_bit(tmp_path, monkeypatch, compiled_quickly):
    monkeypatch.setattr("tests.sampling.test_interruptions.SCRIPT", SCRIPT)
    whole = sample(**ARGUMENTS)
    path = tmp_path / "run.zarr"
    rng = np.random.default_rng(5)
    done = 0
    for kill in range(KILLS):
        sampling = Sampling(path, "sequential")
        sampling.wait_for(done + 1)
        sampling.go_on(rng.uniform(0.0, 0.2))
        sampling.end(signal.SIGKILL)
        assert sampling.process.returncode == -signal.SIGKILL, f"it was done before kill {kill + 1}"
        run = open_run(path)
        run.verify()
        assert done < run.draws < ARGUMENTS["draws"]
        done = run.draws
        np.testing.assert_array_equal(run.readouts(), whole.readouts()[:, :done])
    final = sample(store=path, resume=True, **ARGUMENTS)
    final.verify()
    assert_same_draws(final, whole)
