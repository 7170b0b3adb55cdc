"""Formulas of the gallery as MathML, which browsers typeset without a network.

    mathml("p_i = e^x_i / Σ_j e^x_j")

The notation is that of the terminal: `_` and `^` bind the next symbol or parentheses, `/` makes a fraction of the products beside
it, parentheses around a whole numerator, denominator, index or exponent group and are not shown, names of several letters are
functions or words.
"""

import re
from collections.abc import Callable
from html import escape

__all__ = ["mathml"]

_TOKEN = re.compile(r"\s*(\d+(?:\.\d+)?|[^\W\d_]+|⌈|⌉|.)")
_OPERATORS = {"+", "−", "=", ">", "<", "≤", "≥", ",", ":"}
_SUM = "Σ"


def _row(parts: list[str]) -> str:
    return parts[0] if len(parts) == 1 else f"<mrow>{''.join(parts)}</mrow>"


class _Parser:
    """Recursive descent over the tokens of one formula."""

    def __init__(self, text: str) -> None:
        self._tokens = _TOKEN.findall(text.strip())
        self._place = 0

    def formula(self) -> str:
        """The whole formula. Raises `ValueError` for text behind its end."""
        parts = self._sum()
        if self._next():
            raise ValueError(f"{self._next()!r} has no place in the formula")
        return "".join(parts)

    def _next(self) -> str:
        return self._tokens[self._place] if self._place < len(self._tokens) else ""

    def _take(self) -> str:
        token = self._next()
        self._place += 1
        return token

    def _sum(self) -> list[str]:
        """Products with operators between them, and a sign in front."""
        parts: list[str] = []
        while self._next() and self._next() != ")":
            if self._next() in _OPERATORS:
                parts.append(f"<mo>{escape(self._take())}</mo>")
            else:
                parts.append(self._quotient())
        return parts

    def _quotient(self) -> str:
        numerator, bare = self._product()
        while self._next() == "/":
            self._take()
            denominator = self._product()[1]
            numerator = f"<mfrac>{_row(bare)}{_row(denominator)}</mfrac>"
            bare = [numerator]
        return numerator

    def _product(self) -> tuple[str, list[str]]:
        """The factors as they stand in a line, and the same without parentheses around all of them."""
        factors: list[str] = []
        inner: list[str] = []
        while self._next() and self._next() not in _OPERATORS | {")", "/"}:
            if self._next() == "·":
                factors.append(f"<mo>{self._take()}</mo>")
                continue
            factor, inner = self._scripted(self._atom)
            factors.append(factor)
        if not factors:
            raise ValueError("a factor is missing")
        return _row(factors), inner if len(factors) == 1 else factors

    def _scripted(self, atom: Callable[[], tuple[str, list[str]]]) -> tuple[str, list[str]]:
        """An atom with its index and its exponent."""
        base, inner = atom()
        below = above = ""
        while self._next() in ("_", "^"):
            if self._take() == "_":
                below = _row(self._atom()[1])
            else:
                sign = [f"<mo>{self._take()}</mo>"] if self._next() == "−" else []
                above = _row([*sign, _row(self._scripted(self._atom)[1])])
        if below and above:
            base = f"<msubsup>{base}{below}{above}</msubsup>"
        elif below or above:
            base = f"<msub>{base}{below}</msub>" if below else f"<msup>{base}{above}</msup>"
        return base, [base] if below or above else inner

    def _atom(self) -> tuple[str, list[str]]:
        """A symbol or parentheses, and the same without the parentheses."""
        token = self._take()
        if token == "(":
            parts = self._sum()
            if self._take() != ")":
                raise ValueError("a parenthesis is not closed")
            return f"<mrow><mo>(</mo>{''.join(parts)}<mo>)</mo></mrow>", parts
        if not token or token in ")^_/":
            raise ValueError(f"{token!r} stands where a symbol must")
        if token[0].isdigit():
            shown = f"<mn>{token}</mn>"
        elif token == _SUM:
            shown = "<mo>∑</mo>"
        elif token.isalpha():
            shown = f"<mi>{token}</mi>"
        else:
            shown = f"<mo>{escape(token)}</mo>"
        return shown, [shown]


def mathml(formula: str) -> str:
    """A formula as a MathML element. Raises `ValueError` for one that has another form."""
    body = _Parser(formula).formula()
    return f'<math display="block" aria-label="{escape(formula)}"><mrow>{body}</mrow></math>'
