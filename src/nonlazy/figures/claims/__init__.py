"""The paper's claims, one by one: what decides each, fixed before any sample was drawn, and what was found."""

from nonlazy.figures.claims._claim import (
    Claim as Claim,
    Criterion as Criterion,
    Evidence as Evidence,
    judge as judge,
    verdict as verdict,
)
from nonlazy.figures.claims._page import (
    claims_page as claims_page,
    gather as gather,
)
from nonlazy.figures.claims._registry import (
    CLAIMS as CLAIMS,
    claims_of as claims_of,
)
