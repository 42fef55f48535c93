"""Rectified networks with one hidden layer: outliers and bulk (docs/theory/rectified.md)."""

from nonlazy.theory.rectified._prediction import RectifiedPrediction as RectifiedPrediction
from nonlazy.theory.rectified._records import Bulk as Bulk, Outliers as Outliers
from nonlazy.theory.rectified._solve import solve_rectified as solve_rectified
