"""The tables of a report on terminals of several widths, with names that are hard on them."""

import io
import re

import numpy as np
import pytest
from rich.console import Console

from nonlazy import Network, Posterior, sample
from nonlazy.cli._tables import print_report
from nonlazy.figures import report
from nonlazy.tasks import Task


NAMES = ("airplane", "[bold]automobile", "[/x]bird")


@pytest.fixture(scope="module")
def found():
    """The report of a tiny run whose classes have long names that look like styles."""
    labels = np.arange(12) % 3
    inputs = np.random.default_rng(0).standard_normal((12, 14))
    task = Task(X=inputs, Y=np.eye(3)[labels], labels=labels, class_names=NAMES, name="[i]vehicles")
    posterior = Posterior(Network(10, activation="sigmoid"), task, temperature=1e-2)
    return report(sample(posterior, 8, warmup=10, progress=False, chain_method="sequential"), "A [title]")


def printed(found, width):
    file = io.StringIO()
    print_report(found, Console(file=file, width=width))
    return file.getvalue()


@pytest.mark.parametrize("width", [60, 80, 200])
def test_codes_neurons_and_shares_are_never_cut(found, width):
    text = printed(found, width)
    for row in found.codes:
        assert re.search(rf"{row.code} +{row.neurons} +{row.fraction:.1%}", text), text


def test_every_class_has_its_number_of_inputs_beside_it(found):
    text = printed(found, 80)
    assert all(re.search(rf"{re.escape(name)} +4 +-?\d", text) for name in NAMES), text


def test_long_class_names_give_way_to_numbers_with_a_legend(found):
    assert "φ(airplane)" in printed(found, 200)
    narrow = printed(found, 80)
    assert "φ(airplane)" not in narrow and "φ(0)" in narrow
    assert "0 airplane, 1 [bold]automobile, 2 [/x]bird" in " ".join(narrow.split())


def test_names_are_printed_as_they_are(found):
    text = printed(found, 200)
    assert "[i]vehicles" in text and "a([bold]automobile)" in text


def test_the_quantities_that_decide_are_marked(found):
    text = printed(found, 80)
    assert "log density *" in text and "sum a^2 *" in text and "loss *" not in text
    assert "decides whether the chains have converged" in text and "MC error" in text


def test_the_table_of_codes_names_its_draw(found):
    assert f"Codes in draw {found.run.kept_draws[-1] + 1} of chain 0" in " ".join(printed(found, 200).split())
