"""lint finds what the API server would refuse, and what it can't see, with file, line and cure."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stepdown.lint import Finding, lint
from stepdown.manifests import parse_documents

POLICY = """\
apiVersion: stepdown.dev/v1alpha1
kind: DegradationPolicy
metadata: {name: shop}
spec:
  target: {service: shop, deployment: shop}
  signals:
    - {name: errors, preset: http-error-ratio}
    - name: load
      query: avg(load)
  levels:
    - name: full
    - name: scaled-out
      enter: {any: [{signal: errors, above: 2%, for: 1m}]}
      actions:
        - scale: {by: 100%}
"""


@pytest.fixture
def found(tmp_path: Path):
    """Findings in a text, as lines without the directory."""

    def run(text: str | bytes) -> list[str]:
        file = tmp_path / "policy.yaml"
        file.write_bytes(text if isinstance(text, bytes) else text.encode())
        return [str(finding).removeprefix(f"{tmp_path}/") for finding in lint([str(file)])]

    return run


def test_a_good_policy_has_no_findings(found) -> None:
    assert found(POLICY) == []


@pytest.mark.parametrize(
    ("old", "new", "finding"),
    [
        (
            "target:",
            "targets:",
            "policy.yaml:4: spec.target: is required. Add it, like target: {service: checkout, deployment: checkout}",
        ),
        (
            "above: 2%",
            "abvoe: 2%",
            "policy.yaml:13: spec.levels[1].enter.any[0].abvoe: there is no field abvoe here. Did you mean above?",
        ),
        (
            "for: 1m",
            "for: 1 minute",
            "policy.yaml:13: spec.levels[1].enter.any[0].for: '1 minute' is not a duration."
            " Write hours, minutes, seconds like 30s, 5m or 1h30m",
        ),
        (
            "above: 2%",
            "above: 0.02",
            'policy.yaml:13: spec.levels[1].enter.any[0].above: 0.02 is a bare decimal. Put it in quotes, "0.02"',
        ),
        (
            "- scale: {by: 100%}",
            "- scale:\n            by:",
            "policy.yaml:16: spec.levels[1].actions[0].scale.by: is empty. Give it a value or remove it",
        ),
        (
            "name: scaled-out",
            "name: full",
            "policy.yaml:12: spec.levels[1].name: names must be unique within signals, objectives and levels."
            " Rename one",
        ),
        (
            "name: load",
            "name: on",
            "policy.yaml:8: spec.signals[1].name: on is a boolean to kubectl (YAML 1.1)."
            ' Write true, or put it in quotes, "on"',
        ),
        (
            "      query: avg(load)",
            "      query: avg(load)\n      query: up",
            "policy.yaml:10: spec.signals[1].query is there twice, first on line 9. Keep one",
        ),
        (
            "metadata: {name: shop}",
            "metadata: {}",
            "policy.yaml:3: metadata.name: is required. Add it, like metadata: {name: checkout}",
        ),
        (
            "v1alpha1",
            "v1",
            "policy.yaml:1: apiVersion: this is not stepdown.dev/v1alpha1. Write apiVersion: stepdown.dev/v1alpha1",
        ),
        (
            "kind: DegradationPolicy",
            "kind: DegradationPolicies",
            "policy.yaml:2: kind: stepdown.dev has no kind DegradationPolicies. Did you mean DegradationPolicy?",
        ),
        (
            "spec:",
            "annotations: {}\nspec:",
            "policy.yaml:4: annotations: there is no field annotations here. Remove it",
        ),
    ],
)
def test_a_finding_has_line_problem_and_cure(found, old: str, new: str, finding: str) -> None:
    assert finding in found(POLICY.replace(old, new, 1))


ROUTED = """\
        - route: {to: {deployment: shop-static}}
      recover: {trial: {after: 5m}}
"""


@pytest.mark.parametrize("scale", ["{to: 0}", "{deployment: shop, to: 0}", "{to: 0, as: Ceiling}"])
def test_a_target_scaled_to_0_in_the_level_that_moves_its_traffic_is_noted(found, scale: str) -> None:
    assert found(POLICY.replace("{by: 100%}", scale) + ROUTED) == [
        "policy.yaml:15: spec.levels[1].actions[0].scale: scaled-out moves traffic away and scales the target to 0, so"
        " that a step up brings traffic back before a pod is ready. Scale it to 0 in a deeper level"
    ]


@pytest.mark.parametrize("scale", ["{to: 1}", "{deployment: extras, to: 0}", "{to: 0, as: Floor}"])
def test_another_scale_in_a_level_that_moves_traffic_is_not(found, scale: str) -> None:
    assert found(POLICY.replace("{by: 100%}", scale) + ROUTED) == []


def test_a_target_scaled_to_0_where_traffic_stays_is_not(found) -> None:
    assert found(POLICY.replace("{by: 100%}", "{to: 0}")) == []


def test_a_boolean_key_is_told_with_the_fields_there_are(found) -> None:
    text = POLICY.replace("- scale: {by: 100%}", "- flags: {on: [reviews], in: {configMap: {name: shop}}}")

    assert found(text) == [
        'policy.yaml:15: on is a boolean to kubectl (YAML 1.1). Put it in quotes, "on"',
        "policy.yaml:15: spec.levels[1].actions[0].flags.on: there is no field on here."
        " Remove it, or use one of enable, disable, set, in, refresh",
    ]


def test_a_yes_that_kubectl_understands_is_still_a_finding(found) -> None:
    assert found(POLICY + "  suspend: yes\n") == [
        'policy.yaml:16: spec.suspend: yes is a boolean to kubectl (YAML 1.1). Write true, or put it in quotes, "yes"'
    ]


def test_promql_that_does_not_parse_is_found_at_its_line(found) -> None:
    (finding,) = found(POLICY.replace("avg(load)", "avg(load"))

    assert finding.startswith("policy.yaml:9: spec.signals[1].query: ")


def test_the_window_of_an_objective_is_no_promql_error(found) -> None:
    assert (
        found(
            POLICY
            + "  objectives:\n    - name: a\n      target: 99.9%\n"
            + "      errors: sum(increase(bad[$window]))\n      total: sum(increase(all[$window]))\n"
        )
        == []
    )


def test_every_document_of_a_file_is_judged(found) -> None:
    second = POLICY.replace("above: 2%", "above: two")

    (finding,) = found(f"{POLICY}---\n---\n{second}")

    assert finding.startswith("policy.yaml:30: spec.levels[1].enter.any[0].above: 'two' is not a quantity.")


def test_the_items_of_a_list_are_judged(found) -> None:
    text = "apiVersion: v1\nkind: List\nitems:\n  - apiVersion: stepdown.dev/v1alpha1\n    kind: MetricsEndpoint\n"
    text += "    metadata: {name: a}\n    spec: {url: nowhere}\n"

    assert found(text) == [
        "policy.yaml:7: spec.url: 'nowhere' is not allowed here. Write it, like http://prometheus.monitoring:9090"
    ]


def test_objects_of_other_kinds_are_skipped_with_one_note(tmp_path: Path) -> None:
    file = tmp_path / "other.yaml"
    file.write_text("kind: Service\n---\nkind: Deployment\n---\n- kind\n", encoding="utf-8")

    assert lint([str(file)]) == [
        Finding(str(file), 1, "not checked, of other kinds: Service, Deployment, not an object", note=True)
    ]


def test_merged_mappings_and_aliases_are_read_as_kubectl_reads_them(found) -> None:
    text = POLICY.replace(
        "- {name: errors, preset: http-error-ratio}", "- &base {name: errors, preset: http-error-ratio}"
    ).replace(
        "    - name: load\n      query: avg(load)\n", "    - {<<: *base, name: other}\n    - {<<: [*base], name: b}\n"
    )

    assert found(text) == []


@pytest.mark.parametrize(
    ("text", "finding"),
    [
        (
            "a: [1\n",
            "policy.yaml:2: not YAML: expected ',' or ']', but got '<stream end>'."
            " Check quotes, colons and indentation",
        ),
        ("a: 1\n\tb: 2\n", "policy.yaml:2: not YAML: "),
        (
            "a: b: c\n",
            "policy.yaml:1: not YAML: mapping values are not allowed here. Check quotes, colons and indentation",
        ),
        ("a: 1\nb: \x01\n", "policy.yaml:2: not YAML: "),
        (b"\xff\xfe\x00", "policy.yaml:1: is not UTF-8. Save it as UTF-8"),
        ("[" * 600, "policy.yaml:1: not readable: nested too deeply. Make it simpler"),
        ("a: &a [1]\nb: *x\n", "policy.yaml:2: not YAML: found undefined alias 'x'"),
        ("a: &a [*a]\n", "policy.yaml:1: not readable: nested too deeply. Make it simpler"),
        (
            "a: &a [1,1,1,1,1,1,1,1,1,1]\n"
            + "".join(f"{c}: &{c} [{','.join([f'*{p}'] * 10)}]\n" for p, c in zip("abcdef", "bcdefg", strict=True)),
            "policy.yaml:1: not readable: more than 200000 values. Make it simpler",
        ),
    ],
    ids=["open", "tab", "colons", "control", "utf-8", "deep", "alias", "circle", "bomb"],
)
def test_what_is_no_yaml_is_a_finding_and_never_an_exception(found, text: str | bytes, finding: str) -> None:
    (only,) = found(text)

    assert only.startswith(finding)


def test_a_file_that_is_not_there_is_a_finding(tmp_path: Path) -> None:
    missing = str(tmp_path / "none.yaml")

    assert [str(finding) for finding in lint([missing])] == [
        f"{missing}:1: can't be read: No such file or directory. Check the path"
    ]


def test_a_directory_is_a_finding_that_says_how_to_name_its_files(tmp_path: Path) -> None:
    assert [str(finding) for finding in lint([str(tmp_path)])] == [
        f"{tmp_path}:1: is a directory. Name its files, like {tmp_path}/*.yaml"
    ]


@settings(max_examples=200, deadline=None, database=None)
@given(st.integers(0, len(POLICY)), st.sampled_from([*"{}[]:,-&*!|>'\"%@`#?\t\n 0~", "<<: ", "---\n", "\x00", "é"]))
def test_no_damage_to_a_policy_raises(tmp_path_factory: pytest.TempPathFactory, place: int, damage: str) -> None:
    file = tmp_path_factory.getbasetemp() / "damaged.yaml"
    file.write_text(POLICY[:place] + damage + POLICY[place + len(damage) :], encoding="utf-8")

    for finding in lint([str(file)]):
        assert finding.line >= 1
        assert finding.message


def test_lines_of_missing_fields_are_those_of_what_holds_them() -> None:
    (document,) = parse_documents("a:\n  b:\n    - c: 1\n")

    assert document.line_of("a.b[0].c") == 3
    assert document.line_of("a.b[0].d.e") == 3
    assert document.line_of("a.x") == 1
    assert document.line_of("y") == 1
