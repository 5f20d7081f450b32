"""Translates a model's PostgreSQL SQL to Spark SQL (docs/spark.md).

It infers the PostgreSQL type of every expression and knows the equivalent for Spark 4.3. An unknown construct or type is
refused with its name, the model and the line; nothing is guessed, because most differences between the two engines change rows
without raising an error. sqlglot parses and generates; the translation between is done here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlglot import exp, parse_one
from sqlglot.dialects.postgres import Postgres

from yingjian.modelling.spark_types import INFINITIES, NO_END, NO_START, SHORT_TYPES, Columns, Type

Typed = tuple[Any, Type]
Wrap = Callable[[Any], Any]

UNKNOWN = "unknown"  # This is PostgreSQL's type of an untyped literal or null.
INTEGERS = ("smallint", "integer", "bigint")
NUMBERS = (*INTEGERS, "numeric", "double precision")
TIMES = ("date", "timestamp")
SPARK_TYPES = {
    "text": "string",
    "boolean": "boolean",
    "smallint": "smallint",
    "integer": "int",
    "bigint": "bigint",
    "numeric": "decimal(38, 20)",
    "double precision": "double",
    "date": "date",
    "timestamp": "timestamp_ntz",
    "timestamptz": "timestamp_ltz",
}
# PostgreSQL's numeric is unbounded. Spark derives a precision and scale for every result and drops decimals when two scales
# meet, so every result is cast to this type: 20 decimals, as PostgreSQL gives a share. Whole numbers and powers get shorter
# types.
NUMERIC = SPARK_TYPES["numeric"]
DIVISOR = "decimal(38, 16)"  # With a longer scale of the divisor, Spark's quotient would have fewer than 20 decimals.
WHOLE_NUMERIC, SHORT_NUMERIC = "decimal(18, 0)", "decimal(20, 6)"
ROUNDED = {"numeric": "round", "double precision": "rint"}
CASTS = {  # Source type -> target types for which Spark's cast behaves like PostgreSQL's.
    "text": (*NUMBERS, "timestamp"),
    **dict.fromkeys(INTEGERS, ("text", *NUMBERS)),
    "numeric": ("double precision",),
    "double precision": ("numeric",),
    "boolean": ("text", "integer"),
    "date": ("text", "timestamp"),
    "timestamp": ("text", "date"),
}
TIME_FORMATS = {  # The keys are tokens of to_char, the values those of date_format.
    "FMMM": "M",
    "FMDD": "d",
    "HH24": "HH",
    "YYYY": "yyyy",
    "MM": "MM",
    "DD": "dd",
    "MI": "mm",
    "SS": "ss",
}
EXTRACTED = {"YEAR": "YEAR", "MONTH": "MONTH", "DAY": "DAY", "HOUR": "HOUR", "ISODOW": "DAYOFWEEK_ISO"}
MONTHS = ("YEAR", "MONTH")
INTERVALS = ("interval", "interval of months")
UNITS = ("DAY", "HOUR", "MINUTE", "SECOND", "MICROSECOND")
QUERY_ARGS = frozenset({"this", "expression", "distinct", "with_", "order", "limit"})
SELECT_ARGS = frozenset(
    {"with_", "expressions", "distinct", "from_", "joins", "where", "group", "having", "windows", "order", "limit"}
)
OF_TYPES = (
    exp.Add, exp.Sub, exp.Mul, exp.Div, exp.Mod, exp.Pow, exp.Neg, exp.Cast, exp.DPipe, exp.Round, exp.Floor, exp.Ceil,
    exp.Sum, exp.Avg,
)  # fmt: skip
ROW_OF_KEY = "row_of_its_key"  # This column holds the row number within a `distinct on` key.
MAX_INTEGER = 2**31 - 1
MARK = re.compile(r"/\* @(\d+) \*/")


class Plain(Postgres):
    """This dialect is PostgreSQL without sqlglot's conversions of array indexes and date formats."""

    INDEX_OFFSET = 0
    TIME_MAPPING: dict[str, str] = {}  # noqa: RUF012  sqlglot declares it so.


class Refused(ValueError):
    """Raised for a model that cannot be translated; the text names the model, the line and the construct."""

    may_be_told = True


@dataclass(frozen=True)
class Translated:
    """A translated model: its Spark SQL, its columns, and each construct used with the place of its first use.

    marked: the same SQL with line numbers of the compiled SQL in comments, from which `line_of` locates an error.
    """

    sql: str
    marked: str
    columns: Columns
    constructs: Mapping[str, str]


@dataclass
class Source:
    """A named relation in `from`. `is_item` marks the item variable of a lambda over a list."""

    name: str
    columns: Columns
    is_item: bool = False


@dataclass
class Scope:
    """The scope of a query holds its sources, its output columns, its CTEs, and the enclosing query's scope."""

    outer: Scope | None = None
    ctes: dict[str, Columns] = field(default_factory=dict)
    sources: list[Source] = field(default_factory=list)
    output: Columns = field(default_factory=dict)

    def cte(self, name: str) -> Columns | None:
        if name in self.ctes:
            return self.ctes[name]
        return self.outer.cte(name) if self.outer else None

    def column(self, name: str, table: str) -> tuple[Type, bool] | None:
        """Return a column's type and whether it is a lambda's list item; None if no scope has it."""
        for source in self.sources:
            if name in source.columns and table in ("", source.name):
                return source.columns[name], source.is_item
        if not table and name in self.output:
            return self.output[name], False
        return self.outer.column(name, table) if self.outer else None


def translate(model: str, sql: str, tables: Mapping[str, Columns], source: str = "") -> Translated:
    """Translate a model to Spark SQL.

    sql: the compiled SQL; source: text of the model's file; tables: columns of each table it reads, by `schema.table`. Raises
    Refused.
    """
    return _Translation(model, sql, tables, source).translated()


_HANDLERS: dict[type[Any], tuple[frozenset[str], Callable[..., Typed]]] = {}
_AGGREGATES: dict[type[Any], tuple[frozenset[str], Callable[..., Typed]]] = {}
_FUNCTIONS: dict[str, Callable[..., Typed]] = {}


def _handles(*classes: type[Any], args: str = "this") -> Callable[..., Any]:
    """Register a method as handler of expression classes. Any other argument that is set on the expression is refused."""

    def register(method: Callable[..., Typed]) -> Callable[..., Typed]:
        _HANDLERS.update(dict.fromkeys(classes, (frozenset(args.split()), method)))
        return method

    return register


def _aggregates(*classes: type[Any], args: str = "this") -> Callable[..., Any]:
    def register(method: Callable[..., Typed]) -> Callable[..., Typed]:
        _AGGREGATES.update(dict.fromkeys(classes, (frozenset(args.split()), method)))
        return method

    return register


def _function(name: str) -> Callable[..., Any]:
    def register(method: Callable[..., Typed]) -> Callable[..., Typed]:
        _FUNCTIONS[name] = method
        return method

    return register


def place(sql: str, source: str, line: int) -> str:
    """Describe a line of the compiled SQL: by the line of the model's file if exactly one has the same text,
    else with its text.
    """
    compiled = sql.splitlines()
    shown = compiled[line - 1].strip() if line <= len(compiled) else ""
    lines = [number for number, text in enumerate(source.splitlines(), 1) if text.strip() == shown]
    return f"line {lines[0]}" if len(lines) == 1 else f"line {line} of its compiled SQL, `{shown}`"


def line_of(marked: str, start: int, stop: int) -> int | None:
    """Return the line of the compiled SQL for a span of the marked SQL: the first mark inside it, else the nearest."""
    marks = [(mark.start(), int(mark[1])) for mark in MARK.finditer(marked)]
    inside = [line for position, line in marks if start <= position <= stop]
    nearest = sorted((abs(position - start), line) for position, line in marks)
    return inside[0] if inside else nearest[0][1] if nearest else None


def _marked(tree: Any) -> str:
    """Return Spark SQL with a comment after each column and table that gives its line in the compiled SQL."""
    for node in tree.walk():
        node.comments = None
    for named in tree.find_all(exp.Column, exp.Table):
        lines = [part.meta["line"] for part in named.walk() if "line" in part.meta]
        if lines:
            named.comments = [f"@{lines[0]}"]
    return str(tree.sql(dialect="spark", pretty=True))


def call(name: str, *arguments: Any) -> Any:
    return exp.Anonymous(this=name, expressions=list(arguments))


def text(value: str) -> Any:
    return exp.Literal.string(value)


def number(value: int) -> Any:
    return exp.Literal.number(value)


def spark_type(type_name: Type) -> str | None:
    """Return Spark's name of a type; None if there is no equivalent."""
    if type_name.endswith("[]"):
        item = spark_type(type_name[:-2])
        return item and f"array<{item}>"
    return SPARK_TYPES.get(type_name)


def cast(node: Any, type_name: str) -> Any:
    return exp.Cast(this=node, to=exp.DataType.build(type_name, dialect="spark"))


def paren(node: Any) -> Any:
    return exp.Paren(this=node)


def lambda_(name: str, body: Any) -> Any:
    return exp.Lambda(this=body, expressions=[exp.to_identifier(name)])


def case(condition: Any, then: Any, otherwise: Any = None) -> Any:
    return exp.Case(ifs=[exp.If(this=condition, true=then)], default=otherwise)


def not_null(node: Any) -> Any:
    return exp.Not(this=exp.Is(this=node, expression=exp.Null()))


def plain(call_: Any) -> Any:
    """Return an aggregate unchanged, without filter or window."""
    return call_


class _Translation:
    """This class translates one model."""

    def __init__(self, model: str, sql: str, tables: Mapping[str, Columns], source: str) -> None:
        self.model, self.sql, self.tables, self.file = model, sql, tables, source
        self.constructs: dict[str, str] = {}
        self.line = 1
        self.frames: list[list[Type]] = [[]]
        self.items = 0

    def translated(self) -> Translated:
        try:
            tree = parse_one(self.sql, dialect=Plain)
        except Exception as error:
            raise Refused(f"{self.model}: sqlglot cannot read it: {error}") from None
        columns = self.query(tree, Scope())
        columns = {name: "text" if kind == UNKNOWN else kind for name, kind in columns.items()}
        written = tree.sql(dialect="spark", pretty=True, comments=False)
        return Translated(written, _marked(tree), columns, dict(self.constructs))

    def refuse(self, what: str) -> Refused:
        return Refused(f"{self.model}, {self.place()}: {what}")

    def place(self) -> str:
        return place(self.sql, self.file, self.line)

    def note(self, node: Any) -> None:
        """Remember a node's line number, if sqlglot has one."""
        for part in node.walk():
            if "line" in part.meta:
                self.line = part.meta["line"]
                return

    def check(self, node: Any, allowed: frozenset[str]) -> None:
        for name, value in node.args.items():
            if name not in allowed and value not in (None, False, []) and name != "safe":
                raise self.refuse(f"`{name}` of {node.key} is not known: {node.sql(dialect=Plain)[:120]}")

    def construct(self, name: str) -> None:
        if name not in self.constructs:
            self.constructs[name] = self.place()

    def value(self, node: Any, scope: Scope) -> Typed:
        """Translate an expression; return it with its PostgreSQL type."""
        self.note(node)
        line = self.line
        if type(node) in _AGGREGATES:
            return self.aggregate(node, scope, plain)
        if type(node) not in _HANDLERS:
            raise self.refuse(f"the construct {node.key} is not known: {node.sql(dialect=Plain)[:120]}")
        allowed, method = _HANDLERS[type(node)]
        self.check(node, allowed)
        self.frames.append([])
        translated, kind = method(self, node, scope)
        self.line = line
        self.signed(node, kind)
        return translated, kind

    def signed(self, node: Any, kind: Type) -> None:
        """Record the construct used, with its argument types."""
        kinds = self.frames.pop()
        if not isinstance(node, (exp.Column, exp.Literal, exp.Paren, exp.Subquery)):
            name = node.name.lower() if isinstance(node, exp.Anonymous) else node.key
            self.construct(_named(node, name, kinds) + (f" as {kind}" if isinstance(node, exp.Cast) else ""))
        self.frames[-1].append(kind)

    def put(self, node: Any, name: str, scope: Scope) -> Type:
        """Translate an argument of a node in place; return its type."""
        translated, kind = self.value(node.args[name], scope)
        node.set(name, translated)
        return kind

    def put_all(self, node: Any, name: str, scope: Scope) -> list[Type]:
        pairs = [self.value(each, scope) for each in node.args.get(name) or []]
        node.set(name, [each for each, _ in pairs])
        return [kind for _, kind in pairs]

    def one_type(self, kinds: Sequence[Type]) -> Type:
        """Return the common type that PostgreSQL resolves for several values."""
        known = sorted({kind for kind in kinds if kind != UNKNOWN})
        if not known:
            return UNKNOWN
        if len(known) == 1:
            return known[0]
        if all(kind in NUMBERS for kind in known):
            return max(known, key=NUMBERS.index)
        if all(kind in TIMES for kind in known):
            return "timestamp"
        raise self.refuse(f"the types {' and '.join(known)} do not go together")

    def like(self, node: Any, kind: Type, wanted: Type) -> Any:
        """Cast an untyped literal to the type of the other operand, and an integer next to a numeric to numeric."""
        if kind in INTEGERS and wanted == "numeric":
            return cast(node, NUMERIC)
        if kind != UNKNOWN or wanted in (UNKNOWN, "text") or not isinstance(node, exp.Literal):
            return node
        return self.converted(node, kind, wanted)

    def together(self, pairs: Sequence[Typed]) -> tuple[list[Any], Type]:
        kind = self.one_type([kind for _, kind in pairs])
        return [self.like(node, own, kind) for node, own in pairs], kind

    @_handles(exp.Column, args="this table db")
    def _column(self, node: Any, scope: Scope) -> Typed:
        column = scope.column(node.name, node.table)
        if column is None or node.args.get("db"):
            raise self.refuse(f"the column {node.sql(dialect=Plain)} is not known")
        kind, is_item = column
        return (exp.to_identifier(node.name) if is_item else node), kind

    @_handles(exp.Paren)
    def _paren(self, node: Any, scope: Scope) -> Typed:
        return node, self.put(node, "this", scope)

    @_handles(exp.Literal, args="this is_string")
    def _literal(self, node: Any, scope: Scope) -> Typed:
        if node.is_string:
            return node, UNKNOWN
        if not node.name.isdigit():
            return node, "numeric"
        return node, "integer" if int(node.name) <= MAX_INTEGER else "bigint"

    @_handles(exp.Boolean)
    def _boolean(self, node: Any, scope: Scope) -> Typed:
        return node, "boolean"

    @_handles(exp.Null, args="")
    def _null(self, node: Any, scope: Scope) -> Typed:
        return node, UNKNOWN

    @_handles(exp.Neg)
    def _neg(self, node: Any, scope: Scope) -> Typed:
        kind = self.put(node, "this", scope)
        if kind not in NUMBERS:
            raise self.refuse(f"minus {kind} is not known")
        return node, kind

    @_handles(exp.Not)
    def _not(self, node: Any, scope: Scope) -> Typed:
        return node, self.condition(node, "this", scope)

    @_handles(exp.And, exp.Or, args="this expression")
    def _and_or(self, node: Any, scope: Scope) -> Typed:
        self.condition(node, "this", scope)
        return node, self.condition(node, "expression", scope)

    def condition(self, node: Any, name: str, scope: Scope) -> Type:
        kind = self.put(node, name, scope)
        if kind not in ("boolean", UNKNOWN):
            raise self.refuse(f"a condition is {kind}")
        return "boolean"

    @_handles(exp.Is, args="this expression negate")
    def _is(self, node: Any, scope: Scope) -> Typed:
        self.put(node, "this", scope)
        self.put(node, "expression", scope)
        return node, "boolean"

    @_handles(
        exp.EQ,
        exp.NEQ,
        exp.LT,
        exp.LTE,
        exp.GT,
        exp.GTE,
        exp.NullSafeEQ,
        exp.NullSafeNEQ,
        args="this expression",
    )
    def _comparison(self, node: Any, scope: Scope) -> Typed:
        if isinstance(node.expression, (exp.Any, exp.All)):
            return self._any(node, scope)
        if isinstance(node.this, exp.Tuple):
            return self.value(self.row_comparison(node), scope)
        pairs = [self.value(node.this, scope), self.value(node.expression, scope)]
        if pairs[0][1] == pairs[1][1] == "interval" or all(kind != "interval" for _, kind in pairs):
            (this, expression), _ = self.together(pairs)
            node.set("this", this)
            node.set("expression", expression)
            return node, "boolean"
        raise self.refuse(f"{pairs[0][1]} is not compared with {pairs[1][1]}")

    def row_comparison(self, node: Any) -> Any:
        """Expand a row comparison such as `(a, b) > (c, d)` into column comparisons: Spark would compare structs, in which null
        is a value.
        """
        if not isinstance(node.expression, exp.Tuple) or not isinstance(
            node, (exp.LT, exp.LTE, exp.GT, exp.GTE, exp.EQ)
        ):
            raise self.refuse(f"{node.sql(dialect=Plain)[:80]} is not known")
        self.construct("row comparison")
        left, right = node.this.expressions, node.expression.expressions
        if isinstance(node, exp.EQ):
            return paren(exp.and_(*(exp.EQ(this=a, expression=b) for a, b in zip(left, right, strict=True))))
        strictly = exp.LT if isinstance(node, (exp.LT, exp.LTE)) else exp.GT
        whole: Any = type(node)(this=left[-1], expression=right[-1])
        for one, other in reversed(list(zip(left[:-1], right[:-1], strict=True))):
            same = exp.And(this=exp.EQ(this=one.copy(), expression=other.copy()), expression=paren(whole))
            whole = exp.Or(this=strictly(this=one, expression=other), expression=paren(same))
        return paren(whole)

    def _any(self, node: Any, scope: Scope) -> Typed:
        """Translate `x = any(list)`, which sqlglot's own translation gets wrong (it compares each item with itself)."""
        listed = node.expression.this.unnest()
        if not isinstance(node, exp.EQ) or isinstance(node.expression, exp.All):
            raise self.refuse(f"{node.sql(dialect=Plain)[:80]} is not known")
        if isinstance(listed, exp.Array) and listed.expressions and isinstance(listed.expressions[0], exp.Select):
            inside = exp.In(this=node.this, query=exp.Subquery(this=listed.expressions[0]))
            return self.value(inside, scope)
        this, kind = self.value(node.this, scope)
        items, list_kind = self.value(listed, scope)
        if list_kind not in (f"{kind}[]", "text[]") or (list_kind != f"{kind}[]" and kind != UNKNOWN):
            raise self.refuse(f"{kind} = any({list_kind}) is not known")
        return call("array_contains", items, this), "boolean"

    @_handles(exp.Between, args="this low high")
    def _between(self, node: Any, scope: Scope) -> Typed:
        names = ("this", "low", "high")
        nodes, _ = self.together([self.value(node.args[name], scope) for name in names])
        for name, translated in zip(names, nodes, strict=True):
            node.set(name, translated)
        return node, "boolean"

    @_handles(exp.In, args="this expressions query")
    def _in(self, node: Any, scope: Scope) -> Typed:
        if node.args.get("query"):
            whole = node.this.expressions if isinstance(node.this, exp.Tuple) else [node.this]
            kinds = [self.value(each, scope) for each in whole]
            node.set("this", exp.Tuple(expressions=[n for n, _ in kinds]) if len(whole) > 1 else kinds[0][0])
            columns = list(self.query(node.args["query"], Scope(scope)).values())
            if len(columns) != len(kinds):
                raise self.refuse("`in` has another number of columns than its query")
            for (_, kind), other in zip(kinds, columns, strict=True):
                self.one_type([kind, other])
            return node, "boolean"
        nodes, _ = self.together([self.value(each, scope) for each in [node.this, *node.expressions]])
        node.set("this", nodes[0])
        node.set("expressions", nodes[1:])
        return node, "boolean"

    @_handles(exp.Like, args="this expression negate")
    def _like(self, node: Any, scope: Scope) -> Typed:
        self.text_of(node, "this", scope)
        if isinstance(node.expression, exp.Literal) and "\\" in node.expression.name:
            raise self.refuse("a backslash in `like` is not known")
        self.text_of(node, "expression", scope)
        return node, "boolean"

    def text_of(self, node: Any, name: str, scope: Scope) -> None:
        kind = self.put(node, name, scope)
        if kind not in ("text", UNKNOWN):
            raise self.refuse(f"{node.key} of {kind} is not known")

    @_handles(exp.RegexpLike, args="this expression")
    def _regexp_like(self, node: Any, scope: Scope) -> Typed:
        self.text_of(node, "this", scope)
        return call("regexp", node.this, self.pattern(node.expression)), "boolean"

    @_handles(exp.Case, args="this ifs default")
    def _case(self, node: Any, scope: Scope) -> Typed:
        if node.this:
            tested = [self.value(each, scope) for each in [node.this, *(branch.this for branch in node.args["ifs"])]]
            nodes, _ = self.together(tested)
            node.set("this", nodes[0])
            for branch, translated in zip(node.args["ifs"], nodes[1:], strict=True):
                branch.set("this", translated)
        else:
            for branch in node.args["ifs"]:
                self.condition(branch, "this", scope)
        results = [self.value(branch.args["true"], scope) for branch in node.args["ifs"]]
        if node.args.get("default"):
            results.append(self.value(node.args["default"], scope))
        nodes, kind = self.together(results)
        for branch, translated in zip(node.args["ifs"], nodes, strict=False):
            branch.set("true", translated)
        if node.args.get("default"):
            node.set("default", nodes[-1])
        return node, kind

    @_handles(exp.Coalesce, exp.Greatest, exp.Least, args="this expressions ignore_nulls")
    def _of_several(self, node: Any, scope: Scope) -> Typed:
        nodes, kind = self.together([self.value(each, scope) for each in [node.this, *node.expressions]])
        node.set("this", nodes[0])
        node.set("expressions", nodes[1:])
        return node, kind

    @_handles(exp.Nullif, args="this expression")
    def _nullif(self, node: Any, scope: Scope) -> Typed:
        pairs = [self.value(node.this, scope), self.value(node.expression, scope)]
        nodes, kind = self.together(pairs)
        node.set("this", nodes[0])
        node.set("expression", nodes[1])
        return node, pairs[0][1] if pairs[0][1] != UNKNOWN else kind

    @_handles(exp.Collate, args="this expression")
    def _collate(self, node: Any, scope: Scope) -> Typed:
        """Drop the collation "C": Spark orders text by bytes anyway."""
        if node.expression.name != "C":
            raise self.refuse('only the collation "C" is known')
        return self.value(node.this, scope)

    @_handles(exp.Add, exp.Sub, args="this expression")
    def _sum(self, node: Any, scope: Scope) -> Typed:
        left, right = self.put(node, "this", scope), self.put(node, "expression", scope)
        minus = isinstance(node, exp.Sub)
        if left in NUMBERS and right in NUMBERS:
            return self.sized(node, self.one_type([left, right]))
        if left == "date" and right in ("smallint", "integer"):
            amount = exp.Neg(this=paren(node.expression)) if minus else node.expression
            return self.moved(node.this, call("date_add", node.this.copy(), amount), "date"), "date"
        if left in ("integer", "smallint") and right == "date" and not minus:
            return self.moved(node.expression, call("date_add", node.expression.copy(), node.this), "date"), "date"
        if minus and left == right == "date":
            return call("datediff", node.this, node.expression), "integer"
        if minus and left in TIMES and right in TIMES:
            return paren(
                exp.Sub(this=self.moment(node.this, left), expression=self.moment(node.expression, right))
            ), "interval"
        if left in TIMES and right in INTERVALS:
            start = self.moment(node.this, left)
            node.set("this", start.copy())
            return self.moved(start, paren(node), "timestamp_ntz"), "timestamp"
        if left == right == "interval":
            return node, "interval"
        raise self.refuse(f"{left} {'-' if minus else '+'} {right} is not known")

    def sized(self, node: Any, kind: Type) -> Typed:
        """Return a number; a numeric is cast to the common precision and scale."""
        return (cast(node, NUMERIC) if kind == "numeric" else paren(node)), kind

    def moved(self, start: Any, moved: Any, target: str) -> Any:
        """Return the moved date or time, except that infinity stays as it is."""
        if isinstance(start, exp.Cast) and isinstance(start.this, exp.Literal) and start.name not in (NO_END, NO_START):
            return moved
        ends = [cast(text(day), target) for day in (NO_END, NO_START)]
        return case(exp.In(this=start, expressions=ends), start.copy(), moved)

    def moment(self, node: Any, kind: Type) -> Any:
        """Cast a date to the timestamp of its midnight, since PostgreSQL's date ± interval is a timestamp."""
        return cast(node, "timestamp_ntz") if kind == "date" else node

    @_handles(exp.Mul, args="this expression")
    def _product(self, node: Any, scope: Scope) -> Typed:
        left, right = self.put(node, "this", scope), self.put(node, "expression", scope)
        if left in NUMBERS and right in NUMBERS:
            return self.sized(node, self.one_type([left, right]))
        if left in INTERVALS and right in NUMBERS:
            return node, left
        if left in NUMBERS and right in INTERVALS:
            return node, right
        raise self.refuse(f"{left} * {right} is not known")

    @_handles(exp.Div, args="this expression typed")
    def _quotient(self, node: Any, scope: Scope) -> Typed:
        """Translate a division: integer / integer is an integer in PostgreSQL, a double in Spark."""
        left, right = self.put(node, "this", scope), self.put(node, "expression", scope)
        if left not in NUMBERS or right not in NUMBERS:
            raise self.refuse(f"{left} / {right} is not known")
        kind = self.one_type([left, right])
        if kind in INTEGERS:
            return cast(paren(exp.IntDiv(this=node.this, expression=node.expression)), SPARK_TYPES[kind]), kind
        dividend, _ = self.sized(node.this, kind)
        divisor = cast(node.expression, DIVISOR) if right == kind == "numeric" else node.expression
        return self.sized(exp.Div(this=dividend, expression=divisor, typed=False, safe=True), kind)

    @_handles(exp.Mod, args="this expression")
    def _mod(self, node: Any, scope: Scope) -> Typed:
        kind = self.one_type([self.put(node, "this", scope), self.put(node, "expression", scope)])
        if kind not in INTEGERS:
            raise self.refuse(f"% of {kind} is not known")
        return node, kind

    @_handles(exp.Pow, args="this expression")
    def _pow(self, node: Any, scope: Scope) -> Typed:
        kinds = [self.put(node, "this", scope), self.put(node, "expression", scope)]
        if "numeric" not in kinds or self.one_type(kinds) != "numeric":
            raise self.refuse("only a power of numeric is known")
        return cast(node, SHORT_NUMERIC), "numeric"

    @_handles(exp.Round, args="this decimals")
    def _round(self, node: Any, scope: Scope) -> Typed:
        """Translate round for numeric only: both engines round half away from zero, but PostgreSQL rounds
        doubles half to even.
        """
        kind = self.put(node, "this", scope)
        if kind not in ("numeric", *INTEGERS):
            raise self.refuse(f"round of {kind} is not known: write round(…::numeric, …)")
        if node.args.get("decimals") and not isinstance(node.args["decimals"], exp.Literal):
            raise self.refuse("round to a number of decimals that is no literal is not known")
        return self.sized(node, "numeric")

    @_handles(exp.Floor, exp.Ceil)
    def _floor(self, node: Any, scope: Scope) -> Typed:
        kind = self.put(node, "this", scope)
        if kind == "double precision":
            return cast(node, "double"), kind
        if kind != "numeric":
            raise self.refuse(f"{node.key} of {kind} is not known")
        return self.sized(node, kind)

    @_handles(exp.Interval, args="this unit")
    def _interval(self, node: Any, scope: Scope) -> Typed:
        unit = node.args["unit"].name.upper().removesuffix("S") if node.args.get("unit") else ""
        if not isinstance(node.this, exp.Literal) or unit not in (*UNITS, *MONTHS):
            raise self.refuse(f"{node.sql(dialect=Plain)} is not known")
        self.construct(f"interval {unit.lower()}")
        return node, "interval of months" if unit in MONTHS else "interval"

    @_handles(exp.MakeInterval, args="day hour minute second")
    def _make_interval(self, node: Any, scope: Scope) -> Typed:
        ((unit, given),) = [(unit, given) for unit, given in node.args.items() if given]
        amount, kind = self.value(given.expression if isinstance(given, exp.Kwarg) else given, scope)
        if kind not in NUMBERS:
            raise self.refuse(f"make_interval of {kind} is not known")
        one = exp.Interval(this=text("1"), unit=exp.var(unit.upper()))
        return paren(exp.Mul(this=one, expression=paren(amount))), "interval"

    @_handles(exp.Extract, args="this expression")
    def _extract(self, node: Any, scope: Scope) -> Typed:
        part = node.this.name.upper()
        self.construct(f"extract {part.lower()}")
        inside = node.expression.unnest()
        if part == "EPOCH":
            if not isinstance(inside, exp.Sub):
                raise self.refuse("extract(epoch from …) is only known of a difference")
            (later, one), (earlier, other) = self.value(inside.this, scope), self.value(inside.expression, scope)
            if one not in TIMES or other not in TIMES or one == other == "date":
                raise self.refuse(f"extract(epoch from {one} - {other}) is not known")
            micros = call("timestampdiff", exp.var("microsecond"), self.moment(earlier, other), self.moment(later, one))
            seconds = exp.Mul(this=cast(micros, WHOLE_NUMERIC), expression=exp.Literal.number("0.000001"))
            return self.sized(seconds, "numeric")
        kind = self.put(node, "expression", scope)
        if part not in EXTRACTED or kind not in TIMES:
            raise self.refuse(f"extract({part.lower()} from {kind}) is not known")
        return cast(exp.Extract(this=exp.var(EXTRACTED[part]), expression=node.expression), WHOLE_NUMERIC), "numeric"

    @_handles(exp.TimestampTrunc, args="this unit")
    def _date_trunc(self, node: Any, scope: Scope) -> Typed:
        kind = self.put(node, "this", scope)
        unit = node.args["unit"].name.upper()
        if kind != "timestamp" or unit not in (*UNITS, "MONTH"):
            raise self.refuse(f"date_trunc({unit.lower()}, {kind}) is not known")
        return cast(call("date_trunc", text(unit), node.this), "timestamp_ntz"), "timestamp"

    @_handles(exp.Cast, args="this to")
    def _cast(self, node: Any, scope: Scope) -> Typed:
        wanted = node.args["to"].sql(dialect="postgres").lower()
        sized = re.fullmatch(r"decimal\((\d+), *(\d+)\)", wanted)
        wanted = "numeric" if sized else SHORT_TYPES.get(wanted, wanted)
        if spark_type(wanted) is None:
            raise self.refuse(f"the type {wanted} is not known")
        this, kind = self.value(node.this, scope)
        converted = self.converted(this, kind, wanted)
        if sized:
            converted = cast(call("round", converted, number(int(sized[2]))), f"decimal({sized[1]}, {sized[2]})")
        return converted, wanted

    def converted(self, node: Any, kind: Type, wanted: Type) -> Any:
        """Cast an expression as PostgreSQL does."""
        target = spark_type(wanted)
        assert target
        if kind == wanted and kind != UNKNOWN:
            return node
        if kind == UNKNOWN:
            return self.literal_as(node, wanted, target)
        if (kind, wanted) == ("text", "date"):
            eight_digits = call("regexp", node.copy(), text("^[0-9]{8}$"))
            return case(eight_digits, call("to_date", node.copy(), text("yyyyMMdd")), cast(node, "date"))
        if kind in ROUNDED and wanted in INTEGERS:
            return cast(call(ROUNDED[kind], node), target)  # Spark's cast truncates.
        if kind in INTEGERS and wanted == "numeric":
            return cast(node, WHOLE_NUMERIC)
        if wanted in CASTS.get(kind, ()):
            return cast(node, target)
        raise self.refuse(f"a cast of {kind} to {wanted} is not known")

    def literal_as(self, node: Any, wanted: Type, target: str) -> Any:
        if not isinstance(node, exp.Literal):  # The node is a null.
            return cast(node, target)
        value = node.name
        if wanted in TIMES and value in INFINITIES:
            return cast(text(INFINITIES[value]), target)
        if wanted == "date" and re.fullmatch(r"\d{4}-\d\d-\d\d", value):
            return cast(node, target)
        if wanted == "timestamp" and re.fullmatch(r"\d{4}-\d\d-\d\d( \d\d:\d\d(:\d\d(\.\d+)?)?)?", value):
            return cast(node, target)
        if wanted.endswith("[]") and value == "{}":
            return cast(call("array"), target)
        if wanted == "text" or (wanted in NUMBERS and re.fullmatch(r"-?\d+(\.\d+)?", value)):
            return cast(node, target)
        if wanted == "boolean" and value in ("true", "false"):
            return cast(node, target)
        raise self.refuse(f"the literal '{value}' as {wanted} is not known")

    @_handles(exp.DPipe, args="this expression")
    def _concatenation(self, node: Any, scope: Scope) -> Typed:
        """Translate `||` to concat: in Spark it has another precedence, and values convert to text differently."""
        pairs = [self.value(node.this, scope), self.value(node.expression, scope)]
        kinds = [kind for _, kind in pairs]
        if kinds[0] == kinds[1] and kinds[0].endswith("[]"):
            return call("concat", *(translated for translated, _ in pairs)), kinds[0]
        return call("concat", *(self.as_text(*pair) for pair in pairs)), "text"

    def as_text(self, node: Any, kind: Type) -> Any:
        return node if kind in ("text", UNKNOWN) else self.converted(node, kind, "text")

    @_handles(exp.Concat, exp.ConcatWs, args="this expressions coalesce separator")
    def _concat(self, node: Any, scope: Scope) -> Typed:
        """Translate concat and concat_ws, which ignore nulls in PostgreSQL."""
        pairs = [self.value(each, scope) for each in node.expressions]
        nodes = [self.as_text(*pair) for pair in pairs]
        if isinstance(node, exp.ConcatWs):
            return call("concat_ws", *nodes), "text"
        return call("concat", *(exp.Coalesce(this=each, expressions=[text("")]) for each in nodes)), "text"

    @_handles(exp.Length, exp.Upper, exp.Lower)
    def _length(self, node: Any, scope: Scope) -> Typed:
        self.text_of(node, "this", scope)
        return node, "integer" if isinstance(node, exp.Length) else "text"

    @_handles(exp.Left, exp.Right, args="this expression")
    def _left(self, node: Any, scope: Scope) -> Typed:
        """Translate left and right: a negative count drops that many characters in PostgreSQL; Spark returns an empty text."""
        self.text_of(node, "this", scope)
        kind = self.put(node, "expression", scope)
        if kind not in INTEGERS:
            raise self.refuse(f"{node.key} with {kind} is not known")
        if isinstance(node.expression, exp.Literal):
            return node, "text"
        rest = exp.Add(this=exp.Length(this=node.this.copy()), expression=paren(node.expression.copy()))
        count = case(
            exp.GTE(this=paren(node.expression.copy()), expression=number(0)),
            node.expression,
            exp.Greatest(this=rest, expressions=[number(0)], ignore_nulls=True),
        )
        node.set("expression", count)
        return node, "text"

    @_handles(exp.Substring, args="this start length")
    def _substring(self, node: Any, scope: Scope) -> Typed:
        """Translate substring: Spark counts a start below 1 from the end of the text."""
        self.text_of(node, "this", scope)
        start, _ = self.value(node.args["start"], scope)
        length = node.args.get("length")
        is_counted = isinstance(start, exp.Literal) and int(start.name) >= 1
        if length is not None and not is_counted:
            raise self.refuse("substring with a length is only known from a literal start")
        node.set("start", start if is_counted else exp.Greatest(this=start, expressions=[number(1)], ignore_nulls=True))
        if length is not None:
            node.set("length", self.value(length, scope)[0])
        return node, "text"

    @_handles(exp.StrPosition, args="this substr")
    def _position(self, node: Any, scope: Scope) -> Typed:
        self.text_of(node, "this", scope)
        self.text_of(node, "substr", scope)
        return call("locate", node.args["substr"], node.this), "integer"

    @_handles(exp.Replace, exp.Translate, args="this expression replacement from_ to")
    def _replace(self, node: Any, scope: Scope) -> Typed:
        for name, argument in list(node.args.items()):
            if argument is not None:
                self.text_of(node, name, scope)
        name = "replace" if isinstance(node, exp.Replace) else "translate"
        return call(name, *node.args.values()), "text"

    @_handles(exp.Trim, args="this expression position")
    def _trim(self, node: Any, scope: Scope) -> Typed:
        self.text_of(node, "this", scope)
        if str(node.args.get("position") or "BOTH").upper() != "BOTH":
            raise self.refuse("only trim(both … from …) is known")
        if node.args.get("expression"):
            self.text_of(node, "expression", scope)
        return node, "text"

    @_handles(exp.TimeToStr, args="this format")
    def _to_char(self, node: Any, scope: Scope) -> Typed:
        kind = self.put(node, "this", scope)
        if kind not in TIMES:
            raise self.refuse(f"to_char of {kind} is not known")
        return call("date_format", node.this, text(self.time_format(node.args["format"]))), "text"

    def time_format(self, node: Any) -> str:
        if not isinstance(node, exp.Literal):
            raise self.refuse("a format of to_char that is no literal is not known")
        written, rest = "", node.name
        while rest:
            token = next((token for token in TIME_FORMATS if rest.startswith(token)), None)
            quoted = re.match(r'"([^"\']*)"', rest)
            if token:
                written, rest = written + TIME_FORMATS[token], rest[len(token) :]
            elif quoted:
                written, rest = f"{written}'{quoted[1]}'", rest[quoted.end() :]
            elif not (rest[0].isascii() and rest[0].isalnum()) and rest[0] not in "'\"":
                written, rest = written + rest[0], rest[1:]
            else:
                raise self.refuse(f"the format '{node.name}' of to_char is not known from '{rest}' on")
        return written.replace("''", "")  # Adjacent quoted texts are merged into one.

    def pattern(self, node: Any) -> Any:
        """Convert a regular expression to Java's syntax; Java's \\s matches only ASCII blanks."""
        if not isinstance(node, exp.Literal):
            raise self.refuse("a pattern that is no literal is not known")
        for escaped in re.findall(r"\\(.)", node.name):
            if escaped.isalnum() and escaped not in "su":
                raise self.refuse(f"\\{escaped} in a pattern is not known")
        if "[:" in node.name:
            raise self.refuse("a class such as [[:alpha:]] in a pattern is not known")
        return text(node.name.replace("\\s", "\\p{IsWhite_Space}"))

    @_handles(exp.RegexpReplace, args="this expression replacement modifiers single_replace")
    def _regexp_replace(self, node: Any, scope: Scope) -> Typed:
        """Translate regexp_replace: without the flag 'g', PostgreSQL replaces only the first match; Spark replaces all."""
        self.text_of(node, "this", scope)
        pattern, put = self.pattern(node.expression), node.args.get("replacement") or text("")
        if not isinstance(put, exp.Literal) or re.search(r"[\\$]", put.name):
            raise self.refuse("a replacement that is no plain literal is not known")
        flags = node.args["modifiers"].name if node.args.get("modifiers") else ""
        if flags == "g":
            return call("regexp_replace", node.this, pattern, put), "text"
        if flags or re.compile(node.expression.name).groups:
            raise self.refuse("regexp_replace of the first match is not known with groups or flags")
        first = text(f"(?s)^(.*?)(?:{pattern.name})")
        return call("regexp_replace", node.this, first, text(f"$1{put.name}")), "text"

    @_handles(exp.Array, args="expressions bracket_notation")
    def _array(self, node: Any, scope: Scope) -> Typed:
        if node.expressions and isinstance(node.expressions[0], exp.Select):
            return self.of_a_list(node.expressions[0], scope, "array")
        nodes, kind = self.together([self.value(each, scope) for each in node.expressions])
        kind = "text" if kind == UNKNOWN else kind
        return call("array", *nodes), f"{kind}[]"

    def list_value(self, node: Any, scope: Scope) -> Typed:
        translated, kind = self.value(node, scope)
        if not kind.endswith("[]"):
            raise self.refuse(f"{kind} is no list")
        return translated, kind

    @_handles(exp.Bracket, args="this expressions offset")
    def _item(self, node: Any, scope: Scope) -> Typed:
        (position,) = node.expressions
        chosen = self.first_of_an_aggregate(node, scope)
        if chosen:
            return chosen
        items, kind = self.list_value(node.this, scope)
        if isinstance(position, exp.Slice):
            if not isinstance(position.this, exp.Literal) or position.this.name != "1":
                raise self.refuse("only a part of a list from its first item is known")
            end, _ = self.value(position.expression, scope)
            return call(
                "slice", items, number(1), exp.Greatest(this=end, expressions=[number(0)], ignore_nulls=True)
            ), kind
        if isinstance(position, exp.Literal):
            return call("get", items, number(int(position.name) - 1)), kind[:-2]
        where, its_kind = self.value(position, scope)
        if its_kind not in INTEGERS:
            raise self.refuse(f"the item {its_kind} of a list is not known")
        return call("get", items, cast(exp.Sub(this=paren(where), expression=number(1)), "int")), kind[:-2]

    def first_of_an_aggregate(self, node: Any, scope: Scope) -> Typed | None:
        """Translate `(array_agg(x order by y))[1]` to min_by or max_by: the value of the first row in that order."""
        inside = node.this.unnest()
        where = inside.expression.this if isinstance(inside, exp.Filter) else None
        aggregate = inside.this if isinstance(inside, exp.Filter) else inside
        position = node.expressions[0]
        if not isinstance(aggregate, exp.ArrayAgg) or not isinstance(position, exp.Literal) or position.name != "1":
            return None
        ordered = aggregate.this
        if not isinstance(ordered, exp.Order) or isinstance(ordered.this, exp.Distinct):
            return None
        if len({bool(each.args.get("desc")) for each in ordered.expressions}) > 1:
            return None
        value, kind = self.value(ordered.this, scope)
        keys = [self.sort_key(each, scope) for each in ordered.expressions]
        self.construct("array_agg(order by)[1]")
        name = "max_by" if keys[0][1] else "min_by"
        first = call(name, value, call("struct", *(part for key, _ in keys for part in key)))
        return self.filter_of(where, scope)(first), kind

    def sort_key(self, node: Any, scope: Scope) -> tuple[list[Any], bool]:
        """Return struct fields that sort like PostgreSQL's sort key, and whether the order is descending.

        Nulls are the largest values in PostgreSQL and the smallest in Spark.
        """
        key, _ = self.value(node.this, scope)
        descending, nulls_first = bool(node.args.get("desc")), bool(node.args.get("nulls_first"))
        null = exp.Is(this=key.copy(), expression=exp.Null())
        return [null if nulls_first == descending else not_null(key.copy()), key], descending

    @_handles(exp.ArrayAppend, exp.ArrayRemove, args="this expression null_propagation")
    def _append(self, node: Any, scope: Scope) -> Typed:
        items, kind = self.list_value(node.this, scope)
        item, own = self.value(node.expression, scope)
        self.one_type([own, kind[:-2]])
        if isinstance(node, exp.ArrayAppend):
            empty = cast(call("array"), spark_type(kind) or "")
            return call(
                "array_append", exp.Coalesce(this=items, expressions=[empty]), cast(item, spark_type(kind[:-2]) or "")
            ), kind
        if isinstance(item, exp.Null):
            return call("array_compact", items), kind
        if not isinstance(item, exp.Literal):
            raise self.refuse("array_remove is only known of a literal or null")
        return call("array_remove", items, item), kind

    @_handles(exp.ArrayToString, args="this expression")
    def _array_to_string(self, node: Any, scope: Scope) -> Typed:
        items, kind = self.list_value(node.this, scope)
        if kind != "text[]" or not isinstance(node.expression, exp.Literal):
            raise self.refuse(f"array_to_string of {kind} is not known")
        return call("array_join", items, node.expression), "text"

    @_handles(exp.StringToArray, args="this expression")
    def _string_to_array(self, node: Any, scope: Scope) -> Typed:
        """Translate string_to_array: an empty text gives an empty list in PostgreSQL, a list with one empty text in Spark."""
        self.text_of(node, "this", scope)
        if not isinstance(node.expression, exp.Literal) or not node.expression.name:
            raise self.refuse("string_to_array is only known with a literal between")
        is_empty = exp.EQ(this=node.this.copy(), expression=text(""))
        parts = call("split", node.this, text(f"\\Q{node.expression.name}\\E"))
        return case(is_empty, cast(call("array"), "array<string>"), parts), "text[]"

    @_handles(exp.ArrayOverlaps, exp.ArrayContainsAll, exp.ArrayContainedBy, args="this expression")
    def _sets(self, node: Any, scope: Scope) -> Typed:
        (left, one), (right, other) = self.list_value(node.this, scope), self.list_value(node.expression, scope)
        if one != other:
            raise self.refuse(f"{one} and {other} are not compared")
        if isinstance(node, exp.ArrayOverlaps):
            return call("arrays_overlap", left, right), "boolean"
        outer, inner = (left, right) if isinstance(node, exp.ArrayContainsAll) else (right, left)
        return exp.EQ(this=call("size", call("array_except", inner, outer)), expression=number(0)), "boolean"

    @_handles(exp.WidthBucket, args="this threshold")
    def _width_bucket(self, node: Any, scope: Scope) -> Typed:
        """Translate width_bucket: the number of items of a sorted list that are ≤ the value."""
        value, kind = self.value(node.this, scope)
        items, list_kind = self.list_value(node.args["threshold"], scope)
        if list_kind != f"{kind}[]":
            raise self.refuse(f"width_bucket of {kind} in {list_kind} is not known")
        name = self.item_name()
        up_to = call("filter", items, lambda_(name, exp.LTE(this=exp.to_identifier(name), expression=value)))
        return case(not_null(value.copy()), call("size", up_to)), "integer"

    def item_name(self) -> str:
        self.items += 1
        return f"item_{self.items}"

    @_handles(exp.Explode)
    def _unnest(self, node: Any, scope: Scope) -> Typed:
        items, kind = self.list_value(node.this, scope)
        return call("explode", items), kind[:-2]

    @_handles(exp.Anonymous, args="this expressions")
    def _anonymous(self, node: Any, scope: Scope) -> Typed:
        if node.name.lower() not in _FUNCTIONS:
            raise self.refuse(f"the function {node.name.lower()} is not known")
        return _FUNCTIONS[node.name.lower()](self, node, scope)

    @_function("cardinality")
    def _cardinality(self, node: Any, scope: Scope) -> Typed:
        items, _ = self.list_value(node.expressions[0], scope)
        return call("size", items), "integer"

    @_function("regexp_split_to_array")
    def _regexp_split(self, node: Any, scope: Scope) -> Typed:
        value, pattern = node.expressions
        translated, kind = self.value(value, scope)
        return call("split", self.as_text(translated, kind), self.pattern(pattern)), "text[]"

    @_function("regexp_match")
    def _regexp_match(self, node: Any, scope: Scope) -> Typed:
        """Translate regexp_match: a group that did not participate is null in PostgreSQL, an empty text in Spark."""
        value, pattern = node.expressions
        translated, kind = self.value(value, scope)
        translated, java = self.as_text(translated, kind), self.pattern(pattern)
        groups = range(1, re.compile(pattern.name).groups + 1) or range(1)
        may_be_null = _optional_groups(pattern.name)
        parts = [call("regexp_extract", translated.copy(), java.copy(), number(group)) for group in groups]
        for group in may_be_null:
            parts[group - 1] = exp.Nullif(this=parts[group - 1], expression=text(""))
        return case(call("regexp", translated, java), call("array", *parts)), "text[]"

    @_function("pg_input_is_valid")
    def _is_valid(self, node: Any, scope: Scope) -> Typed:
        value, of = node.expressions
        if not isinstance(of, exp.Literal) or of.name != "date":
            raise self.refuse("pg_input_is_valid is only known of a date")
        translated, kind = self.value(value, scope)
        translated = self.as_text(translated, kind)
        eight_digits = call("regexp", translated.copy(), text("^[0-9]{8}$"))
        as_date = case(
            eight_digits,
            call("try_to_date", translated.copy(), text("yyyyMMdd")),
            call("try_to_date", translated),
        )
        return not_null(as_date), "boolean"

    def aggregate(self, node: Any, scope: Scope, wrap: Wrap, how: str = "") -> Typed:
        """Translate an aggregate; `wrap` adds the filter and window to each Spark call it expands to."""
        line = self.line
        if type(node) not in _AGGREGATES:
            raise self.refuse(f"the aggregate {node.key} is not known")
        allowed, method = _AGGREGATES[type(node)]
        self.check(node, allowed)
        self.frames.append([])
        translated, kind = method(self, node, scope, wrap)
        self.line = line
        kinds = self.frames.pop()
        self.construct(_named(node, node.key, kinds) + how)
        self.frames[-1].append(kind)
        return translated, kind

    def filter_of(self, condition: Any, scope: Scope) -> Wrap:
        if condition is None:
            return plain
        holder = exp.Where(this=condition)
        self.condition(holder, "this", scope)
        return lambda call_: exp.Filter(this=call_, expression=holder.copy())

    @_handles(exp.Filter, args="this expression")
    def _filter(self, node: Any, scope: Scope) -> Typed:
        if isinstance(node.this, exp.WithinGroup):
            return self._within_group(node.this, scope, self.filter_of(node.expression.this, scope))
        return self.aggregate(node.this, scope, self.filter_of(node.expression.this, scope), " filter")

    @_handles(exp.Window, args="this partition_by order spec alias over")
    def _window(self, node: Any, scope: Scope) -> Typed:
        self.window_parts(node, scope)
        inside = node.this
        condition = inside.expression.this if isinstance(inside, exp.Filter) else None
        filtered = self.filter_of(condition, scope)
        parts = {name: part for name, part in node.args.items() if name != "this"}

        def wrap(call_: Any) -> Any:
            return exp.Window(this=filtered(call_), **{name: _copied(part) for name, part in parts.items()})

        return self.aggregate(inside.this if condition is not None else inside, scope, wrap, " over")

    def window_parts(self, node: Any, scope: Scope) -> None:
        self.put_all(node, "partition_by", scope)
        if node.args.get("order"):
            self.order(node.args["order"], scope)
        spec = node.args.get("spec")
        if spec:
            if spec.args["kind"].lower() != "rows":
                raise self.refuse(f"a window of {spec.args['kind']} is not known")
            self.construct(f"window {spec.sql(dialect=Plain).lower()}")

    def order(self, node: Any, scope: Scope) -> None:
        for each in node.expressions:
            self.put(each, "this", scope)

    @_aggregates(exp.Count, args="this expressions big_int")
    def _count(self, node: Any, scope: Scope, wrap: Wrap) -> Typed:
        self.counted(node, scope)
        return wrap(node), "bigint"

    def counted(self, node: Any, scope: Scope) -> Type:
        if isinstance(node.this, exp.Star):
            return "*"
        if isinstance(node.this, exp.Distinct):
            self.construct("distinct in an aggregate")
            if len(node.this.expressions) != 1 and not isinstance(node, exp.Count):
                raise self.refuse("distinct of several columns is not known")
            return self.put_all(node.this, "expressions", scope)[0]
        return self.put(node, "this", scope)

    @_aggregates(exp.Sum)
    def _total(self, node: Any, scope: Scope, wrap: Wrap) -> Typed:
        """Translate sum: PostgreSQL sums integers as bigint and bigint as numeric, so a ratio of two such sums keeps its
        decimals.
        """
        kind = self.counted(node, scope)
        if kind not in NUMBERS:
            raise self.refuse(f"sum of {kind} is not known")
        if kind == "bigint":
            return cast(wrap(node), WHOLE_NUMERIC), "numeric"
        return (wrap(node), "bigint") if kind in INTEGERS else self.sized(wrap(node), kind)

    @_aggregates(exp.Avg)
    def _average(self, node: Any, scope: Scope, wrap: Wrap) -> Typed:
        kind = self.put(node, "this", scope)
        if kind not in NUMBERS:
            raise self.refuse(f"avg of {kind} is not known")
        if kind == "double precision":
            return wrap(node), kind
        node.set("this", cast(node.this, NUMERIC))
        return self.sized(wrap(node), "numeric")

    @_aggregates(exp.Min, exp.Max)
    def _extreme(self, node: Any, scope: Scope, wrap: Wrap) -> Typed:
        kind = self.counted(node, scope)
        if kind == "boolean":
            raise self.refuse(f"{node.key} of boolean is not known")
        return wrap(node), kind

    @_aggregates(exp.LogicalAnd, exp.LogicalOr)
    def _every(self, node: Any, scope: Scope, wrap: Wrap) -> Typed:
        self.condition(node, "this", scope)
        return wrap(node), "boolean"

    @_handles(exp.WithinGroup, args="this expression")
    def _within(self, node: Any, scope: Scope) -> Typed:
        return self._within_group(node, scope, plain)

    def _within_group(self, node: Any, scope: Scope, wrap: Wrap) -> Typed:
        """Translate percentile_cont, which sqlglot's own translation would make approximate."""
        if not isinstance(node.this, exp.PercentileCont) or not isinstance(node.this.this, exp.Literal):
            raise self.refuse("within group is only known of percentile_cont of a literal")
        (ordered,) = node.expression.expressions
        value, kind = self.value(ordered.this, scope)
        if kind not in NUMBERS or ordered.args.get("desc"):
            raise self.refuse(f"percentile_cont of {kind} is not known")
        self.construct(f"percentile_cont({kind})")
        return wrap(
            exp.WithinGroup(
                this=call("percentile_cont", node.this.this),
                expression=exp.Order(expressions=[exp.Ordered(this=cast(value, "double"))]),
            )
        ), "double precision"

    @_aggregates(exp.ArrayAgg, exp.GroupConcat, args="this separator nulls_excluded")
    def _list_of(self, node: Any, scope: Scope, wrap: Wrap) -> Typed:
        """Translate array_agg and string_agg: they keep the requested order, array_agg keeps nulls, and no rows give null, not
        an empty list.
        """
        if not isinstance(node.this, exp.Order):
            raise self.refuse(f"{'array_agg' if isinstance(node, exp.ArrayAgg) else 'string_agg'} needs an `order by`")
        is_text = isinstance(node, exp.GroupConcat)
        ordered = node.this
        distinct = isinstance(ordered.this, exp.Distinct)
        if distinct:
            self.construct("distinct in a list")
        inner = ordered.this.expressions[0] if distinct else ordered.this
        same = [
            each.this == inner or (isinstance(each.this, exp.Collate) and each.this.this == inner)
            for each in ordered.expressions
        ]
        if distinct and same != [True]:
            raise self.refuse("a list of distinct values is ordered by them alone")
        value, kind = self.value(inner, scope)
        keys = [self.sort_key(each, scope) for each in ordered.expressions]
        fields = [
            exp.Alias(this=part, alias=exp.to_identifier(f"key_{position}"))
            for position, part in enumerate([part for key, _ in keys for part in key])
        ]
        fields.append(exp.Alias(this=value, alias=exp.to_identifier("listed")))
        rows = wrap(call("collect_set" if distinct else "collect_list", call("struct", *fields)))
        listed = call("transform", self.in_order(rows, [descending for _, descending in keys]), self.the_listed())
        if is_text:
            separator = node.args.get("separator")
            if kind not in ("text", UNKNOWN) or not isinstance(separator, exp.Literal):
                raise self.refuse(f"string_agg of {kind} is not known")
            counted = wrap(exp.Count(this=value.copy()))
            return case(exp.GT(this=counted, expression=number(0)), call("array_join", listed, separator)), "text"
        counted = wrap(exp.Count(this=exp.Star()))
        return case(exp.GT(this=counted, expression=number(0)), listed), f"{'text' if kind == UNKNOWN else kind}[]"

    def the_listed(self) -> Any:
        name = self.item_name()
        return lambda_(name, exp.Dot(this=exp.to_identifier(name), expression=exp.to_identifier("listed")))

    def in_order(self, rows: Any, descending: list[bool]) -> Any:
        """Sort a list of structs by their keys; each key is a pair of fields."""
        if len(set(descending)) == 1:
            return call("sort_array", rows, exp.Boolean(this=not descending[0]))
        left, right = self.item_name(), self.item_name()

        def of(name: str, position: int) -> Any:
            return exp.Dot(this=exp.to_identifier(name), expression=exp.to_identifier(f"key_{position}"))

        branches = []
        for position in range(2 * len(descending)):
            first, second = (right, left) if descending[position // 2] else (left, right)
            for answer, compare in ((-1, exp.LT), (1, exp.GT)):
                tested = compare(this=of(first, position), expression=of(second, position))
                branches.append(exp.If(this=tested, true=number(answer)))
        body = exp.Case(ifs=branches, default=number(0))
        names = [exp.to_identifier(left), exp.to_identifier(right)]
        return call("array_sort", rows, exp.Lambda(this=body, expressions=names))

    @_aggregates(exp.RowNumber, exp.DenseRank, exp.Rank, args="")
    def _row_number(self, node: Any, scope: Scope, wrap: Wrap) -> Typed:
        return cast(wrap(node), "bigint"), "bigint"

    @_aggregates(exp.Lag, exp.Lead, args="this offset")
    def _neighbour(self, node: Any, scope: Scope, wrap: Wrap) -> Typed:
        if node.args.get("offset") and not isinstance(node.args["offset"], exp.Literal):
            raise self.refuse(f"{node.key} by a number that is no literal is not known")
        kind = self.put(node, "this", scope)
        return wrap(node), kind

    @_aggregates(exp.FirstValue)
    def _first_value(self, node: Any, scope: Scope, wrap: Wrap) -> Typed:
        kind = self.put(node, "this", scope)
        return wrap(node), kind

    @_handles(exp.Exists)
    def _exists(self, node: Any, scope: Scope) -> Typed:
        if _list_source(node.this):
            return self.of_a_list(node.this, scope, "exists")
        if isinstance(node.this, exp.Select) and not node.this.expressions:
            node.this.set("expressions", [number(1)])
        self.query(node.this, Scope(scope))
        return node, "boolean"

    @_handles(exp.Subquery, args="this")
    def _subquery(self, node: Any, scope: Scope) -> Typed:
        if _list_source(node.this):
            return self.of_a_list(node.this, scope, "scalar")
        kinds = list(self.query(node.this, Scope(scope)).values())
        if len(kinds) != 1:
            raise self.refuse("a query in an expression has one column")
        return node, kinds[0]

    def of_a_list(self, select: Any, scope: Scope, use: str) -> Typed:
        """Translate a query over one list, such as `(select min(a) from unnest(list) as t (a) where a >= b)`.

        Spark cannot unnest a list of the outer row in a subquery, but has higher-order functions for lists.
        """
        source = _list_source(select)
        if source is None:
            raise self.refuse("array(select …) is only known of one list")
        unnested, table, column = source
        items, kind = self.list_value(unnested, scope)
        inner = Scope(scope, sources=[Source(table, {column: kind[:-2]}, is_item=True)])
        if select.args.get("where"):
            holder = select.args["where"]
            self.condition(holder, "this", inner)
            items = call("exists" if use == "exists" else "filter", items, lambda_(column, holder.this))
        if use == "exists":
            self.construct("exists(unnest)")
            return exp.Coalesce(this=items, expressions=[exp.false()]), "boolean"
        (projection,) = select.expressions
        return self.list_result(select, projection.unalias(), items, (column, kind), inner, use)

    def list_result(
        self, select: Any, projected: Any, items: Any, column: tuple[str, Type], scope: Scope, use: str
    ) -> Typed:
        name, kind = column
        order, limit = select.args.get("order"), select.args.get("limit")

        def each(node: Any) -> Typed:
            value, its_kind = self.value(node, scope)
            is_item = isinstance(value, exp.Identifier) and value.name == name
            return (items if is_item else call("transform", items, lambda_(name, value))), its_kind

        if isinstance(projected, (exp.Min, exp.Max)) and use == "scalar" and not (order or limit):
            listed, its_kind = each(projected.this)
            self.construct(f"{projected.key}(unnest)")
            return call("array_min" if isinstance(projected, exp.Min) else "array_max", listed), its_kind
        if isinstance(projected, exp.GroupConcat) and use == "scalar" and not (order or limit):
            inside = projected.this
            if not isinstance(inside, exp.Order) or [o.this.name for o in inside.expressions] != [name]:
                raise self.refuse("string_agg of a list is ordered by its items")
            items = call("sort_array", items, exp.Boolean(this=not inside.expressions[0].args.get("desc")))
            value, _ = self.value(inside.this, scope)
            self.construct("string_agg(unnest)")
            joined = call("array_join", call("transform", items, lambda_(name, value)), projected.args["separator"])
            return case(exp.GT(this=call("size", items.copy()), expression=number(0)), joined), "text"
        if not isinstance(projected, exp.Column):
            raise self.refuse(f"{projected.sql(dialect=Plain)[:80]} of a list is not known")
        if use == "scalar":
            if order or limit is None or limit.expression.name != "1":
                raise self.refuse("one item of a list is only known with `limit 1` and no order")
            self.construct("limit 1(unnest)")
            return call("get", each(projected)[0], number(0)), kind[:-2]
        if limit:
            raise self.refuse("a part of a list by `limit` is not known")
        listed, _ = each(projected)
        if order:
            if [o.this.name for o in order.expressions] != [name]:
                raise self.refuse("a list is ordered by its items")
            listed = call("sort_array", listed, exp.Boolean(this=not order.expressions[0].args.get("desc")))
        self.construct("array(unnest)" + (" order by" if order else ""))
        empty = cast(call("array"), spark_type(kind) or "")
        return exp.Coalesce(this=listed, expressions=[empty]), kind

    def query(self, node: Any, scope: Scope) -> Columns:
        """Translate a query in place; return its columns. `scope` is the query's own scope."""
        self.note(node)
        if isinstance(node, (exp.Subquery, exp.Paren)):
            return self.query(node.this, scope)
        self.with_(node, scope)
        if isinstance(node, exp.Select):
            return self.select(node, scope)
        if type(node) not in (exp.Union, exp.Except, exp.Intersect):
            raise self.refuse(f"the query {node.key} is not known")
        self.check(node, QUERY_ARGS)
        self.construct(node.key + ("" if node.args.get("distinct") else " all"))
        left, right = self.query(node.this, Scope(scope)), self.query(node.expression, Scope(scope))
        if len(left) != len(right):
            raise self.refuse("the queries of a union have different numbers of columns")
        columns = {
            name: self.one_type([one, other]) for (name, one), other in zip(left.items(), right.values(), strict=True)
        }
        for position, kind in enumerate(columns.values()):
            for branch, own in ((node.this, left), (node.expression, right)):
                if kind == "numeric" and list(own.values())[position] in INTEGERS:
                    self.as_numeric(branch, position)
        scope.output = columns
        self.ends(node, scope)
        return columns

    def as_numeric(self, node: Any, position: int) -> None:
        """Cast an integer column of a union's branch to numeric; otherwise Spark would drop decimals of the other branch."""
        if isinstance(node, exp.Subquery):
            self.as_numeric(node.this, position)
        elif isinstance(node, exp.Select) and not node.is_star:
            columns = list(node.expressions)
            name = columns[position].alias_or_name
            columns[position] = exp.Alias(
                this=cast(columns[position].unalias(), NUMERIC), alias=exp.to_identifier(name or "n")
            )
            node.set("expressions", columns)
        elif isinstance(node, exp.SetOperation):
            self.as_numeric(node.this, position)
            self.as_numeric(node.expression, position)
        else:
            raise self.refuse("a union of whole numbers and numeric is only known of columns that are named")

    def with_(self, node: Any, scope: Scope) -> None:
        with_ = node.args.get("with_")
        if not with_:
            return
        if with_.args.get("recursive"):
            raise self.refuse("a recursive query is not known")
        for cte in with_.expressions:
            columns = self.query(cte.this, Scope(scope))
            cte.set("materialized", None)
            scope.ctes[cte.alias] = self.renamed(columns, cte.args["alias"])

    def renamed(self, columns: Columns, alias: Any) -> Columns:
        names = [each.name for each in alias.args.get("columns") or []] if alias else []
        if names and len(names) != len(columns):
            raise self.refuse("an alias names another number of columns")
        return dict(zip(names, columns.values(), strict=True)) if names else columns

    def ends(self, node: Any, scope: Scope) -> None:
        if node.args.get("order"):
            self.construct("order by")
            self.order(node.args["order"], scope)
        limit = node.args.get("limit")
        if limit:
            if not isinstance(limit.expression, exp.Literal):
                raise self.refuse("`limit` is only known with a literal")
            self.construct("limit")

    def select(self, node: Any, scope: Scope) -> Columns:
        self.check(node, SELECT_ARGS)
        if node.args.get("from_"):
            node.args["from_"].set("this", self.source(node.args["from_"].this, scope))
        for join in node.args.get("joins") or []:
            self.join(join, scope)
        if node.args.get("where"):
            self.condition(node.args["where"], "this", scope)
        for window in node.args.get("windows") or []:
            self.window_parts(window, scope)
        columns = self.outputs(node, scope)
        scope.output = columns
        self.group(node, scope)
        if node.args.get("having"):
            self.condition(node.args["having"], "this", scope)
            self.construct("having")
        self.ends(node, scope)
        self.distinct(node, scope, columns)
        return columns

    def outputs(self, node: Any, scope: Scope) -> Columns:
        columns: Columns = {}
        written: list[Any] = []
        for position, each in enumerate(node.expressions):
            if isinstance(each, exp.Star) or (isinstance(each, exp.Column) and isinstance(each.this, exp.Star)):
                self.construct("*")
                for source in scope.sources:
                    if isinstance(each, exp.Star) or each.table == source.name:
                        columns |= {name: kind for name, kind in source.columns.items() if name not in columns}
                written.append(each)
                continue
            inside = each.this if isinstance(each, exp.Alias) else each
            translated, kind = self.value(inside, scope)
            name = each.alias_or_name or (inside.this.name if isinstance(inside, exp.Cast) else "")
            columns[name if name and name not in columns else f"?column? {position}"] = kind
            keeps = isinstance(translated, exp.Column) and translated.name == name
            written.append(
                translated if keeps or not name else exp.Alias(this=translated, alias=_identifier(each, name))
            )
        node.set("expressions", written)
        return columns

    def group(self, node: Any, scope: Scope) -> None:
        group = node.args.get("group")
        if not group:
            return
        self.check(group, frozenset(["expressions"]))
        for each in group.expressions:
            if each.find(exp.Select):
                raise self.refuse("Spark groups by no query: put it into a query before")
        self.construct("group by")
        self.put_all(group, "expressions", scope)

    def distinct(self, node: Any, scope: Scope, columns: Columns) -> None:
        distinct = node.args.get("distinct")
        if not distinct:
            return
        if not distinct.args.get("on"):
            self.construct("distinct")
            return
        self.construct("distinct on")
        if not node.args.get("order") or node.args.get("limit") or node.args.get("group") or node.args.get("having"):
            raise self.refuse("`distinct on` is only known with an order, without a limit and a group")
        aliases = {each.alias for each in node.expressions if isinstance(each, exp.Alias)}
        ordered = [
            part.name for each in node.args["order"].expressions for part in each.find_all(exp.Column) if not part.table
        ]
        if aliases.intersection(ordered) or any(name.startswith("?") for name in columns):
            raise self.refuse("`distinct on` is only known with named columns, and without an alias in its order")
        keys = [self.value(each, scope)[0] for each in distinct.args["on"].expressions]
        numbered = exp.Window(this=exp.RowNumber(), partition_by=keys, order=node.args["order"].copy())
        inner = exp.Select(
            expressions=[*node.expressions, exp.Alias(this=numbered, alias=exp.to_identifier(ROW_OF_KEY))],
            **{name: node.args.get(name) for name in ("from_", "joins", "where", "windows")},
        )
        for name in ("distinct", "order", "joins", "where", "windows"):
            node.set(name, None)
        node.set("expressions", [exp.column(name) for name in columns])
        node.set(
            "from_", exp.From(this=exp.Subquery(this=inner, alias=exp.TableAlias(this=exp.to_identifier("numbered"))))
        )
        node.set("where", exp.Where(this=exp.EQ(this=exp.column(ROW_OF_KEY), expression=number(1))))

    def join(self, node: Any, scope: Scope) -> None:
        self.check(node, frozenset({"this", "on", "side", "kind", "using"}))
        node.set("this", self.source(node.this, scope))
        if node.args.get("on"):
            self.condition(node, "on", scope)
        side = f"{node.args.get('side') or ''} {node.args.get('kind') or ''}".strip().lower() or "inner"
        self.construct(f"{side} join" + (" using" if node.args.get("using") else ""))

    def source(self, node: Any, scope: Scope) -> Any:
        """Translate a relation in `from` and add its columns to the scope."""
        self.note(node)
        name = node.alias_or_name
        alias = node.args.get("alias")
        if isinstance(node, exp.Table):
            self.check(node, frozenset({"this", "db", "catalog", "alias"}))
            scope.sources.append(Source(name, self.renamed(self.table(node, scope), alias)))
            node.set("catalog", None)
            return node
        if isinstance(node, exp.Subquery):
            around = Scope(scope.outer, scope.ctes)
            scope.sources.append(Source(name, self.renamed(self.query(node.this, around), alias)))
            return node
        if isinstance(node, exp.Values):
            return self.values(node, scope)
        inside = node.this if isinstance(node, exp.Lateral) else node
        if isinstance(node, exp.Lateral) and isinstance(inside, exp.Subquery):
            self.construct("lateral query")
            scope.sources.append(Source(name, self.renamed(self.query(inside.this, Scope(scope)), alias)))
            return node
        if isinstance(inside, exp.Unnest) and len(inside.expressions) == 1:
            items, kind = self.list_value(inside.expressions[0], scope)
            self.construct(f"lateral unnest({kind})")
            return self.rows_of(call("explode", items), kind[:-2], alias, scope)
        if isinstance(inside, exp.ExplodingGenerateSeries):
            return self.series(inside, alias, scope)
        raise self.refuse(f"{node.key} in `from` is not known: {node.sql(dialect=Plain)[:120]}")

    def rows_of(self, exploded: Any, kind: Type, alias: Any, scope: Scope) -> Any:
        if not alias or not scope.sources:
            raise self.refuse("rows of a list are only known by an alias, and joined to a table")
        names = alias.args.get("columns") or [exp.to_identifier(alias.name)]
        scope.sources.append(Source(alias.name, {names[0].name: kind}))
        return exp.Lateral(
            this=exploded, alias=exp.TableAlias(this=exp.to_identifier(alias.name), columns=[names[0].copy()])
        )

    def series(self, node: Any, alias: Any, scope: Scope) -> Any:
        """Translate generate_series: Spark counts down if the end is before the start; PostgreSQL returns no row."""
        (start, one), (end, other) = self.value(node.args["start"], scope), self.value(node.args["end"], scope)
        step = node.args.get("step")
        kind = self.one_type([one, other])
        self.construct(f"generate_series({kind})")
        arguments = [start, end]
        if kind == "timestamp":
            if not isinstance(step, exp.Interval):
                raise self.refuse("a series of times needs an interval")
            arguments.append(self.value(step, scope)[0])
        elif kind not in INTEGERS or step:
            raise self.refuse(f"generate_series of {kind} is not known")
        there_is_one = exp.LTE(this=start.copy(), expression=end.copy())
        return self.rows_of(call("explode", case(there_is_one, call("sequence", *arguments))), kind, alias, scope)

    def values(self, node: Any, scope: Scope) -> Any:
        self.construct("values")
        alias = node.args.get("alias")
        rows = [row.expressions if isinstance(row, exp.Tuple) else [row] for row in node.expressions]
        pairs = [[self.value(cell, Scope(scope.outer, scope.ctes)) for cell in row] for row in rows]
        kinds = [self.one_type([row[position][1] for row in pairs]) for position in range(len(rows[0]))]
        node.set("expressions", [exp.Tuple(expressions=[cell for cell, _ in row]) for row in pairs])
        columns = {f"column{position}": "text" if kind == UNKNOWN else kind for position, kind in enumerate(kinds, 1)}
        scope.sources.append(Source(node.alias, self.renamed(columns, alias)))
        return node

    def table(self, node: Any, scope: Scope) -> Columns:
        columns = self.tables.get(f"{node.db}.{node.name}") if node.db else scope.cte(node.name)
        if columns is None:
            raise self.refuse(f"the table {node.sql(dialect=Plain)} is not known")
        return columns


def _optional_groups(pattern: str) -> set[int]:
    """Return the groups of a pattern that may not participate in a match."""
    optional: set[int] = set()
    open_groups: list[tuple[int | None, list[int], list[bool]]] = [
        (None, [], [False])
        # Each entry is a group's number, the groups inside it, and whether it contains |.
    ]
    count = 0
    bare = re.sub(r"\\.", "__", pattern)
    bare = re.sub(r"\[[^\]]*\]", lambda found: "_" * len(found[0]), bare)
    for position, sign in enumerate(bare):
        if sign == "(":
            is_counted = bare[position + 1 : position + 2] != "?"
            count += is_counted
            open_groups.append((count if is_counted else None, [], [False]))
        elif sign == "|":
            open_groups[-1][2][0] = True
        elif sign == ")":
            own, inside, has_branches = open_groups.pop()
            if has_branches[0]:
                optional.update(inside)
            if own is not None:
                inside.append(own)
            if re.match(r"[?*]|\{0", bare[position + 1 :]):
                optional.update(inside)
            open_groups[-1][1].extend(inside)
    if open_groups[0][2][0]:
        optional.update(open_groups[0][1])
    return optional


def _named(node: Any, name: str, kinds: Sequence[Type]) -> str:
    """Return a construct's name, with argument types if Spark's behaviour depends on them."""
    return f"{name}({', '.join(kinds)})" if isinstance(node, OF_TYPES) else name


def _identifier(node: Any, name: str) -> Any:
    return node.args["alias"].copy() if isinstance(node, exp.Alias) else exp.to_identifier(name)


def _copied(part: Any) -> Any:
    if isinstance(part, list):
        return [each.copy() for each in part]
    return part.copy() if isinstance(part, exp.Expression) else part


def _list_source(node: Any) -> tuple[Any, str, str] | None:
    """Return the list that is a query's only source, with the names of its table and column; None for any other query."""
    if not isinstance(node, exp.Select) or not node.args.get("from_") or node.args.get("joins"):
        return None
    if any(node.args.get(name) for name in ("with_", "group", "having", "distinct", "windows", "laterals")):
        return None
    source = node.args["from_"].this
    if isinstance(source, exp.Unnest) and len(source.expressions) == 1 and source.args.get("alias"):
        alias = source.args["alias"]
        names = alias.args.get("columns") or [alias.this]
        return source.expressions[0], alias.name, names[0].name
    inner = source.this if isinstance(source, exp.Subquery) else None
    if isinstance(inner, exp.Select) and len(inner.expressions) == 1 and not inner.args.get("from_"):
        exploded = inner.expressions[0].unalias()
        if isinstance(exploded, exp.Explode):
            return exploded.this, source.alias, inner.expressions[0].alias
    return None
