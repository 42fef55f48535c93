"""The pictures that figures are made of: arrays in, matplotlib figures out. Matplotlib loads on first use."""

from nonlazy.plots._along import (
    caption as caption,
    histories as histories,
    letter as letter,
    shares_along as shares_along,
)
from nonlazy.plots._badge import badge as badge
from nonlazy.plots._class_outputs import class_outputs as class_outputs
from nonlazy.plots._code_times import (
    code_times as code_times,
    colours_of_codes as colours_of_codes,
)
from nonlazy.plots._coding_scheme import (
    code_shares as code_shares,
    coding_scheme as coding_scheme,
)
from nonlazy.plots._compare import compare as compare
from nonlazy.plots._dots import dots_by_chain as dots_by_chain
from nonlazy.plots._error_bars import (
    error_bars as error_bars,
    error_colour as error_colour,
)
from nonlazy.plots._kernel import kernel as kernel
from nonlazy.plots._layer import layer as layer
from nonlazy.plots._layer_stack import (
    layer_stack as layer_stack,
    layer_stack_height as layer_stack_height,
)
from nonlazy.plots._mean_predictor import mean_predictor as mean_predictor
from nonlazy.plots._ordered_raster import (
    by_code as by_code,
    ordered_raster as ordered_raster,
)
from nonlazy.plots._outputs import outputs_against_targets as outputs_against_targets
from nonlazy.plots._posterior_panels import (
    densities_by_class as densities_by_class,
    stacked_densities as stacked_densities,
    values_over_time as values_over_time,
)
from nonlazy.plots._prediction import prediction as prediction
from nonlazy.plots._raster import activation_raster as activation_raster
from nonlazy.plots._readouts import (
    readout_map as readout_map,
    readout_scatter as readout_scatter,
)
from nonlazy.plots._rows import (
    Rows as Rows,
    rows_of as rows_of,
)
from nonlazy.plots._save import save as save
from nonlazy.plots._scheme_curve import scheme_curve as scheme_curve
from nonlazy.plots._share_dots import share_dots as share_dots
from nonlazy.plots._share_history import share_history as share_history
from nonlazy.plots._trace import trace as trace
