"""Linear networks, any depth and input kernel, in closed form (docs/theory/linear.md)."""

from nonlazy.theory.linear._prediction import LinearPrediction as LinearPrediction
from nonlazy.theory.linear._solve import solve_linear as solve_linear
