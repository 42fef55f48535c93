"""Each fault of an experiment file is named with what would be right, and all of them at once."""

import pytest

from nonlazy import experiments
from nonlazy.errors import InvalidInput


BASE = {
    "experiment": 'name = "mine"',
    "task": 'kind = "toy"\nP = 10\nN0 = 12',
    "network": "width = 10",
    "posterior": "temperature = 1e-2",
}


def message(tmp_path, **sections: str) -> str:
    text = "\n".join(f"[{name.replace('__', '.')}]\n{body}" for name, body in {**BASE, **sections}.items())
    path = tmp_path / "mine.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InvalidInput) as caught:
        experiments.load(path)
    return str(caught.value)


@pytest.mark.parametrize(
    ("sections", "expected"),
    [
        ({"posterior": "temperature = -1"}, "[posterior] temperature is -1: it must be 0 or more"),
        ({"posterior": "temperature = nan"}, "[posterior] temperature is nan: it must be a finite number"),
        ({"posterior": 'temperature = "cold"'}, "[posterior] temperature is 'cold': it must be a number"),
        ({"posterior": ""}, "[posterior] temperature is missing: it is the rescaled temperature"),
        (
            {"posterior": "temperature = 1\nweight_variance = [1.0, -2.0]"},
            "[posterior] weight_variance, entry 2, is -2.0: it must be above 0",
        ),
        (
            {"posterior": "temperature = 1\nweight_variance = 0"},
            "[posterior] weight_variance is 0: it must be above 0",
        ),
        ({"posterior": "temprature = 1"}, "[posterior] key 'temprature' is not known: did you mean 'temperature'?"),
        ({"network": "width = 0"}, "[network] width is 0: it must be 1 or more"),
        ({"network": "width = 10.5"}, "[network] width is 10.5: it must be a whole number"),
        ({"network": "width = true"}, "[network] width is true: it must be a whole number"),
        ({"network": 'width = 9\nactivation = "rellu"'}, "activation is 'rellu': did you mean 'relu'?"),
        ({"network": 'width = 9\nreadout = "nonlazy"'}, "readout is 'nonlazy': did you mean 'non-lazy'?"),
        ({"task": 'kind = "toi"'}, "[task] kind 'toi' is not known: did you mean 'toy'?"),
        ({"task": "P = 10"}, "[task] kind is missing: it can be 'toy'"),
        ({"task": 'kind = "toy"\nP = 10\nN0 = 12\nclass_ratios = [1]'}, "class_ratios is [1]: it must have 2 entries"),
        (
            {"task": 'kind = "mnist"\nP = "some"'},
            "[task] P is 'some': it must be a whole number, 1 or more, or \"all\"",
        ),
        ({"task": 'kind = "image_folder"'}, "[task] path is missing: it is the folder or archive, relative to this"),
        ({"experiment": 'name = "a/b"'}, "[experiment] name is 'a/b': use letters"),
        ({"sampling": 'start = "priro"'}, "[sampling] start 'priro' is not known: did you mean 'prior'?"),
        ({"sampling": 'sampler = { kind = "hmc", tau = 1 }'}, "[sampling.sampler] key 'tau' is not known"),
        ({"sampling": "moves = 3"}, "[sampling] moves is 3: it must be one of 'none', 'rotations', 'jump'"),
        ({"samplng": "draws = 1"}, "section 'samplng' is not known: did you mean 'sampling'?"),
        ({"quick__network": "widht = 5"}, "[quick.network] key 'widht' is not known: did you mean 'width'?"),
        ({"quick__netwrk": "width = 5"}, "[quick] section 'netwrk' is not known: did you mean 'network'?"),
        ({"quick__sampling": "draws = -1"}, "[quick.sampling] draws is -1: it must be 1 or more"),
    ],
)
def test_a_fault_is_named_with_what_would_be_right(tmp_path, sections, expected):
    assert expected in message(tmp_path, **sections)


def test_all_faults_come_at_once_and_in_plain_words(tmp_path):
    text = message(tmp_path, network="width = 0\ncolour = 1", posterior="temperature = -1", sampling="draws = 0")
    faults = text.splitlines()[1:]
    assert len(faults) == 4
    assert all(word not in text.lower() for word in ("pydantic", "validation", "input_value", "extra_forbidden"))


def test_a_missing_section_is_named(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text('[experiment]\nname = "mine"\n', encoding="utf-8")
    with pytest.raises(InvalidInput) as caught:
        experiments.load(path)
    assert all(f"section [{name}] is missing" in str(caught.value) for name in ("task", "network", "posterior"))


def test_a_value_in_place_of_a_section(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text("network = 3\n", encoding="utf-8")
    with pytest.raises(InvalidInput, match=r"network must be a section, \[network\]"):
        experiments.load(path)
