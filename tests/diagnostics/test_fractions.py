"""Shares of the codes, and the quenched theory at them."""

import numpy as np
import pytest

import nonlazy as nl
from nonlazy.diagnostics import fractions
from nonlazy.errors import InvalidInput


def test_shares_are_a_mapping_that_sums_to_one(frozen):
    found = fractions(frozen[1])
    assert sum(found.values()) == pytest.approx(1, abs=1e-12)
    assert dict(found) == {code: found[code] for code in found.codes} and len(found) == len(found.codes)
    assert list(found.shares) == sorted(found.shares, reverse=True)
    with pytest.raises(KeyError):
        found[(0, 0, 0)]


def test_every_neuron_has_one_code_in_every_draw(moving):
    found = fractions(moving[0])
    assert found.by_draw.shape == (1, moving[0].draws, len(found))
    np.testing.assert_allclose(found.by_draw.sum(axis=2), 1, atol=1e-12)
    np.testing.assert_allclose(found.by_chain.mean(axis=0), found.shares, atol=1e-12)


def test_shares_cannot_be_changed(frozen):
    with pytest.raises(ValueError, match="read-only"):
        fractions(frozen[0]).shares[0] = 1.0


def test_the_theory_takes_them(frozen):
    found = fractions(frozen[1])
    quenched = nl.theory.solve(frozen[1].posterior, fractions=found)
    assert quenched.ensemble == "quenched"
    theory = {
        tuple(map(int, code)): share for code, share in zip(quenched.codes.active, quenched.codes.fraction, strict=True)
    }
    assert theory == pytest.approx(dict(found), abs=1e-6)


def test_one_chain(frozen):
    run = frozen[0]
    assert dict(fractions(run, chain=0)) == dict(fractions(run)) == dict(fractions(run, chain=-1))
    with pytest.raises(InvalidInput, match="chain is 1: this run has 1"):
        fractions(run, chain=1)


def test_printed(frozen):
    text = str(fractions(frozen[1]))
    assert "1-1-0" in text and "chain 0" in text and max(map(len, text.splitlines())) <= 100
