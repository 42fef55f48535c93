"""A scikit-learn estimator of coding schemes. Importing it needs scikit-learn."""

from typing import Any

from nonlazy.codes._detect import detect
from nonlazy.errors import InvalidInput


try:
    from sklearn.base import BaseEstimator
    from sklearn.utils.multiclass import check_classification_targets
    from sklearn.utils.validation import check_array, validate_data
except ImportError as error:
    raise ImportError(
        "CodingSchemeAnalyzer needs scikit-learn 1.6 or later: pip install 'nonlazy[sklearn]'; nonlazy.codes.detect "
        "gives the same without it"
    ) from error


class CodingSchemeAnalyzer(BaseEstimator):
    """`nonlazy.codes.detect` as a scikit-learn estimator: inputs in rows, neurons in columns.

    **Arguments:** `activation`, `threshold`: as in `detect`.

    **Attributes** after `fit`: `scheme_`, the `CodingScheme`; from it `kind_`, `codes_`, `fractions_`, `neuron_codes_`
    and `confidence_`; `classes_`, the labels in sorted order; `n_features_in_`, the number of neurons.
    """

    def __init__(self, activation: Any = None, threshold: Any = None) -> None:
        self.activation = activation
        self.threshold = threshold

    def fit(self, X: Any, y: Any, reference: Any = None) -> "CodingSchemeAnalyzer":
        """Find the coding scheme.

        **Arguments:** `X`: activations `(inputs, neurons)`; `y`: class of each input; `reference`: an untrained
        network's activations on the same inputs, `(inputs, any number of neurons)`.

        **Returns:** the estimator itself.

        **Raises:** `nonlazy.errors.InvalidInput`, a ValueError, as `detect`; ValueError of scikit-learn's own checks.
        """
        if y is None:
            raise InvalidInput("CodingSchemeAnalyzer requires y to be passed, but the target y is None")
        X, y = validate_data(self, X, y, dtype="numeric", ensure_min_samples=2)
        check_classification_targets(y)
        if reference is not None:
            reference = check_array(reference).T
        self.scheme_ = detect(X.T, y, self.activation, self.threshold, reference)
        self.kind_ = self.scheme_.kind
        self.codes_ = self.scheme_.codes
        self.fractions_ = self.scheme_.fractions
        self.neuron_codes_ = self.scheme_.neuron_codes
        self.confidence_ = self.scheme_.confidence
        self.classes_ = self.scheme_.classes
        return self

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        return tags
