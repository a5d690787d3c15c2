"""Why an item is recommended: evidence, words about it, and the check that the words hold. Knows no ranking."""

from genrec.explaining.checker import Checker, Verdict
from genrec.explaining.evidence import Evidence, Moved
from genrec.explaining.explainer import Explainer, Explanation
from genrec.explaining.facts import Facts, SharedFact
from genrec.explaining.telling import Telling
from genrec.explaining.words import explain_examples

__all__ = [
    "Checker",
    "Evidence",
    "Explainer",
    "Explanation",
    "Facts",
    "Moved",
    "SharedFact",
    "Telling",
    "Verdict",
    "explain_examples",
]
