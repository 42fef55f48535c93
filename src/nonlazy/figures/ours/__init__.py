"""Figures that go beyond the paper."""

from nonlazy.figures.ours._equilibrium import EQUILIBRIUM as EQUILIBRIUM
