"""Damaged experiment files: one message that says where, exit status 2, never a traceback."""

import datetime
import tomllib

import pytest
import tomli_w
from hypothesis import given, strategies as st
from typer.testing import CliRunner

from nonlazy import experiments
from nonlazy.cli._app import app
from tests.fuzzing.mutations import FEW, damaged, outcome


TEXTS = {name: experiments.text(name) for name in experiments.names()}
VALUES = st.recursive(
    st.one_of(
        st.booleans(),
        st.integers(-(10**30), 10**30),
        st.floats(),
        st.text(max_size=8),
        st.sampled_from([0, -1, 1e400, "all", "sigmoid", "\0", "toy", datetime.date(2025, 1, 1), datetime.time(1)]),
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=4), inner, max_size=2)),
    max_leaves=5,
)


def load_all(path):
    experiment = experiments.load(path)
    experiment.to_tables()
    experiment.sampling_arguments()
    if experiment.quick_changes:
        experiment.quick()


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
    for _ in range(data.draw(st.integers(1, 3))):
        section = data.draw(st.sampled_from(sorted(document)))
        table = document[section]
        if isinstance(table, dict) and data.draw(st.integers(0, 5)):
            key = data.draw(
                st.one_of(st.sampled_from([*table, "path", "sampler", "start", "kind"]), st.text(max_size=5))
            )
            table[key] = data.draw(VALUES)
        else:
            document[section] = data.draw(VALUES)
    path = tmp_path / "mine.toml"
    path.write_text(tomli_w.dumps(document), encoding="utf-8")
    outcome(lambda: load_all(path))


BAD = {
    "nested": b"a = " + b"[" * 100_000,
    "digits": b"[network]\nwidth = " + b"9" * 5000,
    "kind": b'[experiment]\nname = "a"\n[task]\nkind = [1]\n',
    "latin": b"# \xe9\n",
    "zero": b"a = \0\n",
    "empty": b"",
    "date": b"a = 2025-02-30\n",
    "zip": b"PK\x03\x04" + bytes(100),
}


@pytest.mark.parametrize("name", BAD)
def test_the_command_says_what_is_wrong(tmp_path, name):
    path = tmp_path / "mine.toml"
    path.write_bytes(BAD[name])
    result = CliRunner().invoke(app, ["run", str(path), "--out", str(tmp_path / "out")])
    assert result.exit_code == 2, result.output
    said = result.output + result.stderr
    assert "mine.toml" in said and "Traceback" not in said and "bug" not in said
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("name", ["x" * 300 + ".toml", "~nobody-of-that-name/a.toml", "a\0.toml"])
def test_names_that_no_file_can_have(name):
    assert outcome(lambda: experiments.load(name)) == "refused"
