"""Codes of neurons in every draw of small runs."""

import numpy as np
import pytest

from nonlazy.diagnostics._history import code_history, threshold
from nonlazy.errors import InvalidInput
from tests.diagnostics.conftest import MAJOR, posterior, sample


def test_codes_are_those_of_the_activations_where_these_are_kept(moving):
    run = moving[1]
    history = code_history([run])
    assert len(history.draws) == run.draws and history.agreement > 0.98
    hits = []
    for draw in run.kept_draws:
        phi = run.activations(draw=draw)
        active = np.stack([phi[:, run.task.labels == c].mean(axis=1) > 0.5 for c in range(3)], axis=1)
        hits.append((history.codes[history.index[0, draw]] == active).all(axis=1))
    # The readouts' rule gives the code here, not the activations themselves: they differ where a neuron passes.
    assert np.mean(hits) > 0.97


def test_codes_of_neurons_are_told_by_the_sign_of_their_field(moving):
    # On orthogonal inputs a class activates a neuron where a . t_c > 0, t_c being the class's dual field.
    run = moving[0]
    history = code_history([run])
    t = np.stack([run.dual_field()[0][run.task.labels == c].mean(axis=0) for c in range(3)])
    active = run.readouts()[0] @ t.T > 0
    assert np.mean((history.codes[history.index[0]] == active).all(axis=-1)) > 0.97


def test_several_runs_are_one_after_another(frozen):
    both = code_history(frozen)
    alone = [code_history([run]) for run in frozen]
    for chain, one in enumerate(alone):
        for k, code in enumerate(one.codes):
            place = [tuple(other) for other in both.codes.tolist()].index(tuple(code.tolist()))
            np.testing.assert_array_equal(both.index[chain] == place, one.index[0] == k)


def test_codes_are_listed_by_their_first_digit(moving):
    names = code_history(moving).names
    assert list(names) == sorted(names, reverse=True)


def test_networks_without_codes_are_refused(compiled):
    run = sample(posterior(8, 0.1, activation="linear"), "prior", "none", draws=4, warmup=4)
    with pytest.raises(InvalidInput, match=r"'linear' is linear: .* nonlazy\.codes\.detect"):
        code_history([run])


def test_runs_of_different_posteriors_are_refused(moving, frozen):
    with pytest.raises(InvalidInput, match="different posteriors"):
        code_history([moving[0], frozen[0]])


def test_draws_can_be_left_out_but_not_all(frozen):
    assert code_history(frozen, discard=20).index.shape == (2, 940, 120)
    with pytest.raises(InvalidInput, match="discard is 960: the runs have 960 draws"):
        code_history(frozen, discard=960)


def test_where_readouts_do_not_tell_the_codes_the_kept_draws_alone_count(compiled):
    # A warm posterior: one broad cluster of neurons, whose activations cross the threshold at random.
    run = sample(posterior(40, 1.0), "prior", "none")
    history = code_history([run])
    assert history.agreement < 0.98
    np.testing.assert_array_equal(history.draws, run.kept_draws)


@pytest.mark.parametrize(("name", "expected"), [("sigmoid", 0.5), ("erf", 0.0), ("tanh", 0.0)])
def test_threshold(name, expected):
    from nonlazy.activations import BUILTIN

    assert threshold(BUILTIN[name]) == pytest.approx(expected, abs=1e-12)


def test_a_planted_code_that_is_frozen_keeps_its_neurons(frozen):
    history = code_history([frozen[0]])
    planted = [history.names.index("-".join(map(str, code))) for code in MAJOR]
    # 40 neurons each; at T = 1e-3 few change their code in the settling, and hardly any later.
    assert np.abs(history.counts[0, :, planted] - 40).max() <= 4
