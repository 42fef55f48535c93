"""Figure 5: codes over time on arrays with known answers, and from runs of seconds."""

import numpy as np
import pytest

from nonlazy.codes import detect
from nonlazy.figures import open_panels
from nonlazy.figures._panels import write_panels
from nonlazy.figures._statistics import (
    class_means_over_time,
    code_name_of,
    code_numbers,
    code_shares_of,
    drift_of_shares,
    kept_outliers,
    same_code,
)
from nonlazy.figures.paper._figure5 import FIGURE_5, _by_chance
from nonlazy.plots._code_times import code_times, colours_of_codes
from tests.figures.image_runs import claim_keys, run


@pytest.fixture(scope="module")
def data():
    return FIGURE_5.read({"continuation": run("deep"), "quench": run("deep"), "relu": run("relu")})


def test_experiments_are_three_starts_with_five_chains_and_a_rectified_network():
    for quick in (False, True):
        found = FIGURE_5.experiments(quick)
        assert list(found) == ["continuation", "quench", "planted", "relu"]
        sigmoid = [found[name] for name in ("continuation", "quench", "planted")]
        assert [one.sampling.start.kind for one in sigmoid] == ["continuation", "prior", "planted"]
        assert sum(one.sampling.chains for one in sigmoid) >= 5
        assert all(one.sampling.moves is not None and one.sampling.moves.kind == "none" for one in sigmoid)


def test_codes_are_binary_numbers_with_the_first_class_on_top():
    means = np.array([[0.9, 0.8, 0.1], [0.2, 0.6, 0.7], [0.1, 0.2, 0.3]])
    numbers = code_numbers(means)
    assert numbers.tolist() == [6, 3, 0]
    assert [code_name_of(int(number), 3) for number in numbers] == ["1-1-0", "0-1-1", "0-0-0"]
    np.testing.assert_allclose(code_shares_of(numbers, 3), [1 / 3, 0, 0, 1 / 3, 0, 0, 1 / 3, 0])


def test_single_neurons_may_switch_while_the_shares_stay():
    generator = np.random.default_rng(1)
    codes = np.repeat([6, 5, 3, 7], 50)
    still = np.array([codes] * 8)
    shuffled = np.array([generator.permutation(codes) for _ in range(8)])
    assert same_code(still) == 1 and drift_of_shares(still, 3) == 0
    # Of four equal shares a quarter of the neurons agree by chance, give or take a standard deviation of .03.
    assert same_code(shuffled) == pytest.approx(0.25, abs=0.15) and drift_of_shares(shuffled, 3) == 0
    moved = still.copy()
    moved[-2:, :40] = 7
    assert drift_of_shares(moved, 3) == pytest.approx(40 / 200)
    assert same_code(moved) == pytest.approx(1 - 40 / 200)


def test_shares_of_independent_neurons_differ_by_chance():
    generator = np.random.default_rng(3)
    numbers = generator.choice([6, 5, 3, 4, 2, 1], size=(400, 2, 100))
    found = np.mean([drift_of_shares(chain, 3) for chain in numbers])
    # The mean of 400 has a standard error below .002; the Gaussian approximation errs by a few per cent.
    assert _by_chance({"a": {"first": numbers}}, 3) == pytest.approx(found, abs=0.01)


def test_outliers_are_kept_where_their_codes_are():
    generator = np.random.default_rng(2)
    labels = np.repeat(np.arange(3), 20)

    def layer(strong):
        activations = np.abs(generator.standard_normal((60, 60)))
        for neuron, c in strong.items():
            activations[neuron, labels == c] += 20.0
        return detect(activations, labels, "relu")

    first = layer({0: 0, 1: 1, 2: 2})
    assert first.kind == "sparse"
    assert kept_outliers(first, layer({0: 0, 1: 1, 2: 2})) == 1
    assert kept_outliers(first, layer({0: 0, 1: 2, 3: 1})) == pytest.approx(1 / 3)
    nothing = detect(generator.random((60, 60)), labels, "relu")
    assert np.isnan(kept_outliers(nothing, first))


def test_every_claim_is_measured_on_the_worst_chain(data):
    assert set(data.measured) == claim_keys("5")
    means = class_means_over_time(run("deep"), -1)
    assert means.shape == (2, 10, 30, 3)
    phi, labels = run("deep").activations(draw=9, chain=1), run("deep").task.labels
    np.testing.assert_allclose(means[1, 9, :, 2], phi[:, labels == 2].mean(axis=1), rtol=1e-5)
    codes = code_numbers(means)
    assert data.measured["14.feature"] == min(same_code(chain) for chain in codes)
    # Digits are not orthogonal: the deep theory does not cover them, and the notes say so.
    assert any("no theory" in note for note in data.notes) and any("depend on the start" in note for note in data.notes)
    shares = [row for row in data.table if row.quantity.startswith("feature layer: share of ")]
    assert {row.experiment for row in shares} == {"continuation", "quench"}
    # Shares of a hundredth and less have no row.
    assert sum(row.samples for row in shares if row.experiment == "quench") > 0.9


def test_the_picture_is_drawn_from_panels_read_back(data, tmp_path):
    panels = open_panels(write_panels(data.panels, tmp_path / "panels.zarr"))
    figure = FIGURE_5.draw(panels)
    titles = [axes.get_title(loc="left") for axes in figure.axes]
    assert titles.count("last one, sorted anew") == 2 and "ReLU, first layer" in titles
    dots = next(axes for axes in figure.axes if axes.get_title(loc="left").startswith("feature layer: shares"))
    starts = [line.get_label() for line in dots.lines if not str(line.get_label()).startswith("_")]
    assert starts == ["continuation", "quench"]


def test_rows_of_codes_over_time_are_sorted_by_the_first_code():
    from matplotlib.figure import Figure

    axes = Figure().add_subplot()
    colours = colours_of_codes([3, 6, 5], 3)
    assert list(colours) == [6, 5, 3, -1] and len(set(colours.values())) == 4
    # Whatever codes there are, one has the colour that it has everywhere.
    assert colours_of_codes([7, 6], 3)[6] == colours[6]
    codes = np.array([[3, 6, 5, -1], [6, 6, 5, -1]])
    code_times(axes, codes, np.array([10.0, 20.0]), colours)
    from matplotlib.colors import to_rgb

    image = np.asarray(axes.images[0].get_array())
    np.testing.assert_allclose(image[:, 0], [to_rgb(colours[k]) for k in (6, 5, 3, -1)])
    np.testing.assert_allclose(image[2, -1], to_rgb(colours[6]))
