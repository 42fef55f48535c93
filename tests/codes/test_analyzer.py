"""The scikit-learn estimator, by scikit-learn's own checks."""

import numpy as np
import pytest

from nonlazy import codes
from tests.codes import synthetic_layers as layers


pytest.importorskip("sklearn", minversion="1.6")

from sklearn.base import clone
from sklearn.utils.estimator_checks import parametrize_with_checks


@parametrize_with_checks([codes.CodingSchemeAnalyzer()])
def test_checks_of_scikit_learn(estimator, check):
    check(estimator)


def test_the_estimator_finds_what_detect_finds():
    F, labels, *_ = layers.sigmoidal(np.random.default_rng(7100), 60, 60)
    names = np.array(["cat", "dog", "eel"])[labels]
    analyzer = codes.CodingSchemeAnalyzer(activation="sigmoid").fit(F.T, names)
    scheme = codes.detect(F, names, "sigmoid")
    assert analyzer.kind_ == scheme.kind == "redundant" and analyzer.classes_ == ("cat", "dog", "eel")
    np.testing.assert_array_equal(analyzer.codes_, scheme.codes)
    np.testing.assert_array_equal(analyzer.neuron_codes_, scheme.neuron_codes)
    np.testing.assert_array_equal(analyzer.fractions_, scheme.fractions)
    assert analyzer.n_features_in_ == 60 and str(analyzer.scheme_) == str(scheme)
    assert clone(analyzer).fit(F.T, labels, reference=F.T).kind_ == "none"


def test_without_scikit_learn_the_message_says_what_to_install(monkeypatch):
    import sys

    for name in [name for name in sys.modules if name.split(".")[0] == "sklearn"]:
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.delitem(sys.modules, "nonlazy.codes._analyzer")
    with pytest.raises(ImportError, match=r"pip install 'nonlazy\[sklearn\]'"):
        _ = codes.CodingSchemeAnalyzer
