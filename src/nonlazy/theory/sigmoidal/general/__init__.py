"""Sigmoidal networks with one hidden layer on general data (docs/theory/general-data.md)."""

from nonlazy.theory.sigmoidal.general._prediction import GeneralSigmoidalPrediction as GeneralSigmoidalPrediction
from nonlazy.theory.sigmoidal.general._solve import solve_sigmoidal_general as solve_sigmoidal_general
