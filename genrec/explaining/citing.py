"""Evidence as numbered pieces that statements cite, each of which can be looked up again. Knows no words and no model.

An id says what it is: `interaction:f12`, `fact:director=Ridley Scott`, `rule:year >= 1990`, `contrast:f7` (a comparison
with that item), `rerun:f12,f3` (the slate made again without these).
"""

from __future__ import annotations

from dataclasses import dataclass

from genrec.catalog import Catalog
from genrec.chatting.rules import allowed
from genrec.explaining.evidence import Contrast, Evidence, History, Moved, Rerun, Told
from genrec.explaining.facts import Facts, SharedFact
from genrec.slots import markers_in


@dataclass(frozen=True)
class Piece:
    """One piece of evidence. paths: the ways in the catalog from the item to interactions, `item -field:value- item`;
    amount: nats that the score falls without the interaction, or that the item leads by; holds: what is said of it."""

    id: str
    kind: str
    items: tuple[str, ...] = ()
    field: str = ""
    value: str = ""
    paths: tuple[str, ...] = ()
    amount: float | None = None
    holds: str = ""


@dataclass(frozen=True)
class Citing:
    """The pieces of evidence over this catalog."""

    catalog: Catalog
    facts: Facts

    def pieces(self, evidence: Evidence) -> list[Piece]:
        """All of it, each id once."""
        found = [self._interaction(one) for one in evidence.interactions]
        facts = {_fact_id(one): self._fact(evidence.item, one) for one in reversed(self._all(evidence))}
        found += [facts[id] for id in dict.fromkeys(map(_fact_id, self._all(evidence)))]
        found += [Piece(f"rule:{rule}", "rule", field=rule.field, value=str(rule)) for rule in evidence.rules]
        if evidence.contrast is not None:
            found.append(self._contrast(evidence.contrast))
        if evidence.rerun is not None:
            found.append(self._rerun(evidence.rerun))
        return found

    def cited(self, sentence: str, told: Told, evidence: Evidence) -> tuple[str, ...]:
        """The ids of what a sentence with markers rests on."""
        used = markers_in(sentence)
        liked = [item for place, item in enumerate(told.liked, 1) if f"liked_{place}" in used]
        facts = [fact for place, fact in enumerate(told.facts, 1) if used & {f"value_{place}", f"field_{place}"}]
        found = [f"interaction:{self._id(item)}" for item in liked] + [_fact_id(one) for one in facts]
        if told.rule is not None:
            found.append(f"rule:{told.rule}")
        if told.other is not None:
            found.append(f"contrast:{self._id(told.other)}")
        if told in evidence.countered:
            found.append(self._rerun_id(told.liked))
        return tuple(found)

    def resolves(self, id: str, evidence: Evidence, history: History) -> bool:
        """Whether an id leads to a piece of this evidence, and that to history, catalog or request."""
        piece = next((one for one in self.pieces(evidence) if one.id == id), None)
        if piece is None:
            return False
        if piece.kind == "fact":
            with_items = [one for fact in self._all(evidence) if _fact_id(fact) == id for one in fact.with_items]
            holders = [evidence.item, *with_items]
            return all(self.facts.holds(one, piece.field, piece.value) for one in holders)
        if piece.kind == "rule":
            return bool(
                allowed(self.catalog, [one for one in evidence.rules if str(one) == piece.value])[evidence.item]
            )
        if piece.kind == "contrast":
            return piece.items[0] in self.catalog.item_ids
        return {self.catalog.item_ids.index(one) for one in piece.items} <= set(map(int, history))

    def _all(self, evidence: Evidence) -> list[SharedFact]:
        extra = evidence.contrast.fact if evidence.contrast is not None else None
        return [*evidence.facts, *([extra] if extra is not None else [])]

    def _interaction(self, moved: Moved) -> Piece:
        item = self._id(moved.item)
        return Piece(f"interaction:{item}", "interaction", (item,), amount=moved.drop)

    def _fact(self, item: int, fact: SharedFact) -> Piece:
        edge = f"-{fact.field}:{fact.value}-"
        others = tuple(self._id(one) for one in fact.with_items)
        paths = tuple(f"{self._id(item)} {edge} {other}" for other in others)
        return Piece(_fact_id(fact), "fact", (self._id(item), *others), fact.field, fact.value, paths)

    def _contrast(self, contrast: Contrast) -> Piece:
        other = self._id(contrast.other)
        without = f"leads by {contrast.lead:.3f} nats, without {self._id(contrast.liked)} by {contrast.left:.3f}"
        return Piece(f"contrast:{other}", "contrast", (other,), amount=contrast.lead, holds=without)

    def _rerun(self, rerun: Rerun) -> Piece:
        gone = tuple(self._id(one) for one in rerun.without)
        return Piece(self._rerun_id(rerun.without), "rerun", gone, holds="present" if rerun.present else "absent")

    def _rerun_id(self, without: tuple[int, ...]) -> str:
        return f"rerun:{','.join(self._id(one) for one in without)}"

    def _id(self, item: int) -> str:
        return self.catalog.item_ids[item]


def _fact_id(fact: SharedFact) -> str:
    return f"fact:{fact.field}={fact.value}"
