"""The experiments of the paper's supplement, as far as its text names them, one module each."""

from nonlazy.figures.supplement._descent import (
    S_DESCENT as S_DESCENT,
    S_EMERGENCE as S_EMERGENCE,
)
from nonlazy.figures.supplement._real_data import S_REAL_DATA as S_REAL_DATA
from nonlazy.figures.supplement._rectified import S_RECTIFIED as S_RECTIFIED
from nonlazy.figures.supplement._temperature import S_TEMPERATURE as S_TEMPERATURE
from nonlazy.figures.supplement._transitions import S_TRANSITIONS as S_TRANSITIONS
