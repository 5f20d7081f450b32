"""A file of outlines is taken whole or refused in a sentence, and is drawn as it lies on the ground."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from yingjian.portal import outlines
from yingjian.portal.outlines import OutlinesError, draw, fault, read_outlines
from yingjian.settings import Settings

SQUARE = [[118.0, 24.0], [118.1, 24.0], [118.1, 24.1], [118.0, 24.1], [118.0, 24.0]]


def feature(
    community: Any = "甲社区", grid: Any = None, kind: str = "Polygon", coordinates: Any = None
) -> dict[str, Any]:
    return {
        "type": "Feature",
        "properties": {"community": community} | ({} if grid is None else {"grid": grid}),
        "geometry": {"type": kind, "coordinates": [SQUARE] if coordinates is None else coordinates},
    }


def collection(*features: Any) -> str:
    return json.dumps({"type": "FeatureCollection", "features": list(features)}, ensure_ascii=False)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "outlines.geojson"


def test_without_a_file_there_are_no_outlines(path):
    assert read_outlines(path) is None


def test_a_good_file_is_read_and_a_name_is_folded(path):
    path.write_text(collection(feature("甲 社区"), feature("甲社区", "网格1", "MultiPolygon", [[SQUARE], [SQUARE]])))
    shapes = read_outlines(path) or []
    assert [(shape.community, shape.grid, len(shape.polygons)) for shape in shapes] == [
        ("甲社区", "", 1),
        ("甲社区", "网格1", 2),
    ]


BAD = {
    "no json": ("{", "no JSON"),
    "deep": ("[" * 100_000, "no JSON"),
    "a list": ("[]", "no FeatureCollection"),
    "no features": (collection(), "no FeatureCollection"),
    "features that are text": ('{"type": "FeatureCollection", "features": "x"}', "no FeatureCollection"),
    "a feature that is none": (collection(None), "feature 1 lacks the property community"),
    "no name": (collection(feature(None)), "feature 1 lacks"),
    "an empty name": (collection(feature(" ")), "feature 1 lacks"),
    "a grid that is a number": (collection(feature(grid=3)), "feature 1 lacks"),
    "a point": (collection(feature(kind="Point", coordinates=[1, 2])), "neither a Polygon"),
    "a second that is a line": (collection(feature(), feature("乙", kind="LineString")), "feature 2 is neither"),
    "no coordinates": (collection(feature(kind="MultiPolygon", coordinates={})), "no coordinates"),
    "no polygon": (collection(feature(coordinates={})), "a polygon without a ring"),
    "no ring": (collection(feature(coordinates=[[]])), "not closed, or of less than four"),
    "an open ring": (collection(feature(coordinates=[SQUARE[:-1]])), "not closed"),
    "words": (collection(feature(coordinates=[[*SQUARE[:3], ["x", "y"], SQUARE[0]]])), "no pair of numbers"),
    "metres": (collection(feature(coordinates=[[[x * 1000, y * 1000] for x, y in SQUARE]])), "in degrees"),
    "a number without end": (collection(feature()).replace("118.1", "1" * 400), "in degrees"),
    "not a number": (collection(feature()).replace("118.1", "NaN"), "in degrees"),
    "a line": (collection(feature(coordinates=[[[118, 24], [118.1, 24], [118.2, 24], [118, 24]]])), "without an area"),
    "two of one place": (collection(feature(), feature()), "of the same community and grid"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_file_is_refused_in_words(path, name):
    content, words = BAD[name]
    path.write_text(content)
    with pytest.raises(OutlinesError, match=words) as error:
        read_outlines(path)
    assert str(path) in str(error.value)
    assert error.value.reason


def test_a_large_file_is_refused(path, monkeypatch):
    monkeypatch.setattr(outlines, "MOST_POINTS", 4)
    path.write_text(collection(feature()))
    with pytest.raises(OutlinesError, match="simplify"):
        read_outlines(path)
    monkeypatch.setattr(outlines, "MOST_BYTES", 10)
    path.write_text(collection(feature("乙")))
    with pytest.raises(OutlinesError, match="MiB"):
        read_outlines(path)


def test_a_file_that_was_mended_is_read_again(path):
    path.write_text("{")
    with pytest.raises(OutlinesError):
        read_outlines(path)
    path.write_text(collection(feature()))
    assert read_outlines(path)


def test_only_what_is_wanted_is_drawn_with_north_above(path):
    north = [[x, y + 0.1] for x, y in SQUARE]
    far = [[x + 5, y] for x, y in SQUARE]
    path.write_text(collection(feature(), feature("乙社区", coordinates=[north]), feature("别处", coordinates=[far])))
    drawing = draw(read_outlines(path) or [], {("甲社区", ""): "甲", ("乙社区", ""): "乙", ("丙社区", ""): "丙"})
    assert drawing
    south, above = drawing.shapes
    assert (south.of, above.of) == ("甲", "乙")
    assert above.y < south.y
    assert above.x == south.x
    assert drawing.height <= 900
    # A degree of longitude is shorter than one of latitude: two squares of degrees are higher than twice their width.
    assert drawing.height - 16 > 2 * (drawing.width - 16)
    assert draw(read_outlines(path) or [], {("丙社区", ""): "丙"}) is None


def test_a_file_that_is_set_and_missing_is_told(tmp_path, path):
    assert fault(Settings.load({"YINGJIAN_HOME": str(tmp_path)})) is None
    given = Settings.load({"YINGJIAN_HOME": str(tmp_path), "YINGJIAN_OUTLINES": str(path)})
    assert "there are no outlines" in (fault(given) or "")
    path.write_text("{")
    assert "no JSON" in (fault(given) or "")
    path.write_text(collection(feature()))
    assert fault(given) is None
