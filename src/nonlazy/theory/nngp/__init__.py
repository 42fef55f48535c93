"""Gaussian processes: wide networks whose features do not learn, at any depth (docs/theory/gaussian-process.md)."""

from nonlazy.theory.nngp._activation_kernel import activation_kernel as activation_kernel
from nonlazy.theory.nngp._prediction import GaussianProcessPrediction as GaussianProcessPrediction
from nonlazy.theory.nngp._solve import gaussian_process as gaussian_process
