"""Weights that are tried: how they fare. Knows no route."""

from __future__ import annotations

from serving.schemas.shared import Answer


class ArmSaid(Answer):
    """weights: of priors in place of the bundle's, none: the bundle's own; shown, won: slates under it and those that
    were clicked, older ones faded; chance: that the next slate comes under it."""

    name: str
    weights: dict[str, float]
    shown: float
    won: float
    chance: float


class Tuning(Answer):
    """The bundle's own weights stand first."""

    arms: list[ArmSaid]
