"""Several confs into one."""

from typing import Annotated, Any

from hypothesis import given
from hypothesis import strategies as st

from kuma.policies.meshhttproute.model import HttpRouteConf
from kuma.policies.meshretry.model import RetryConf
from kuma.policies.meshtimeout.model import TimeoutConf
from kuma.resolve.merge import SplitBy, merge, merge_groups, merge_patch
from kuma.resources.spec import SpecModel

_JSON = st.recursive(
    st.none() | st.integers() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3)
    ),
    max_leaves=8,
)
_SECONDS = st.none() | st.integers(0, 3).map(lambda n: f"{n}s")
_HTTP = st.none() | st.fixed_dictionaries(
    {}, optional={"requestTimeout": _SECONDS, "streamIdleTimeout": _SECONDS}
)
TIMEOUTS = st.fixed_dictionaries(
    {}, optional={"connectionTimeout": _SECONDS, "idleTimeout": _SECONDS, "http": _HTTP}
).map(TimeoutConf.model_validate)


def a_route(path: str, **default: Any) -> dict[str, Any]:
    return {"matches": [{"path": {"type": "Exact", "value": path}}], "default": default}


def routes(*rules: dict[str, Any]) -> HttpRouteConf:
    return HttpRouteConf.model_validate({"rules": rules})


def backends(name: str) -> list[dict[str, Any]]:
    return [{"kind": "MeshService", "name": name, "weight": 1}]


def test_later_confs_win_field_by_field() -> None:
    merged = merge(
        [
            TimeoutConf.model_validate({"idleTimeout": "1s", "http": {"requestTimeout": "1s"}}),
            TimeoutConf.model_validate(
                {"http": {"requestTimeout": "2s", "streamIdleTimeout": "0s"}}
            ),
        ]
    )
    expected = {"idleTimeout": "1s", "http": {"requestTimeout": "2s", "streamIdleTimeout": "0s"}}
    assert merged.to_json() == expected


def test_lists_replace_each_other() -> None:
    merged = merge(
        [
            RetryConf.model_validate({"http": {"retryOn": ["5xx", "Reset"], "numRetries": 1}}),
            RetryConf.model_validate({"http": {"retryOn": ["503"]}}),
        ]
    )
    assert merged.to_json() == {"http": {"retryOn": ["503"], "numRetries": 1}}


@given(st.lists(TIMEOUTS, min_size=1, max_size=4))
def test_merging_again_changes_nothing(confs: list[TimeoutConf]) -> None:
    merged = merge(confs)
    assert merge([merged, merged]) == merge([merged]) == merged
    assert merge([merge(confs[:1]), *confs[1:]]) == merged


@given(st.lists(TIMEOUTS, min_size=1, max_size=4), st.integers(1, 3))
def test_grouping_does_not_matter(confs: list[TimeoutConf], at: int) -> None:
    parts = [part for part in (confs[:at], confs[at:]) if part]
    assert merge([merge(part) for part in parts]) == merge(confs)


@given(_JSON, _JSON)
def test_a_merge_patch_is_idempotent_and_leaves_its_arguments_alone(
    target: Any, patch: Any
) -> None:
    before = repr((target, patch))
    once = merge_patch(target, patch)
    assert merge_patch(once, patch) == once
    assert repr((target, patch)) == before


def test_a_merge_patch_follows_the_examples_of_rfc_7396() -> None:
    cases: list[tuple[Any, Any, Any]] = [
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b"}, {"a": None}, {}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
        (["a", "b"], ["c", "d"], ["c", "d"]),
        ({"a": "b"}, ["c"], ["c"]),
        ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
        ([1, 2], {"a": "b", "c": None}, {"a": "b"}),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
    ]
    assert [merge_patch(target, patch) for target, patch, _ in cases] == [
        expected for *_, expected in cases
    ]


class _Appending(SpecModel):
    append_names: tuple[str, ...] | None = None
    other: tuple[str, ...] | None = None
    inner: "_Appending | None" = None


def test_lists_named_append_are_concatenated_at_any_depth() -> None:
    merged = merge(
        [
            _Appending(append_names=("a",), other=("a",), inner=_Appending(append_names=("x",))),
            _Appending(inner=_Appending(append_names=("y",))),
            _Appending(append_names=("b",), other=("b",)),
        ]
    )
    assert merged == _Appending(
        append_names=("a", "b"), other=("b",), inner=_Appending(append_names=("x", "y"))
    )


def test_routes_with_equal_matches_are_merged() -> None:
    filters = [{"type": "RequestRedirect", "requestRedirect": {"statusCode": 301}}]
    merged = merge(
        [
            routes(a_route("/a", backendRefs=backends("weak"), filters=filters)),
            routes(a_route("/a", backendRefs=backends("strong"))),
        ]
    )
    assert merged == routes(a_route("/a", backendRefs=backends("strong"), filters=filters))


def test_stronger_routes_come_first_each_policy_in_its_order() -> None:
    merged = merge([routes(a_route("/a"), a_route("/b")), routes(a_route("/c"), a_route("/a"))])
    paths = [rule.matches[0].path.value for rule in merged.rules or () if rule.matches[0].path]
    assert paths == ["/c", "/a", "/b"]


def test_of_equal_matches_in_one_policy_the_first_wins() -> None:
    merged = merge(
        [
            routes(
                a_route("/a", backendRefs=backends("first")),
                a_route("/a", backendRefs=backends("second")),
            )
        ]
    )
    assert merged == routes(a_route("/a", backendRefs=backends("first")))


class _Split(SpecModel):
    hosts: Annotated[tuple[str, ...] | None, SplitBy()] = None
    number: int | None = None
    text: str | None = None


def test_confs_are_grouped_by_value_where_a_field_says_so() -> None:
    groups = merge_groups(
        [
            _Split(hosts=("a", "b"), number=1),
            _Split(number=2),
            _Split(hosts=("b",), text="x"),
        ]
    )
    assert groups == (
        _Split(hosts=("a",), number=1),
        _Split(hosts=("b",), number=1, text="x"),
        _Split(number=2),
    )
