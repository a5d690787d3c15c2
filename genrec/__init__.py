"""genrec: a generative recommender built on a fine-tuned causal language model."""

__version__ = "0.1.0"
