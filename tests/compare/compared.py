"""Puts one set of resources to both control planes, asks both everything, and keeps what differs."""

import asyncio
import json
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from functools import partial
from http import HTTPStatus
from time import monotonic
from typing import Any, NamedTuple

from tests.compare import configs, mending, reasons, targets, verdicts, wholes
from tests.compare.chance import Chance, Json
from tests.compare.connected import connected
from tests.compare.difference import differences
from tests.compare.policies import KINDS
from tests.compare.side import Answer, Side
from tests.compare.world import World

_MENDED = 5
"""How often a document is put at most."""
_FORGETS = 0.3
"""Seconds until what was deleted is gone from caches."""
_PATIENCE = 8.0
"""Seconds after the first answers until what each side works out in its own time must be equal."""
_QUERIES = (
    "", "?size=2", "?size=2&offset=2", "?name=a", "?filter[labels.team]=a",
    "?size=0", "?size=x", "?filter[x]=1",
)  # fmt: skip
_DATAPLANE_QUERIES = (
    "?tag=kuma.io/service:api", "?tag=version:v1&tag=team:a", "?tag=kuma.io/service:a", "?tag=version",
    "?gateway=true", "?gateway=false", "?gateway=delegated", "?gateway=builtin", "?gateway=x",
    "/_overview",
)  # fmt: skip
_DELETED = ("Dataplane", "ExternalService", "HostnameGenerator", "Mesh")
_GLOBAL = {"Mesh", "HostnameGenerator"}
_MADE = {"MeshService", "MeshTrust", "Workload"}
"""Kinds of which some are made by the control plane."""
_NAMED = ("MeshService", "MeshExternalService", "MeshMultiZoneService")
_SELECTED = ("/_resources/dataplanes", "/_resources/dataplanes?size=2", "/dataplanes")


class Question(NamedTuple):
    """`normal` makes of an answer what must be equal; `theirs` does for the rival, if it is another."""

    what: str
    kind: str
    path: str
    normal: Callable[[Json], Json] = reasons.timeless
    theirs: Callable[[Json], Json] | None = None


class Report:
    def __init__(self, shown: int) -> None:
        self.shown = shown
        self.asked: Counter[str] = Counter()
        self.unequal: Counter[str] = Counter()
        self.reasoned: Counter[str] = Counter()
        self.reasons: Counter[str] = Counter()
        self.found: list[Json] = []

    def add(
        self,
        seed: int,
        what: str,
        about: str,
        ours: Any,
        theirs: Any,
        *,
        reason: str = "",
        **more: Any,
    ) -> None:
        """`reason`: why they may differ, if they do."""
        self.asked[what] += 1
        found = list(differences(ours, theirs))
        if found and reason:
            self.reasoned[what] += 1
            self.reasons[reason] += 1
            return
        self.unequal[what] += bool(found)
        for each in found:
            self.found.append(
                {"seed": seed, "what": what, "about": about, **each._asdict(), **more}
            )

    def line(self, seed: int) -> str:
        return f"set {seed}: {self.asked.total()} answers, {self.unequal.total()} differ"

    def table(self) -> str:
        rows = [f"{'answers':>8} {'equal':>8} {'reasoned':>8} {'differ':>7}  what"]
        for what in [*sorted(self.asked), ""]:
            total, reasoned, unequal = (
                counts[what] if what else counts.total()
                for counts in (self.asked, self.reasoned, self.unequal)
            )
            equal = total - reasoned - unequal
            rows.append(f"{total:>8} {equal:>8} {reasoned:>8} {unequal:>7}  {what or 'together'}")
        why = [f"{count:>8}  {reason}" for reason, count in self.reasons.most_common()]
        return "\n".join([*self._examples(), "", *rows, "", "reasons:", *why])

    def _examples(self) -> Iterator[str]:
        by_sort = defaultdict(list)
        for each in self.found:
            path = re.sub(r"\d+", "*", each["path"])
            sort = f"{each['what']} {each.get('kind', '')} {path}"
            by_sort[sort].append(each)
        for sort, group in sorted(by_sort.items(), key=lambda each: -len(each[1])):
            yield f"\n{len(group)} x {sort}"
            for each in group[: self.shown]:
                yield f"   set {each['seed']} {each['about']} {each['path']}"
                yield f"      ours   {each['ours']!r:.400}"
                yield f"      theirs {each['theirs']!r:.400}"


class Comparison:
    """`only`: what to ask; empty: all."""

    def __init__(
        self, world: World, ours: Side, theirs: Side, report: Report, only: frozenset[str]
    ) -> None:
        self._world, self._ours, self._theirs, self._report = world, ours, theirs, report
        self._only = only
        self._taken: list[Json] = []
        self._form = reasons.Stored(())

    async def run(self) -> None:
        for document in self._world.documents:
            if document["type"] in self._ours.kinds & self._theirs.kinds:
                await self._put(document)
        await self._settle()
        self._form = reasons.Stored(self._taken)
        questions = [
            *self._stored(),
            *self._lists(),
            *self._selected(),
            *self._hostnames(),
            *self._insights(),
            *[each for found in self._of("Dataplane") for each in await self._proxy(found)],
        ]
        await self._compare(questions)
        if self._ours.xds_port and self._theirs.xds_port and not self._is_waiting:
            await self._compare_configs()

    @property
    def _is_waiting(self) -> bool:
        return any(reasons.waits_for_trust(each) for each in self._taken)

    async def _compare_configs(self) -> None:
        """Of the proxies that both take."""
        dataplanes = [each for each in self._of("Dataplane") if ".invalid" not in json.dumps(each)]
        ours, theirs = (connected(side, dataplanes) for side in self._both)
        async with ours as here, theirs as there:
            await self._compare(
                [
                    Question(
                        "_config",
                        "",
                        f"{self._ours.path(each)}/_config",
                        partial(configs.config, each, self._taken),
                    )
                    for each in dataplanes
                    if each["name"] in here & there
                ]
            )

    async def delete(self) -> None:
        """What is in a mesh goes with it, but not while there are dataplanes."""
        for document in reversed(self._taken):
            if document["type"] in _DELETED:
                await asyncio.gather(self._ours.delete(document), self._theirs.delete(document))

    async def _put(self, document: Json) -> None:
        """Where verdicts differ for a reason, again without what was wrong. What the rival fails on it may
        have all the same."""
        what, waiting = "verdict", document
        for _ in range(_MENDED):
            ours, theirs = await asyncio.gather(self._ours.put(waiting), self._theirs.put(waiting))
            is_equal, reason = self._judge(waiting, ours, theirs, what)
            if ours.is_success and theirs.is_success:
                self._taken.append(waiting)
            elif ours.is_success:
                await self._ours.delete(waiting)
            elif theirs.is_success or theirs.status == HTTPStatus.INTERNAL_SERVER_ERROR:
                await self._theirs.delete(waiting)
            if ours.is_success != theirs.is_success:
                await asyncio.sleep(_FORGETS)
            mended = mending.without(waiting, verdicts.wrong_fields(ours, theirs, waiting))
            if is_equal or not reason or mended is None:
                return
            what, waiting = "verdict, mended", mended

    def _judge(self, document: Json, ours: Answer, theirs: Answer, what: str) -> tuple[bool, str]:
        """Whether they are equal, and why they may not be."""
        name = f"{document['type']} {document['name']}"
        one, other = verdicts.verdict(ours), verdicts.verdict(theirs)
        reason = verdicts.reason_for(ours, theirs, document)
        self._report.add(
            self._world.seed, what, name, one, other, reason=reason,
            kind=document["type"], document=document, bodies=[ours.body, theirs.body],
        )  # fmt: skip
        return one == other, reason

    async def _settle(self) -> None:
        """Both have made the MeshServices that follow from the dataplanes."""
        until = monotonic() + 10
        while monotonic() < until:
            paths = [s.collection("MeshService", self._world.mesh) for s in self._both]
            bodies = [
                (await side.ask(path)).body for side, path in zip(self._both, paths, strict=True)
            ]
            names = [{each["name"] for each in body.get("items") or ()} for body in bodies]
            if names[0] == names[1]:
                return
            await asyncio.sleep(0.2)

    @property
    def _both(self) -> tuple[Side, Side]:
        return self._ours, self._theirs

    def _stored(self) -> Iterator[Question]:
        for document in self._taken:
            path = self._ours.path(document)
            yield Question("stored", document["type"], path, self._form.resource)

    def _lists(self) -> Iterator[Question]:
        """Of two kinds with each way of asking, of the others plainly."""
        mesh, chance = self._world.mesh, Chance(self._world.seed)
        kinds = sorted({each["type"] for each in self._taken} - _GLOBAL | _MADE)
        thoroughly = {"MeshService", chance.choice(kinds)}
        for kind in kinds:
            path = self._ours.collection(kind, mesh)
            for query in _QUERIES if kind in thoroughly else _QUERIES[:2]:
                yield Question("list", kind, path + query, self._form.listing)
        for query in _DATAPLANE_QUERIES:
            path = self._ours.collection("Dataplane", mesh)
            yield Question("list", "Dataplane", path + query, self._form.listing)

    async def _proxy(self, document: Json) -> list[Question]:
        path = self._ours.path(document)
        found = [
            Question("_rules", "", f"{path}/_rules", reasons.rules),
            Question("policies", "", f"{path}/policies"),
            Question("_policies", "", f"{path}/_policies", reasons.policies),
            Question(
                "_layout",
                "",
                f"{path}/_layout",
                theirs=partial(reasons.layout, document, self._taken),
            ),
        ]
        layout = await self._theirs.ask(f"{path}/_layout")
        if not layout.is_success:
            return found
        found += [
            Question("_inbounds", "", f"{path}/_inbounds/{each['kri']}/_policies")
            for each in layout.body.get("inbounds") or ()
        ]
        for outbound in layout.body.get("outbounds") or ():
            own = f"{path}/_outbounds/{outbound['kri']}"
            found.append(Question("_outbounds", "", f"{own}/_policies"))
            found.append(Question("_routes", "", f"{own}/_routes", reasons.routes))
            routes = await self._theirs.ask(f"{own}/_routes")
            for each in routes.body.get("routes") or () if routes.is_success else ():
                for rule in each["rules"] or ():
                    if rule["kri"]:
                        answer = f"{own}/_routes/{rule['kri']}/_policies"
                        found.append(Question("_routes/_policies", "", answer))
        return found

    def _selected(self) -> Iterator[Question]:
        for document in self._taken:
            kind, path = document["type"], self._ours.path(document)
            parts = {"MeshService": _SELECTED[:2]} if kind not in KINDS else {kind: _SELECTED}
            for part in parts.get(kind, ()):
                yield Question(f"selected by {part}", kind, path + part, self._form.listing)

    def _hostnames(self) -> Iterator[Question]:
        mesh = self._world.mesh
        services = {("MeshService", each) for each in targets.SERVICES}
        services |= {(each["type"], each["name"]) for each in self._taken if each["type"] in _NAMED}
        for kind, name in sorted(services):
            path = self._ours.path({"type": kind, "mesh": mesh, "name": name})
            normal = partial(reasons.hostnames, kind)
            yield Question("_hostnames", kind, f"{path}/_hostnames", normal)

    def _insights(self) -> Iterator[Question]:
        """While no proxy is connected."""
        mesh = self._world.mesh
        yield Question("insights", "Mesh", f"/mesh-insights/{mesh}", reasons.timeless)
        yield Question("insights", "Service", f"/meshes/{mesh}/service-insights", reasons.timeless)
        for name in targets.SERVICES:
            path = f"/meshes/{mesh}/service-insights/{name}"
            yield Question("insights", "Service", path, reasons.timeless)

    def _of(self, kind: str) -> list[Json]:
        return [each for each in self._taken if each["type"] == kind]

    async def _compare(self, questions: list[Question]) -> None:
        """Asks again for a while: each side may need its time."""
        questions = [each for each in questions if not self._only or each.what in self._only]
        until = 0.0
        answers: dict[Question, tuple[Json, Json]] = {}
        waiting = questions
        while waiting:
            for some in batched(waiting):
                found = await asyncio.gather(*(self._ask(each) for each in some))
                answers |= dict(zip(some, found, strict=True))
            until = until or monotonic() + _PATIENCE
            waiting = [each for each in waiting if self._differ(each, *answers[each])]
            if not waiting or monotonic() > until:
                break
            await asyncio.sleep(0.5)
        for each in questions:
            ours, theirs = answers[each]
            reason = wholes.reason_for(each.what, ours, theirs, self._taken)
            if each.what == "_config" and not reason and ours != theirs:
                ours, theirs = wholes.reconciled(ours, theirs)
            self._report.add(
                self._world.seed, each.what, each.path, ours, theirs, reason=reason, kind=each.kind
            )

    def _differ(self, question: Question, ours: Json, theirs: Json) -> bool:
        """For no reason, yet."""
        return ours != theirs and not wholes.reason_for(question.what, ours, theirs, self._taken)

    async def _ask(self, question: Question) -> tuple[Json, Json]:
        ours, theirs = await asyncio.gather(*(side.ask(question.path) for side in self._both))
        normal = question.normal
        return _normal(ours, normal), _normal(theirs, question.theirs or normal)


def batched(questions: list[Question], size: int = 8) -> Iterator[list[Question]]:
    for start in range(0, len(questions), size):
        yield questions[start : start + size]


def _normal(answer: Answer, normal: Callable[[Json], Json]) -> Json:
    return normal(answer.body) if answer.is_success else reasons.error(answer)
