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
from dataclasses import dataclass
from itertools import chain
from multiprocessing.connection import Connection
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
from genrec.model.loading import load
from genrec.reader import Reader
from genrec.recommender import Recommender
from serving.engine.messages import (
    Broken,
    Change,
    Done,
    Failed,
    Fits,
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
    connection.send(Ready(desk.recommender.version, time.monotonic() - started, os.getpid()))
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
    def of(cls, settings: dict[str, Any], meter: Meter) -> Opened:
        recommender = _opened(settings, meter)
        return cls(recommender, Reader.open(recommender.bundle))


@dataclass(frozen=True)
class Loaded:
    """What a thread tells the desk: the bundle, or why there is none."""

    number: int
    opened: Opened | None = None
    error: Exception | None = None


class Desk:
    """A recommender and what is done with it. waiting: where a thread that loads a bundle puts what came of it."""

    _beside: Opened | None = None
    """Loaded, and not yet in use."""
    _former: Recommender | None = None
    """In use before, for requests that count by its items."""
    _former_until = 0.0

    def __init__(self, settings: dict[str, Any], waiting: queue.SimpleQueue[Any]) -> None:
        from genrec.cli.shared import quiet_models

        quiet_models()
        self._settings, self._waiting = settings, waiting
        self._registry = CollectorRegistry()
        self._meter = Prometheus(self._registry)
        self._take(Opened.of(settings, self._meter))

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
        if self._former is not None and now > self._former_until:
            self._former = None
        late = [one for one in messages if not isinstance(one, Change | Use | Loaded) and one.deadline < now]
        todo = [one for one in messages if one not in late]
        yield from (Late(one.number) for one in late)
        plain = [one for one in todo if isinstance(one, Rank) and not one.explain and self._current(one)]
        yield from self._together(plain)
        yield from (reply for one in todo if one not in plain and (reply := self._done(one)) is not None)

    def _together(self, asked: list[Rank]) -> list[Done | Failed]:
        """One pass for all; where one of them is wrong, each by itself, so that it costs only that one."""
        if len(asked) > 1:
            try:
                made = recommend_many(self.recommender, [self._ask(one) for one in asked])
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
        if isinstance(message, Load):
            threading.Thread(target=self._load, args=(message,), daemon=True).start()
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
            opened = Opened.of({**self._settings, "bundle": asked.folder}, self._meter)
            self._waiting.put(Loaded(asked.number, opened))
        except Exception as error:
            self._waiting.put(Loaded(asked.number, error=error))

    def _loaded(self, told: Loaded) -> str:
        if told.error is not None:
            raise told.error
        assert told.opened is not None
        self._beside = told.opened
        return told.opened.recommender.version

    def _use(self, message: Use) -> None:
        if self._beside is None or self._beside.recommender.version != message.version:
            end()  # the server starts us again, with the bundle that lies there
            return
        self._former, self._former_until = self.recommender, time.monotonic() + _FORMER_S
        self._take(self._beside)
        self._beside = None

    def _current(self, asked: Rank) -> bool:
        return asked.version in ("", self.recommender.version)

    def _of(self, asked: Rank) -> Recommender:
        """The recommender whose items the request counts by."""
        if self._current(asked):
            return self.recommender
        if self._former is None or self._former.version != asked.version:
            raise RuntimeError("the bundle that this request counts by is gone")
        return self._former

    def _answer(self, message: Rank | Read | Tell | Fits | Loaded) -> Any:
        if isinstance(message, Loaded):
            return self._loaded(message)
        if isinstance(message, Read):
            return self._read(message)
        if isinstance(message, Fits):
            self._with(message.changes, self.recommender.edition)
            return None
        return self._rank(message) if isinstance(message, Rank) else self._tell(message)

    def _with(self, changes: tuple[ItemChange, ...], edition: int) -> Recommender:
        """Raises GenrecError whatever goes wrong: edits are replayed, so one that ended us would do so for ever."""
        from genrec.renewing import changed

        try:
            return changed(self.recommender, changes, edition)
        except GenrecError:
            raise
        except Exception as error:
            raise IndexingError(
                "the engine cannot take over an item", value=type(error).__name__,
                remedy="train anew: the bundle's encoder or index does not fit new items",
            ) from error  # fmt: skip

    def _change(self, message: Change) -> Unchanged | None:
        try:
            self.recommender = self._with(message.changes, message.edition)
        except GenrecError as error:
            return Unchanged(error, unfit(self.recommender, message.changes))
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
        return self.recommender.told(asked.history, asked.items, asked.length, asked.language)


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


def _opened(settings: dict[str, Any], meter: Meter) -> Recommender:
    """The recommender on the engine that is set; vLLM starts a process of its own in our group."""
    bundle = Bundle.open(settings["bundle"])
    engine = {"torch": _torch, "vllm": _vllm}[settings["kind"]](bundle, settings, meter)
    return Recommender.open(bundle, engine=engine, width=settings["width"])


def _torch(bundle: Bundle, settings: dict[str, Any], meter: Meter) -> Engine:
    import torch

    torch.set_num_threads(settings["threads"])
    return load(bundle, device=settings["device"], meter=meter).engine


def _vllm(bundle: Bundle, settings: dict[str, Any], meter: Meter) -> Engine:
    from genrec.decoding.vllm_engine import VllmEngine, vllm_settings

    chosen = vllm_settings(threads=settings["threads"], cache_gib=settings["cache_gib"])
    return VllmEngine.open(bundle, settings=chosen, meter=meter)
