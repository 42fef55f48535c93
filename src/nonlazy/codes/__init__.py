"""From activations and labels to codes and coding schemes; takes arrays, knows no posterior."""

from typing import TYPE_CHECKING, Any

from nonlazy.codes._capture import capture as capture
from nonlazy.codes._captured import (
    Captured as Captured,
    LayerSchemes as LayerSchemes,
)
from nonlazy.codes._coding_scheme import (
    CodingScheme as CodingScheme,
    Kind as Kind,
)
from nonlazy.codes._detect import detect as detect
from nonlazy.codes._files import (
    LayerFile as LayerFile,
    load as load,
)
from nonlazy.codes._geometry import (
    Alignment as Alignment,
    NeuralCollapse as NeuralCollapse,
)
from nonlazy.codes._source import (
    Layer as Layer,
    as_layer as as_layer,
)
from nonlazy.codes._switching import (
    Switching as Switching,
    switching as switching,
)


if TYPE_CHECKING:
    from nonlazy.codes._analyzer import CodingSchemeAnalyzer as CodingSchemeAnalyzer


def __getattr__(name: str) -> Any:
    # The estimator needs scikit-learn, which nothing else here does.
    if name == "CodingSchemeAnalyzer":
        from nonlazy.codes._analyzer import CodingSchemeAnalyzer

        return CodingSchemeAnalyzer
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
