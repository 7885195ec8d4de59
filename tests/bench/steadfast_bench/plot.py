"""The distributions as an SVG picture, without a library."""

import math

COLOURS = {"keepalived": "#c2571a", "ours": "#1a5fb4"}
WIDTH, HEIGHT, LEFT, TOP = 430, 250, 62, 46
GAP_X, GAP_Y = 40, 84
SMALLEST = 0.001


def _label(value):
    """A power of ten in ms, short."""
    if value < 1:
        return f"{value * 1000:g} us"
    return f"{value:g} ms" if value < 1000 else f"{value / 1000:g} s"


def _decades(all_series):
    """The powers of ten between which all samples are."""
    all_ = [max(value, SMALLEST) for series in all_series for samples in series.values()
            for value in samples]
    low = math.floor(math.log10(min(all_)))
    return low, max(math.ceil(math.log10(max(all_))), low + 1)


def _panel(x, y, title, series, decades):
    """One panel: for each series, which part of the samples is later than x."""
    low, high = decades
    depth = max(math.ceil(math.log10(max(len(s) for s in series.values()))), 1)

    def at_x(value):
        return x + (math.log10(max(value, SMALLEST)) - low) / (high - low) * WIDTH

    def at_y(part):
        return y + -math.log10(part) / depth * HEIGHT

    out = [f'<text x="{x}" y="{y - 12}" class="title">{title}</text>']
    for power in range(low, high + 1):
        px = at_x(10.0**power)
        out.append(f'<line x1="{px:.1f}" y1="{y}" x2="{px:.1f}" y2="{y + HEIGHT}" class="grid"/>')
        out.append(f'<text x="{px:.1f}" y="{y + HEIGHT + 18}" class="middle">'
                   f'{_label(10.0**power)}</text>')
    for power in range(depth + 1):
        py = at_y(10.0**-power)
        out.append(f'<line x1="{x}" y1="{py:.1f}" x2="{x + WIDTH}" y2="{py:.1f}" class="grid"/>')
        out.append(f'<text x="{x - 8}" y="{py + 4:.1f}" class="end">'
                   f'{100 * 10.0**-power:g} %</text>')
    for name, samples in series.items():
        ordered = sorted(max(value, SMALLEST) for value in samples)
        path, count, before = f"M{at_x(ordered[0]):.1f} {at_y(1):.1f}", len(ordered), None
        for n, value in enumerate(ordered):
            part = (count - n - 1) / count
            point = f"H{at_x(value):.1f}"
            if part:
                point += f"V{at_y(part):.1f}"
            else:
                point += f"V{y + HEIGHT}"
            if point != before:
                path += point
            before = point
        out.append(f'<path d="{path}" stroke="{COLOURS[name]}" class="line"/>')
    return out


def render(panels, caption):
    """The picture: `panels` is a list of (title, scale, {router: samples in ms}).

    Panels of the same scale have the same ends of the axis.
    """
    panels = [(title, scale, {name: s for name, s in series.items() if s})
              for title, scale, series in panels]
    panels = [panel for panel in panels if panel[2]]
    if not panels:
        return None
    columns = 2
    lines = -(-len(panels) // columns)
    width = LEFT + columns * (WIDTH + GAP_X + LEFT) - LEFT
    height = TOP + 40 + lines * (HEIGHT + GAP_Y)
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
           f'viewBox="0 0 {width} {height}">',
           '<style>text{font:13px sans-serif;fill:#222}.title{font-weight:bold}'
           '.middle{text-anchor:middle}.end{text-anchor:end}'
           '.grid{stroke:#ddd}.line{fill:none;stroke-width:2}</style>',
           f'<rect width="{width}" height="{height}" fill="#fff"/>',
           f'<text x="{LEFT}" y="22">{caption}</text>']
    x = LEFT
    for name, colour in COLOURS.items():
        out.append(f'<rect x="{x}" y="32" width="22" height="4" fill="{colour}"/>')
        out.append(f'<text x="{x + 28}" y="39">{name}</text>')
        x += 130
    for n, (title, scale, series) in enumerate(panels):
        decades = _decades([other for _, its_scale, other in panels if its_scale == scale])
        out += _panel(LEFT + n % columns * (WIDTH + GAP_X + LEFT),
                      TOP + 40 + n // columns * (HEIGHT + GAP_Y), title, series, decades)
    return "\n".join([*out, "</svg>"]) + "\n"
