"""GET and DELETE /v1/tuning: what was learnt of the weights that are tried, and forgetting it. Does not learn."""

from __future__ import annotations

import time

from serving.routes.shared import Served, router
from serving.schemas.tuning import ArmSaid, Tuning
from serving.service import Service

routes = router("tuning", "admin")


@routes.get("/v1/tuning", response_model=Tuning, summary="How the weights that are tried fare")
async def tuning(service: Served) -> Tuning:
    """As the store has it now; no arms where nothing is tried."""
    await service.tuned()
    return _said(service)


@routes.delete("/v1/tuning", response_model=Tuning, summary="Forget what was learnt of the weights")
async def forget(service: Served) -> Tuning:
    """Slates shown up to now teach nothing any more, on every replica; they stay in the store."""
    await service.stored(service.store.forget_outcomes, int(time.time()) + 1)
    await service.tuned()
    return _said(service)


def _said(service: Service) -> Tuning:
    bandit = service.tuner.bandit
    if bandit is None:
        return Tuning(arms=[])
    chances = bandit.chances()
    return Tuning(
        arms=[
            ArmSaid(name=arm.name, weights=dict(arm.weights), shown=arm.shown, won=arm.won, chance=chances[arm.name])
            for arm in bandit.arms
        ]
    )
