"""What README.md of the benchmarks says can be typed in."""

import re
import shlex
import sys
from pathlib import Path

import pytest


README = Path(__file__).parents[2] / "benchmarks" / "README.md"
COMMANDS = re.findall(r"^python benchmarks/(\w+)\.py([^#\n]*)", README.read_text(encoding="utf-8"), re.MULTILINE)


def test_every_script_has_a_command():
    scripts = {path.stem for path in README.parent.glob("[!_]*.py")}
    assert {name for name, _ in COMMANDS} == scripts


@pytest.mark.parametrize(("script", "words"), [c for c in COMMANDS if c[0] == "sampling"])
def test_commands_of_sampling_parse(script, words, monkeypatch):
    import sampling

    monkeypatch.setattr(sys, "argv", [script, *shlex.split(words)])
    monkeypatch.setattr("importlib.util.find_spec", lambda package: package)
    sampling._parse()


@pytest.mark.parametrize(("script", "words"), COMMANDS)
def test_options_of_commands_exist(script, words):
    source = (README.parent / f"{script}.py").read_text(encoding="utf-8")
    for option in re.findall(r"--[\w-]+", words):
        assert f'"{option}"' in source
