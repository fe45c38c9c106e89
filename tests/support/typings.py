"""Type stubs of Envoy's API, for mypy: xds-protos ships generated code without any.

    python tests/support/typings.py        writes ./typings, which git ignores

The modules that `src/kuma` imports, and what those depend on, are described by the descriptors in
the installed `*_pb2` modules; mypy-protobuf's plugins turn such descriptors into stubs, so that
neither `.proto` files nor `protoc` are needed. Written anew only if a version or an import changed.
"""

import ast
import importlib
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator
from importlib.metadata import version
from pathlib import Path

from google.protobuf.compiler.plugin_pb2 import CodeGeneratorRequest, CodeGeneratorResponse
from google.protobuf.descriptor import FileDescriptor

ROOT = Path(__file__).parents[2]
TYPINGS = ROOT / "typings"
FRESH = ROOT / "typings.new"  # written beside, so that a mypy that runs meanwhile sees all or none
STAMP = TYPINGS / "made-of.json"
DISTRIBUTIONS = ("xds-protos", "mypy-protobuf", "protobuf")
TOPS = (
    "envoy",
    "xds",
    "udpa",
    "validate",
    "cel",
    "google.rpc",
    "google.api",
    "opentelemetry.proto",
)
WELL_KNOWN = "google/protobuf/"  # types-protobuf has these


def main() -> None:
    modules = sorted(set(imported_modules(ROOT / "src")))
    made_of = {"versions": {name: version(name) for name in DISTRIBUTIONS}, "modules": modules}
    if STAMP.exists() and json.loads(STAMP.read_text()) == made_of:
        return
    shutil.rmtree(FRESH, ignore_errors=True)
    messages = [name for name in modules if name.endswith("_pb2")]
    services = [name.removesuffix("_grpc") for name in modules if name.endswith("_pb2_grpc")]
    write_stubs("protoc-gen-mypy", closure(map(descriptor_of, [*messages, *services])))
    write_stubs("protoc-gen-mypy_grpc", map(descriptor_of, services), closure_of=services)
    mark_packages()
    (FRESH / STAMP.name).write_text(json.dumps(made_of, indent=1))
    shutil.rmtree(TYPINGS, ignore_errors=True)
    FRESH.rename(TYPINGS)


def imported_modules(folder: Path) -> Iterator[str]:
    """The generated modules that the sources in `folder` import."""
    for path in folder.rglob("*.py"):
        text = path.read_text()
        if "_pb2" in text:
            yield from filter(is_generated, imports_in(ast.parse(text)))


def imports_in(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def is_generated(name: str) -> bool:
    return bool(re.search(r"_pb2(_grpc)?$", name)) and name.startswith(tuple(f"{t}." for t in TOPS))


def descriptor_of(module: str) -> FileDescriptor:
    descriptor: FileDescriptor = importlib.import_module(module).DESCRIPTOR
    return descriptor


def closure(files: Iterable[FileDescriptor]) -> list[FileDescriptor]:
    """The files and all that they depend on, each after its dependencies, as a plugin wants them."""
    ordered: dict[str, FileDescriptor] = {}

    def visit(file: FileDescriptor) -> None:
        if file.name not in ordered:
            for dependency in file.dependencies:
                visit(dependency)
            ordered[file.name] = file

    for file in files:
        visit(file)
    return list(ordered.values())


def write_stubs(
    plugin: str, files: Iterable[FileDescriptor], *, closure_of: Iterable[str] = ()
) -> None:
    files = list(files)
    known = closure([*files, *map(descriptor_of, closure_of)])
    request = CodeGeneratorRequest(parameter="quiet")
    request.file_to_generate.extend(f.name for f in files if not f.name.startswith(WELL_KNOWN))
    for file in known:
        file.CopyToProto(request.proto_file.add())
    if not request.file_to_generate:
        return
    program = Path(sys.executable).parent / plugin
    answer = subprocess.run(
        [program], input=request.SerializeToString(), capture_output=True, check=True
    )
    for made in CodeGeneratorResponse.FromString(answer.stdout).file:
        path = FRESH / made.name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(made.content)


def mark_packages() -> None:
    """A stub package wins over an installed one only where it is a package itself; `google` is a
    namespace that types-protobuf shares."""
    for folder in FRESH.rglob("*/"):
        if folder != FRESH / "google":
            (folder / "__init__.pyi").touch()


if __name__ == "__main__":
    main()
