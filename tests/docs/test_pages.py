"""Pages do not go stale: their YAML is valid, their links lead somewhere, nothing is left out."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from kuma.config.load import load_control_plane
from kuma.policies.catalogue import REGISTRY
from kuma.resources.codec import parse_document
from kuma.resources.kind import AnyKind

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
MARK = re.compile(r"[Dd]iffers from Kuma")


def blocks(page: Path, language: str) -> list[str]:
    text = page.read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


def applied(page: Path) -> Iterator[str]:
    """What the shell commands of a page hand to `kumactl apply`."""
    for commands in blocks(page, "sh"):
        for body in re.findall(
            r"kumactl apply .*<<END\n(.*?)^END$", commands, re.DOTALL | re.MULTILINE
        ):
            yield body.replace("{{ key }}", "a2V5").replace("{{ ids }}", "aWRz")


def documents() -> list[tuple[str, str]]:
    return [
        (f"{page.relative_to(ROOT)}:{at}", text)
        for page in PAGES
        for at, text in enumerate((*blocks(page, "yaml"), *applied(page)), start=1)
    ]


@pytest.mark.parametrize("text", [pytest.param(text, id=name) for name, text in documents()])
def test_yaml_is_accepted(text: str, tmp_path: Path) -> None:
    """Resources by their rules, anything else as settings of kuma-cp."""
    for document in yaml.safe_load_all(text):
        if "type" in document:
            parse_document(REGISTRY, document)
        else:
            file = tmp_path / "kuma-cp.yaml"
            file.write_text(text, encoding="utf-8")
            assert load_control_plane(file, {}).warnings == ()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)#\s]*)(?:#([^)\s]*))?\)", page.read_text(encoding="utf-8"))
    for path, anchor in links:
        if path.startswith(("http://", "https://")):
            continue
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), f"{page.name} links to {path}"
        if anchor:
            assert anchor in anchors(target), f"{page.name} links to {path}#{anchor}"


def anchors(page: Path) -> set[str]:
    """As GitHub makes them of headings."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_every_difference_from_kuma_is_explained() -> None:
    page = (ROOT / "docs" / "differences.md").read_text(encoding="utf-8")
    package = ROOT / "src" / "kuma"
    marked = [
        str(file.relative_to(package))
        for file in sorted(package.rglob("*.py"))
        if MARK.search(file.read_text(encoding="utf-8"))
    ]
    unexplained = [file for file in marked if f"`{file}`" not in page]
    assert unexplained == [], "say in docs/differences.md what differs there, and why"


def test_every_page_is_in_the_index() -> None:
    index = (ROOT / "docs" / "index.md").read_text(encoding="utf-8")
    linked = set(re.findall(r"\]\(([^)#\s]+)", index))
    pages = {str(page.relative_to(ROOT / "docs")) for page in PAGES[1:]}
    known = {page for page in pages if not page.startswith("decisions/")}
    assert known - linked - {"index.md"} == set()


@pytest.mark.parametrize("kind", REGISTRY.policies(), ids=lambda kind: kind.name)
def test_the_page_of_a_policy_is_complete(kind: AnyKind) -> None:
    page = ROOT / "docs" / "policies" / f"{kind.argument}.md"
    text = page.read_text(encoding="utf-8")
    assert any(f"type: {kind.name}\n" in example for example in blocks(page, "yaml"))
    seen = text.partition("\n## See it work\n")[2]
    assert "kumactl inspect dataplane" in seen
    assert "Without " in seen
    assert text.endswith(f"[All fields](../reference/resources.md#{kind.argument})\n")
