"""The one way in which settings go wrong: the program gives up and says everything that is wrong."""


class BadConfig(Exception):
    """`problems` are sentences that each name a setting, by its key or its variable."""

    def __init__(self, problems: tuple[str, ...]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems
