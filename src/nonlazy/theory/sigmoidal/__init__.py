"""Sigmoidal networks with one hidden layer and orthogonal training inputs (docs/theory/sigmoidal.md)."""

from nonlazy.theory.sigmoidal._curves import (
    SchemeCurve as SchemeCurve,
    critical_temperature as critical_temperature,
    fractions_by_temperature as fractions_by_temperature,
    transitions as transitions,
)
from nonlazy.theory.sigmoidal._prediction import SigmoidalPrediction as SigmoidalPrediction
from nonlazy.theory.sigmoidal._problem import is_classwise as is_classwise
from nonlazy.theory.sigmoidal._schemes import (
    Scheme as Scheme,
    alternative_schemes as alternative_schemes,
)
from nonlazy.theory.sigmoidal._single_neuron import (
    SingleNeuron as SingleNeuron,
    single_neuron as single_neuron,
)
from nonlazy.theory.sigmoidal._solve import solve_sigmoidal_classes as solve_sigmoidal_classes
