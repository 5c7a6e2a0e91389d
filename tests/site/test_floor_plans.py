"""Floor plans in the site file: the image is measured, and every mistake is told with its line (gateway/site/README.md)."""

from __future__ import annotations

from pathlib import Path
from struct import pack

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import ConfigError
from gateway.site.floor_plans import MAX_BYTES, measure
from gateway.site.load import load_site
from gateway.site.model import Plan

SVG = b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 400 200"><rect width="400" height="200"/></svg>'
BASE = """\
site: {id: s, timezone: Asia/Shanghai, latitude: 31.2, longitude: 121.5}
places:
  - {id: hall}
  - {id: hall/west}
devices:
  - {id: rdr, driver: native, kind: reader, place: hall}
  - {id: cam, driver: native, kind: camera, place: hall}
  - {id: lux, driver: native, kind: lux_sensor, place: hall}
checkpoints:
  - {id: cp, place: hall, reader: rdr}
lamps:
  - {id: lamp, place: hall, seen_by: lux, expected: {mode: always}}
plans:
  - place: hall
    image: hall.svg
    shapes:
      - {place: hall/west, polygon: [[0, 0], [200, 0], [200, 200]]}
      - {place: hall, at: [300, 100]}
      - {checkpoint: cp, at: [10, 20]}
      - {lamp: lamp, at: [400, 200]}
      - {camera: cam, at: [1.5, 0]}
"""


@pytest.fixture
def plan(tmp_path: Path):
    """Loads a text as a site file beside hall.svg; gives its one plan."""
    (tmp_path / "hall.svg").write_bytes(SVG)

    def load(text: str = BASE) -> Plan:
        file = tmp_path / "site.yaml"
        file.write_text(text, encoding="utf-8")
        (found,) = load_site(file, environ={})[0].plans.values()
        return found

    return load


def test_a_plan_says_what_is_where_in_its_images_coordinates(plan, tmp_path):
    found = plan()
    assert (found.place, found.image, found.media_type) == ("hall", str(tmp_path / "hall.svg"), "image/svg+xml")
    assert (found.left, found.top, found.width, found.height) == (0, 0, 400, 200)
    assert [(shape.kind, shape.id, len(shape.points)) for shape in found.shapes] == [
        ("place", "hall/west", 3),
        ("place", "hall", 1),
        ("checkpoint", "cp", 1),
        ("lamp", "lamp", 1),
        ("camera", "cam", 1),
    ]
    assert found.shapes[4].points == ((1.5, 0.0),)


def test_shapes_may_be_left_out(plan):
    assert plan(BASE.partition("    shapes:")[0]).shapes == ()


MISTAKES = [
    ("place: hall\n    image", "place: hal\n    image", 14, "plans[0].place", "found 'hal'; expected the id of a place"),
    ("hall.svg", "attic.svg", 15, "plans[0].image", "found 'attic.svg', which cannot be read: No such file"),
    ("hall.svg", "site.yaml", 15, "plans[0].image", "which ends with neither .svg nor .png"),
    ("    image: hall.svg\n", "", 14, "plans[0]", "`image` is missing; expected the plan's file"),
    ("lamp: lamp,", "lamp: lmp,", 20, "plans[0].shapes[3].lamp", "found 'lmp'; expected the id of a lamp"),
    ("camera: cam,", "camera: rdr,", 21, "plans[0].shapes[4].camera", "found 'rdr', a reader; expected a camera"),
    ("camera: cam,", "checkpoint: cp,", 21, "plans[0].shapes[4].checkpoint", "a second time; line 19 shows it"),
    ("[400, 200]", "[401, 200]", 20, "plans[0].shapes[3].at", "found 401, 200, outside of the image; expected 0 to 400"),
    ("[200, 200]]", "[200, -1]]", 17, "plans[0].shapes[0].polygon", "found 200, -1, outside of the image"),
    ("[10, 20]", "[10]", 19, "plans[0].shapes[2].at", "expected two numbers in the image's coordinates"),
    (", [200, 200]]", "]", 17, "plans[0].shapes[0].polygon", "expected 3 to 200 corners"),
    ("{lamp: lamp, at", "{lamp: lamp, camera: cam, at", 20, "plans[0].shapes[3]", "found `lamp` and `camera`"),
    ("{lamp: lamp, at", "{at", 20, "plans[0].shapes[3]", "found none of them; expected one of"),
    ("{lamp: lamp, at: [400, 200]}", "{lamp: lamp}", 20, "plans[0].shapes[3]", "found neither; expected `at`"),
    ("{checkpoint: cp, at: [10, 20]", "{checkpoint: cp, polygon: [[0, 0], [1, 0], [1, 1]]", 19, "plans[0].shapes[2].polygon", "only places have an outline"),
    ("plans:\n", "plans:\n  - {place: hall, image: hall.svg}\n", 15, "plans[1].place", "found 'hall' a second time"),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "line", "path", "message"), MISTAKES)
def test_every_mistake_is_told_with_its_line(plan, old, new, line, path, message):  # noqa: PLR0917
    assert old in BASE
    with pytest.raises(ConfigError) as caught:
        plan(BASE.replace(old, new))
    found = [(one.line, one.path, one.message) for one in caught.value.problems if one.level == "error"]
    assert any(one[:2] == (line, path) and message in one[2] for one in found), found


def written(tmp_path: Path, data: bytes, name: str = "plan.svg") -> Path:
    path = tmp_path / name
    path.write_bytes(data)
    return path


def test_a_png_is_measured_by_its_header(tmp_path):
    data = b"\x89PNG\r\n\x1a\n" + pack(">I", 13) + b"IHDR" + pack(">II", 640, 480) + b"\x08\x02\x00\x00\x00"
    assert measure(written(tmp_path, data, "plan.PNG")) == ("image/png", 0, 0, 640, 480)


@pytest.mark.parametrize(
    ("root", "size"),
    [
        ('viewBox="-10,20 300 150.5"', (-10, 20, 300, 150.5)),
        ('width="640px" height="480"', (0, 0, 640, 480)),
        ('viewBox="broken" width="6.4e2" height="480"', (0, 0, 640, 480)),
    ],
)
def test_an_svg_is_measured_by_its_view_box_or_its_size(tmp_path, root, size):
    assert measure(written(tmp_path, f"<svg {root}/>".encode()))[1:] == size


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"<svg", "is no SVG that can be read"),
        (b'<!DOCTYPE svg [<!ENTITY a "b">]><svg>&a;</svg>', "is no SVG that can be read"),
        (b'<?xml version="1.0" encoding="klingon"?><svg/>', "is no SVG that can be read"),
        (b"<html/>", "its first element is `html`"),
        (b'<svg width="100%"/>', "has no size"),
        (b'<svg viewBox="0 0 nan 10"/>', "has no size"),
        (b" " * (MAX_BYTES + 1), "is larger than 2 MiB"),
    ],
)
def test_what_is_no_plan_is_refused_with_the_reason(tmp_path, data, message):
    with pytest.raises(ValueError, match=message):
        measure(written(tmp_path, data))


@given(st.binary(max_size=60), st.sampled_from([b"", b"<svg", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"]))
def test_no_bytes_whatever_bring_it_down(tmp_path_factory, data, head):
    folder = tmp_path_factory.mktemp("plans")
    for name in ("a.svg", "a.png"):
        try:
            image = measure(written(folder, head + data, name))
        except ValueError:
            continue
        assert image.width > 0
        assert image.height > 0
