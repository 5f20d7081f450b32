"""This module reads the outlines of communities and grids from a GeoJSON file, and draws them without a map service.

A feature is a Polygon or a MultiPolygon in longitude and latitude, with the property `community`, and `grid` where it is
the outline of a grid. The file is checked as a whole: a map that misses a part without saying so would mislead.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from math import cos, isfinite, radians
from pathlib import Path
from typing import Any, Generic, TypeVar

from yingjian.names import comparable
from yingjian.settings import Settings, SetupError

MOST_BYTES = 8 << 20
MOST_FEATURES = 2000
MOST_POINTS = 100_000
WIDTH = 800
MARGIN = 8
MOST_HEIGHT = 900

Ring = Sequence[tuple[float, float]]
Place = tuple[str, str]
Of = TypeVar("Of")


class OutlinesError(SetupError):
    """The file of outlines cannot be used. `reason` says why in Chinese, for readers of the map."""

    def __init__(self, path: Path, reason: str, sentence: str) -> None:
        super().__init__(f"the outlines {path} cannot be used, so the map shows tiles: {sentence}")
        self.reason = reason


@dataclass(frozen=True)
class Shape:
    """The outline of a community, or of a grid of it. The first ring of each polygon is its border, the others are holes."""

    community: str
    grid: str
    polygons: Sequence[Sequence[Ring]]


@dataclass(frozen=True)
class Drawn(Generic[Of]):
    """This is an outline as it is drawn: its path data, and the position of its label."""

    of: Of
    path: str
    x: float
    y: float


@dataclass(frozen=True)
class Drawing(Generic[Of]):
    """This is a picture of the outlines that a reader may see, with its width and height."""

    shapes: Sequence[Drawn[Of]]
    width: int
    height: int


def read_outlines(path: Path) -> Sequence[Shape] | None:
    """Return the outlines of a file; None where there is no such file. Raises OutlinesError when it cannot be used."""
    try:
        stat = path.stat()
    except OSError:
        return None
    return _outlines(path, stat.st_mtime_ns, stat.st_size)


def fault(settings: Settings) -> str | None:
    """Return the error message if the file cannot be used, or if it is configured but missing; else None."""
    if settings.given_outlines and not settings.outlines.is_file():
        return f"there are no outlines {settings.outlines}, so the map shows tiles"
    try:
        read_outlines(settings.outlines)
    except OutlinesError as error:
        return str(error)
    return None


def draw(shapes: Sequence[Shape], wanted: Mapping[Place, Of]) -> Drawing[Of] | None:
    """Return the wanted outlines, each with its value, projected so that the picture holds all; None without any.

    Longitudes are scaled for the middle latitude of the picture, which is accurate enough for a town.
    """
    pairs = [
        (shape, wanted[(shape.community, shape.grid)]) for shape in shapes if (shape.community, shape.grid) in wanted
    ]
    points = [point for shape, _ in pairs for polygon in shape.polygons for point in polygon[0]]
    if not points:
        return None
    west, east = min(x for x, _ in points), max(x for x, _ in points)
    south, north = min(y for _, y in points), max(y for _, y in points)
    squeeze = cos(radians((south + north) / 2)) or 1
    wide, high = (east - west) * squeeze, north - south
    scale = min((WIDTH - 2 * MARGIN) / wide, (MOST_HEIGHT - 2 * MARGIN) / high)

    def place(point: tuple[float, float]) -> tuple[float, float]:
        return MARGIN + (point[0] - west) * squeeze * scale, MARGIN + (north - point[1]) * scale

    drawn = []
    for shape, of in pairs:
        rings = [[place(point) for point in ring] for polygon in shape.polygons for ring in polygon]
        path = "".join(f"M{'L'.join(f'{x:.1f} {y:.1f}' for x, y in ring)}Z" for ring in rings)
        x, y = _centre(max(rings, key=lambda ring: abs(_area(ring))))
        drawn.append(Drawn(of, path, round(x, 1), round(y, 1)))
    return Drawing(drawn, round(wide * scale) + 2 * MARGIN, round(high * scale) + 2 * MARGIN)


@cache
def _outlines(path: Path, modified: int, size: int) -> Sequence[Shape]:
    _outlines.cache_clear()  # Only the newest version is worth keeping.
    if size > MOST_BYTES:
        raise OutlinesError(path, "文件过大", f"it has more than {MOST_BYTES >> 20} MiB")
    try:
        content = json.loads(path.read_bytes(), parse_int=float)  # A number of any length is a float.
    except (OSError, ValueError, RecursionError):
        raise OutlinesError(path, "不是 JSON 文件", "it is no JSON that can be read") from None
    try:
        return _shapes(content)
    except _WrongError as error:
        raise OutlinesError(path, error.reason, str(error)) from None


class _WrongError(Exception):
    def __init__(self, reason: str, sentence: str) -> None:
        super().__init__(sentence)
        self.reason = reason


def _shapes(content: Any) -> Sequence[Shape]:
    features = content.get("features") if isinstance(content, dict) else None
    if not isinstance(features, list) or content.get("type") != "FeatureCollection" or not features:
        raise _WrongError("不是 GeoJSON 要素集合", "it is no FeatureCollection with features")
    if len(features) > MOST_FEATURES:
        raise _WrongError("要素过多", f"it has more than {MOST_FEATURES} features")
    shapes = [_shape(feature, number) for number, feature in enumerate(features, 1)]
    places = [(shape.community, shape.grid) for shape in shapes]
    if len(set(places)) < len(places):
        raise _WrongError("同一社区、网格有两个要素", "two features are of the same community and grid")
    if sum(len(ring) for shape in shapes for polygon in shape.polygons for ring in polygon) > MOST_POINTS:
        raise _WrongError("坐标点过多", f"it has more than {MOST_POINTS} points: simplify it")
    return shapes


def _shape(feature: Any, number: int) -> Shape:
    reason, where = f"第{number}个要素有误", f"feature {number}"
    properties = feature.get("properties") if isinstance(feature, dict) else None
    community = properties.get("community") if isinstance(properties, dict) else None
    grid = properties.get("grid") or "" if isinstance(properties, dict) else ""
    if not isinstance(community, str) or not comparable(community) or not isinstance(grid, str):
        raise _WrongError(reason, f"{where} lacks the property community, a text (and grid, if any, a text)")
    geometry = feature.get("geometry")
    kind = geometry.get("type") if isinstance(geometry, dict) else None
    if kind not in ("Polygon", "MultiPolygon"):
        raise _WrongError(reason, f"{where} is neither a Polygon nor a MultiPolygon")
    coordinates = geometry.get("coordinates")
    polygons = [coordinates] if kind == "Polygon" else coordinates
    if not isinstance(polygons, list) or not polygons:
        raise _WrongError(reason, f"{where} has no coordinates")
    return Shape(comparable(community), comparable(grid), [_polygon(each, reason, where) for each in polygons])


def _polygon(polygon: Any, reason: str, where: str) -> Sequence[Ring]:
    if not isinstance(polygon, list) or not polygon:
        raise _WrongError(reason, f"{where} has a polygon without a ring")
    rings = [_ring(each, reason, where) for each in polygon]
    if not _area(rings[0]):
        raise _WrongError(reason, f"{where} has a polygon without an area")
    return rings


def _ring(ring: Any, reason: str, where: str) -> Ring:
    if not isinstance(ring, list) or len(ring) < 4 or ring[0] != ring[-1]:
        raise _WrongError(reason, f"{where} has a ring that is not closed, or of less than four points")
    return [_point(point, reason, where) for point in ring]


def _point(point: Any, reason: str, where: str) -> tuple[float, float]:
    is_pair = isinstance(point, list) and len(point) >= 2
    if not is_pair or any(isinstance(each, bool) or not isinstance(each, (int, float)) for each in point[:2]):
        raise _WrongError(reason, f"{where} has a point that is no pair of numbers")
    x, y = float(point[0]), float(point[1])
    if not (isfinite(x) and isfinite(y) and abs(x) <= 180 and abs(y) < 90):
        raise _WrongError(reason, f"{where} has a point that is no longitude and latitude in degrees")
    return x, y


def _area(ring: Ring) -> float:
    """Return twice the area of a ring; the sign says which way round it goes."""
    return sum(x1 * y2 - x2 * y1 for (x1, y1), (x2, y2) in zip(ring, [*ring[1:], ring[0]], strict=True))


def _centre(ring: Ring) -> tuple[float, float]:
    """Return the centre of mass of a ring."""
    doubled = _area(ring)
    x = y = 0.0
    for (x1, y1), (x2, y2) in zip(ring, [*ring[1:], ring[0]], strict=True):
        cross = x1 * y2 - x2 * y1
        x, y = x + (x1 + x2) * cross, y + (y1 + y2) * cross
    return x / (3 * doubled), y / (3 * doubled)
