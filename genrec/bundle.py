"""The bundle on disk: the only contract between training and serving. Immutable, hashed, torch-free to open.

    manifest.json  README.md  catalog.parquet  model/  adapter/ (perhaps)  index/  prompts/<language>/  priors/
    chat/ (perhaps: the voice that reads requests, and the phrasings that it learnt from)

Does not know how a model is trained or run (see model.loading).
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PureWindowsPath
from typing import Any

import polars as pl
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from genrec import __version__
from genrec.catalog import Catalog
from genrec.errors import BundleError, CorruptBundle, NewerBundle
from genrec.items.index import ItemIndex
from genrec.items.space import ItemSpace
from genrec.machine import versions
from genrec.prompting import Prompts, load_prompts
from genrec.storage import replaced, sha256

FORMAT = 1
_SPACE = "item_space.safetensors"
_PACKAGES = ("torch", "transformers", "peft", "trl", "tokenizers", "numpy", "polars")


class Refreshed(BaseModel):
    """One step of a bundle's descent: what it learnt over the bundle before it, and how sure the gain was."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    parent: str
    """Version of the bundle before."""
    strategy: str
    """How it was refreshed (`genrec.tuning.settings.RefreshSettings`)."""
    since: int
    """UTC seconds of the first new interaction."""
    until: int
    """UTC seconds of the last that was learnt."""
    events: int
    """New interactions that were learnt."""
    before: float
    """NDCG@10 of the bundle before, on later cases that neither had learnt."""
    after: float
    """NDCG@10 of this one on the same cases."""
    low: float
    """Lower bound of the paired 95 % interval of the difference."""
    high: float
    """Its upper bound."""


class Privacy(BaseModel):
    """What learning from people's histories has cost them (DP-SGD over users; `genrec.tuning.private`)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    epsilon: float
    """ε of one user with everything they chose, by the accountant."""
    delta: float
    """δ that goes with it."""
    noise: float
    """Standard deviation of the noise over the clip."""
    clip: float
    """Most that one user's gradient counts, in its Euclidean norm."""
    rate: float
    """Chance of every user to be in a step."""
    steps: int
    """Steps taken."""
    users: int
    """Users that were learnt from."""
    accountant: str
    """opacus' accountant that named ε."""


class Manifest(BaseModel):
    """What a bundle says of itself."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: int = FORMAT
    """Version of this layout."""
    written_by: str = ""
    """The genrec version that wrote it; a newer format is read by that or a later one."""
    base: str
    """`scratch`, or the base model's name."""
    revision: str | None = None
    """The base model's revision."""
    parent: str | None = None
    """Version of the bundle that training went on from."""
    learnt_until: int | None = None
    """UTC seconds of the last interaction that training saw: later ones are new to this bundle."""
    lineage: tuple[Refreshed, ...] = ()
    """The refreshes that led here, oldest first."""
    adapter: str | None = None
    """Kind of the adapter (`genrec.model.adapters.Kind`), or nothing where the weights are whole."""
    encoder: str = ""
    """What turned the items' texts into the vectors that the item space was fitted on."""
    language: str = "en"
    """Language of the prompts."""
    reasons_in: tuple[str, ...] = ()
    """Further languages that reasons are given in."""
    window: int
    """Items that a prompt shows at most."""
    context: int
    """Tokens that the model reads at most."""
    prior_weights: dict[str, float] = Field(default_factory=dict)
    """Weight of each prior, chosen on validation."""
    model_ranks: bool = True
    """Whether the model's log-probability joins the priors in a score; false where it added nothing on validation."""
    split: str
    """How training, validation and test were separated."""
    split_settings: dict[str, str | float] = Field(default_factory=dict)
    """The same as settings (kind and shares), so that an evaluation separates them again."""
    data_hash: str
    """Hash of the interactions that training saw."""
    seed: int
    """Seed of the run."""
    chat: str | None = None
    """How the voice that reads requests is kept in chat/: `full` weights or a `lora` adapter; None: there is none."""
    answers: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    """Task of an answer among few (rating, kind) → the answers that its tokens stand for; empty: none was learnt."""
    privacy: Privacy | None = None
    """What the adapter has cost the users that it learnt from; None: nothing was done to hide anybody."""
    metrics: dict[str, dict[str, float]] = Field(default_factory=dict)
    """Metric → value, low, high (bootstrap interval)."""
    packages: dict[str, str] = Field(default_factory=dict)
    """Package versions of the run."""
    files: dict[str, str] = Field(default_factory=dict)
    """Every other file's sha256, by path in the bundle."""

    @field_validator("files")
    @classmethod
    def _inside(cls, files: dict[str, str]) -> dict[str, str]:
        """Whoever copies by this list writes nowhere else. Windows' reading is the strictest: both slashes, drives."""
        for name in files:
            if PureWindowsPath(name).anchor or ".." in PureWindowsPath(name).parts:
                raise ValueError(f"{name!r} lies outside the bundle")
        return files


@dataclass(frozen=True)
class Bundle:
    """An opened bundle. Weights load only when asked for."""

    folder: Path
    manifest: Manifest

    @classmethod
    def open(cls, folder: str | Path, *, verify: bool = True) -> Bundle:
        """Reads the manifest and checks every file's hash.

        Raises BundleError (no bundle), NewerBundle (later format) or CorruptBundle (missing or changed file).
        """
        folder = Path(folder)
        bundle = cls(folder, _read(folder))
        if verify:
            bundle._verify()
        return bundle

    @classmethod
    def write(
        cls,
        folder: Path,
        manifest: Manifest,
        *,
        catalog: Catalog,
        index: ItemIndex,
        space: ItemSpace,
        prompts: Prompts,
        weights: Callable[[Path], None],
        card: str = "",
    ) -> Bundle:
        """Writes all parts aside, hashes them, then takes the folder's place.

        weights: fills model/, adapter/ and priors/ of the folder that it is given. Raises BundleError where something
        else stands or index and catalog differ, StorageError when the disk refuses: what stood there then still stands.
        """
        refuse_foreign(folder)
        if index.item_ids != catalog.item_ids:
            raise BundleError("index and catalog hold different items", remedy="index this very catalog, in its order")
        with replaced(folder) as new:
            weights(new)
            catalog.table.write_parquet(new / "catalog.parquet")
            index.save(new / "index")
            space.save(new / "index" / _SPACE)
            for one in prompts.every:
                shutil.copytree(one.folder, new / "prompts" / one.language)
            (new / "README.md").write_text(card, encoding="utf-8")
            files = [path for path in sorted(new.rglob("*")) if path.is_file()]
            hashes = {path.relative_to(new).as_posix(): sha256(path) for path in files}
            packages = {"genrec": __version__, **versions(_PACKAGES)}
            whole = manifest.model_copy(update={"files": hashes, "packages": packages, "written_by": __version__})
            (new / "manifest.json").write_text(whole.model_dump_json(indent=1), encoding="utf-8")
        return cls(folder, whole)

    def extended(self, folder: Path, fill: Callable[[Path], None], **stated: Any) -> Bundle:
        """This bundle with what `fill` writes into a copy of its folder, and these fields of the manifest anew.

        folder: where it is written; it may be this bundle's own, which then gives way once all is written. What stood
        there before stays as it is on disk until then. Raises BundleError, StorageError.
        """
        refuse_foreign(folder)
        with replaced(folder) as new:
            shutil.copytree(self.folder, new, dirs_exist_ok=True)
            (new / "manifest.json").unlink()
            fill(new)
            files = [path for path in sorted(new.rglob("*")) if path.is_file()]
            hashes = {path.relative_to(new).as_posix(): sha256(path) for path in files}
            whole = self.manifest.model_copy(update={**stated, "files": hashes, "written_by": __version__})
            (new / "manifest.json").write_text(whole.model_dump_json(indent=1), encoding="utf-8")
        return type(self)(folder, whole)

    @cached_property
    def catalog(self) -> Catalog:
        return Catalog.from_table(pl.read_parquet(self.folder / "catalog.parquet"))

    @cached_property
    def index(self) -> ItemIndex:
        return ItemIndex.load(self.folder / "index")

    @cached_property
    def space(self) -> ItemSpace:
        """Where new items find their codes."""
        return ItemSpace.load(self.folder / "index" / _SPACE)

    @property
    def version(self) -> str:
        """A short hash of everything the bundle holds."""
        return hashlib.sha256(json.dumps(self.manifest.files, sort_keys=True).encode()).hexdigest()[:12]

    @cached_property
    def prompts(self) -> Prompts:
        return load_prompts(self.folder / "prompts", self.manifest.language, self.manifest.reasons_in)

    def _verify(self) -> None:
        for name, wanted in self.manifest.files.items():
            path = self.folder / name
            if not path.is_file():
                raise CorruptBundle(
                    "a file of the bundle is missing", value=name, where=str(self.folder), remedy=_AGAIN
                )
            if sha256(path) != wanted:
                raise CorruptBundle("a file is not what was written", value=name, where=str(self.folder), remedy=_AGAIN)


_AGAIN = "copy the bundle again, or train it again"


def _read(folder: Path) -> Manifest:
    path = folder / "manifest.json"
    if not path.is_file():
        raise BundleError(
            "not a bundle: no manifest.json", value=str(folder), remedy="train one: genrec demo or genrec train"
        )
    try:
        data: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        found = int(data.get("format", 0))
    except (ValueError, TypeError, AttributeError, OverflowError) as cause:
        raise CorruptBundle("the manifest is not JSON", where=str(path), remedy=_AGAIN) from cause
    if found > FORMAT:
        raise NewerBundle(
            "the bundle is of a later format", value=found, where=str(path), allowed=f"up to {FORMAT}",
            remedy=f"use genrec {data.get('written_by') or 'of a later version'} or newer",
        )  # fmt: skip
    try:
        return Manifest.model_validate(data)
    except ValidationError as cause:
        first = cause.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise CorruptBundle(f"the manifest's {place}: {first['msg']}", where=str(path), remedy=_AGAIN) from cause


def refuse_foreign(folder: Path) -> None:
    """Raises BundleError where a bundle may not be written: there stands something that is no bundle."""
    if not folder.exists() or is_bundle(folder) or (folder.is_dir() and not any(folder.iterdir())):
        return
    raise BundleError("the place holds something else", value=str(folder), remedy="name a new folder, or empty it")


def is_bundle(folder: Path) -> bool:
    """Whether the manifest is of our kind: other programs, too, have a manifest.json."""
    try:
        data = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(data, dict) and {"files", "data_hash"} <= data.keys()
