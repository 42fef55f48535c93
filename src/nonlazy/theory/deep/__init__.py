"""Deep sigmoidal networks on orthogonal inputs: the laws of all layers, solved together."""

from nonlazy.theory.deep._layer_codes import LayerCodes as LayerCodes
from nonlazy.theory.deep._prediction import DeepSigmoidalPrediction as DeepSigmoidalPrediction
from nonlazy.theory.deep._saturated import SaturatedCodes as SaturatedCodes, deep_limit as deep_limit
from nonlazy.theory.deep._solve import solve_deep as solve_deep
