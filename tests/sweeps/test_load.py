"""Sweep files: what they mean, and what is said of those that cannot be used."""

import re
import time

import pytest

from nonlazy import sweeps
from nonlazy.errors import DataError, InvalidInput
from nonlazy.experiments import load as load_experiment
from nonlazy.sweeps._check import check_points
from nonlazy.sweeps._values import values_of
from tests.sweeps.conftest import EXPERIMENT


@pytest.fixture
def read(tmp_path):
    """The sweep of a text that is put below `experiment = "tiny.toml"`."""
    (tmp_path / "tiny.toml").write_text(EXPERIMENT, encoding="utf-8")

    def read(text, name="some", **arguments):
        path = tmp_path / f"{name}.toml"
        path.write_text(f'experiment = "tiny.toml"\n{text}', encoding="utf-8")
        return sweeps.load(path, **arguments)

    return read


def refused(read, text):
    with pytest.raises(InvalidInput) as caught:
        read(text)
    return str(caught.value)


def test_a_grid_is_every_combination_the_last_axis_fastest(read):
    sweep = read('[grid]\n"posterior.temperature" = [0.1, 1e-2]\n"task.y_minus" = [0.0, 0.5, 0.25]')
    assert (sweep.name, sweep.shape, sweep.labels) == ("some", (2, 3), ("temperature", "y_minus"))
    settings = [(p.experiment.posterior.temperature, p.experiment.task.y_minus) for p in sweep.points]
    assert settings == [(0.1, 0.0), (0.1, 0.5), (0.1, 0.25), (0.01, 0.0), (0.01, 0.5), (0.01, 0.25)]
    assert sweep.points[4].name == "temperature=0.01,y_minus=0.5"
    assert all(point.experiment.sampling.draws == 8 for point in sweep.points)


def test_keys_may_be_written_in_three_ways(read):
    one = read('[grid]\n"task.P" = [10, 12]\n')
    assert read("[grid]\ntask.P = [10, 12]\n").points == one.points
    assert read("[grid.task]\nP = [10, 12]\n").points == one.points


def test_linked_keys_share_an_axis(read):
    sweep = read(
        '[linked]\n"network.width" = [8, 10, 10]\ntask.P = [8, 8, 10]\n[grid]\nsampling.seed = {from = 0, to = 1}'
    )
    assert sweep.shape == (2, 3)
    assert [axis.keys for axis in sweep.axes] == [("sampling.seed",), ("network.width", "task.P")]
    assert [point.name for point in sweep.points[:3]] == [
        "seed=0,width=8,P=8", "seed=0,width=10,P=8", "seed=0,width=10,P=10"
    ]  # fmt: skip


def test_a_point_of_a_list_has_the_experiments_own_value_where_it_names_none(read):
    sweep = read("[[points]]\ntask.P = 10\n[[points]]\nposterior.temperature = 0.5\n")
    assert [dict(point.values) for point in sweep.points] == [
        {"task.P": 10, "posterior.temperature": 0.01}, {"task.P": 12, "posterior.temperature": 0.5}
    ]  # fmt: skip
    assert sweep.shape == (2,) and not sweep.axes


def test_fixed_changes_hold_at_every_point(read):
    sweep = read('[set]\nsampling.draws = 3\n"task.y_minus" = 0.5\n[grid]\ntask.P = [10, 12]\n')
    assert {(p.experiment.sampling.draws, p.experiment.task.y_minus) for p in sweep.points} == {(3, 0.5)}


def test_tables_and_lists_can_be_swept(read):
    sweep = read(
        '[grid]\nsampling.moves = ["none", {kind = "jump", every = 2}]\ntask.class_ratios = [[0.5, 0.5], [0.7, 0.3]]'
    )
    assert [point.name for point in sweep.points] == [
        "moves=none,class_ratios=0.5-0.5", "moves=none,class_ratios=0.7-0.3",
        "moves=jump-every=2,class_ratios=0.5-0.5", "moves=jump-every=2,class_ratios=0.7-0.3",
    ]  # fmt: skip


def test_two_keys_of_one_name_are_told_apart(read):
    sweep = read("[grid]\ntask.seed = [0, 1]\nsampling.seed = [0, 1]\n")
    assert sweep.labels == ("task_seed", "sampling_seed")


def test_long_or_odd_names_are_replaced_by_a_hash_that_stays_when_the_sweep_grows(read):
    sweep = read("[grid]\ntask.class_ratios = [[0.5, 0.5], [" + ", ".join(["0.015625"] * 12) + "]]")
    assert sweep.points[0].name == "class_ratios=0.5-0.5"
    assert sweep.points[1].name.startswith("point-")
    grown = read("[grid]\ntask.class_ratios = [[0.25, 0.75], [0.5, 0.5], [" + ", ".join(["0.015625"] * 12) + "]]")
    assert grown.points[2].name == sweep.points[1].name


def test_a_sweep_read_back_from_its_own_toml_is_the_same(read, tmp_path):
    for number, text in enumerate((
        '[linked]\nnetwork.width = [8, 10]\ntask.P = [8, 9]\n[grid]\nposterior.temperature = [0.1, 1]\n',
        "[[points]]\ntask.P = 10\n[[points]]\nposterior.temperature = 0.5\n",
    )):  # fmt: skip
        sweep = read('theory = true\nshow = "loss"\n[about]\nname = "mine"\ntitle = "T"\n' + text)
        assert "axes" not in sweep.to_toml()
        folder = tmp_path / str(number)
        folder.mkdir()
        (folder / "experiment.toml").write_text(sweep.base.to_toml(), encoding="utf-8")
        (folder / "sweep.toml").write_text(sweep.to_toml(), encoding="utf-8")
        assert sweeps.load(folder) == sweep


def test_axes_of_earlier_files_are_still_read(read):
    new = read("[grid]\ntask.y_minus = [0.0, 0.5]\n[linked]\nnetwork.width = [8, 10]\ntask.P = [8, 9]")
    old = read('[[axes]]\n"task.y_minus" = [0.0, 0.5]\n[[axes]]\n"network.width" = [8, 10]\n"task.P" = [8, 9]')
    assert old == new


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("figure2-sigmod", "did you mean 'figure2-sigmoid'"),
        ("mine", "nonlazy experiments lists"),
        ("none.toml", "there is no experiment file"),
        ("tiny", "for the file of that name write 'tiny.toml'"),
        ("x" * 5000, "is not known"),
        ("~no-such-user/none.toml", "there is no experiment file"),
    ],
)
def test_an_experiment_that_is_not_known_is_named_and_not_all_others(read, tmp_path, given, said):
    read("[grid]\ntask.P = [8]")
    (tmp_path / "two.toml").write_text(f'experiment = "{given}"\n[grid]\n"sampling.seed" = [0]', encoding="utf-8")
    with pytest.raises((InvalidInput, DataError)) as caught:
        sweeps.load(tmp_path / "two.toml")
    assert said in str(caught.value) and given in str(caught.value) and "figure7" not in str(caught.value)


def test_every_shipped_sweep_can_be_run():
    assert "phase-diagram" in sweeps.names()
    for name in sweeps.names():
        sweep = sweeps.load(name)
        assert sweep.name == name and sweep.title and sweep.description
        # Some of them: the data of all take seconds.
        check_points(name, sweep.points[::6])


def test_quick_takes_the_quick_size():
    sweep = sweeps.load("phase-diagram", quick=True)
    assert sweep.name == "phase-diagram-quick"
    assert sweep.base.network == load_experiment("figure2-sigmoid").quick().network


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "nothing is swept"),
        ('show = "los"\n[grid]\ntask.P = [8]', "did you mean 'loss'?"),
        ("[gird]\ntask.P = [8]", "'gird' is not known: did you mean 'grid'?"),
        ('theory = "yes"\n[grid]\ntask.P = [8]', "theory is 'yes': it must be true or false"),
        ("[grid]\nposterior.temprature = [0.1]", "did you mean 'posterior.temperature'?"),
        ("[grid]\ntemperature = [0.1]", "did you mean 'posterior.temperature'?"),
        ('[grid]\n"network.P" = [8]', "did you mean 'task.P'?"),
        ("[set]\nsampling.drws = 3\n[grid]\ntask.P = [8]", "did you mean 'sampling.draws'?"),
        ("[grid]\nfoo = [1]", "write section.key"),
        ("[grid]\ntask.P = 8", "give a list"),
        ("[grid]\ntask.P = []", "empty list"),
        ("[grid]\ntask.P = [8, 9, 8]", "has 8 twice"),
        ("[set]\ntask.P = 8\n[grid]\ntask.P = [8, 9]", "in [set] and swept as well"),
        ("[linked]\ntask.P = [8, 9]\n[grid]\ntask.P = [8, 9]", "task.P is swept twice"),
        ("[linked]\ntask.P = [8, 9]\nnetwork.width = [8]", "task.P 2, network.width 1"),
        ("[[points]]\ntask.P = 8\n[grid]\ntask.P = [8]", "leave it out, or leave out [grid]"),
        ("[[points]]\ntask.P = 12\n[[points]]\nnetwork.width = 16", "points 0 and 1 are the same experiment"),
        ("[grid]\nposterior.temperature = [-1.0, 1.0]\ntask.P = [8, 9]", "temperature=-1,P=8 (and 1 more): [po"),
        ('[about]\nname = "a/b"\n[grid]\ntask.P = [8]', "use letters, digits"),
    ],
)  # fmt: skip
def test_mistakes_are_named_with_what_would_be_right(read, text, expected):
    assert expected in refused(read, text)


def test_all_faults_are_said_at_once(read):
    said = refused(read, "[set]\ntask.P = 1\n[grid]\nfoo = [1]\ntask.P = [2]\nnetwork.widht = [2, 2]")
    assert all(part in said for part in ("'foo'", "swept as well", "'network.width'", "has 2 twice"))


def test_what_only_sampling_would_refuse_is_found_before_anything_runs(read, tmp_path):
    sweep = read('[grid]\ntask.P = [12, 20]\nnetwork.activation = ["sigmoid", "relu"]\n[set]\nsampling.moves = "jump"')
    with pytest.raises(InvalidInput, match=r"point P=12,activation=relu.*: Jumps need") as caught:
        sweeps.sweep(sweep, tmp_path / "out")
    assert "point P=20,activation=sigmoid (and 1 more)" in str(caught.value) and "N0 >= 20" in str(caught.value)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("text", "point", "said"),
    [
        ("[grid]\nsampling.devices = [1, 64]\n", "devices=64", "devices is 64, and JAX sees"),
        ("[grid]\nposterior.temperature = [0.1, 2.0]\n[set]\nsampling.start = {kind = 'annealed', temperature = 1.0}",
         "temperature=2", "annealing starts at temperature 1.0, not above the posterior's T = 2.0"),
        ("[grid]\ntask.y_plus = [1.0, 0.3]\n[set]\nsampling.start = {kind = 'continuation', y_minus = [0.5]}",
         "y_plus=0.3", "y- = 0.5 must stay below y+ = 0.3"),
        ("[grid]\nsampling.start = ['prior', 'annealed']\n[set]\n"
         "sampling.sampler = {kind = 'gradient-descent', step_size = 0.1}",
         "start=annealed", "gradient descent has no start Annealed"),
        ("[grid]\nsampling.seed = [1, 2147483648]", "seed=2147483648", "it must be below 2^31"),
        ("[grid]\nposterior.temperature = [0.0, 0.1]", "temperature=0", "temperature"),
    ],
)  # fmt: skip
def test_whatever_would_fail_in_a_point_fails_before_the_first_one(read, tmp_path, text, point, said):
    sweep = read(text)
    with pytest.raises(InvalidInput) as caught:
        sweeps.sweep(sweep, tmp_path / "out")
    assert f"point {point}: " in str(caught.value) and said in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_devices_are_counted_where_the_points_run(read, monkeypatch):
    sweep = read("[grid]\nsampling.devices = [2]")
    check_points("some", sweep.points, elsewhere=True)
    monkeypatch.setenv("XLA_FLAGS", "--xla_force_host_platform_device_count=2")
    check_points("some", sweep.points)
    batched = read("[grid]\nsampling.devices = [2]\n[set]\nsampling.chain_method = 'batched'")
    with pytest.raises(InvalidInput, match="chain_method is 'batched', and devices is 2"):
        check_points("some", batched.points, elsewhere=True)


def test_a_shipped_name_is_the_shipped_sweep_whatever_lies_here(read, tmp_path, monkeypatch):
    sweep = read("[grid]\ntask.P = [8, 9]")
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "phase-diagram"
    folder.mkdir()
    (folder / "experiment.toml").write_text(sweep.base.to_toml(), encoding="utf-8")
    (folder / "sweep.toml").write_text(sweep.to_toml(), encoding="utf-8")
    assert sweeps.load("phase-diagram").keys == ("posterior.temperature", "task.y_minus")
    for source in ("./phase-diagram", "phase-diagram/", folder):
        assert sweeps.load(source) == sweep


def test_files_that_are_no_sweeps(read, tmp_path):
    read("[grid]\ntask.P = [8]")
    with pytest.raises(InvalidInput, match="is an experiment, not a sweep"):
        sweeps.load(tmp_path / "tiny.toml")
    with pytest.raises(InvalidInput, match=r"folder without sweep\.toml"):
        sweeps.load(tmp_path)
    with pytest.raises(DataError, match="there is no file"):
        sweeps.load(tmp_path / "none.toml")
    with pytest.raises(InvalidInput, match="did you mean 'phase-diagram'"):
        sweeps.load("phase-diagramm")
    (tmp_path / "bad.toml").write_text("[grid\n", encoding="utf-8")
    with pytest.raises(InvalidInput, match="line 1"):
        sweeps.load(tmp_path / "bad.toml")


def test_points_are_selected_by_number_and_range(read):
    sweep = read("[grid]\ntask.P = {from = 3, to = 12}")
    assert sweep.select("3") == (3,)
    assert sweep.select("7:, 0,1:3,2") == (0, 1, 2, 7, 8, 9)
    assert sweep.select("::4") == (0, 4, 8)
    for text, said in (
        ("10", "no point 10"),
        ("12:14", "names no point"),
        ("a", "write numbers"),
        ("-1", "write numbers"),
    ):
        with pytest.raises(InvalidInput, match=said):
            sweep.select(text)


@pytest.mark.parametrize(
    ("given", "values"),
    [
        ({"from": 0, "to": 3}, [0, 1, 2, 3]),
        ({"from": 10, "to": 20, "steps": 3}, [10, 15, 20]),
        ({"from": 0.0, "to": 1.0, "steps": 3}, [0.0, 0.5, 1.0]),
        ({"from": 1e-3, "to": 1.0, "steps": 4, "scale": "log"}, [0.001, 0.01, 0.1, 1.0]),
        ({"from": 1.0, "to": -1.0, "steps": 2}, [1.0, -1.0]),
    ],
)
def test_ranges_have_both_ends(given, values):
    found, fault = values_of("task.P", given)
    assert fault is None and found == values and [type(v) for v in found] == [type(v) for v in values]


@pytest.mark.parametrize(
    "given",
    [
        {"from": 0.1, "to": 3.0}, {"from": 0, "to": 3, "steps": 1}, {"from": 0, "to": 1, "steps": 3, "scale": "log"},
        {"from": "a", "to": 1}, {"from": 1, "to": 2, "step": 3}, {"from": 1, "to": 2, "steps": 3, "scale": "ln"},
        {"from": 1.0, "to": 1.0000001, "steps": 9}, {"from": 3, "to": 1}, {"from": 1},
    ],
)  # fmt: skip
def test_ranges_that_make_no_sense_are_refused(given):
    assert values_of("task.P", given)[1] is not None


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"from": 1, "to": 10**12}, "task.P has 1000000000000 values: a sweep has at most 100000 points"),
        ({"from": 0.1, "to": 1.0, "steps": 10**9}, "task.P has 1000000000 values"),
        ({"from": 1, "to": 10**300}, r"task.P has more than 10\^18 values"),
        ({"from": 1, "to": 10**400}, "from a number to a number"),
        ({"from": -1e308, "to": 1e308, "steps": 3}, "too far apart"),
        (list(range(100_001)), "task.P has 100001 values"),
    ],
    ids=lambda value: str(value)[:30],
)  # fmt: skip
def test_more_values_than_a_sweep_may_have_are_refused_before_they_are_listed(given, said):
    values, fault = values_of("task.P", given)
    assert not values and fault is not None and re.search(said, fault)


def test_the_most_values_that_a_sweep_may_have_are_compared_quickly():
    begun = time.monotonic()
    assert values_of("sampling.seed", list(range(100_000)))[1] is None
    # Every value with every other would be 5e9 comparisons: minutes.
    assert time.monotonic() - begun < 20


def test_true_is_not_1_and_tables_are_compared_by_what_they_hold():
    assert values_of("a.b", [True, 1, [1, [2]], [1, [3]], {"a": [1], "b": 2}])[1] is None
    for twice in (1.0, [1, [2]], {"b": 2, "a": [1]}):
        fault = values_of("a.b", [1, [1, [2]], {"a": [1], "b": 2}, twice])[1]
        assert fault is not None and "twice" in fault


@pytest.mark.parametrize("section", ["[grid]", "[[points]]", "[linked]", "[set]"])
def test_values_nested_deeply_are_refused(read, section):
    deep = "[" * 401 + "1" + "]" * 401
    assert "levels of brackets: at most 20" in refused(read, f'{section}\n"posterior.temperature" = {deep}\n')


@pytest.mark.parametrize("value", ["1" * 5000, "[" * 3000, "2025-02-30"])
def test_what_python_cannot_read_is_an_error_of_the_file(read, value):
    with pytest.raises(InvalidInput):
        read(f"[grid]\ntask.P = {value}\n")
