"""This module draws charts as inline SVG.

Charts must be legible on a phone, on paper, in grey, and to colour-blind readers: every important value is printed beside its
mark, the day of the report is solid and the others are hatched, and each chart has a title and a description for screen
readers. Colours come from the page's style sheet (`currentColor` and classes). Sizes are in the units of a 360-wide view box,
so that text stays legible at 375 px.
"""

from collections.abc import Sequence
from math import ceil, floor

from markupsafe import Markup, escape

from yingjian.reports.content.text import number, parts_of_whole, percent

WIDTH = 360
CHARACTER = 6.4  # A digit takes this width at the charts' font size.


def column_chart(
    chart_id: str, title: str, labels: Sequence[str], values: Sequence[int | None], *, solid: int, height: int = 170
) -> Markup:
    """Draw columns with their values; None is a day without data, `solid` is the index of the day that stands out."""
    top, bottom = 26, height - 24
    slot = WIDTH / max(len(values), 1)
    highest = max((value for value in values if value is not None), default=0) or 1
    written = _written(values, slot, solid)
    marks = [_hatching(chart_id), _line(0, bottom, WIDTH, bottom, "axis")]
    for index, (label, value) in enumerate(zip(labels, values, strict=True)):
        centre = slot * (index + 0.5)
        if _labelled(index, len(values), slot):
            marks.append(_text(centre, height - 8, label, "label"))
        if value is None:
            marks.append(_text(centre, bottom - 6, "无", "muted"))
            continue
        tall = (bottom - top) * value / highest
        marks.append(_bar(chart_id, centre - slot * 0.34, bottom - tall, slot * 0.68, tall, is_solid=index == solid))
        if index in written:
            marks.append(_value(centre, bottom - tall - 5, number(value)))
    return _svg(chart_id, title, _spoken(labels, [None if v is None else number(v) for v in values]), height, marks)


def line_chart(
    chart_id: str,
    title: str,
    labels: Sequence[str],
    shares: Sequence[float | None],
    *,
    height: int = 170,
    is_count: bool = False,
) -> Markup:
    """Draw a line of shares (0 … 1) or of counts, with its last, lowest and highest value; None breaks the line.

    The scale of shares does not begin at zero: its ends are whole percents around the data, and are printed. The scale of
    counts begins at zero.
    """
    top, bottom, left = 26, height - 24, 34
    known = [share for share in shares if share is not None]
    low, high = _scale_of_counts(known) if is_count else _scale(known)

    def write(value: float) -> str:
        return number(int(value)) if is_count else percent(value)

    slot = (WIDTH - left) / max(len(shares), 1)

    def level(share: float) -> float:
        # Below the lowest line there is room for a value.
        return bottom - 12 - (bottom - 12 - top) * (share - low) / (high - low)

    marks = []
    for mark in (low, (low + high) / 2, high):
        marks += [_line(left, level(mark), WIDTH, level(mark), "grid")]
        words = number(int(mark)) if is_count else f"{mark * 100:g}%"
        marks += [_text(left - 5, level(mark) + 4, words, "label", "end")]
    centres = [left + slot * (index + 0.5) for index in range(len(shares))]
    points = [None if share is None else (x, level(share)) for x, share in zip(centres, shares, strict=True)]
    for run in _runs(points):
        marks.append(_tag("polyline", points=" ".join(f"{_n(x)},{_n(y)}" for x, y in run), fill="none", class_="line"))
    written = _notable(shares)
    for index, (label, share, point) in enumerate(zip(labels, shares, points, strict=True)):
        if _labelled(index, len(shares), slot):
            marks.append(_text(centres[index], height - 8, label, "label"))
        if share is None or point is None:
            continue
        x, y = point
        last = index == len(shares) - 1
        marks.append(_tag("circle", cx=x, cy=y, r=4 if last else 2.6, class_="dot last" if last else "dot"))
        if index in written:
            # Below the dot where the line comes from above, so that the value does not stand on the line.
            neighbours = (points[place] for place in (index - 1, index + 1) if 0 <= place < len(points))
            below = any(other is not None and other[1] < y for other in neighbours)
            marks.append(_value(x, y + 15 if below else y - 8, write(share)))
    return _svg(chart_id, title, _spoken(labels, [None if s is None else write(s) for s in shares]), height, marks)


def band_chart(chart_id: str, title: str, labels: Sequence[str], values: Sequence[int]) -> Markup:
    """Draw horizontal bars with value and share of the total; the last, gravest band is solid."""
    row, left, right = 34, 62, 108
    total, highest, shares = sum(values), max(values, default=0) or 1, parts_of_whole(values)
    marks = [_hatching(chart_id)]
    for index, (label, value) in enumerate(zip(labels, values, strict=True)):
        y = index * row + 4
        wide = max((WIDTH - left - right) * value / highest, 1)
        share = f"（{shares[index]:.1f}%）" if total else ""
        marks += [
            _text(left - 8, y + 18, label, "label", "end"),
            _bar(chart_id, left, y, wide, row - 10, is_solid=index == len(values) - 1),
            _text(left + wide + 6, y + 18, f"{number(value)} 项{share}", "value", "start"),
        ]
    marks.append(_line(left, 0, left, len(values) * row, "axis"))
    return _svg(chart_id, title, _spoken(labels, [f"{number(value)} 项" for value in values]), len(values) * row, marks)


def bar(value: float, highest: float) -> Markup:
    """Draw a thin bar under a name in a table. It is decoration; the number has its own column."""
    share = 100 * value / highest if highest else 0
    return _tag(
        "svg",
        _tag("rect", x=0, y=0, width=100, height=4, class_="track"),
        _tag("rect", x=0, y=0, width=share, height=4, class_="solid"),
        viewBox="0 0 100 4",
        preserveAspectRatio="none",
        aria_hidden="true",
        class_="bar",
    )


def _scale(shares: Sequence[float]) -> tuple[float, float]:
    """Return whole percents around the data, an even number of them apart, never above 100%."""
    if not shares:
        return 0.0, 1.0
    low, high = floor(min(shares) * 100), ceil(max(shares) * 100)
    high = min(max(high, low + 1), 100)
    low = min(low, high - 1)
    if (high - low) % 2:
        low, high = (low - 1, high) if low else (low, high + 1)
    return low / 100, high / 100


def _scale_of_counts(counts: Sequence[float]) -> tuple[float, float]:
    """Return zero and an even number that no count exceeds, so that the middle of the scale is a whole number too."""
    high = ceil(max(counts, default=0)) or 2
    return 0.0, float(high + high % 2)


def _runs(points: Sequence[tuple[float, float] | None]) -> list[list[tuple[float, float]]]:
    """Return the points, cut at the gaps."""
    runs: list[list[tuple[float, float]]] = [[]]
    for point in points:
        if point is None:
            runs.append([])
        else:
            runs[-1].append(point)
    return [run for run in runs if len(run) > 1]


def _notable(values: Sequence[float | None]) -> set[int]:
    """Return the indexes of the last, the lowest and the highest value, and only the later one of neighbours."""
    known = [(value, index) for index, value in enumerate(values) if value is not None]
    if not known:
        return set()
    last = known[-1][1]
    extremes = {min(known)[1], max(known)[1]}
    return {last} | {index for index in extremes if last - index > 2}


def _written(values: Sequence[int | None], slot: float, solid: int) -> set[int]:
    """Return the indexes whose value is printed: all if there is room, else the notable ones."""
    longest = max((len(number(value)) for value in values if value is not None), default=0)
    return set(range(len(values))) if longest * CHARACTER <= slot else _notable(values) | {solid}


def _labelled(index: int, count: int, slot: float) -> bool:
    """Return whether a label is printed: all are if there is room, else every second or fewer, and always the last."""
    every = 1 if slot >= 34 else 2 if slot >= 17 else ceil(34 / slot)
    return (count - 1 - index) % every == 0


def _spoken(labels: Sequence[str], values: Sequence[str | None]) -> str:
    return "；".join(f"{label} {value or '无数据'}" for label, value in zip(labels, values, strict=True))


def _hatching(chart_id: str) -> Markup:
    stroke = _tag("path", d="M0 6L6 0", class_="hatch")
    ground = _tag("rect", width=6, height=6, class_="ground")
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
        viewBox=f"-4 0 {WIDTH + 20} {_n(height)}",
        role="img",
        aria_labelledby=f"{chart_id}-title",
        aria_describedby=f"{chart_id}-desc",
        class_="chart",
    )


def _line(x1: float, y1: float, x2: float, y2: float, kind: str) -> Markup:
    return _tag("line", x1=x1, y1=y1, x2=x2, y2=y2, class_=kind)


def _bar(chart_id: str, x: float, y: float, width: float, height: float, *, is_solid: bool) -> Markup:
    size = {"x": x, "y": y, "width": width, "height": height}
    if is_solid:
        return _tag("rect", **size, class_="solid")
    return _tag("rect", **size, class_="hatched", fill=f"url(#{chart_id}-hatch)")


def _value(x: float, y: float, content: str) -> Markup:
    """Draw a value above or below its mark, kept inside the picture."""
    half = len(content) * CHARACTER / 2
    return _text(min(max(x, half), WIDTH - half), y, content, "value")


def _text(x: float, y: float, content: str, kind: str, anchor: str = "middle") -> Markup:
    return _tag("text", content, x=x, y=y, text_anchor=anchor, class_=kind)


def _n(value: float) -> str:
    """Write a coordinate with at most one decimal."""
    return f"{value:.1f}".removesuffix(".0")


def _tag(name: str, *children: str, **attributes: str | float) -> Markup:
    """Return an element; children and attribute values are escaped unless they are markup.

    `_` in an attribute's name becomes `-`; a last one, as in `class_`, is dropped.
    """
    written = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(value) if isinstance(value, str) else _n(value)}"'
        for key, value in attributes.items()
    )
    # Every part is escaped or markup; Markup.format does the same and takes five times as long.
    return Markup(f"<{name}{written}>{''.join(map(escape, children))}</{name}>")  # noqa: S704
