"""Pictures of sweeps whose numbers are made up: what is marked, what the axes say, and what is left out in words."""

import csv
import io
import math

import numpy as np
import pytest
from matplotlib.markers import CARETUP

from nonlazy import sweeps
from nonlazy.sweeps._absence import absent, need
from nonlazy.sweeps._gather import gather, table
from nonlazy.sweeps._picture import chosen, draw
from nonlazy.sweeps._places import logarithmic
from nonlazy.sweeps._quantities import FRACTIONS, names, show_fault
from nonlazy.sweeps._record import Record
from nonlazy.sweeps._words import key_words, quantity_words
from tests.sweeps.conftest import EXPERIMENT


@pytest.fixture
def read(tmp_path):
    def read(text):
        (tmp_path / "tiny.toml").write_text(EXPERIMENT, encoding="utf-8")
        (tmp_path / "some.toml").write_text(f'experiment = "tiny.toml"\n{text}', encoding="utf-8")
        return sweeps.load(tmp_path / "some.toml")

    return read


def record(loss, *, mcse=0.1, converged=1.0, theory=None, certified=1.0, **codes):
    return Record("done", found={
        "samples": {"loss": loss, "loss_mcse": mcse, "kind": "redundant"},
        "diagnostics": {"converged": converged, "rhat_max": 1.01 if converged else 1.5},
        "theory": {} if theory is None else {
            "loss": theory, "train_error": theory, "codes": 1.0, "certified": certified
        },
        "codes": codes.get("codes", {}),
    })  # fmt: skip


def texts(figure):
    return " ".join(word for text in figure.texts for word in text.get_text().split())


def marks(axes):
    """Faces of the points that are drawn, by their places."""
    found = {}
    for line in axes.lines:
        if line.get_marker() in ("o", CARETUP):
            face = "open" if line.get_markerfacecolor() == "white" else "full"
            for x, y in zip(line.get_xdata(), line.get_ydata(), strict=True):
                found[float(x)] = (float(y), "at the axis" if line.get_marker() == CARETUP else face)
    return found


def bars(axes):
    """The vertical bars that are drawn: by their places, half their height."""
    segments = [segment for bar in axes.collections for segment in bar.get_segments() if len(segment) == 2]
    return {float(a[0]): float(b[1] - a[1]) / 2 for a, b in segments if np.isfinite([a, b]).all() and b[1] > a[1]}


def test_points_that_have_not_converged_are_open_and_errors_that_are_unknown_have_no_bar(read):
    sweep = read('[grid]\n"posterior.temperature" = [0.01, 0.1, 1.0, 10.0, 100.0]')
    records = [record(1.0, mcse=0.25), record(2.0, mcse=0.0), record(3.0, mcse=None, converged=0.0),
               record(2.5, mcse="inf"), Record("failed")]  # fmt: skip
    data = gather(sweep, records)
    figure = draw(sweep, data, "loss")
    (axes,) = figure.axes
    assert marks(axes) == {0.01: (1.0, "full"), 0.1: (2.0, "full"), 1.0: (3.0, "open"), 10.0: (2.5, "full")}
    assert bars(axes) == {0.01: pytest.approx(0.25)}
    assert "bars: Monte Carlo error" in texts(figure) and "open: chains have not converged" in texts(figure)
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["samples", "samples, not converged"]
    rows = list(csv.DictReader(io.StringIO(table(sweep, data))))
    assert [row["converged"] for row in rows] == ["1", "1", "0", "1", ""] and rows[0]["loss_mcse"] == "0.25"


def test_where_all_is_well_nothing_is_said_of_what_is_not(read):
    sweep = read('[grid]\n"posterior.temperature" = [0.01, 0.1]')
    figure = draw(sweep, gather(sweep, [record(1.0, mcse=None), record(2.0, mcse=None)]), "loss")
    assert "open" not in texts(figure) and "bars" not in texts(figure) and figure.axes[0].get_legend() is None


@pytest.mark.parametrize(
    ("grid", "label", "scale"),
    [
        ('"posterior.temperature" = [0.001, 0.01, 0.1]', "temperature $T$", "log"),
        ('"task.y_minus" = [-0.5, 0.0, 0.5]', "target of the other classes $y_-$", "linear"),
        ('"network.width" = [10, 20, 30]', "width $N$", "linear"),
        ('"network.width" = [10, 20, 40]', "width $N$", "log"),
        ('"sampling.seed" = [1, 2, 3]', "seed of the chains", "linear"),
        ('"network.activation" = ["relu", "sigmoid", "linear"]', "activation $\\phi$", "linear"),
    ],
)
def test_axes_have_the_fields_words_and_the_grids_scale(read, grid, label, scale):
    sweep = read(f"[grid]\n{grid}")
    figure = draw(sweep, gather(sweep, [record(float(k + 1)) for k in range(3)]), "loss")
    (axes,) = figure.axes
    assert (axes.get_xlabel(), axes.get_xscale()) == (label, scale)
    assert "loss" in axes.get_ylabel() and "$" in axes.get_ylabel()
    assert len(axes.get_xticks()) == 3


def test_linked_keys_are_all_named(read):
    sweep = read('[linked]\n"network.width" = [8, 10]\n"task.P" = [8, 10]\n"task.N0" = [10, 12]')
    figure = draw(sweep, gather(sweep, [record(1.0), record(2.0)]), "loss")
    assert figure.axes[0].get_xlabel() == "width $N$ (with $P$, $N_0$)"


def test_numbers_that_are_decades_apart_have_a_logarithmic_axis(read):
    sweep = read('[grid]\n"posterior.temperature" = [0.01, 0.1]')
    scales = [
        draw(sweep, gather(sweep, [record(low), record(1.0)]), "loss").axes[0].get_yscale() for low in (1e-3, 0.5, -1.0)
    ]
    assert scales == ["log", "linear", "linear"]


def test_equal_ratios_are_logarithmic():
    assert logarithmic(np.array([25.0, 50.0, 100.0])) and logarithmic(np.array([0.1, 10.0]))
    assert not logarithmic(np.array([1.0, 2.0, 3.0])) and not logarithmic(np.array([0.0, 1.0, 100.0]))
    assert not logarithmic(np.array([5.0])) and not logarithmic(np.array([math.nan, 2.0, 3.0]))


GRID = """
[grid]
"posterior.temperature" = [0.01, 0.1]
"network.width" = [8, 10]
"""


def test_maps_circle_what_has_not_converged(read):
    sweep = read(GRID)
    records = [record(float(k), converged=float(k != 2), theory=0.5) for k in range(4)]
    figure = draw(sweep, gather(sweep, records), "loss")
    circles = [line for axes in figure.axes for line in axes.lines if line.get_marker() == "o"]
    # The third point is the warm one of the narrow network: second column, first row.
    assert [(round(line.get_xdata()[0]), round(line.get_ydata()[0])) for line in circles] == [(1, 0)]
    assert "circle: chains have not converged" in texts(figure)
    assert figure.axes[0].get_xlabel() == "temperature $T$" and figure.axes[0].get_ylabel() == "width $N$"


def crosses(axes):
    """Where crosses are drawn."""
    found = [line for line in axes.lines if line.get_marker() == "x"]
    return {(float(x), float(y)) for line in found for x, y in zip(line.get_xdata(), line.get_ydata(), strict=True)
            if np.isfinite([x, y]).all()}  # fmt: skip


def solved(train_error, theory, *, converged=1.0, certified=1.0):
    return Record("done", found={
        "samples": {"train_error": train_error}, "diagnostics": {"converged": converged},
        "theory": {"train_error": theory, "certified": certified},
    })  # fmt: skip


def test_maps_circle_points_that_have_no_number_and_cross_what_is_not_certified(read):
    """Of points that failed there is nothing to say; nor of the theory where it has no number."""
    sweep = read(GRID)
    records = [solved(None, 1.0, converged=0.0), solved(1.0, 2.0, certified=0.0),
               solved(2.0, None, certified=0.0), Record("failed")]  # fmt: skip
    data = gather(sweep, records)
    figure = draw(sweep, data, "train_error")
    samples, theory = (axes for axes in figure.axes if axes.get_title())
    circles = [line for line in samples.lines if line.get_marker() == "o"]
    assert [(round(line.get_xdata()[0]), round(line.get_ydata()[0])) for line in circles] == [(0, 0)]
    assert not crosses(samples) and {(round(x), round(y)) for x, y in crosses(theory)} == {(0, 1)}
    assert "circle: chains" in texts(figure) and "cross: the theory's solution is not certified" in texts(figure)
    assert "grey: points without this number, or not done" in texts(figure)
    (alone, _) = draw(sweep, data, "theory.train_error").axes
    assert {(round(x), round(y)) for x, y in crosses(alone)} == {(0, 1)}
    # The quantity itself says it.
    assert not crosses(draw(sweep, data, "theory.certified").axes[0])


def test_curves_cross_what_is_not_certified_and_mark_points_without_a_number_on_the_axis(read):
    sweep = read('[grid]\n"posterior.temperature" = [0.01, 0.1, 1.0]')
    records = [solved(1.0, 2.0, certified=0.0), solved(None, 3.0, converged=0.0), Record("failed")]
    figure = draw(sweep, gather(sweep, records), "train_error")
    (axes,) = figure.axes
    assert crosses(axes) == {(0.01, 2.0)}
    assert marks(axes) == {0.01: (1.0, "full"), 0.1: (0.0, "at the axis")}
    assert "theory, not certified" in [text.get_text() for text in axes.get_legend().get_texts()]
    assert "triangle at the axis: not converged" in texts(figure) and "cross: " in texts(figure)
    certified = draw(sweep, gather(sweep, [solved(1.0, 2.0)] * 3), "train_error")
    assert not crosses(certified.axes[0]) and "certified" not in texts(certified)


def test_lists_and_shares_of_codes_are_crossed_too(read):
    sweep = read("[[points]]\ntask.P = 10\n[[points]]\nposterior.temperature = 0.5\ntask.P = 8")
    data = gather(sweep, [solved(1.0, 2.0), solved(1.0, 3.0, certified=0.0)])
    assert crosses(draw(sweep, data, "train_error").axes[0]) == {(3.0, 1.0)}
    sweep = read('[grid]\n"posterior.temperature" = [0.01, 0.1]')
    codes = {"1-0": {"fraction": [0.5, 0.7], "theory": 0.75}, "0-1": {"fraction": [0.5, 0.3], "theory": 0.0}}
    records = [record(1.0, theory=1.0, certified=float(k), codes=codes) for k in range(2)]
    assert crosses(draw(sweep, gather(sweep, records), FRACTIONS).axes[0]) == {(0.01, 0.75)}


def test_the_table_begins_with_what_decides_the_worth_of_the_rest(read):
    sweep = read('[grid]\n"posterior.temperature" = [0.01, 0.1]')
    data = gather(sweep, [record(1.0, theory=2.0, certified=0.0), Record("failed")])
    rows = list(csv.reader(io.StringIO(table(sweep, data))))
    assert rows[0][:3] == ["point", "name", "posterior.temperature"]
    assert rows[0][3:8] == ["state", "converged", "rhat_max", "theory.certified", "seconds"]
    assert rows[1][3:7] == ["done", "1", "1.01", "0"] and rows[2][3:7] == ["failed", "", "", ""]
    cells = [dict(zip(rows[0], row, strict=True)) for row in rows[1:]]
    assert [(one["loss"], one["theory.train_error"]) for one in cells] == [("1", "2"), ("", "")]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("accuracy", 'needs test inputs, and the task of this sweep has none: one of kind "toy" never has'),
        ("test_error_mcse", "needs test inputs"),
        ("theory.train_error", "write theory = true"),
        ("equilibrium", "write theory = true"),
        ("outliers", "sparse coding scheme"),
        ("fraction[0-0]", "no neuron has this code"),
        ("lss", "did you mean 'loss'"),
    ],
)
def test_what_is_not_there_is_said_with_what_it_needs(read, name, said):
    sweep = read('[grid]\n"posterior.temperature" = [0.01, 0.1]')
    data = gather(sweep, [record(1.0, codes={"1-0": {"fraction": [1.0], "theory": None}}), Record("failed")])
    text = absent(name, sweep, data)
    assert said in text and "loss*" in text
    assert len(text.splitlines()) <= 6
    nothing = gather(sweep, [Record("missing"), Record("failed")])
    assert name == "lss" or "no point is done yet" in absent(name, sweep, nothing)


def test_test_inputs_are_advised_by_the_kind_of_the_task(tmp_path):
    task = '[task]\nkind = "mnist"\nP = 20\nP_test = 0\n'
    (tmp_path / "images.toml").write_text(EXPERIMENT[: EXPERIMENT.index("[task]")] + task
                                          + EXPERIMENT[EXPERIMENT.index("[network]") :], encoding="utf-8")  # fmt: skip
    text = 'experiment = "images.toml"\n[grid]\n"sampling.seed" = [0, 1]'
    (tmp_path / "some.toml").write_text(text, encoding="utf-8")
    sweep = sweeps.load(tmp_path / "some.toml")
    assert '"task.P_test" = 1000 below [set]' in need("accuracy", sweep, tests=False)
    assert need("accuracy", sweep, tests=True) is None and need("loss", sweep, tests=False) is None


@pytest.mark.parametrize(
    ("name", "near"),
    [("acuracy", "'accuracy'"), ("trainerror", "'train_error'"), ("rhat", "'rhat_max'"), ("error", "'train_error'"),
     ("fraction[110]", "'fraction[1-1-0]'"), ("theory.code", "'theory.codes'")],
)  # fmt: skip
def test_the_nearest_quantity_comes_first(name, near):
    said = show_fault(name)
    assert near in said.splitlines()[0] and len(said.splitlines()) <= 6


def test_the_theory_has_its_maps_along_a_third_parameter_too_and_a_fourth_is_named(read):
    sweep = read(f'{GRID}"task.y_minus" = [0.0, 0.5]\n"sampling.seed" = [3, 4]')
    records = [Record("done", found={
        "samples": {"train_error": 1.0 + k}, "theory": {"train_error": 101.0 + k}, "diagnostics": {"converged": 1.0}
    }) for k in range(16)]  # fmt: skip
    figure = draw(sweep, gather(sweep, records), "train_error")
    panels = {axes.get_title(): axes for axes in figure.axes if axes.get_title()}
    assert list(panels) == [
        "samples, $y_-$ = 0", "samples, $y_-$ = 0.5", "theory, $y_-$ = 0", "theory, $y_-$ = 0.5"
    ]  # fmt: skip
    assert "at seed of the chains = 3, the first of 2 values" in texts(figure)
    # Points 2, 6, 10 and 14 have y- = 0.5 and the first seed.
    assert panels["theory, $y_-$ = 0.5"].collections[0].get_array().ravel().tolist() == [103.0, 111.0, 107.0, 115.0]


def test_of_many_slices_the_first_are_drawn_and_the_picture_says_so(read):
    sweep = read(GRID + '"sampling.seed" = { from = 0, to = 6 }')
    figure = draw(sweep, gather(sweep, [record(float(k)) for k in range(28)]), "loss")
    assert "of 7 values of seed of the chains, the first 6 are shown" in texts(figure)


def test_shares_of_codes_are_open_too_and_a_lonely_value_of_the_theory_shows(read):
    sweep = read('[grid]\n"posterior.temperature" = [0.01, 0.1, 1.0]')
    codes = [
        {"1-0": {"fraction": [0.5, 0.7], "theory": 1.0}},
        {"1-0": {"fraction": [0.6, 0.6], "theory": None}, "1-1": {"fraction": [0.4, 0.4], "theory": 1.0}},
        {"1-0": {"fraction": [0.6, 0.6], "theory": 1.0}},
    ]
    records = [record(1.0, converged=float(k == 0), theory=1.0, codes=one) for k, one in enumerate(codes)]
    data = gather(sweep, records)
    assert chosen(sweep, data) == FRACTIONS
    figure = draw(sweep, data, FRACTIONS)
    (axes,) = figure.axes
    white = next(line for line in axes.lines if line.get_color() == "white")
    assert np.isfinite(np.asarray(white.get_ydata())).any() and "open: chains" in texts(figure)
    assert bars(axes) == {0.01: pytest.approx(0.1)}
    lonely = [line for line in axes.lines if line.get_marker() == "_" and line.get_markersize() == 7]
    heights = {float(x) for line in lonely for x, y in zip(line.get_xdata(), line.get_ydata(), strict=True) if y > 0}
    assert heights == {0.01, 0.1, 1.0}


def test_a_list_of_points_has_a_row_each(read):
    sweep = read("[[points]]\ntask.P = 10\n[[points]]\nposterior.temperature = 0.5\ntask.P = 8")
    figure = draw(sweep, gather(sweep, [record(1.0), record(2.0, converged=0.0)]), "loss")
    (axes,) = figure.axes
    assert [text.get_text() for text in axes.get_yticklabels()] == [point.name for point in sweep.points]
    assert marks(axes) == {1.0: (0.0, "full"), 2.0: (1.0, "open")}


def test_everything_has_words():
    for name in (*names(), "fraction[1-0]", "theory.fraction[1-0]"):
        assert "_" not in quantity_words(name).replace("a_i", "").replace("\\sum_i", "")
    assert key_words("task.project_to") == "input dimension $N_0$" and key_words("task.grey") == "grey"
