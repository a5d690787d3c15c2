"""Metrics, one per file. `ACCURACY` take (ranked, targets, k) and return float64 [cases]; the others judge slates.

ranked: item numbers, int [cases, at least k], best first, −1 for nothing. Does not know torch, splits or models.
"""

from genrec.evaluation.metrics.coverage import coverage
from genrec.evaluation.metrics.f1 import f1
from genrec.evaluation.metrics.gini import gini
from genrec.evaluation.metrics.hit_rate import hit_rate
from genrec.evaluation.metrics.intra_list_diversity import intra_list_diversity
from genrec.evaluation.metrics.mrr import mrr
from genrec.evaluation.metrics.ndcg import ndcg
from genrec.evaluation.metrics.novelty import novelty
from genrec.evaluation.metrics.precision import precision
from genrec.evaluation.metrics.recall import recall

ACCURACY = {"recall": recall, "ndcg": ndcg, "hit_rate": hit_rate, "mrr": mrr, "precision": precision, "f1": f1}

__all__ = [
    "ACCURACY",
    "coverage",
    "f1",
    "gini",
    "hit_rate",
    "intra_list_diversity",
    "mrr",
    "ndcg",
    "novelty",
    "precision",
    "recall",
]
