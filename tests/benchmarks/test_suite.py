"""The suite keeps what was measured in full, and nothing else."""

import json
import sys

import pytest
import suite


CHILD = """
import pathlib, sys
words = sys.argv[1:]
out = pathlib.Path(words[words.index("--out") + 1])
print(*words)
if "--writes" in words:
    out.write_text('{"quick": %s}' % str("--quick" in words).lower())
sys.exit(int(words[words.index("--status") + 1]))
"""


@pytest.fixture
def runs(tmp_path, monkeypatch):
    """Writes a run's command; its script does what its words say."""
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "child.py").write_text(CHILD)
    monkeypatch.setattr(suite, "_HERE", tmp_path / "here")
    out = tmp_path / "results of a run"
    out.mkdir()

    def run(words, quick=False):
        monkeypatch.setitem(suite._RUNS, "made-up", f"child.py {words}")
        return suite._run("made-up", out, quick), out

    return run


def test_a_run_leaves_numbers_tables_and_log(runs):
    status, out = runs("--status 0 --writes --picture {out}/{stem}.png")
    assert status == 0
    assert sorted(path.name for path in out.iterdir()) == ["made-up.json", "made-up.log", "made-up.txt"]
    assert f"--picture {out}/made-up.png" in (out / "made-up.txt").read_text()


def test_a_run_that_is_there_is_not_made_again(runs):
    _, out = runs("--status 0 --writes")
    (out / "made-up.json").write_text("before")
    assert runs("--status 0 --writes")[0] == 0
    assert (out / "made-up.json").read_text() == "before"


def test_a_quick_run_is_no_result(runs):
    status, out = runs("--status 0 --writes --picture {out}/{stem}.png", quick=True)
    assert status == 0 and not (out / "made-up.json").exists()
    assert json.loads((out / "made-up-small.json").read_text()) == {"quick": True}
    assert "made-up-small.png" in (out / "made-up-small.txt").read_text()
    # Nor does it keep the full one from being made.
    assert runs("--status 0 --writes")[0] == 0
    assert json.loads((out / "made-up.json").read_text()) == {"quick": False}


def test_a_quick_run_says_so_once(runs):
    _, out = runs("--status 0 --writes --quick", quick=True)
    assert (out / "made-up-small.txt").read_text().split().count("--quick") == 1


def test_a_run_that_failed_is_no_result(runs):
    status, out = runs("--status 3 --writes")
    assert status == 3 and not (out / "made-up.json").exists()
    # What it left is not taken for the next run's numbers.
    status, out = runs("--status 0")
    assert status == 1 and not (out / "made-up.json").exists()
    assert runs("--status 0 --writes")[0] == 0
    assert (out / "made-up.json").exists()


@pytest.mark.parametrize("name", suite._RUNS)
def test_each_command_names_a_script(name):
    assert (suite._HERE / suite._RUNS[name].split()[0]).is_file()


@pytest.mark.parametrize("name", [name for name, words in suite._RUNS.items() if words.startswith("sampling.py")])
def test_each_sampling_command_parses(name, monkeypatch):
    import sampling

    monkeypatch.setattr(sampling.importlib.util, "find_spec", lambda package: package)
    monkeypatch.setattr(sys, "argv", suite._RUNS[name].split())
    arguments = sampling._parse()
    assert sampling._cases(arguments)
