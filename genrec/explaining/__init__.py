"""Why an item is recommended: evidence, words about it, and the check that the words hold. Knows no ranking."""

from genrec.explaining.checker import Checker, Verdict
from genrec.explaining.citing import Citing, Piece
from genrec.explaining.evidence import Evidence, Judge, Moved
from genrec.explaining.explainer import Explainer, Explanation, Length, Statement
from genrec.explaining.facts import Facts, SharedFact
from genrec.explaining.telling import Telling
from genrec.explaining.words import explain_examples

__all__ = [
    "Checker",
    "Citing",
    "Evidence",
    "Explainer",
    "Explanation",
    "Facts",
    "Judge",
    "Length",
    "Moved",
    "Piece",
    "SharedFact",
    "Statement",
    "Telling",
    "Verdict",
    "explain_examples",
]
