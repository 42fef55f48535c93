"""Figures that go beyond the paper."""

from nonlazy.figures.ours._deep_relu import DEEP_RELU as DEEP_RELU
from nonlazy.figures.ours._equilibrium import EQUILIBRIUM as EQUILIBRIUM
from nonlazy.figures.ours._few_shot import FEW_SHOT as FEW_SHOT
from nonlazy.figures.ours._many_outputs import MANY_OUTPUTS as MANY_OUTPUTS
