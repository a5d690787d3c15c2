"""Settings of the server: a YAML file, then GENREC_… variables, then flags. Does not know what uses them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from genrec.interest.profile import ProfilePolicy
from genrec.interest.window import WindowPolicy
from genrec.learning import Arm, Bandit, Weight
from genrec.settings import load_settings

PREFIX = "GENREC_"
OWN = "own"
"""The arm of the bundle's own weights."""
Positive = Annotated[float, Field(gt=0)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class EngineSettings(_Section):
    """The process that holds the language model."""

    kind: Literal["torch", "vllm"] = "torch"
    """Which engine runs the bundle."""
    device: str | None = None
    """`cpu`, `cuda`, `cuda:1`; nothing: the GPU where there is one. Only torch."""
    width: int = Field(50, ge=1, le=1000)
    """Beams of a search."""
    threads: int = Field(default_factory=lambda: max(1, (os.cpu_count() or 2) // 2), ge=1)
    """CPU threads of the model: half the cores where nothing is said. With all of them a small model waits for threads
    that others have, which was measured to cost twentyfold."""
    cache_gib: Positive = 1.0
    """GiB for keys and values of prompts. Only vllm."""
    batch: int = Field(8, ge=1, le=256)
    """Waiting requests that are ranked together at most."""
    timeout_s: Positive = 10.0
    """Seconds until a request stops waiting and takes the slate of the priors."""
    stuck_s: Positive = 30.0
    """Seconds beyond a request's time limit after which a silent process is ended and started again."""
    trips: int = Field(3, ge=1)
    """Failures or timeouts in a row after which nobody waits for the engine any more."""
    rest_s: Positive = 2.0
    """Seconds until one request tries it again."""
    start_s: Positive = 300.0
    """Seconds that loading the bundle may take."""


class LimitSettings(_Section):
    """What one request, one key and all of them together may ask for."""

    waiting: int = Field(7, ge=1)
    """Requests that the engine holds, in work and waiting; one more is answered 503 with Retry-After."""
    open: int = Field(256, ge=1)
    """Requests of all kinds in work at once; one more is answered 503."""
    body_bytes: int = Field(1 << 20, ge=1024)
    """Largest body; a larger one is answered 413 without being read."""
    k: int = Field(100, ge=1, le=200)
    """Largest slate."""
    history: int = Field(1000, ge=1)
    """Longest history in a request, and most interactions read of a stored one."""
    events: int = Field(1000, ge=1)
    """Most events in one request."""
    rate: Positive = 50.0
    """Requests per second and key, unless the key's own entry says otherwise; more are answered 429."""
    burst: int = Field(100, ge=1)
    """Requests of a key that may come at once."""


class TuneSettings(_Section):
    """Settings of the priors' weights that are tried on users, and learning which of them fares best."""

    arms: dict[str, dict[str, Weight]] = Field(default_factory=dict)
    """Name → weights of priors in place of the bundle's; the bundle's own always stand beside them as `own`. None:
    nothing is tried."""
    floor: float = Field(0.05, ge=0, lt=1)
    """Least chance of every arm."""
    memory: float = Field(5000, gt=1)
    """Slates under an arm after which it has forgotten all but 1/e."""
    settle_s: float = Field(600, ge=0)
    """Seconds that a slate has until it counts, with a click or without."""
    every_s: Positive = 60.0
    """Seconds between looks at what came of the slates."""

    @model_validator(mode="after")
    def _sound(self) -> TuneSettings:
        if OWN in self.arms:
            raise ValueError(f"an arm named {OWN} stands for the bundle's own weights already")
        if self.arms:
            self.bandit(self.arms)
        return self

    def bandit(self, names: Iterable[str]) -> Bandit | None:
        """With these of the arms beside the bundle's own, nothing learnt yet; None without any."""
        arms = [Arm(name=OWN, weights={}), *(Arm(name=name, weights=self.arms[name]) for name in names)]
        return Bandit(arms=tuple(arms), floor=self.floor, memory=self.memory) if len(arms) > 1 else None


class ServeSettings(_Section):
    """Everything that can be set."""

    bundle: Path
    """Folder of the bundle."""
    store: str = "sqlite:///genrec.db"
    """SQLAlchemy URL of the event store: SQLite for one server, postgresql:// for several."""
    host: str = "127.0.0.1"
    """Address to listen on; 0.0.0.0 only behind something that ends TLS."""
    port: int = Field(8000, ge=0, le=65535)
    """Port; 0 takes a free one."""
    keys: Path | None = None
    """File of hashed API keys (`genrec key`); nothing: one key for this run is made and printed."""
    log_secret: str = Field("", repr=False)
    """Key of the HMAC that user ids go through before they are logged; empty: another one each start."""
    drain_s: float = Field(2.0, ge=0)
    """Seconds between SIGTERM and closing the door: readyz says no, every answer closes its connection."""
    grace_s: Positive = 30.0
    """Seconds that requests in work may still take after that."""
    cached: int = Field(2048, ge=0)
    """Slates kept for the same request of a user without new events; 0 keeps none."""
    refresh_s: Positive = 5.0
    """Seconds between looks for catalog edits of other replicas, and for another bundle in the bundle's place."""
    beside: Path | None = None
    """Folder of further bundles of the same catalog, as adapters of one base: each is served by its folder's name, on
    one copy of the weights that they have in common; what is put there or taken away counts without a restart. Only
    torch."""
    page: bool = True
    """Whether `/` shows the page; its files need no key, all that it asks for does."""
    data: Path | None = None
    """Prepared data whose interactions go into the store when the server starts, so that its users are known; those
    that are there already stay as they are."""
    window: WindowPolicy = WindowPolicy()
    """What of a history the prompt shows."""
    profile: ProfilePolicy = ProfilePolicy()
    """What is said of the rest."""
    engine: EngineSettings = EngineSettings()
    limits: LimitSettings = LimitSettings()
    tune: TuneSettings = TuneSettings()
    """Weights that learn from clicks."""

    @model_validator(mode="after")
    def _one_process(self) -> ServeSettings:
        if self.beside is not None and self.engine.kind != "torch":
            raise ValueError("beside needs engine.kind=torch; vLLM serves LoRA by name from Python (docs/vllm.md)")
        return self


def settings_of(file: Path | None, overrides: Sequence[str], environment: Mapping[str, str]) -> ServeSettings:
    """File, then GENREC_ENGINE__TIMEOUT_S=3 and its like, then overrides `engine.timeout_s=3`; raises ConfigError."""
    return load_settings(ServeSettings, file, [*from_environment(environment), *overrides])


def from_environment(environment: Mapping[str, str] = os.environ) -> list[str]:
    """GENREC_ variables that name a setting, as overrides; others (GENREC_API_KEY of a client) are not ours."""
    known = {name.upper() for name in ServeSettings.model_fields}
    found = []
    for name, value in sorted(environment.items()):
        path = name.removeprefix(PREFIX)
        if name.startswith(PREFIX) and path.split("__")[0] in known:
            found.append(f"{path.lower().replace('__', '.')}={value}")
    return found
