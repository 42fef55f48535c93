"""Damaged sweep files and damaged records of points: errors, or points that count as not begun."""

import datetime
import json
import tomllib

import pytest
import tomli_w
from hypothesis import given, strategies as st
from typer.testing import CliRunner

from nonlazy import sweeps
from nonlazy.cli._app import app
from nonlazy.sweeps._gather import gather, table
from nonlazy.sweeps._record import POINT, Record, read_record, write_record
from tests.fuzzing.mutations import FEW, VALUES, changed, damaged, outcome


POINTS = """
experiment = "figure2-linear"
quick = true
show = ["loss"]
[[points]]
"network.width" = 8
[[points]]
task.P = 6
"""
RANGES = """
experiment = "figure2-linear"
[grid]
sampling.seed = {from = 0, to = 2}
posterior.temperature = {from = 1e-3, to = 1.0, points = 3, scale = "log"}
"""
LINKED = """
experiment = "figure2-linear"
[set]
sampling.draws = 5
[linked]
"network.width" = [8, 9]
task.P = [6, 8]
"""
TEXTS = {name: sweeps.text(name) for name in sweeps.names()} | {"points": POINTS, "ranges": RANGES, "linked": LINKED}
# TOML has no null, and no halves of characters, but dates.
TOML_VALUES = VALUES.filter(lambda value: _fits(value)) | st.sampled_from([datetime.date(2025, 1, 1), datetime.time(1)])
RECORD = Record(
    "done",
    seconds=1.5,
    identity="x",
    theory=True,
    found={
        "samples": {"loss": 1.0, "loss_mcse": None, "kind": "redundant"},
        "diagnostics": {"converged": 1.0, "rhat_max": "inf", "equilibrium": "equilibrated"},
        "theory": {"train_error": 0.5, "codes": 2.0},
        "codes": {"1-0": {"fraction": [0.5, 0.4], "theory": 0.5}},
        "comparison": [{"quantity": "loss", "theory": 1.0, "samples": 1.1, "error": None}],
        "warnings": ["few draws"],
        "no_theory": "",
    },
)


def _fits(value):
    try:
        return bool(tomllib.loads(tomli_w.dumps({"a": value})) and tomli_w.dumps({"a": value}).encode())
    except (TypeError, ValueError, AttributeError):
        return False


def load_all(path):
    sweep = sweeps.load(path)
    for point in sweep.points[:4]:
        point.experiment.to_tables()


@FEW
@given(st.data())
def test_damaged_bytes(tmp_path, data):
    path = tmp_path / "mine.toml"
    path.write_bytes(data.draw(damaged(TEXTS[data.draw(st.sampled_from(sorted(TEXTS)))].encode())))
    outcome(lambda: load_all(path))


@FEW
@given(st.data())
def test_other_values(tmp_path, data):
    document = tomllib.loads(TEXTS[data.draw(st.sampled_from(sorted(TEXTS)))])
    path = tmp_path / "mine.toml"
    path.write_text(tomli_w.dumps(data.draw(changed(document, TOML_VALUES))), encoding="utf-8")
    outcome(lambda: load_all(path))


@pytest.fixture(scope="module")
def sweep(tmp_path_factory):
    path = tmp_path_factory.mktemp("sweep") / "points.toml"
    path.write_text(POINTS)
    return sweeps.load(path)


def read(sweep, folder):
    records = [read_record(folder), RECORD]
    return table(sweep, gather(sweep, records))


def test_the_undamaged_record_is_read(tmp_path, sweep):
    write_record(tmp_path, RECORD)
    assert read_record(tmp_path).state == "done"
    assert "redundant" in read(sweep, tmp_path)


@FEW
@given(data=st.data())
def test_records_of_points(tmp_path, sweep, data):
    write_record(tmp_path, RECORD)
    good = json.loads((tmp_path / POINT).read_text())
    if data.draw(st.booleans()):
        (tmp_path / POINT).write_text(json.dumps(data.draw(changed(good))))
    else:
        (tmp_path / POINT).write_bytes(data.draw(damaged(json.dumps(good).encode())))
    read(sweep, tmp_path)


@pytest.mark.parametrize(
    "text",
    ["[grid", "experiment = 3", 'experiment = "figure2-linear"\n[grid]\n"a.b" = [1]', "a = " + "[" * 9999],
    ids=["cut", "kind", "key", "nested"],
)
def test_the_command_says_what_is_wrong(tmp_path, text):
    path = tmp_path / "mine.toml"
    path.write_text(text)
    result = CliRunner().invoke(app, ["sweep", str(path), "--out", str(tmp_path / "out")])
    said = result.output + result.stderr
    assert result.exit_code == 2 and "Traceback" not in said and "bug" not in said, said
    assert list(tmp_path.iterdir()) == [path]
