# SPDX-License-Identifier: Apache-2.0
"""The script language of GRUB 2: text to statements, nothing carried out.

The grammar is that of GRUB's manual, "Writing full configuration files directly", as far as
menus go: words with three kinds of quotes, variables, blocks in braces, conditions and loops.
Broken text gives what could be read of it; no text takes more than linear time.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from liveos.medium.menus.text import MOST_DEPTH, MOST_TEXT

_LONGEST_VALUE = 4096

_TOKEN = re.compile(
    r"""
      (?P<blank>[^\S\n]+|\\\n)
    | (?P<operator>\n|;|&&|\|\||[|&{}])
    | '(?P<single>[^']*)'?
    | "(?P<double>(?:\\.|[^"\\])*)"?
    | (?P<variable>\$(?:\{[^}\n]*\}|\w+|[?@\#*]))
    | (?P<verbatim>\\x[0-9a-fA-F]{2})   # Fedora's GRUB passes these on to the kernel
    | \\(?P<escape>.)
    | (?P<plain>[^\s'"\\$;|&{}]+|[$\\])
    """,
    re.VERBOSE | re.DOTALL,
)
_DOUBLE_QUOTED = re.compile(
    r"""(?P<variable>\$(?:\{[^}\n]*\}|\w+|[?@\#*]))|\\(?P<escape>[$"\\])|(?P<plain>\\\n|[^$\\]+|.)""",
    re.VERBOSE | re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of a word: literal text, or a variable's use as it was written."""

    text: str
    variable: str | None = None


@dataclass(frozen=True, slots=True)
class Word:
    """A word of a command, made of parts."""

    parts: tuple[Part, ...]
    quoted: bool = False

    def __str__(self) -> str:
        return "".join(part.text for part in self.parts)

    @property
    def variables(self) -> tuple[str, ...]:
        """The names of the variables that it uses."""
        return tuple(part.variable for part in self.parts if part.variable is not None)

    def expand(self, values: Mapping[str, str]) -> str:
        """The text with variables replaced; unknown ones are empty, as in GRUB."""
        texts = (
            part.text if part.variable is None else values.get(part.variable, "")
            for part in self.parts
        )
        return "".join(texts)[:_LONGEST_VALUE]


@dataclass(frozen=True, slots=True)
class Command:
    """A simple command, with its block when it has one (``menuentry``, ``submenu``).

    ``joint`` is the operator before it: ``;``, ``&&`` or ``||``.
    """

    words: tuple[Word, ...]
    block: "Block | None" = None
    joint: str = ";"

    @property
    def name(self) -> str:
        return str(self.words[0]) if self.words else ""


@dataclass(frozen=True, slots=True)
class Conditional:
    """``if``, with every ``elif``, and ``else``."""

    branches: tuple[tuple["Block", "Block"], ...]
    otherwise: "Block"


Statement = Command | Conditional
Block = tuple[Statement, ...]
_Token = Word | str


@dataclass(frozen=True, slots=True)
class Placed:
    """A word or an operator, and where in the text it stands."""

    content: _Token
    start: int
    end: int


def parse(text: str) -> Block:
    """The statements of a script."""
    return _Parser([each.content for each in tokens(text[:MOST_TEXT])]).block(frozenset())


def tokens(text: str) -> Iterator[Placed]:
    """Words, and the operators between them as plain strings; the end of a line is a ``;``."""
    parts: list[Part] = []
    quoted = False
    position = start = 0
    while match := _TOKEN.match(text, position):
        position = match.end()
        kind = match.lastgroup
        if kind == "plain" and not parts and not quoted and match["plain"].startswith("#"):
            position = _end_of_line(text, match.start())
        elif kind in {"blank", "operator"}:
            if parts or quoted:
                yield Placed(Word(tuple(parts), quoted), start, match.start())
            parts, quoted = [], False
            if kind == "operator":
                operator = ";" if match["operator"] == "\n" else match["operator"]
                yield Placed(operator, match.start(), match.end())
        else:
            start = start if parts or quoted else match.start()
            quoted = quoted or kind in {"single", "double", "escape"}
            parts += _parts(match)
    if parts or quoted:
        yield Placed(Word(tuple(parts), quoted), start, len(text))


def _end_of_line(text: str, position: int) -> int:
    end = text.find("\n", position)
    return len(text) if end < 0 else end


def _parts(match: re.Match[str]) -> list[Part]:
    kind = match.lastgroup or "plain"
    value = match[kind] or ""
    if kind == "double":
        return [part for inner in _DOUBLE_QUOTED.finditer(value) for part in _parts(inner)]
    if kind == "variable":
        return [Part(value, value.strip("${}"))]
    return [] if value == "\\\n" else [Part(value)]


class _Parser:
    """Recursive descent over tokens; nesting deeper than any menu ends the reading."""

    def __init__(self, tokens: list[_Token]) -> None:
        self._tokens = tokens
        self._next = 0
        self._depth = 0

    def block(self, ends: frozenset[str]) -> Block:
        """Statements up to a keyword or brace in ``ends``, which is left to be taken."""
        self._depth += 1
        if self._depth > MOST_DEPTH:
            self._next = len(self._tokens)
        statements: list[Statement] = []
        joint = ";"
        while (token := self._peek()) is not None and self._keyword(token) not in ends:
            if isinstance(token, str):
                self._next += 1
                joint = token if token in {"&&", "||"} else ";"
            elif self._keyword(token) == "if":
                statements.append(self._conditional())
            else:
                statements.append(self._command(joint))
                joint = ";"
        self._depth -= 1
        return tuple(statements)

    def _command(self, joint: str) -> Command:
        words: list[Word] = []
        while isinstance(word := self._peek(), Word):
            words.append(word)
            self._next += 1
        if str(words[0]) in {"for", "while", "until"}:
            self._take(";")
            self._take("do")
            return Command(tuple(words), self._closed("done"), joint)
        block = self._closed("}") if self._take("{") else None
        return Command(tuple(words), block, joint)

    def _conditional(self) -> Conditional:
        branches: list[tuple[Block, Block]] = []
        otherwise: Block = ()
        while self._take("if") or self._take("elif"):
            condition = self.block(frozenset({"then", "fi"}))
            self._take("then")
            branches.append((condition, self.block(frozenset({"elif", "else", "fi"}))))
        if self._take("else"):
            otherwise = self.block(frozenset({"fi"}))
        self._take("fi")
        return Conditional(tuple(branches), otherwise)

    def _closed(self, end: str) -> Block:
        block = self.block(frozenset({end}))
        self._take(end)
        return block

    def _take(self, keyword: str) -> bool:
        token = self._peek()
        found = token is not None and self._keyword(token) == keyword
        self._next += found
        return found

    def _peek(self) -> _Token | None:
        return self._tokens[self._next] if self._next < len(self._tokens) else None

    @staticmethod
    def _keyword(token: _Token) -> str:
        """The token as a keyword; nothing for a quoted word, which is never one."""
        if isinstance(token, str):
            return token
        return "" if token.quoted or len(token.parts) != 1 else token.parts[0].text
