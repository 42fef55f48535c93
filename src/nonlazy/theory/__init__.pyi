# lazy_loader reads this file at run time and wants relative imports.

from ._codes import Codes as Codes
from ._prediction import (
    GeneralizationError as GeneralizationError,
    Prediction as Prediction,
)
from ._solve import solve as solve
from .deep import (
    DeepSigmoidalPrediction as DeepSigmoidalPrediction,
    SaturatedCodes as SaturatedCodes,
    deep_limit as deep_limit,
)
from .linear import LinearPrediction as LinearPrediction
from .nngp import (
    GaussianProcessPrediction as GaussianProcessPrediction,
    gaussian_process as gaussian_process,
)
from .rectified import (
    Bulk as Bulk,
    Outliers as Outliers,
    RectifiedPrediction as RectifiedPrediction,
)
from .sigmoidal import (
    Scheme as Scheme,
    SchemeCurve as SchemeCurve,
    SigmoidalPrediction as SigmoidalPrediction,
    alternative_schemes as alternative_schemes,
    critical_temperature as critical_temperature,
    fractions_by_temperature as fractions_by_temperature,
    transitions as transitions,
)
from .sigmoidal.general import GeneralSigmoidalPrediction as GeneralSigmoidalPrediction
