"""Lag over time as a picture: SVG by hand, one curve for what waits in the source, one for what waits in bronze."""

from collections.abc import Callable, Sequence

from bench.watching import Sample

WIDTH, HEIGHT, LEFT, BOTTOM, TOP = 720, 260, 70, 36, 30
COLOURS = ("#3b6fb6", "#c8702a")
FONT = 'font-family="sans-serif" font-size="12" fill="#555"'


def lag_picture(samples: Sequence[Sample], rate: float) -> str:
    """What waits over time, in events; the curves are named in the picture, so that colour is not the only sign."""
    begun = samples[0].at_s if samples else 0.0
    times = [sample.at_s - begun for sample in samples]
    curves = {
        "waits for ingest": [float(sample.source or 0) for sample in samples],
        "waits for detect": [float(sample.rows or 0) for sample in samples],
    }
    last, most = max(times, default=0.0) or 1.0, max((max(values, default=0.0) for values in curves.values()), default=0.0) or 1.0
    across, up = _scale(last, WIDTH - LEFT - 20), _scale(most, HEIGHT - BOTTOM - TOP)
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img">',
             f"<title>Events that wait at {rate:,.0f} events a second</title>",
             f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>']  # fmt: skip
    for share in (0.0, 0.5, 1.0):
        x, y = LEFT + across(last * share), HEIGHT - BOTTOM - up(most * share)
        parts += [
            f'<line x1="{LEFT}" x2="{WIDTH - 20}" y1="{y:.1f}" y2="{y:.1f}" stroke="#ddd"/>',
            f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end" {FONT}>{most * share:,.0f}</text>',
            f'<text x="{x:.1f}" y="{HEIGHT - 14}" text-anchor="middle" {FONT}>{last * share:,.0f} s</text>',
        ]
    for (name, values), colour, place in zip(curves.items(), COLOURS, (0, 1), strict=True):
        points = " ".join(f"{LEFT + across(x):.1f},{HEIGHT - BOTTOM - up(y):.1f}" for x, y in zip(times, values, strict=True))
        parts += [f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="1.5"/>',
                  f'<text x="{LEFT + 10 + place * 160}" y="18" {FONT.replace("#555", colour)}>{name}</text>']  # fmt: skip
    return "\n".join([*parts, "</svg>", ""])


def _scale(most: float, length: float) -> Callable[[float], float]:
    return lambda value: value / most * length
