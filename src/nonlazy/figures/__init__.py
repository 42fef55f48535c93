"""The paper's figures: an experiment each, sampled, read and drawn; and the same report for any experiment."""

from nonlazy.figures._catalogue import (
    FIGURES as FIGURES,
    figure as figure,
    figure_definition as figure_definition,
)
from nonlazy.figures._codes import CodeRow as CodeRow
from nonlazy.figures._comparison import ComparisonRow as ComparisonRow
from nonlazy.figures._definition import (
    FigureData as FigureData,
    FigureDefinition as FigureDefinition,
    FigureRow as FigureRow,
)
from nonlazy.figures._experiment import (
    EXPERIMENT as EXPERIMENT,
    RUN as RUN,
    results_folder as results_folder,
    sample_experiment as sample_experiment,
)
from nonlazy.figures._outputs import (
    OutputRow as OutputRow,
    TestError as TestError,
    output_names as output_names,
)
from nonlazy.figures._panels import open_panels as open_panels
from nonlazy.figures._produce import (
    FigureResult as FigureResult,
    produce as produce,
    write_figure as write_figure,
)
from nonlazy.figures._report import (
    Report as Report,
    draw as draw,
    proof_of as proof_of,
    report as report,
    write as write,
)
from nonlazy.figures._theory import (
    solve_experiment as solve_experiment,
    write_prediction as write_prediction,
)
from nonlazy.figures.paper._figure2_column import (
    figure2 as figure2,
    figure2_experiment as figure2_experiment,
    figure2_name as figure2_name,
)
