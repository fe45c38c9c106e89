"""Go's text templates, as far as resources use them: `{{ .Mesh }}-{{ label "team" | printf "%.5s" }}`.

    text -> parse_template -> Template --render(fields, labels)--> text

A field is known or it is an error; `label` gives the value of a label, and it is an error if there is
none. There are actions, pipes, variables, `if`, `with`, and Go's own functions, which are in
`go_functions`.

Differs from Kuma: loops and templates within templates, which names have no use for, are refused.

Source: https://pkg.go.dev/text/template
"""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import lru_cache

from kuma.kit.go_functions import (
    FUNCTIONS,
    LONGEST,
    BadTemplate,
    Value,
    is_true,
    parse_character,
    parse_number,
    parse_text,
    print_value,
)
from kuma.kit.value import value

__all__ = ["BadTemplate", "Template", "parse_template"]

_TOKEN = re.compile(
    r"""(?P<space>\s+)
    |(?P<text>"(?:\\.|[^"\\\n])*"|`[^`]*`)
    |(?P<character>'(?:\\.|[^'\\\n])+')
    |(?P<number>[+-]?\d[\w.]*)
    |(?P<field>(?:\.[A-Za-z_]\w*)+|\.)
    |(?P<variable>\$\w*(?:\.[A-Za-z_]\w*)*)
    |(?P<name>[A-Za-z_]\w*)
    |(?P<sign>:=|=|\||\(|\))""",
    re.VERBOSE,
)
_COMMENT = re.compile(r"\s*/\*.*?\*/", re.DOTALL)
_ENDING = re.compile(r"(\s-)?}}")
_TRIM = re.compile(r"-\s")
_REFUSED = ("range", "template", "define", "block", "break", "continue")
_CONSTANTS: Mapping[str, Value] = {"true": True, "false": False, "nil": None}
_SHORT_CIRCUIT = ("and", "or")
_LABEL = "label"


@value
class Token:
    kind: str
    text: str


@value
class Constant:
    value: Value


@value
class Variable:
    """`$` alone is the data."""

    name: str
    path: tuple[str, ...] = ()


@value
class Field:
    """Without a path it is the dot itself."""

    path: tuple[str, ...]


@value
class Call:
    function: str
    arguments: tuple["Operand", ...]


@value
class Pipeline:
    """Each command's value is the last argument of the next. `variable` is given the result, which then
    is not printed; `declares`: the variable is a new one."""

    commands: tuple["Operand", ...]
    variable: str = ""
    declares: bool = False


Operand = Constant | Variable | Field | Call | Pipeline


@value
class Branch:
    """`with`: the value is the dot of `then`."""

    pipeline: Pipeline
    then: tuple["Part", ...]
    otherwise: tuple["Part", ...]
    is_with: bool


Part = str | Pipeline | Branch


@value
class Template:
    parts: tuple[Part, ...]

    @property
    def fields(self) -> frozenset[str]:
        """Of the data that it asks for, on whichever way through it."""
        found = (each.path[0] for each in self._operands if isinstance(each, Field) and each.path)
        roots = (
            each.path[0]
            for each in self._operands
            if isinstance(each, Variable) and each.name == "$" and each.path
        )
        return frozenset((*found, *roots))

    @property
    def labels(self) -> frozenset[str]:
        """The keys of the labels that it asks for, on whichever way through it."""
        return frozenset(
            str(argument.value)
            for each in self._operands
            if isinstance(each, Call) and each.function == _LABEL
            for argument in each.arguments
            if isinstance(argument, Constant)
        )

    @property
    def is_conditional(self) -> bool:
        """Whether not all that it asks for need be there."""
        return any(isinstance(each, Branch) for each in self.parts) or any(
            isinstance(each, Call) and each.function in _SHORT_CIRCUIT for each in self._operands
        )

    @property
    def _operands(self) -> Iterator[Operand]:
        return _operands_of(self.parts)

    def render(self, fields: Mapping[str, str], labels: Mapping[str, str]) -> str:
        """Raises BadTemplate, for a field or a label that is not there above all."""
        try:
            return _Run(fields, labels).text_of(self.parts, fields)
        except RecursionError as error:
            raise BadTemplate(_TOO_DEEP) from error


_TOO_DEEP = "is nested too deeply"


@lru_cache(maxsize=256)
def _parse(text: str) -> Template:
    try:
        parser = _Parser(list(_actions(text)))
        parts, end = parser.parts()
    except RecursionError as error:
        raise BadTemplate(_TOO_DEEP) from error
    if end:
        raise BadTemplate(f"unexpected {{{{{end[0].text}}}}}")
    return Template(parts)


def parse_template(text: str, *, fields: Collection[str] | None = None) -> Template:
    """`fields` are those that there are; None: that is for `render` to say. Raises BadTemplate."""
    found = _parse(text)
    for name in sorted(found.fields.difference(fields if fields is not None else found.fields)):
        known = ", ".join(f".{each}" for each in fields or ())
        raise BadTemplate(f"there is no field .{name}; there are {known}")
    return found


def _operands_of(parts: Sequence[Part | Operand]) -> Iterator[Operand]:
    for part in parts:
        if isinstance(part, Branch):
            yield from _operands_of((part.pipeline, *part.then, *part.otherwise))
        elif isinstance(part, Pipeline):
            yield from _operands_of(part.commands)
        elif isinstance(part, Call):
            yield part
            yield from _operands_of(part.arguments)
        elif not isinstance(part, str):
            yield part


def _actions(text: str) -> Iterator[str | list[Token]]:
    """The text between actions, and the words of each action."""
    at, trims = 0, False
    while True:
        start = text.find("{{", at)
        between = text[at:] if start < 0 else text[at:start]
        trims_next = start >= 0 and _TRIM.match(text, start + 2) is not None
        between = between.lstrip() if trims else between
        if kept := between.rstrip() if trims_next else between:
            yield kept
        if start < 0:
            return
        tokens, at, trims = _read_action(text, start + 2 + trims_next)
        if tokens is not None:
            yield tokens


def _read_action(text: str, at: int) -> tuple[list[Token] | None, int, bool]:
    """Its words, where it ends, and whether it eats the space behind. No words: a comment."""
    tokens: list[Token] = []
    comment = _COMMENT.match(text, at)
    at = comment.end() if comment else at
    while at < len(text):
        if ending := _ENDING.match(text, at):
            return (None if comment else tokens), ending.end(), bool(ending[1])
        found = _TOKEN.match(text, at)
        if found is None or (comment and found.lastgroup != "space"):
            raise BadTemplate(f"unexpected {text[at : at + 1]!r} in an action")
        if found.lastgroup != "space":
            tokens.append(Token(str(found.lastgroup), found[0]))
        at = found.end()
    raise BadTemplate("unclosed action: {{ has no }}")


class _Parser:
    def __init__(self, actions: Sequence[str | list[Token]]) -> None:
        self._actions = list(reversed(actions))
        self._variables = ["$"]

    def parts(self) -> tuple[tuple[Part, ...], list[Token]]:
        """Until an `end` or `else`, which is given back; empty: the text ended."""
        known, found = len(self._variables), list[Part]()
        while self._actions:
            action = self._actions.pop()
            if isinstance(action, str):
                found.append(action)
                continue
            word = action[0].text if action else ""
            if word in {"end", "else"}:
                del self._variables[known:]
                return tuple(found), action
            found.append(self._action(action))
        return tuple(found), []

    def _action(self, tokens: list[Token]) -> Part:
        if not tokens:
            raise BadTemplate("missing value for command: {{ }} is empty")
        word = tokens[0].text
        if word in _REFUSED:
            raise BadTemplate(f"{{{{ {word} }}}} is not supported")
        return self._branch(tokens) if word in {"if", "with"} else self._pipeline(tokens)

    def _branch(self, tokens: list[Token]) -> Branch:
        word, known = tokens[0].text, len(self._variables)
        pipeline = self._pipeline(tokens[1:])
        then, end = self.parts()
        otherwise: tuple[Part, ...] = ()
        if len(end) > 1 and end[0].text == "else" and end[1].text in {"if", "with"}:
            otherwise = (self._branch(end[1:]),)
        elif [each.text for each in end] == ["else"]:
            otherwise, end = self.parts()
            self._expect_end(end, word)
        else:
            self._expect_end(end, word)
        del self._variables[known:]
        return Branch(pipeline, then, otherwise, is_with=word == "with")

    @staticmethod
    def _expect_end(end: list[Token], word: str) -> None:
        if [each.text for each in end] != ["end"]:
            raise BadTemplate(f"{{{{{word}}}}} has no {{{{end}}}}")

    def _pipeline(self, tokens: list[Token]) -> Pipeline:
        variable, declares = "", False
        if len(tokens) > 1 and tokens[0].kind == "variable" and tokens[1].text in {":=", "="}:
            variable, declares = tokens[0].text, tokens[1].text == ":="
            tokens = tokens[2:]
            if not declares:
                self._known(variable)
        commands: list[Operand] = []
        for words in _split(tokens):
            commands.append(self._command(words, has_input=bool(commands)))
        if declares:
            self._variables.append(variable)
        return Pipeline(tuple(commands), variable, declares)

    def _command(self, tokens: list[Token], *, has_input: bool) -> Operand:
        if not tokens:
            raise BadTemplate("missing value for command")
        rest = list(reversed(tokens))
        first = rest.pop()
        if first.kind == "name" and first.text not in _CONSTANTS:
            return self._call(first.text, rest, has_input=has_input)
        operand = self._operand(first, rest)
        if rest or has_input:
            raise BadTemplate(f"{first.text} is no function and takes no arguments")
        if operand == Constant(None):
            raise BadTemplate("nil is not a command")
        return operand

    def _call(self, name: str, rest: list[Token], *, has_input: bool) -> Call:
        if name != _LABEL and name not in FUNCTIONS and name not in _SHORT_CIRCUIT:
            known = ", ".join(sorted((_LABEL, *FUNCTIONS, *_SHORT_CIRCUIT)))
            raise BadTemplate(f'function "{name}" not defined; there are {known}')
        arguments: list[Operand] = []
        while rest:
            arguments.append(self._operand(rest.pop(), rest))
        if name == _LABEL:
            is_known = len(arguments) == 1 and not has_input
            if not (is_known and isinstance(arguments[0], Constant)):
                raise BadTemplate('label is not supported other than with one text: label "key"')
        return Call(name, tuple(arguments))

    def _operand(self, token: Token, rest: list[Token]) -> Operand:
        match token.kind:
            case "text":
                return Constant(parse_text(token.text))
            case "character":
                return Constant(parse_character(token.text))
            case "number":
                return Constant(parse_number(token.text))
            case "field":
                return Field(tuple(each for each in token.text.split(".") if each))
            case "variable":
                name, *path = token.text.split(".")
                self._known(name)
                return Variable(name, tuple(path))
            case "name" if token.text in _CONSTANTS:
                return Constant(_CONSTANTS[token.text])
            case "name":
                return self._call(token.text, [], has_input=False)
        if token.text == "(":
            return self._pipeline(_within(rest))
        raise BadTemplate(f'unexpected "{token.text}" in operand')

    def _known(self, variable: str) -> None:
        if variable not in self._variables:
            raise BadTemplate(f'undefined variable "{variable}"')


def _within(rest: list[Token]) -> list[Token]:
    """What is in the parentheses that were opened; `rest` is in reverse."""
    found, depth = list[Token](), 1
    while rest:
        token = rest.pop()
        depth += (token.text == "(") - (token.text == ")")
        if not depth:
            return found
        found.append(token)
    raise BadTemplate("unclosed left paren")


def _split(tokens: list[Token]) -> list[list[Token]]:
    """The commands of a pipeline."""
    found, depth = [list[Token]()], 0
    for token in tokens:
        depth += (token.text == "(") - (token.text == ")")
        if token.text == "|" and not depth:
            found.append([])
        else:
            found[-1].append(token)
    return found


class _Run:
    def __init__(self, fields: Mapping[str, str], labels: Mapping[str, str]) -> None:
        self._fields = fields
        self._labels = labels
        self._variables: list[tuple[str, Value | Mapping[str, str]]] = [("$", fields)]

    def text_of(self, parts: Sequence[Part], dot: Value | Mapping[str, str]) -> str:
        known, made, length = len(self._variables), list[str](), 0
        for part in parts:
            if isinstance(part, str):
                made.append(part)
            elif isinstance(part, Branch):
                made.append(self._branch(part, dot))
            else:
                found = self._value(part, dot)
                made.append("" if part.variable else print_value(found))
            length += len(made[-1])
            if length > LONGEST:
                raise BadTemplate(f"gives more than {LONGEST} characters")
        del self._variables[known:]
        return "".join(made)

    def _branch(self, branch: Branch, dot: Value | Mapping[str, str]) -> str:
        known = len(self._variables)
        found = self._value(branch.pipeline, dot)
        if is_true(found):
            text = self.text_of(branch.then, found if branch.is_with else dot)
        else:
            text = self.text_of(branch.otherwise, dot)
        del self._variables[known:]
        return text

    def _value(self, pipeline: Pipeline, dot: Value | Mapping[str, str]) -> Value:
        found, is_first = None, True
        for command in pipeline.commands:
            found = self._operand(command, dot, () if is_first else (found,))
            is_first = False
        if pipeline.declares:
            self._variables.append((pipeline.variable, found))
        elif pipeline.variable:
            names = [name for name, _ in self._variables]
            at = len(names) - 1 - names[::-1].index(pipeline.variable)
            self._variables[at] = (pipeline.variable, found)
        return found

    def _operand(
        self, operand: Operand, dot: Value | Mapping[str, str], piped: tuple[Value, ...] = ()
    ) -> Value:
        match operand:
            case Constant():
                return operand.value
            case Field():
                return _field(dot, operand.path)
            case Variable():
                held = next(
                    each for name, each in reversed(self._variables) if name == operand.name
                )
                return _field(held, operand.path)
            case Pipeline():
                return self._value(operand, dot)
            case Call():
                return self._call(operand, dot, piped)

    def _call(self, call: Call, dot: Value | Mapping[str, str], piped: tuple[Value, ...]) -> Value:
        if call.function in _SHORT_CIRCUIT:
            return self._short_circuit(call, dot, piped)
        arguments = (*(self._operand(each, dot) for each in call.arguments), *piped)
        if call.function == _LABEL:
            key = str(arguments[0])
            if key not in self._labels:
                raise BadTemplate(f"label {key} not found")
            return self._labels[key]
        return FUNCTIONS[call.function](*arguments)

    def _short_circuit(
        self, call: Call, dot: Value | Mapping[str, str], piped: tuple[Value, ...]
    ) -> Value:
        if not call.arguments and not piped:
            raise BadTemplate(f"wrong number of arguments for {call.function}: there are none")
        found: Value = None
        for each in (*call.arguments, *map(Constant, piped)):
            found = self._operand(each, dot)
            if is_true(found) is (call.function == "or"):
                break
        return found


def _field(of: Value | Mapping[str, str], path: Sequence[str]) -> Value:
    """Texts have no fields, and the data as a whole is no text."""
    if not isinstance(of, Mapping):
        if path:
            raise BadTemplate(f"can't evaluate field {path[0]} in a text")
        return of
    if not path:
        raise BadTemplate("the data as a whole is no text: name one of its fields")
    if path[0] not in of:
        raise BadTemplate(f"there is no field .{path[0]}")
    return _field(of[path[0]], path[1:])
