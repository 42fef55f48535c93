"""The figures of van Meegen & Sompolinsky (2025), one module each."""

from nonlazy.figures.paper._figure1 import FIGURE_1 as FIGURE_1
from nonlazy.figures.paper._figure2 import FIGURE_2 as FIGURE_2
from nonlazy.figures.paper._figure3 import FIGURE_3 as FIGURE_3
from nonlazy.figures.paper._figure4 import FIGURE_4 as FIGURE_4
