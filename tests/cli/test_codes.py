"""`nonlazy codes` on files of other people's networks."""

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from nonlazy.cli._app import app


LABELS = np.repeat([0, 1, 2], 30)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    rng = np.random.default_rng(0)
    codes = np.tile([[1, 1, 0], [1, 0, 1], [0, 1, 1]], (20, 1))
    activations = np.clip(0.1 + 0.8 * codes[:, LABELS] + 0.05 * rng.standard_normal((60, 90)), 0, 1)
    np.savez(tmp_path / "layer.npz", activations=activations, labels=LABELS, readouts=codes - 0.5)
    np.save(tmp_path / "layer.npy", activations)
    np.savetxt(tmp_path / "names.csv", LABELS, fmt="class %d")
    np.savetxt(tmp_path / "table.csv", np.column_stack([activations.T, LABELS]), delimiter=",", fmt="%.6g")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def invoke(*arguments):
    return CliRunner().invoke(app, ["codes", *arguments], env={"COLUMNS": "200"})


def test_table_facts_and_rule(folder):
    result = invoke("layer.npz")
    assert result.exit_code == 0
    for text in ("redundant (3 codes, 60 neurons", "33.3 %", "21.7 - 46.7 %", "effective number of codes 3;", "NC3"):
        assert text in result.output
    assert "Not compared with an untrained network" in result.output


@pytest.mark.parametrize("arguments", [("layer.npz",), ("layer.npy", "--labels", "names.csv"), ("table.csv",)])
def test_json_of_every_format(folder, arguments):
    result = invoke(*arguments, "--json")
    found = json.loads(result.output)
    assert found["kind"] == "redundant"
    assert [(row["code"], row["neurons"]) for row in found["codes"]] == [("1-1-0", 20), ("1-0-1", 20), ("0-1-1", 20)]
    assert found["classes"] == (["class 0", "class 1", "class 2"] if len(arguments) > 1 else ["0", "1", "2"])
    assert len(found["code_confidences"]) == 60 and min(found["code_confidences"]) > 0.999
    assert found["collapse"]["nc3"] == (None if arguments != ("layer.npz",) else pytest.approx(0, abs=0.1))
    assert found["pictures"] == []


def test_pictures(folder):
    result = invoke("layer.npz", "--picture", "shown.png", "--json")
    assert json.loads(result.output)["pictures"] == ["shown.png", "shown.pdf"]
    assert (folder / "shown.png").read_bytes().startswith(b"\x89PNG")
    assert (folder / "shown.pdf").read_bytes().startswith(b"%PDF")
    assert "written: again.png" in invoke("layer.npy", "--labels", "names.csv", "--picture", "again").output


def test_json_has_no_numbers_that_json_does_not_know(folder):
    np.savez(folder / "constant.npz", activations=np.ones((10, 90)), labels=LABELS)
    found = json.loads(invoke("constant.npz", "--json").output, parse_constant=pytest.fail)
    assert found["kind"] == "none" and found["alignment"]["value"] is None


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("layer.npy",), "name the file of labels (--labels)"),
        (("layer.npy", "--labels", "none.csv"), "there is no file none.csv"),
        (("names.csv",), "no column labels, label, y, class; its columns are class 0"),
        (("layer.mat",), "there is no file layer.mat"),
        (("layer.npz", "--activation", "tanh"), "'tanh' is not known"),
    ],
)
def test_mistakes_are_explained(folder, arguments, message):
    result = invoke(*arguments)
    assert result.exit_code == 2
    assert message in " ".join(result.output.split())
