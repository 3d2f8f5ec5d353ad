"""From the ladder to the fields that must change, over what is there: every level's actions, translated once."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from stepdown.actions import home, moved, translate
from stepdown.actions.translation import ActionIssue, Translation
from stepdown.api.policy import PolicySpec
from stepdown.api.status import Entry
from stepdown.engine.decide import Decision
from stepdown.engine.document import NotADocument
from stepdown.engine.fields import FieldChange, Ref, Target, encode, same_text, text_at
from stepdown.engine.ledger import FieldKey, annotation_of, entry_id, is_ours
from stepdown.engine.marks import left_over
from stepdown.engine.patch import with_texts
from stepdown.engine.reasons import Problem, Reason


class Plan:
    """The translated ladder of one policy at one moment.

    `objects` are all that were read, by kind and name. `issues` are (problem, sentence, place of the level). Levels
    are cumulative; a later level wins on a field. Actions see objects as they were before us, so that the same level
    always gives the same fields.
    """

    def __init__(
        self,
        policy: str,
        spec: PolicySpec,
        ledger: Sequence[Entry],
        snapshot: Mapping[Ref, Any],
        holder: Callable[[str, str], str | None],
    ) -> None:
        self._policy = policy
        self.objects = _by_name(snapshot)
        self._holder = holder
        before = {ref: _as_before(obj, ledger) for ref, obj in snapshot.items()}
        self.issues: list[tuple[Problem, str, int]] = []
        self._levels: list[list[Translation]] = []
        self._moved = [[moved(action, spec) for action in level.actions] for level in spec.levels]
        self._homes = [[home(action, spec) for action in level.actions] for level in spec.levels]
        answered: set[Ref | None] = set()
        for place, level in enumerate(spec.levels):
            translations = [translate(action, spec, place, before) for action in level.actions]
            moving = list(zip(translations, self._moved[place], strict=True))
            # What took over at a level above, and answers, is as good to go back to as the first.
            translations = [replace(t, may_go_back=True) if ref in answered else t for t, ref in moving]
            answered |= {ref for t, ref in moving if ref is not None and not t.issues and t.unready is None}
            self._levels.append(translations)
            self.issues += [
                (found.problem, f"level {level.name}: {found.message}", place)
                for translation in translations
                for found in translation.issues
            ]
        self._names = [level.name for level in spec.levels]
        self._routes = [
            [t for t, ref in zip(translations, refs, strict=True) if ref is not None]
            for translations, refs in zip(self._levels, self._moved, strict=True)
        ]
        self.conflicts: list[tuple[Problem, str, int]] = []
        changes = [change for ts in reversed(self._levels) for t in ts for change in t.changes]
        known = {entry.id for entry in ledger}
        left = {target: self._left_over(target, known) for target in {change.target for change in changes}}
        self._untouchable = {(c.target, c.path): c.level for c in changes if c.path in left[c.target]}

    def undone(self, place: int) -> set[int]:
        """The levels, down to a place, with an action that can't be done there.

        A route that can't be made is none of them where a deeper level moves the same traffic: its own was stepped
        over, and would be overruled.
        """
        levels = {level for _, _, level in self.conflicts if level <= place}
        overruled: set[Ref | None] = set()
        for level in range(place, 0, -1):
            wanted = self._moved[level]
            made = [not t.issues and self._unready(t) is None for t in self._levels[level]]
            if any(not done and ref not in overruled for ref, done in zip(wanted, made, strict=True)):
                levels.add(level)
            overruled |= {ref for ref, done in zip(wanted, made, strict=True) if ref and done}
        return levels

    def unlike(self, key: FieldKey, place: int) -> set[int]:
        """The levels, down to a place, that want a field to be other than it is."""
        made = [t for translations in self._levels[: place + 1] for t in translations]
        changes = [change for t in made for change in t.changes if (change.target, change.path) == key]
        return {change.level for change in changes if not self._is_made(change)}

    def unready(self, places: Iterable[int]) -> list[tuple[Problem, str, int]]:
        """The fallbacks of some levels that are there and couldn't answer, as `issues` are."""
        return [
            (found.problem, f"level {self._names[place]}: {found.message}", place)
            for place in sorted(places)
            for found in map(self._unready, self._routes[place])
            if found is not None
        ]

    def amiss(self, place: int, waiting: Iterable[int]) -> list[tuple[Problem, str, int]]:
        """What is wrong at a level with what was done, as `issues` are: dead fallbacks, pods that don't start.

        `waiting` are levels that can't be entered; those above are not, while traffic can't go back.
        """
        remarks = [
            (found.problem, f"level {self._names[level]}: {found.message}", level)
            for level in range(place + 1)
            for made in self._levels[level]
            for found in made.remarks
        ]
        stuck = [found for above in sorted(waiting) if above < place for found in self.no_way_back(above, place)]
        return self.silent(place) + list(dict.fromkeys([*stuck, *remarks]))

    def silent(self, place: int) -> list[tuple[Problem, str, int]]:
        """The fallbacks that traffic is at, at a level, and that can't answer any more, as `issues` are.

        Traffic stays there while where it came from couldn't answer either.
        """
        last: dict[FieldKey, tuple[int, Translation]] = {}
        for level in range(place + 1):
            for made in self._routes[level]:
                last |= {(c.target, c.path): (level, made) for c in made.changes if self._is_made(c)}
        return [
            (made.unready.problem, f"level {self._names[level]}: {made.unready.message}", level)
            for level, made in last.values()
            if made.unready is not None and not made.may_go_back
        ]

    def faulty(self) -> set[int]:
        """The levels with a fallback that somebody has to look after, whether traffic is there or not."""
        return {
            place
            for place, routes in enumerate(self._routes)
            if any(made.unready is not None and made.unready.is_fault for made in routes)
        }

    def answers_nobody(self, decision: Decision) -> bool:
        """Whether users would get no answer at the level decided on, which may be the present one."""
        place = decision.level
        if not decision.is_transition:
            return bool(self.silent(place))
        if place > decision.came_from:
            return self.blocks(place)
        asked = decision.reason is not Reason.OVERRIDDEN
        return self.strands(place) or (asked and bool(self.no_way_back(place, decision.came_from)))

    def blocks(self, place: int) -> bool:
        """Whether a level can't be entered on the way down: its fallback is missing or couldn't answer."""
        return any(t.issues or self._unready(t) is not None for t in self._routes[place])

    def strands(self, place: int) -> bool:
        """Whether a level can't be entered on the way up: nobody would answer, not even where traffic came from."""
        return any(not t.may_go_back and (t.issues or self._unready(t) is not None) for t in self._routes[place])

    def no_way_back(self, place: int, came_from: int) -> list[tuple[Problem, str, int]]:
        """What keeps traffic from going back where it first came from by a step up to a level, as `issues` are.

        That is asked of all that deeper levels have moved and that has no ready route at this one.
        """
        moving = [
            (level, ref, home, made)
            for level in range(came_from + 1)
            for ref, home, made in zip(self._moved[level], self._homes[level], self._levels[level], strict=True)
            if ref is not None
        ]
        answered = {ref for level, ref, _, t in moving if level <= place and not t.issues and t.unready is None}
        return [
            (t.no_way_back.problem, f"level {self._names[level]}: {t.no_way_back.message}", level)
            for level, ref, home, t in moving
            if level > place and not {ref, home} & answered and t.no_way_back is not None
        ]

    def wanted(self, place: int) -> dict[FieldKey, FieldChange]:
        """The changes that being at a level means, without those that another policy holds or that aren't ready."""
        wanted: dict[FieldKey, FieldChange] = {}
        places: dict[Target, int] = {}
        for (target, _), level in self._untouchable.items():
            places[target] = min(level, places.get(target, level))
        self.conflicts = [
            (
                Problem.CONFLICT,
                f"{target.kind} {target.name} holds what an earlier policy of this name has set, and its annotation"
                " alone says what was there before; put it back by what `stepdown restore --print` prints",
                level,
            )
            for target, level in places.items()
        ]
        for translations in self._levels[: place + 1]:
            for translation in translations:
                if self._unready(translation) is None:
                    wanted |= {(change.target, change.path): change for change in translation.changes}
        wanted = {key: change for key, change in wanted.items() if key not in self._untouchable}
        for key, change in list(wanted.items()):
            other = self._other_holder(change)
            if other is not None:
                del wanted[key]
                text = (
                    f"{change.path} of {change.target.kind} {change.target.name} is held by policy {other};"
                    " let one policy own it"
                )
                self.conflicts.append((Problem.CONFLICT, text, change.level))
        return wanted

    def _unready(self, translation: Translation) -> ActionIssue | None:
        """Why the changes of a translation must not be made, or must be undone."""
        if translation.unready is None or translation.may_go_back:
            return translation.unready
        return None if all(map(self._is_made, translation.changes)) else translation.unready

    def _is_made(self, change: FieldChange) -> bool:
        obj = self.objects.get((change.target.kind, change.target.name))
        if obj is None or obj["metadata"]["uid"] != change.target.uid:
            return False
        try:
            return same_text(text_at(obj, change.path), encode(change.desired))
        except NotADocument:
            return False

    def _left_over(self, target: Target, known: Collection[str]) -> set[str]:
        obj = self.objects.get((target.kind, target.name))
        left = left_over(self._policy.partition("/")[2], known, target.kind, obj) if obj is not None else []
        return {entry.path for entry in left}

    def _other_holder(self, change: FieldChange) -> str | None:
        holder = self._holder(change.target.uid, change.path)
        if holder is not None and holder != self._policy:
            return holder
        obj = self.objects.get((change.target.kind, change.target.name))
        own_name = self._policy.partition("/")[2]
        entry = annotation_of(obj).get(entry_id(change.target, change.path)) if obj is not None else None
        if isinstance(entry, dict) and entry.get("policy") != own_name:
            return str(entry.get("policy"))[:253]
        return None  # a mark of another object's was copied here


def _by_name(snapshot: Mapping[Ref, Any]) -> dict[tuple[str, str], dict[str, Any] | None]:
    """Every object that was read, those that were listed too: an autoscaler is found by what it scales."""
    found: dict[tuple[str, str], dict[str, Any] | None] = {}
    for ref, read in snapshot.items():
        if ref.name is not None:
            found[ref.kind, ref.name] = read
        for obj in read if isinstance(read, list) else []:
            found.setdefault((ref.kind, obj["metadata"]["name"]), obj)
    return found


def _as_before(found: Any, ledger: Sequence[Entry]) -> Any:
    if isinstance(found, list):
        return [_object_before(obj, ledger) for obj in found]
    return _object_before(found, ledger) if isinstance(found, dict) else found


def _object_before(obj: dict[str, Any], ledger: Sequence[Entry]) -> dict[str, Any]:
    texts: dict[str, str | None] = {}
    for entry in ledger:
        if entry.target.uid != obj["metadata"].get("uid"):
            continue
        try:
            current = text_at(obj, entry.path)
        except NotADocument:
            continue
        if is_ours(current, entry):
            texts[entry.path] = entry.original
    if not texts:
        return obj
    try:
        return with_texts(obj, texts)
    except (NotADocument, KeyError):
        return obj
