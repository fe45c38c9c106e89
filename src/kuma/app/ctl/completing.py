"""What a shell may complete beyond names of commands and flags."""

import click
from click.shell_completion import CompletionItem


def complete_types(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Kinds of resources, in singular and plural, without asking a control plane."""
    from kuma.policies.catalogue import REGISTRY

    words = {
        word: kind for kind in REGISTRY if kind.argument for word in (kind.argument, kind.path)
    }
    return [
        CompletionItem(word, help=words[word].name)
        for word in sorted(words)
        if word.startswith(incomplete)
    ]
