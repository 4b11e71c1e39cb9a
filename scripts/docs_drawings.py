"""Draw the pictures of the documentation as SVG: sensor places, the room, the LED box's circuit.

``python scripts/docs_drawings.py [FOLDER]`` writes into ``docs/images/drawn``; a test checks that the stored files are
what this script draws.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from xml.sax.saxutils import escape

INK, SKIN, SENSOR, SOFT, LIGHT = "#1f2937", "#e8d5c4", "#0b6e99", "#6b7280", "#d9a400"

#: Centres of the sensors on the front and the back figure, in the drawing's units, for the figure's right half.
#: Left and right are the subject's own: on the front figure the subject's left is at the reader's right.
FRONT_PLACES = MappingProxyType({"biceps": (47, 128), "quadriceps": (20, 262)})
BACK_PLACES = MappingProxyType({"triceps": (48, 124), "hamstrings": (20, 268)})


def _svg(width: int, height: int, title: str, parts: list[str]) -> str:
    body = "\n".join(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        f'role="img" font-family="sans-serif">\n<title>{escape(title)}</title>\n'
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>\n{body}\n</svg>\n'
    )


def _text(x: float, y: float, text: str, *, anchor: str = "middle", size: int = 13, colour: str = INK) -> str:
    return f'<text x="{x:g}" y="{y:g}" text-anchor="{anchor}" font-size="{size}" fill="{colour}">{escape(text)}</text>'


def _line(x1: float, y1: float, x2: float, y2: float, style: str = "") -> str:
    return f'<line x1="{x1:g}" y1="{y1:g}" x2="{x2:g}" y2="{y2:g}" stroke="{INK}" stroke-width="1.5" {style}/>'


def _box(x: float, y: float, width: float, height: float, fill: str = "#f3f4f6") -> str:
    return (
        f'<rect x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" rx="5" fill="{fill}" stroke="{INK}" '
        'stroke-width="1.5"/>'
    )


def _body(x: float) -> list[str]:
    """Return an upright figure with its middle at ``x``: head, trunk, arms a little away from it, legs."""
    limb = f'stroke="{SKIN}" stroke-linecap="round"'
    parts = [f'<circle cx="{x:g}" cy="48" r="22" fill="{SKIN}"/>']
    parts.append(f'<path d="M{x - 30:g} 84 h60 l-8 100 h-44 z" fill="{SKIN}" stroke="{SKIN}" stroke-width="14"/>')
    parts.append(_line(x, 66, x, 84).replace(INK, SKIN).replace('"1.5"', '"16"'))
    for side in (-1, 1):
        parts += [
            f'<line x1="{x + side * 38:g}" y1="92" x2="{x + side * 54:g}" y2="160" {limb} stroke-width="22"/>',
            f'<line x1="{x + side * 54:g}" y1="160" x2="{x + side * 66:g}" y2="222" {limb} stroke-width="16"/>',
            f'<line x1="{x + side * 17:g}" y1="200" x2="{x + side * 22:g}" y2="310" {limb} stroke-width="31"/>',
            f'<line x1="{x + side * 22:g}" y1="310" x2="{x + side * 23:g}" y2="398" {limb} stroke-width="21"/>',
        ]
    return parts


def _sensors(x: float, places: Mapping[str, tuple[int, int]], *, left_is: int) -> list[str]:
    parts = []
    for muscle, (dx, y) in places.items():
        for side in (-1, 1):
            name = f"{'left' if side == left_is else 'right'} {muscle}"
            cx = x + side * dx
            edge = x + side * 92
            parts += [
                f'<rect x="{cx - 6:g}" y="{y - 12}" width="12" height="24" rx="4" fill="{SENSOR}" stroke="#ffffff"/>',
                _line(cx + side * 8, y, edge, y - 8),
                _text(edge + side * 4, y - 4, name, anchor="start" if side > 0 else "end"),
            ]
    return parts


def sensor_places() -> str:
    """Draw the eight places of the sensors on a figure from the front and from the back."""
    parts = [_text(225, 18, "from the front", colour=SOFT), _text(685, 18, "from the back", colour=SOFT)]
    parts += _body(225) + _sensors(225, FRONT_PLACES, left_is=1)
    parts += _body(685) + _sensors(685, BACK_PLACES, left_is=-1)
    parts.append(_text(455, 436, "The long side of each sensor follows the muscle's fibres, here along the limb."))
    return _svg(910, 450, "Eight sensor places: biceps and quadriceps in front, triceps and hamstrings behind", parts)


def room() -> str:
    """Draw the room from above: person, phone, LED box, laptop and the distances between them."""
    parts = [
        _box(20, 30, 820, 320, "#ffffff"),
        '<path d="M150 190 L760 60 L760 320 Z" fill="#eef6fa"/>',
        _text(470, 110, "field of view: whole body, arms raised", colour=SOFT),
        _box(120, 172, 34, 36),
        _text(137, 164, "phone or camera"),
        _text(137, 228, "on a tripod, at hip height"),
        f'<circle cx="610" cy="190" r="26" fill="{SKIN}" stroke="{INK}" stroke-width="1.5"/>',
        _text(610, 240, "person"),
        _line(160, 190, 580, 190, 'stroke-dasharray="5 4"'),
        _text(370, 183, "2.5 to 4 m"),
        f'<circle cx="440" cy="222" r="13" fill="{LIGHT}" stroke="{INK}" stroke-width="1.5"/>',
        _text(400, 272, "LED box: in the picture, light towards the camera,"),
        _text(400, 289, "within 2 m of the camera's microphone"),
        _box(600, 305, 50, 22),
        _text(660, 343, "laptop: sensors in sight, 1 to 3 m"),
        _text(800, 195, "plain wall", colour=SOFT),
        _text(36, 60, "window or lamp: behind the camera", anchor="start", colour=SOFT),
    ]
    return _svg(860, 370, "The room from above: camera, person, LED box and laptop", parts)


def led_box_wiring() -> str:
    """Draw the LED box's circuit: LED and buzzer on pin 8, a footswitch on pin 2."""
    parts = [
        _box(30, 60, 170, 220),
        _text(115, 88, "Arduino board"),
        _text(190, 118, "pin 8", anchor="end"),
        _text(190, 178, "5 V", anchor="end"),
        _text(190, 218, "pin 2", anchor="end"),
        _text(190, 258, "GND", anchor="end"),
        # LED through its resistor
        _line(200, 113, 300, 113),
        _box(300, 103, 60, 20, "#ffffff"),
        _text(330, 96, "220 Ω"),
        _line(360, 113, 430, 113),
        f'<path d="M430 101 l20 12 l-20 12 z M452 101 v24" fill="{LIGHT}" stroke="{INK}" stroke-width="1.5"/>',
        _text(441, 92, "bright LED"),
        _line(452, 113, 600, 113),
        _line(600, 113, 600, 253),
        # buzzer through a transistor
        _line(240, 113, 240, 150),
        _line(240, 150, 300, 150),
        _box(300, 140, 60, 20, "#ffffff"),
        _text(330, 134, "1 kΩ", size=11),
        _line(360, 150, 462, 150),
        f'<circle cx="480" cy="155" r="18" fill="#ffffff" stroke="{INK}" stroke-width="1.5"/>',
        _text(480, 160, "NPN", size=11),
        _line(498, 155, 600, 155),
        _text(548, 149, "emitter", size=11, colour=SOFT),
        _line(480, 173, 480, 182),
        _text(488, 182, "collector", anchor="start", size=11, colour=SOFT),
        f'<circle cx="400" cy="182" r="20" fill="#ffffff" stroke="{INK}" stroke-width="1.5"/>',
        _text(400, 187, "buzzer", size=11),
        _line(480, 182, 420, 182),
        _line(380, 182, 260, 182),
        _line(260, 182, 260, 173),
        _line(260, 173, 200, 173),
        # footswitch
        _line(200, 213, 370, 213),
        _line(370, 213, 400, 225),
        _line(404, 213, 430, 213),
        _line(430, 213, 430, 253),
        _text(385, 242, "footswitch (optional)", size=11),
        _line(200, 253, 600, 253),
        _text(330, 310, "Pin 8 drives both, so that light and beep begin together."),
    ]
    return _svg(660, 330, "Circuit of the LED box", parts)


def led_box_look() -> str:
    """Draw the finished box as it stands in the room."""
    parts = [
        '<defs><linearGradient id="side" x1="0" y1="0" x2="1" y2="1"><stop offset="0" stop-color="#4b5563"/>'
        '<stop offset="1" stop-color="#1f2937"/></linearGradient><radialGradient id="glow"><stop offset="0" '
        'stop-color="#fffbe6"/><stop offset="0.35" stop-color="#ffe58a"/><stop offset="1" stop-color="#ffe58a" '
        'stop-opacity="0"/></radialGradient></defs>',
        '<ellipse cx="245" cy="268" rx="190" ry="18" fill="#e5e7eb"/>',
        '<path d="M90 110 l40 -40 h240 l-40 40 z" fill="#6b7280"/><path d="M330 110 l40 -40 v150 l-40 40 z" '
        'fill="#111827"/><rect x="90" y="110" width="240" height="150" fill="url(#side)"/>',
        '<circle cx="170" cy="185" r="75" fill="url(#glow)"/><circle cx="170" cy="185" r="26" fill="#fff7cc" '
        'stroke="#9ca3af" stroke-width="4"/>',
        "".join(
            f'<circle cx="{275 + dx}" cy="{185 + dy}" r="4" fill="#030712"/>'
            for dx in (-14, 0, 14)
            for dy in (-14, 0, 14)
        ),
        '<path d="M350 200 C430 200 420 270 470 262" fill="none" stroke="#1f2937" stroke-width="6"/>',
        _text(170, 292, "LED behind a diffuser, 3 to 5 cm wide"),
        _text(275, 140, "buzzer", colour="#ffffff"),
        _text(452, 250, "USB", colour=SOFT),
    ]
    return _svg(500, 305, "The LED box: a diffused light and a buzzer at the front, a USB cable at the back", parts)


DRAWINGS: Mapping[str, Callable[[], str]] = MappingProxyType(
    {
        "sensor-places.svg": sensor_places,
        "room.svg": room,
        "led-box-wiring.svg": led_box_wiring,
        "led-box.svg": led_box_look,
    }
)


def write(folder: Path) -> list[Path]:
    """Write all drawings into a folder, and return their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for name, draw in DRAWINGS.items():
        path = folder / name
        path.write_text(draw(), encoding="utf-8")
        paths.append(path)
    return paths


if __name__ == "__main__":
    write(Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parents[1] / "docs/images/drawn"))
