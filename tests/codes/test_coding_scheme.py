"""The result record: names, order, tables."""

import dataclasses
import io
import json

import numpy as np
import pytest
from rich.console import Console

from nonlazy import codes
from tests.codes import synthetic_layers as layers


@pytest.fixture(scope="module")
def layer():
    F, labels, *_ = layers.sigmoidal(np.random.default_rng(1100))
    return F, codes.detect(F, labels, "sigmoid")


def test_order_sorts_by_code_and_then_by_strength(layer):
    F, scheme = layer
    order = scheme.order()
    assert sorted(order) == list(range(200))
    sorted_codes = scheme.neuron_codes[order]
    assert (np.diff(sorted_codes) >= 0).all()
    strength = np.mean(F**2, axis=1)[order]
    for i in range(len(scheme.codes)):
        assert (np.diff(strength[sorted_codes == i]) <= 0).all()


def test_neurons_without_code_come_last(layer):
    _, scheme = layer
    some = dataclasses.replace(scheme, neuron_codes=np.where(np.arange(200) < 10, -1, scheme.neuron_codes))
    assert set(some.order()[-10:]) == set(range(10))
    assert some.code_name(-1) == "no code"


def test_codes_are_in_descending_order(layer):
    names = [layer[1].code_name(i) for i in range(4)]
    assert names == sorted(names, reverse=True)


def test_text_and_table_show_codes_counts_shares_and_rule(layer):
    scheme = layer[1]
    console = Console(width=120, record=True, file=io.StringIO())
    console.print(scheme.table())
    for text in (str(scheme), console.export_text()):
        assert "redundant (4 codes, 200 neurons" in text
        for i in range(4):
            row = next(line for line in text.splitlines() if scheme.code_name(i) in line)
            assert str(scheme.counts[i]) in row and f"{100 * scheme.fractions[i]:.1f} %" in row
            assert f"{scheme.activations[i, 0]:.3g}" in row
    assert "Kind: " in str(scheme) and "a class counts above 1/2" in str(scheme)
    assert max(map(len, str(scheme).splitlines())) <= 120
    assert repr(scheme).startswith("CodingScheme(redundant, codes 1-1-1, 1-1-0, 1-0-1, 0-1-1; 200 neurons")


def test_tables_of_many_classes_stay_narrow():
    F, labels, _ = layers.binary_codes(np.random.default_rng(1101), 100, 400, 20, distinct=30)
    scheme = codes.detect(F, labels)
    text = str(scheme)
    assert max(map(len, text.splitlines())) <= 100 and "<phi>, on" in text and "18 rarer codes" in text
    console = Console(width=110, record=True, file=io.StringIO())
    console.print(scheme.table())
    shown = console.export_text()
    assert scheme.code_name(int(np.argmax(scheme.counts))) in shown and "…" not in shown


def test_record_as_json(layer):
    found = json.loads(json.dumps(layer[1].to_dict(), allow_nan=False))
    assert found["kind"] == "redundant" and len(found["neuron_codes"]) == 200
    assert [code["code"] for code in found["codes"]] == ["1-1-1", "1-1-0", "1-0-1", "0-1-1"]
    for code, interval in zip(found["codes"], layer[1].fraction_intervals, strict=True):
        assert interval[0] < code["fraction"] < interval[1] and code["interval"] == interval.tolist()
    assert found["alignment"]["value"] > 0.9 and found["collapse"]["nc3"] is None


def test_record_is_frozen(layer):
    with pytest.raises(dataclasses.FrozenInstanceError):
        layer[1].kind = "none"
