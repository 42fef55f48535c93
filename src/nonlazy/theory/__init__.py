"""What the theory predicts of a posterior: `solve` and the `Prediction` it returns."""

from nonlazy.theory._codes import Codes as Codes
from nonlazy.theory._prediction import (
    GeneralizationError as GeneralizationError,
    Prediction as Prediction,
)
from nonlazy.theory._solve import solve as solve
from nonlazy.theory.linear import LinearPrediction as LinearPrediction
