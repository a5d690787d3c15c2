"""The engine at work: loads a bundle, ranks what waits together, ends when the server's end of the socket closes.

Torch or vLLM. Runs in a process of its own (serving.engine.template). Knows no HTTP, users or stores.
"""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import threading
import time
import traceback
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import generate_latest

from genrec.batching import Ask, recommend_many
from genrec.bundle import Bundle
from genrec.changing import ItemChange
from genrec.chatting.conversation import Leaning
from genrec.chatting.request import Request
from genrec.decoding.engine import Engine
from genrec.decoding.meter import Meter, Prometheus
from genrec.errors import EngineDied, GenrecError, IndexingError
from genrec.model.common import Common
from genrec.model.loading import load
from genrec.reader import Reader
from genrec.recommender import Recommender
from serving.beside import lying, opened
from serving.engine.messages import (
    Broken,
    Change,
    Done,
    Failed,
    Fits,
    Hold,
    Late,
    Load,
    Measured,
    Rank,
    Read,
    Ready,
    Tell,
    Unchanged,
    Use,
)

_FORMER_S = 60.0  # that a bundle stays after it was replaced, for requests that name it


def serve(connection: Connection, settings: dict[str, Any]) -> None:
    """Answers what comes until the connection ends; settings: of the engine, and the bundle's folder."""
    waiting: queue.SimpleQueue[Any] = queue.SimpleQueue()
    threading.Thread(target=_read, args=(connection, waiting), daemon=True).start()
    started = time.monotonic()
    try:
        desk = Desk(settings, waiting)
    except GenrecError as error:
        connection.send(Broken(error))
        return
    took = time.monotonic() - started
    connection.send(Ready(desk.recommender.version, took, os.getpid(), frozenset(desk.beside)))
    while True:
        connection.send(Measured(desk.measured()))
        while waiting.empty() and desk.prepare():
            pass
        for reply in desk.work(_taken(waiting, settings["batch"])):
            connection.send(reply)


def _read(connection: Connection, waiting: queue.SimpleQueue[Any]) -> None:
    try:
        while True:
            waiting.put(connection.recv())
    except (EOFError, OSError):
        end()  # the server is gone, whatever we are at is for nobody


def end() -> None:
    """This process and those it started (vLLM's) end at once."""
    if os.getpgrp() == os.getpid():
        with contextlib.suppress(ProcessLookupError):
            os.killpg(os.getpid(), signal.SIGKILL)
    os._exit(0)


def _taken(waiting: queue.SimpleQueue[Any], most: int) -> list[Any]:
    """What waits, at least one; an edit of the catalog, or another bundle, ends a batch."""
    taken = [waiting.get()]
    while len(taken) < most and not isinstance(taken[-1], Change | Use):
        try:
            taken.append(waiting.get_nowait())
        except queue.Empty:
            break
    return taken


@dataclass(frozen=True)
class Opened:
    """A bundle ready for use."""

    recommender: Recommender
    reader: Reader | None

    @classmethod
    def of(cls, settings: dict[str, Any], meter: Meter, common: Common) -> Opened:
        recommender = _opened(settings, meter, common)
        return cls(recommender, Reader.open(recommender.bundle))


@dataclass(frozen=True)
class Loaded:
    """What a thread tells the desk: the bundle, or why there is none."""

    number: int
    opened: Opened | None = None
    error: Exception | None = None


@dataclass(frozen=True)
class Gathered:
    """What a thread tells the desk: those of the bundles beside the main one that it lacked, or why there are none."""

    asked: Hold
    new: dict[str, Recommender] = field(default_factory=dict)
    error: Exception | None = None

    @property
    def number(self) -> int:
        return self.asked.number


class Desk:
    """A recommender and what is done with it. waiting: where a thread that loads a bundle puts what came of it."""

    _loaded: Opened | None = None
    """Not yet in use."""

    _ahead: Iterator[None]
    """What is left to prepare for later requests."""

    def __init__(self, settings: dict[str, Any], waiting: queue.SimpleQueue[Any]) -> None:
        from genrec.cli.shared import quiet_models

        quiet_models()
        self._settings, self._waiting = settings, waiting
        self._registry = CollectorRegistry()
        self._meter = Prometheus(self._registry)
        self._common = Common()
        self._former: dict[str, tuple[Recommender, float]] = {}
        """In use before, for requests that name them, and until when."""
        self.beside: dict[str, Recommender] = {}
        """By version, for requests that name it."""
        self._take(Opened.of(settings, self._meter, self._common))
        for folder in lying(settings["beside"] and Path(settings["beside"])).values():
            with contextlib.suppress(GenrecError):  # the server has said why
                bundle = opened(folder, self.recommender.bundle.catalog)
                self._put_beside({bundle.version: self._recommender(folder)})

    def _recommender(self, folder: Path) -> Recommender:
        return _opened({**self._settings, "bundle": str(folder)}, self._meter, self._common)

    def _put_beside(self, new: dict[str, Recommender]) -> None:
        self.beside |= new
        self._ahead = chain(self._ahead, *(one.explainer.prepare() for one in new.values()))

    def _take(self, opened: Opened) -> None:
        self.recommender, self.reader = opened.recommender, opened.reader
        self._meter.catalog(self.recommender.fusion.asking.index.version)
        self._ahead = chain(self.recommender.explainer.prepare(), warmed(self.recommender, self.reader))

    def prepare(self) -> bool:
        """Something for later requests, of a fraction of a second; whether there is more to do."""
        try:
            next(self._ahead)
        except (StopIteration, GenrecError):  # a request that needs it will say what is wrong
            return False
        return True

    def measured(self) -> bytes:
        return generate_latest(self._registry)

    def work(self, messages: list[Any]) -> Iterator[Any]:
        """Replies, those first that take little: late ones, slates in one pass, then all with reasons."""
        now = time.monotonic()
        self._former = {version: kept for version, kept in self._former.items() if now <= kept[1]}
        late = [one for one in messages if not isinstance(one, Change | Use | Loaded | Gathered) and one.deadline < now]
        todo = [one for one in messages if one not in late]
        yield from (Late(one.number) for one in late)
        plain = [one for one in todo if isinstance(one, Rank) and not one.explain and self._known(one)]
        for version in dict.fromkeys(one.version for one in plain):
            yield from self._together([one for one in plain if one.version == version])
        yield from (reply for one in todo if one not in plain and (reply := self._done(one)) is not None)

    def _together(self, asked: list[Rank]) -> list[Done | Failed]:
        """One pass for all; where one of them is wrong, each by itself, so that it costs only that one."""
        if len(asked) > 1:
            try:
                made = recommend_many(self._of(asked[0]), [self._ask(one) for one in asked])
                return [Done(one.number, slate, len(asked)) for one, slate in zip(asked, made, strict=True)]
            except Exception:
                pass
        return [self._done(one) for one in asked]

    def _done(self, message: Any) -> Any:
        if isinstance(message, Change):
            return self._change(message)
        if isinstance(message, Use):
            self._use(message)
            return None
        if isinstance(message, Load | Hold):
            work = self._load if isinstance(message, Load) else self._gather
            threading.Thread(target=work, args=(message,), daemon=True).start()
            return None
        try:
            return Done(message.number, self._answer(message))
        except EngineDied:
            end()  # the server starts us again
        except GenrecError as error:
            return Failed(message.number, error)
        except Exception as error:
            where = tuple(f"{one.filename}:{one.lineno}" for one in traceback.extract_tb(error.__traceback__)[-5:])
            return Failed(message.number, None, type(error).__name__, where)

    def _load(self, asked: Load) -> None:
        """In a thread of its own, while the desk goes on answering."""
        try:
            opened = Opened.of({**self._settings, "bundle": asked.folder}, self._meter, self._common)
            self._waiting.put(Loaded(asked.number, opened))
        except Exception as error:
            self._waiting.put(Loaded(asked.number, error=error))

    def _told_loaded(self, told: Loaded) -> str:
        if told.error is not None:
            raise told.error
        assert told.opened is not None
        self._loaded = told.opened
        return told.opened.recommender.version

    def _use(self, message: Use) -> None:
        if self._loaded is None or self._loaded.recommender.version != message.version:
            end()  # the server starts us again, with the bundle that lies there
            return
        self._leave(self.recommender)
        self._take(self._loaded)
        self._loaded = None

    def _leave(self, recommender: Recommender) -> None:
        self._former[recommender.version] = recommender, time.monotonic() + _FORMER_S

    def _gather(self, asked: Hold) -> None:
        """In a thread of its own, as `_load`."""
        try:
            missing = {version: folder for version, folder in asked.folders.items() if version not in self.beside}
            new = {version: self._recommender(Path(folder)) for version, folder in missing.items()}
            if wrong := [version for version, one in new.items() if one.version != version]:
                raise RuntimeError(f"another bundle lies in the place of {wrong[0]}")
            self._waiting.put(Gathered(asked, new))
        except Exception as error:
            self._waiting.put(Gathered(asked, error=error))

    def _told_gathered(self, told: Gathered) -> None:
        if told.error is not None:
            raise told.error
        new = told.new
        for change in told.asked.changes:
            new = {version: self._with(one, change.changes, change.edition) for version, one in new.items()}
        for version in self.beside.keys() - told.asked.folders.keys():
            self._leave(self.beside.pop(version))
        self._put_beside(new)

    def _known(self, asked: Rank | Tell) -> Recommender | None:
        """The recommender that the request names; None: it is gone."""
        if asked.version in ("", self.recommender.version):
            return self.recommender
        return self.beside.get(asked.version) or self._former.get(asked.version, (None,))[0]

    def _of(self, asked: Rank | Tell) -> Recommender:
        if (found := self._known(asked)) is None:
            raise RuntimeError("the bundle that this request names is gone")
        return found

    def _answer(self, message: Rank | Read | Tell | Fits | Loaded | Gathered) -> Any:
        if isinstance(message, Loaded):
            return self._told_loaded(message)
        if isinstance(message, Gathered):
            return self._told_gathered(message)
        if isinstance(message, Read):
            return self._read(message)
        if isinstance(message, Fits):
            for one in self._all:
                self._with(one, message.changes, one.edition)
            return None
        return self._rank(message) if isinstance(message, Rank) else self._tell(message)

    @property
    def _all(self) -> list[Recommender]:
        return [self.recommender, *self.beside.values()]

    def _with(self, recommender: Recommender, changes: tuple[ItemChange, ...], edition: int) -> Recommender:
        """Raises GenrecError whatever goes wrong: edits are replayed, so one that ended us would do so for ever."""
        from genrec.renewing import changed

        try:
            return changed(recommender, changes, edition)
        except GenrecError:
            raise
        except Exception as error:
            raise IndexingError(
                "the engine cannot take over an item", value=type(error).__name__,
                remedy="train anew: the bundle's encoder or index does not fit new items",
            ) from error  # fmt: skip

    def _change(self, message: Change) -> Unchanged | None:
        stale = {version: one for version, one in self.beside.items() if one.edition < message.edition}
        try:
            main = self._with(self.recommender, message.changes, message.edition)
            new = {name: self._with(one, message.changes, message.edition) for name, one in stale.items()}
        except GenrecError as error:
            lost = [unfit(one, message.changes) for one in (self.recommender, *stale.values())]
            return Unchanged(error, tuple(dict.fromkeys(chain(*lost))))
        self.recommender, self.beside = main, self.beside | new
        self._meter.catalog(self.recommender.fusion.asking.index.version)
        return None

    def _rank(self, asked: Rank) -> Any:
        return recommend_many(self._of(asked), [self._ask(asked)])[0]

    def _ask(self, asked: Rank) -> Ask:
        recommender = self._of(asked)
        if asked.edition > recommender.edition:
            raise RuntimeError("an edit of the catalog is missing")
        mask = asked.mask(len(recommender.catalog))
        return Ask(
            asked.history, asked.k, mask, asked.weights, asked.explain, asked.profile, asked.leaning, asked.length,
            asked.rules, asked.language,
        )  # fmt: skip

    def _read(self, asked: Read) -> list[Request]:
        if self.reader is None:
            raise RuntimeError("this bundle has not learnt to read")
        self.reader = self.reader.of(self.recommender.catalog)
        return self.reader.read(asked.messages, asked.slates)

    def _tell(self, asked: Tell) -> Any:
        return self._of(asked).told(asked.history, asked.items, asked.length, asked.language)


def warmed(recommender: Recommender, reader: Reader | None) -> Iterator[None]:
    """Loads what compares words for a mood, so that the first who names one does not wait for that."""
    if reader is not None and recommender.leaner is not None:
        recommender.nudge(Leaning(moods=("calm",)))
        yield


def unfit(recommender: Recommender, changes: Sequence[ItemChange]) -> tuple[str, ...]:
    """Ids of the edits that cannot be taken over after those before them."""
    from genrec.renewing import changed

    found = []
    for change in changes:
        try:
            recommender = changed(recommender, [change], recommender.edition)
        except Exception:  # of whatever kind: it does not fit
            found.append(change.item_id)
    return tuple(found)


def _opened(settings: dict[str, Any], meter: Meter, common: Common) -> Recommender:
    """The recommender on the engine that is set; vLLM starts a process of its own in our group."""
    bundle = Bundle.open(settings["bundle"])
    engine = _vllm(bundle, settings, meter) if settings["kind"] == "vllm" else _torch(bundle, settings, meter, common)
    return Recommender.open(bundle, engine=engine, width=settings["width"])


def _torch(bundle: Bundle, settings: dict[str, Any], meter: Meter, common: Common) -> Engine:
    import torch

    torch.set_num_threads(settings["threads"])
    return load(bundle, device=settings["device"], meter=meter, common=common).engine


def _vllm(bundle: Bundle, settings: dict[str, Any], meter: Meter) -> Engine:
    from genrec.decoding.vllm_engine import VllmEngine, vllm_settings

    chosen = vllm_settings(threads=settings["threads"], cache_gib=settings["cache_gib"])
    return VllmEngine.open(bundle, settings=chosen, meter=meter)
