"""The numbered SQL of `migrations/`, read from the package."""

from importlib.resources import files

from kuma.kit.value import value


@value
class Migration:
    version: int
    name: str
    sql: str


def load_migrations(database: str) -> tuple[Migration, ...]:
    """In the order of their numbers, which have no gaps."""
    folder = files("kuma.stores.migrations") / database
    scripts = sorted(
        (each for each in folder.iterdir() if each.name.endswith(".sql")), key=lambda s: s.name
    )
    return tuple(
        Migration(number, script.name.removesuffix(".sql"), script.read_text("utf-8"))
        for number, script in enumerate(scripts, start=1)
    )
