"""The theory of an experiment, from the file to the folder."""

import json

import numpy as np
import pytest
import xarray

from nonlazy.errors import InvalidInput
from nonlazy.experiments import load
from nonlazy.figures import solve_experiment, write_prediction


def test_numbers_and_pictures(tmp_path):
    prediction, seconds = solve_experiment(load("figure2-linear"))
    assert seconds > 0
    paths = write_prediction(prediction, tmp_path / "new", "theory")
    assert [path.name for path in paths] == ["theory.png", "theory.pdf", "theory.zarr", "theory.json"]
    stored = xarray.open_zarr(tmp_path / "new" / "theory.zarr", consolidated=False)
    np.testing.assert_array_equal(stored["readout_covariance"], prediction.readout_covariance)
    numbers = json.loads((tmp_path / "new" / "theory.json").read_text())
    assert numbers["certified"] is True and numbers["ensemble"] == "equilibrium"
    np.testing.assert_allclose(numbers["readout_covariance"], prediction.readout_covariance, rtol=1e-15)
    assert write_prediction(prediction, tmp_path / "new", "theory") == paths


def test_texts_are_stored_without_a_warning(tmp_path):
    prediction, _ = solve_experiment(load("figure2-sigmoid").quick())
    write_prediction(prediction, tmp_path, "theory")
    stored = xarray.open_zarr(tmp_path / "theory.zarr", consolidated=False)
    assert [str(code) for code in stored["code"].values] == list(prediction.codes.names)


def test_fractions_where_there_are_no_codes():
    with pytest.raises(InvalidInput, match="no codes"):
        solve_experiment(load("figure2-linear"), {(1, 0, 0): 1.0})
