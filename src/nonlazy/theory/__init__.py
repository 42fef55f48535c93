"""What the theory predicts of a posterior: `solve` and the `Prediction` it returns."""

from nonlazy.theory._linear_prediction import LinearPrediction as LinearPrediction
from nonlazy.theory._prediction import (
    GeneralizationError as GeneralizationError,
    Prediction as Prediction,
)
from nonlazy.theory._solve import solve as solve
