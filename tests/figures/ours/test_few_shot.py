"""The figure of few-shot learning at a tiny size: features of images that were not trained on, table and picture."""

import numpy as np
import pytest

import nonlazy as nl
from nonlazy.errors import InvalidInput
from nonlazy.experiments import load
from nonlazy.figures import FIGURES, open_panels
from nonlazy.figures._panels import write_panels
from nonlazy.figures.ours import FEW_SHOT
from nonlazy.figures.ours._few_shot import SHOTS, read_with
from nonlazy.figures.ours._few_shot_features import feature_kernels, pool_of
from tests.sampling.runs import quick_compilation


def tiny(**network):
    return (
        load("few-shot-sigmoid")
        .quick()
        .changed(
            {
                "task": {"P": 24, "P_test": 20},
                "network": {"width": 30, **network},
                "sampling": {"draws": 8, "warmup": 30, "chains": 1, "snapshots": 2},
            }
        )
    )


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    made = {"sigmoid": tiny(), "sigmoid-lazy": tiny(readout="lazy")}
    with quick_compilation(str(tmp_path_factory.mktemp("compiled"))):
        return {name: nl.sample(one.build(), progress=False, **one.sampling_arguments()) for name, one in made.items()}


def test_pool_has_digits_that_were_not_trained_on(runs):
    task = runs["sigmoid"].task
    pool = pool_of(task, 30)
    assert (pool.old, pool.new) == ((0, 1), (2,))
    np.testing.assert_array_equal(pool.digits, np.repeat([0, 1, 2], 30))
    known = {row.tobytes() for row in task.X}
    assert not any(row.tobytes() in known for row in pool.X) and len(np.unique(pool.X, axis=0)) == 90
    assert pool.X.min() == pytest.approx(-0.1307 / 0.3081)


def test_tasks_without_a_new_digit_are_refused():
    with pytest.raises(InvalidInput, match="the digits 0, 1, 2 are all trained on"):
        pool_of(nl.tasks.mnist(12, (2, 0, 1), 0, source="embedded"))
    with pytest.raises(InvalidInput, match="not made of digits"):
        pool_of(nl.tasks.toy(10, 12))


def test_features_of_known_images_are_the_draws_own_and_of_others_the_posteriors(runs):
    run = runs["sigmoid"]
    X, N0 = run.task.X, run.task.N0
    kernels = feature_kernels(run, X)
    assert len(kernels) == len(run.kept_draws) == 2
    for kernel, draw in zip(kernels, run.kept_draws, strict=True):
        phi = run.activations(draw=draw).astype(float)
        np.testing.assert_allclose(kernel, phi.T @ phi / 30, atol=1e-6)
    # Beside the training images preactivations are N(0, |x|^2 / N0): mean 1/2 and a known second moment.
    direction = np.linalg.svd(X, full_matrices=True)[2][-200:] * np.sqrt(N0)
    found = np.mean([np.diag(kernel).mean() for kernel in feature_kernels(run, direction)])
    expected = nl.theory.gaussian_process(run.posterior).kernel(direction[:1])[0, 0]
    # Four standard errors of 2 x 30 x 200 independent squares of numbers between 0 and 1, fixed beforehand.
    assert found == pytest.approx(expected, abs=4 * 0.35 / np.sqrt(2 * 30 * 200))


def test_table_and_panels_say_the_same(runs, tmp_path):
    data = read_with(runs, 30, 4)
    rows = {(row.experiment, row.quantity): row for row in data.table}
    assert {name for name, _ in rows} == {"pixels", "sigmoid", "sigmoid-lazy"}
    panels = open_panels(write_panels(data.panels, tmp_path / "panels.zarr"))
    for name in ("sigmoid", "sigmoid-lazy"):
        shown = panels[name].to_dataset().sel(classifier="prototype", group="all")
        for k in SHOTS:
            row = rows[name, f"accuracy, all digits, k = {k}, prototype"]
            assert row.samples == pytest.approx(float(shown["accuracy"].sel(kind="samples", shots=k)))
            assert row.theory == pytest.approx(float(shown["accuracy"].sel(kind="theory", shots=k)))
            assert row.samples > 1 / 3
        old, new = (
            rows[name, f"accuracy, {words}, k = 5, prototype"].samples for words in ("old digits", "the new digit")
        )
        whole = rows[name, "accuracy, all digits, k = 5, prototype"].samples
        assert old is not None and new is not None and whole == pytest.approx((2 * old + new) / 3)
    # A linear Gaussian process has the kernel of the pixels; nothing predicts those.
    assert rows["pixels", "accuracy, all digits, k = 5, prototype"].theory is None
    figure = FEW_SHOT.draw(panels)
    assert any("Trained on 0, 1" in text.get_text() for text in figure.texts)


def test_full_size_learns_digits_that_only_the_whole_set_has():
    experiments = FEW_SHOT.experiments(False)
    assert list(experiments) == [f"{name}{lazy}" for name in ("linear", "sigmoid", "relu") for lazy in ("", "-lazy")]
    for name, one in experiments.items():
        assert one.network.readout == ("lazy" if name.endswith("-lazy") else "non-lazy")
        # More test images than the shipped subset has: without the whole set the figure is refused before it samples.
        assert one.task.kind == "mnist" and one.task.source == "auto" and one.task.P_test > 1500
    assert {"few-shot", "many-outputs", "deep-relu"} <= set(FIGURES)
