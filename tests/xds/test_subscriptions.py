"""The rules of the protocol one by one: each claim with the fewest steps. What holds in any order of
events is in test_stream_machine."""

import pytest
from envoy.service.discovery.v3.discovery_pb2 import DeltaDiscoveryRequest, DiscoveryRequest

from kuma.xds.changes import Changes
from kuma.xds.delta import DeltaStream
from kuma.xds.interest import OVERDUE
from kuma.xds.state_of_the_world import StateStream
from kuma.xds.stream import Response
from tests.xds.world import (
    CLUSTER,
    ENDPOINT,
    LISTENER,
    ROUTE,
    SECRET,
    Content,
    DeltaWire,
    Log,
    StateWire,
    a_resource,
    a_snapshot,
)


class Delta:
    def __init__(self) -> None:
        self.log = Log()
        self.stream = DeltaStream(self.log, Changes())

    def ask(
        self,
        type_url: str,
        *names: str,
        without: tuple[str, ...] = (),
        known: dict[str, str] | None = None,
    ) -> list[Content]:
        request = DeltaDiscoveryRequest(
            type_url=type_url,
            resource_names_subscribe=names,
            resource_names_unsubscribe=without,
            initial_resource_versions=known,
        )
        return read_delta(self.stream.receive(request))

    def answer(self, content: Content, error: str = "") -> list[Content]:
        request = DeltaDiscoveryRequest(type_url=content.type_url, response_nonce=content.nonce)
        if error:
            request.error_detail.message = error
        return read_delta(self.stream.receive(request))

    def publish(self, *resources: object) -> list[Content]:
        return read_delta(self.stream.publish(a_snapshot(*resources)))


def read_delta(responses: list[Response]) -> list[Content]:
    return [DeltaWire().read(each) for each in responses]


class State:
    def __init__(self) -> None:
        self.log = Log()
        self.stream = StateStream(self.log, Changes())

    def ask(self, type_url: str, *names: str, nonce: str = "", version: str = "") -> list[Content]:
        request = DiscoveryRequest(
            type_url=type_url, resource_names=names, response_nonce=nonce, version_info=version
        )
        return read_state(self.stream.receive(request))

    def answer(self, content: Content, *names: str, error: str = "") -> list[Content]:
        request = DiscoveryRequest(
            type_url=content.type_url,
            resource_names=names,
            response_nonce=content.nonce,
            version_info=content.version,
        )
        if error:
            request.error_detail.message = error
        return read_state(self.stream.receive(request))

    def publish(self, *resources: object) -> list[Content]:
        return read_state(self.stream.publish(a_snapshot(*resources)))


def read_state(responses: list[Response]) -> list[Content]:
    return [StateWire().read(each) for each in responses]


def names(content: Content) -> list[str]:
    return [each.name for each in content.resources]


@pytest.fixture(params=[Delta, State], ids=["delta", "state of the world"])
def client(request: pytest.FixtureRequest) -> Delta | State:
    made: Delta | State = request.param()
    return made


A, B = a_resource(CLUSTER, "a"), a_resource(CLUSTER, "b")
A2, B2 = a_resource(CLUSTER, "a", "2"), a_resource(CLUSTER, "b", "2")
EA, EB = a_resource(ENDPOINT, "a"), a_resource(ENDPOINT, "b")
LA, RA = a_resource(LISTENER, "l"), a_resource(ROUTE, "r")


# Both variants


def test_a_first_request_without_names_asks_for_all_clusters(client: Delta | State) -> None:
    client.publish(A, B)
    [answer] = client.ask(CLUSTER)
    assert names(answer) == ["a", "b"]


@pytest.mark.parametrize("type_url", [ENDPOINT, ROUTE, SECRET])
def test_other_types_have_to_be_named(client: Delta | State, type_url: str) -> None:
    client.publish(EA, RA, a_resource(SECRET, "s"))
    assert client.ask(type_url) == []


def test_requests_wait_for_the_first_snapshot(client: Delta | State) -> None:
    assert client.ask(CLUSTER) == []
    assert client.ask(ENDPOINT, "a") == []
    assert [each.type_url for each in client.publish(A, EA)] == [CLUSTER, ENDPOINT]


def test_a_client_that_starts_is_answered_even_with_nothing(client: Delta | State) -> None:
    client.publish()
    [answer] = client.ask(CLUSTER)
    assert names(answer) == []


def test_types_that_are_not_served_are_ignored(client: Delta | State) -> None:
    client.publish(A)
    assert client.ask("type.googleapis.com/envoy.service.runtime.v3.Runtime", "r") == []


def test_only_what_was_named_is_sent(client: Delta | State) -> None:
    client.publish(EA, EB)
    [answer] = client.ask(ENDPOINT, "b", "nobody")
    assert names(answer) == ["b"]


def test_a_name_that_appears_later_is_sent_then(client: Delta | State) -> None:
    client.publish(EA)
    for answer in client.ask(ENDPOINT, "b"):
        client.answer(answer, *(["b"] if isinstance(client, State) else []))
    [answer] = client.publish(EA, EB)
    assert names(answer) == ["b"]


def test_equal_content_sends_nothing(client: Delta | State) -> None:
    client.publish(A, B)
    [answer] = client.ask(CLUSTER)
    client.answer(answer)
    assert client.publish(a_resource(CLUSTER, "b"), a_resource(CLUSTER, "a")) == []


def test_while_an_answer_is_outstanding_only_the_newest_state_counts(
    client: Delta | State,
) -> None:
    client.publish(A, B)
    [answer] = client.ask(CLUSTER)
    assert client.publish(A2, B) == []
    assert client.publish(A2, B2) == []
    [answer] = client.answer(answer)
    assert {(each.name, each.version) for each in answer.resources} == {("a", "2"), ("b", "2")}


def test_a_rejection_is_reported_once_and_not_sent_again(client: Delta | State) -> None:
    client.publish(A)
    [answer] = client.ask(CLUSTER)
    assert client.answer(answer, error="no such filter") == []
    assert client.publish(a_resource(CLUSTER, "a")) == []
    assert client.log.errors == ["no such filter"]
    [answer] = client.publish(A2)
    assert names(answer) == ["a"]


def test_a_rejection_without_a_message_is_still_reported(client: Delta | State) -> None:
    client.publish(A)
    [answer] = client.ask(CLUSTER)
    if isinstance(client, Delta):
        request = DeltaDiscoveryRequest(type_url=CLUSTER, response_nonce=answer.nonce)
        request.error_detail.code = 13
        client.stream.receive(request)
    else:
        sotw = DiscoveryRequest(type_url=CLUSTER, response_nonce=answer.nonce)
        sotw.error_detail.code = 13
        client.stream.receive(sotw)
    assert client.log.errors == ["rejected without a reason"]


def test_types_go_out_in_the_order_that_breaks_nothing(client: Delta | State) -> None:
    for type_url, name in ((ROUTE, "r"), (LISTENER, ""), (ENDPOINT, "a"), (CLUSTER, "")):
        client.ask(type_url, *([name] if name else []))
    answers = client.publish(A, EA, LA, RA)
    assert [each.type_url for each in answers] == [CLUSTER, ENDPOINT, LISTENER, ROUTE]


def settled(client: Delta | State) -> None:
    """Clusters a and b with endpoints, a listener and its route, all acknowledged."""
    client.publish(A, B, EA, EB, LA, RA)
    for type_url, asked in ((CLUSTER, ()), (ENDPOINT, "ab"), (LISTENER, ()), (ROUTE, "r")):
        [answer] = client.ask(type_url, *asked)
        client.answer(answer, *(asked if isinstance(client, State) else ()))


def test_a_route_waits_for_the_acknowledgement_of_a_new_cluster(client: Delta | State) -> None:
    settled(client)
    newer = a_resource(ROUTE, "r", "2")
    [clusters] = client.publish(A, B, a_resource(CLUSTER, "c"), EA, EB, LA, newer)
    [routes] = client.answer(clusters)
    assert (clusters.type_url, routes.type_url) == (CLUSTER, ROUTE)


def test_a_route_does_not_wait_for_a_changed_cluster(client: Delta | State) -> None:
    settled(client)
    answers = client.publish(A2, B, EA, EB, LA, a_resource(ROUTE, "r", "2"))
    assert [each.type_url for each in answers] == [CLUSTER, ENDPOINT, ROUTE]


def test_a_changed_cluster_gets_its_endpoints_again(client: Delta | State) -> None:
    settled(client)
    _, endpoints = client.publish(A2, B, EA, EB, LA, RA)
    assert (endpoints.type_url, names(endpoints)) == (ENDPOINT, ["a"])


def test_endpoints_do_not_wait_for_clusters(client: Delta | State) -> None:
    """A warming cluster waits for them, and its acknowledgement with it."""
    client.publish(A, EA)
    client.ask(CLUSTER)
    [endpoints] = client.ask(ENDPOINT, "a")
    assert names(endpoints) == ["a"]


def test_waiting_for_clusters_that_never_warm_has_an_end(client: Delta | State) -> None:
    settled(client)
    newer = a_resource(ROUTE, "r", "2")
    [clusters] = client.publish(A, B, a_resource(CLUSTER, "c"), EA, EB, LA, newer)
    assert client.stream.waits_for == clusters.nonce
    reader = DeltaWire() if isinstance(client, Delta) else StateWire()
    assert [reader.read(each).type_url for each in client.stream.release()] == [ROUTE]
    assert not client.stream.waits_for
    client.answer(clusters)
    assert client.log.lines[-1] == ("acknowledged", CLUSTER)


def test_a_rejection_that_comes_late_still_counts() -> None:
    client = Delta()
    client.publish(A, B)
    [first] = client.ask(CLUSTER)
    for version in "234567":
        client.publish(a_resource(CLUSTER, "a", version), B)
        [newer] = read_delta(client.stream.release())
    assert [names(each) for each in client.answer(newer)] == []
    [again] = client.answer(first, error="a is bad")
    assert names(again) == ["b"]


def test_a_client_that_never_acknowledges_clusters_costs_no_more_and_more() -> None:
    client = Delta()
    client.publish(A)
    client.ask(CLUSTER)
    answers = 0
    for version in range(2, 200):
        client.publish(a_resource(CLUSTER, "a", str(version)))
        answers += len(client.stream.release())
    assert answers == OVERDUE


def test_a_cluster_is_removed_after_routes_are_acknowledged(client: Delta | State) -> None:
    settled(client)
    [routes] = client.publish(A, EA, LA, a_resource(ROUTE, "r", "2"))
    assert routes.type_url is ROUTE
    asked = ("r",) if isinstance(client, State) else ()
    [clusters] = client.answer(routes, *asked)
    assert clusters.type_url is CLUSTER
    if isinstance(client, Delta):
        assert (names(clusters), clusters.removed) == ([], ("b",))
    else:
        assert names(clusters) == ["a"]


def test_a_rejected_route_keeps_the_cluster_that_it_uses(client: Delta | State) -> None:
    settled(client)
    [routes] = client.publish(A, EA, LA, a_resource(ROUTE, "r", "2"))
    error = {"error": "bad route"}
    assert client.answer(routes, *(("r",) if isinstance(client, State) else ()), **error) == []
    [mended] = client.publish(A, EA, LA, a_resource(ROUTE, "r", "3"))
    [clusters] = client.answer(mended, *(("r",) if isinstance(client, State) else ()))
    assert clusters.type_url is CLUSTER


def test_a_cluster_that_comes_back_before_it_was_removed_is_not_sent(
    client: Delta | State,
) -> None:
    settled(client)
    [routes] = client.publish(A, EA, LA, a_resource(ROUTE, "r", "2"))
    assert client.publish(A, B, EA, EB, LA, a_resource(ROUTE, "r", "2")) == []
    assert client.answer(routes, *(("r",) if isinstance(client, State) else ())) == []


# Incremental


def test_delta_an_unknown_name_is_told_as_removed() -> None:
    client = Delta()
    client.publish(EA)
    [answer] = client.ask(ENDPOINT, "a", "nobody")
    assert (names(answer), answer.removed) == (["a"], ("nobody",))


def test_delta_a_name_that_is_asked_for_again_is_sent_again() -> None:
    client = Delta()
    client.publish(EA, EB)
    [answer] = client.ask(ENDPOINT, "a", "b")
    client.answer(answer)
    [again] = client.ask(ENDPOINT, "a")
    assert names(again) == ["a"]


def test_delta_what_was_given_up_is_not_sent() -> None:
    client = Delta()
    client.publish(EA, EB)
    [answer] = client.ask(ENDPOINT, "a", "b")
    client.answer(answer)
    assert client.ask(ENDPOINT, without=("b", "nobody")) == []
    assert client.publish(EA, a_resource(ENDPOINT, "b", "2")) == []


def test_delta_a_client_that_comes_back_gets_only_the_difference() -> None:
    client = Delta()
    client.publish(A, B2, a_resource(CLUSTER, "c"))
    [answer] = client.ask(CLUSTER, known={"a": "1", "b": "1", "gone": "1"})
    assert names(answer) == ["b", "c"]
    assert client.ask(LISTENER) == client.ask(ROUTE, "r") == []
    listeners, routes = client.answer(answer)
    assert client.answer(listeners) == []
    [removal] = client.answer(routes)
    assert (removal.type_url, removal.removed) == (CLUSTER, ("gone",))


def test_delta_a_client_that_comes_back_may_have_no_routes() -> None:
    client = Delta()
    client.publish(A)
    assert client.ask(CLUSTER, known={"a": "1", "gone": "1"}) == []
    [listeners] = client.ask(LISTENER)
    assert client.answer(listeners) == []
    assert client.stream.waits_for
    [removal] = read_delta(client.stream.release())
    assert removal.removed == ("gone",)


def test_delta_a_client_that_knows_all_is_sent_nothing() -> None:
    client = Delta()
    client.publish(A, B, EA)
    assert client.ask(CLUSTER, known={"a": "1", "b": "1"}) == []
    assert client.ask(ENDPOINT, "a", known={"a": "1"}) == []


def test_delta_a_name_beside_everything_does_not_end_everything() -> None:
    client = Delta()
    client.publish(A, B)
    [answer] = client.ask(CLUSTER)
    client.answer(answer)
    [again] = client.ask(CLUSTER, "a")
    client.answer(again)
    [changed] = client.publish(A, B2)
    assert names(changed) == ["b"]


def test_delta_giving_up_a_name_beside_everything_is_answered() -> None:
    client = Delta()
    client.publish(A, B)
    [answer] = client.ask(CLUSTER, "*", "a", "x")
    assert answer.removed == ("x",)
    client.answer(answer)
    [kept] = client.ask(CLUSTER, without=("a",))
    assert names(kept) == ["a"]
    client.answer(kept)
    [dropped] = client.ask(CLUSTER, without=("x",))
    assert dropped.removed == ("x",)


def test_delta_giving_up_everything_leaves_the_names() -> None:
    client = Delta()
    client.publish(A, B)
    [answer] = client.ask(CLUSTER, "*", "a")
    client.answer(answer)
    assert client.ask(CLUSTER, without=("*",)) == []
    assert client.publish(A, B2) == []
    [changed] = client.publish(A2, B2)
    assert names(changed) == ["a"]
    client.answer(changed)
    [everything] = client.ask(CLUSTER, "*")
    assert names(everything) == ["a", "b"]


def test_delta_changes_of_subscription_count_with_a_stale_nonce() -> None:
    client = Delta()
    client.publish(EA, EB)
    [answer] = client.ask(ENDPOINT, "a")
    client.answer(answer)
    stale = DeltaDiscoveryRequest(
        type_url=ENDPOINT, response_nonce="old", resource_names_subscribe=["b"]
    )
    [more] = read_delta(client.stream.receive(stale))
    assert names(more) == ["b"]


def test_delta_one_bad_resource_does_not_hold_up_the_others() -> None:
    client = Delta()
    client.publish(*[a_resource(LISTENER, name) for name in "abcde"])
    answers = client.ask(LISTENER)
    accepted: set[str] = set()
    while answers:
        found = set(names(answers[0]))
        error = "c is bad" if "c" in found else ""
        accepted |= set() if error else found
        answers = client.answer(answers[0], error=error)
    assert accepted == {"a", "b", "d", "e"}
    assert client.log.errors == ["c is bad"]


def test_delta_a_removal_in_a_rejected_answer_is_sent_again() -> None:
    client = Delta()
    client.publish(a_resource(LISTENER, "old"))
    [answer] = client.ask(LISTENER)
    client.answer(answer)
    [both] = client.publish(a_resource(LISTENER, "new"))
    assert (names(both), both.removed) == (["new"], ("old",))
    [again] = client.answer(both, error="bad")
    assert (names(again), again.removed) == ([], ("old",))


# State of the world


def test_state_each_answer_has_all_clusters() -> None:
    client = State()
    client.publish(A, B)
    [answer] = client.ask(CLUSTER)
    client.answer(answer)
    [answer] = client.publish(A, B2)
    assert names(answer) == ["a", "b"]


def test_state_endpoints_are_sent_only_when_they_change_or_are_newly_asked_for() -> None:
    client = State()
    client.publish(EA, EB)
    [answer] = client.ask(ENDPOINT, "a")
    [more] = client.answer(answer, "a", "b")
    assert names(more) == ["b"]
    client.answer(more, "a", "b")
    [changed] = client.publish(a_resource(ENDPOINT, "a", "2"), EB)
    assert names(changed) == ["a"]


def test_state_a_stale_request_does_not_count() -> None:
    client = State()
    client.publish(EA, EB)
    [first] = client.ask(ENDPOINT, "a")
    client.answer(first, "a")
    client.publish(a_resource(ENDPOINT, "a", "2"), EB)
    assert client.ask(ENDPOINT, "a", "b", nonce=first.nonce, version=first.version) == []


def test_state_no_names_after_some_names_means_nothing() -> None:
    client = State()
    client.publish(A, B)
    [answer] = client.ask(CLUSTER, "a")
    assert names(answer) == ["a"]
    assert client.answer(answer) == []
    assert client.publish(A2, B2) == []


def test_state_everything_and_a_name_then_the_name_alone() -> None:
    client = State()
    client.publish(A, B)
    [answer] = client.ask(CLUSTER, "*", "a")
    assert names(answer) == ["a", "b"]
    assert client.answer(answer, "a") == []
    assert client.publish(A, B2) == []
    [changed] = client.publish(A2, B2)
    assert names(changed) == ["a"]


def test_state_a_client_that_comes_back_with_the_version_is_sent_nothing() -> None:
    client = State()
    client.publish(A, B)
    [answer] = client.ask(CLUSTER)
    again = State()
    again.publish(B, A)
    assert again.ask(CLUSTER, version=answer.version) == []
    [changed] = again.publish(A2, B)
    assert names(changed) == ["a", "b"]


def test_state_a_listener_that_left_is_left_out() -> None:
    client = State()
    client.publish(LA, a_resource(LISTENER, "m"))
    [answer] = client.ask(LISTENER)
    client.answer(answer)
    [answer] = client.publish(LA)
    assert names(answer) == ["l"]
