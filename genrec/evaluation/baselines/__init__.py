"""Baselines, one per file: `fit`, `scores`, and a `tune` that looks at validation only.

SASRec is not imported here, because its file imports torch.
"""

from genrec.evaluation.baselines.ease import Ease
from genrec.evaluation.baselines.item_knn import ItemKnn
from genrec.evaluation.baselines.popularity import Popularity
from genrec.evaluation.baselines.recent_popularity import RecentPopularity

__all__ = ["Ease", "ItemKnn", "Popularity", "RecentPopularity"]
