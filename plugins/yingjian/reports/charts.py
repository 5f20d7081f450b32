"""Charts as inline SVG: figures to markup, nothing else.

They are read on a phone, on paper and in grey, by people with colour-blindness too: every value that matters
is written beside its mark, the day of the report differs by solid against hatched filling, and each chart has
a title and a description for screen readers. Colours come from the page's style sheet (`currentColor` and
classes), sizes are in the units of a 360-wide view box, so text stays legible at 375 px.
"""

from collections.abc import Sequence
from math import ceil, floor

from markupsafe import Markup, escape

from yingjian.reports.text import number, percent

WIDTH = 360
CHARACTER = 6.4  # width of a digit at the charts' font size


def column_chart(
    chart_id: str, title: str, labels: Sequence[str], values: Sequence[int | None], solid: int, height: int = 170
) -> Markup:
    """Columns with their values; None is a day without data, `solid` the index of the day that stands out."""
    top, bottom = 26, height - 24
    slot = WIDTH / max(len(values), 1)
    highest = max((value for value in values if value is not None), default=0) or 1
    written = _written(values, slot, solid)
    marks = [_hatching(chart_id), _line(0, bottom, WIDTH, bottom, "axis")]
    for index, (label, value) in enumerate(zip(labels, values, strict=True)):
        centre = slot * (index + 0.5)
        if value is None:
            marks.append(_text(centre, bottom - 6, "无", "muted"))
        else:
            tall = (bottom - top) * value / highest
            fill = {"class": "solid"} if index == solid else {"class": "hatched", "fill": f"url(#{chart_id}-hatch)"}
            marks.append(_tag("rect", x=centre - slot * 0.34, y=bottom - tall, width=slot * 0.68, height=tall, **fill))
            if index in written:
                marks.append(
                    _text(centre, bottom - tall - 5, number(value), "value", _anchor(index, values, value, slot))
                )
        if _labelled(index, len(values), slot):
            marks.append(_text(centre, height - 8, label, "label"))
    return _svg(chart_id, title, _spoken(labels, [None if v is None else number(v) for v in values]), height, marks)


def line_chart(
    chart_id: str, title: str, labels: Sequence[str], shares: Sequence[float | None], height: int = 170
) -> Markup:
    """A line of shares (0 … 1) with its last, lowest and highest value; None breaks the line.

    The scale does not begin at zero: its ends are whole percents around the data and are written on it.
    """
    top, bottom, left = 26, height - 24, 34
    known = [share for share in shares if share is not None]
    low, high = _scale(known)
    slot = (WIDTH - left) / max(len(shares), 1)

    def at(index: int, share: float) -> tuple[float, float]:
        return left + slot * (index + 0.5), bottom - (bottom - top) * (share - low) / (high - low)

    marks = []
    for mark in (low, (low + high) / 2, high):
        y = at(0, mark)[1]
        marks += [_line(left, y, WIDTH, y, "grid"), _text(left - 5, y + 4, f"{mark * 100:g}%", "label", "end")]
    points = [None if share is None else at(index, share) for index, share in enumerate(shares)]
    marks += [
        _tag("polyline", points=" ".join(f"{_n(x)},{_n(y)}" for x, y in run), fill="none", **{"class": "line"})
        for run in _runs(points)
    ]
    written = _notable(shares)
    for index, (label, share, point) in enumerate(zip(labels, shares, points, strict=True)):
        if point is not None:
            x, y = point
            last = index == len(shares) - 1
            marks.append(_tag("circle", cx=x, cy=y, r=4 if last else 2.6, **{"class": "dot last" if last else "dot"}))
            if index in written:
                before = points[index - 1] if index else None
                below = (share == min(known) != max(known)) or (
                    before is not None and before[1] < y
                )  # clear of the line
                end = "end" if x > WIDTH - 24 else "middle"
                marks.append(
                    _text(WIDTH if end == "end" else x, y + 17 if below else y - 8, percent(share), "value", end)
                )
        if _labelled(index, len(shares), slot):
            marks.append(_text(left + slot * (index + 0.5), height - 8, label, "label"))
    return _svg(chart_id, title, _spoken(labels, [None if s is None else percent(s) for s in shares]), height, marks)


def band_chart(chart_id: str, title: str, labels: Sequence[str], values: Sequence[int]) -> Markup:
    """Horizontal bars with value and share of the total; the last, gravest band is solid."""
    row, left, right = 34, 62, 86
    total, highest = sum(values), max(values, default=0) or 1
    marks = [_hatching(chart_id)]
    for index, (label, value) in enumerate(zip(labels, values, strict=True)):
        y = index * row + 4
        wide = (WIDTH - left - right) * value / highest
        fill = (
            {"class": "solid"} if index == len(values) - 1 else {"class": "hatched", "fill": f"url(#{chart_id}-hatch)"}
        )
        share = f"（{percent(value / total)}）" if total else ""
        marks += [
            _text(left - 8, y + 18, label, "label", "end"),
            _tag("rect", x=left, y=y, width=max(wide, 1), height=row - 10, **fill),
            _text(
                left + wide + 6,
                y + 18,
                f"{number(value)} 项{share}" if wide < 90 else f"{number(value)} 项",
                "value",
                "start",
            ),
        ]
    marks.append(_line(left, 0, left, len(values) * row, "axis"))
    return _svg(chart_id, title, _spoken(labels, [f"{number(value)} 项" for value in values]), len(values) * row, marks)


def bar(value: float, highest: float) -> Markup:
    """A thin bar under a table's name; decoration, the number stands in its own column."""
    share = 100 * value / highest if highest else 0
    return _tag(
        "svg",
        _tag("rect", x=0, y=0, width=100, height=4, **{"class": "track"}),
        _tag("rect", x=0, y=0, width=share, height=4, **{"class": "solid"}),
        viewBox="0 0 100 4",
        preserveAspectRatio="none",
        aria_hidden="true",
        **{"class": "bar"},
    )


def _scale(shares: Sequence[float]) -> tuple[float, float]:
    """Whole percents around the data, an even number of them apart, never above 100%."""
    if not shares:
        return 0.0, 1.0
    low, high = floor(min(shares) * 100), ceil(max(shares) * 100)
    high = min(max(high, low + 1), 100)
    low = min(low, high - 1)
    if (high - low) % 2:
        low -= 1
    return low / 100, high / 100


def _runs(points: Sequence[tuple[float, float] | None]) -> list[list[tuple[float, float]]]:
    """The points cut at the gaps."""
    runs: list[list[tuple[float, float]]] = [[]]
    for point in points:
        if point is None:
            runs.append([])
        else:
            runs[-1].append(point)
    return [run for run in runs if len(run) > 1]


def _notable(values: Sequence[float | None]) -> set[int]:
    """Indexes of the last, the lowest and the highest value; of neighbours only the later one."""
    known = [(value, index) for index, value in enumerate(values) if value is not None]
    if not known:
        return set()
    last = known[-1][1]
    extremes = {min(known)[1], max(known)[1]}
    return {last} | {index for index in extremes if last - index > 2}


def _written(values: Sequence[int | None], slot: float, solid: int) -> set[int]:
    """Indexes whose value is written: all where there is room, else the notable ones."""
    longest = max((len(number(value)) for value in values if value is not None), default=0)
    return set(range(len(values))) if longest * CHARACTER <= slot else _notable(values) | {solid}


def _labelled(index: int, count: int, slot: float) -> bool:
    """Every label where there is room, else every other one, the last always."""
    every = 1 if slot >= 34 else 2 if slot >= 17 else ceil(34 / slot)
    return (count - 1 - index) % every == 0


def _anchor(index: int, values: Sequence[object], value: int, slot: float) -> str:
    """Keep a value that is wider than its column inside the picture."""
    if len(number(value)) * CHARACTER <= slot:
        return "middle"
    return "start" if index == 0 else "end" if index == len(values) - 1 else "middle"


def _spoken(labels: Sequence[str], values: Sequence[str | None]) -> str:
    return "；".join(f"{label} {value or '无数据'}" for label, value in zip(labels, values, strict=True))


def _hatching(chart_id: str) -> Markup:
    stroke = _tag("path", d="M0 6L6 0", **{"class": "hatch"})
    ground = _tag("rect", width=6, height=6, **{"class": "ground"})
    return _tag(
        "defs",
        _tag("pattern", ground, stroke, id=f"{chart_id}-hatch", width=6, height=6, patternUnits="userSpaceOnUse"),
    )


def _svg(chart_id: str, title: str, description: str, height: float, marks: Sequence[Markup]) -> Markup:
    return _tag(
        "svg",
        _tag("title", title, id=f"{chart_id}-title"),
        _tag("desc", description, id=f"{chart_id}-desc"),
        *marks,
        viewBox=f"0 0 {WIDTH} {_n(height)}",
        role="img",
        aria_labelledby=f"{chart_id}-title",
        aria_describedby=f"{chart_id}-desc",
        **{"class": "chart"},
    )


def _line(x1: float, y1: float, x2: float, y2: float, kind: str) -> Markup:
    return _tag("line", x1=x1, y1=y1, x2=x2, y2=y2, **{"class": kind})


def _text(x: float, y: float, content: str, kind: str, anchor: str = "middle") -> Markup:
    return _tag("text", content, x=x, y=y, text_anchor=anchor, **{"class": kind})


def _n(value: float) -> str:
    """A coordinate with at most one decimal."""
    return f"{value:.1f}".removesuffix(".0")


def _tag(name: str, *children: str, **attributes: str | float) -> Markup:
    """An element; children and attribute values are escaped unless they are markup, `_` in names becomes `-`."""
    written = Markup("").join(
        Markup(' {}="{}"').format(key.replace("_", "-"), value if isinstance(value, str) else _n(value))
        for key, value in attributes.items()
    )
    return Markup("<{}{}>{}</{}>").format(name, written, Markup("").join(escape(child) for child in children), name)
