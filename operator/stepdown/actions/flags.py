"""`flags`: variants of flags in a flagd document, or plain keys of a ConfigMap.

In flagd, `targeting` wins over `defaultVariant`, so it is emptied (`{}` is no targeting to flagd); `state:
DISABLED` would give the code's default, which is something else, so it is never used.
"""

from typing import Any

from stepdown.actions.translation import ActionIssue, Translation, View, issue, target_of
from stepdown.api.actions import FlagsAction
from stepdown.engine import document
from stepdown.engine.fields import FieldChange, Ref, Target
from stepdown.engine.pointer import escape
from stepdown.engine.reasons import Problem


def references(action: FlagsAction) -> list[Ref]:
    """The ConfigMap."""
    return [Ref("ConfigMap", config_map_of(action))]


def translate(action: FlagsAction, place: int, view: View) -> Translation:
    """The changes of every flag; one that can't be changed is an issue and the others still are."""
    name = config_map_of(action)
    obj = view.get("ConfigMap", name)
    if obj is None:
        return issue(
            Problem.TARGET_NOT_FOUND,
            f"flags: ConfigMap {name} isn't there; create it or correct the action's name",
        )
    if obj.get("immutable"):
        return issue(
            Problem.ACTION_UNSUPPORTED,
            f"flags: ConfigMap {name} is immutable, so its flags can't change; make it anew without that",
        )
    target = target_of("ConfigMap", obj)
    data = obj.get("data") or {}
    if action.in_.flagd is None:
        return _plain(action, place, target, data)
    return _flagd(action, place, target, data)


def config_map_of(action: FlagsAction) -> str:
    """The name of the ConfigMap that holds the flags."""
    if action.in_.flagd is not None:
        return action.in_.flagd.config_map
    assert action.in_.config_map is not None
    return action.in_.config_map.name


def _plain(action: FlagsAction, place: int, target: Target, data: dict[str, str]) -> Translation:
    wanted = dict.fromkeys(action.enable, "true") | dict.fromkeys(action.disable, "false") | action.set
    result = Translation()
    for flag, value in wanted.items():
        if flag in data:
            result.changes.append(FieldChange(target, f"/data/{escape(flag)}", value, place))
        else:
            result.issues.append(
                ActionIssue(
                    Problem.FLAG_NOT_FOUND,
                    f"flags: ConfigMap {target.name} has no key {flag}; add it or correct the flag's name",
                )
            )
    return result


def _flagd(action: FlagsAction, place: int, target: Target, data: dict[str, str]) -> Translation:
    assert action.in_.flagd is not None
    key = action.in_.flagd.key or (next(iter(data)) if len(data) == 1 else None)
    if key is None or key not in data:
        have = ", ".join(sorted(data)) or "no keys"
        return issue(
            Problem.TARGET_NOT_FOUND,
            f"flags: ConfigMap {target.name} has {have}; name the document's key in in.flagd.key",
        )
    try:
        flags = document.parse(data[key]).get("flags")
    except document.NotADocument as error:
        return issue(
            Problem.INVALID_FLAG_DOCUMENT,
            f"flags: {key} in ConfigMap {target.name} isn't JSON ({error}); it is left untouched, correct it",
        )
    if not isinstance(flags, dict):
        return issue(
            Problem.INVALID_FLAG_DOCUMENT,
            f"flags: {key} in ConfigMap {target.name} has no object `flags`; it is left untouched, correct it",
        )
    wanted: dict[str, Any] = dict.fromkeys(action.enable, True) | dict.fromkeys(action.disable, False)
    wanted |= action.set
    result = Translation()
    for name, value in wanted.items():
        where = f"{key} in ConfigMap {target.name}"
        found = _variant(flags.get(name), name, value, where)
        if isinstance(found, ActionIssue):
            result.issues.append(found)
            continue
        inner = f"/flags/{escape(name)}"
        try:
            document.raw(data[key], f"{inner}/defaultVariant")
            document.raw(data[key], f"{inner}/targeting")
        except document.NotADocument as error:
            text = f"flags: {name} in {where} is not unequivocal ({error}); it is left untouched, correct it"
            result.issues.append(ActionIssue(Problem.INVALID_FLAG_DOCUMENT, text))
            continue
        base = f"/data/{escape(key)}#{inner}"
        result.changes.append(FieldChange(target, f"{base}/defaultVariant", found, place))
        if flags[name].get("targeting"):
            result.changes.append(FieldChange(target, f"{base}/targeting", {}, place))
    return result


def _variant(flag: Any, name: str, value: bool | str, where: str) -> str | ActionIssue:
    if not isinstance(flag, dict):
        return ActionIssue(
            Problem.FLAG_NOT_FOUND, f"flags: {where} has no flag {name}; add it or correct the flag's name"
        )
    if flag.get("state") == "DISABLED":
        return ActionIssue(
            Problem.ACTION_UNSUPPORTED,
            f"flags: {name} in {where} is DISABLED, so flagd gives the code's default; enable it to switch it here",
        )
    variants = flag.get("variants")
    variants = variants if isinstance(variants, dict) else {}
    if isinstance(value, str):
        if value in variants:
            return value
        return ActionIssue(
            Problem.FLAG_NOT_FOUND,
            f"flags: {name} in {where} has no variant {value} (it has {', '.join(map(str, variants)) or 'none'})",
        )
    fitting = [variant for variant, meaning in variants.items() if meaning is value]
    if len(fitting) == 1:
        return str(fitting[0])
    word = "true" if value else "false"
    return ActionIssue(
        Problem.ACTION_UNSUPPORTED,
        f"flags: {name} in {where} has {len(fitting)} variants that are {word}, needs one;"
        " use set with a variant's name",
    )
