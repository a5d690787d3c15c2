"""Priors: everything that says one number per item beside the language model. Each in its small file."""

from genrec.priors.collaborative import Collaborative
from genrec.priors.content import Content, text_vectors
from genrec.priors.mix import Mix, MixScorer, Prior, standardised
from genrec.priors.popularity import Popular
from genrec.priors.recent import Recent
from genrec.priors.sequence import Sequential

__all__ = [
    "Collaborative",
    "Content",
    "Mix",
    "MixScorer",
    "Popular",
    "Prior",
    "Recent",
    "Sequential",
    "standardised",
    "text_vectors",
]
