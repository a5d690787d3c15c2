"""Evaluation: metrics, the full-ranking protocol, intervals, reports and baselines. Imports nothing by itself."""
