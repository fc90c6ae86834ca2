"""What a figure shows, as a table: every number and every word that its artists draw."""

from collections import Counter
from collections.abc import Iterator

import matplotlib.dates as mdates
import numpy as np
import pandas as pd
from matplotlib import collections as mcollections
from matplotlib import patches as mpatches
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.category import StrCategoryFormatter, StrCategoryLocator
from matplotlib.contour import QuadContourSet
from matplotlib.figure import Figure, FigureBase
from matplotlib.image import AxesImage
from matplotlib.legend import Legend
from matplotlib.lines import AxLine, Line2D
from matplotlib.path import Path
from matplotlib.spines import Spine
from matplotlib.text import Annotation, Text
from matplotlib.ticker import FixedFormatter, FixedLocator, FuncFormatter
from matplotlib.transforms import Transform
from matplotlib.tri import TriContourSet

from toolkit.labels import (
    axes_of,
    figures_of,
    labels_of,
    legend_entries,
    looks_of,
    own_names,
    shapes_of,
)

__all__ = ["as_table", "figure_data", "uncovered_artists"]


def figure_data(figure: Figure) -> pd.DataFrame:
    """Read what a figure shows, from its artists, as a tidy table.

    A row is one drawn number or word.  What only makes the look is left out: colours, fonts,
    sizes of all points alike, limits and ticks that matplotlib chooses.  Colours come in by
    what they say: an artist, or a point of it, is named after the entry of the legend
    that has its colour, so two colours of a legend that are swapped change the table and
    another palette does not.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        Drawn with matplotlib, seaborn or the `plot_` functions.

    Returns
    -------
    pandas.DataFrame
        In the order of drawing: `axes` (number of the axes, ``<NA>`` for what belongs to the
        figure), `artist` (its kind and its number among those of its kind in the axes),
        `label` (the entry of the legend that looks like it, else its own, else empty),
        `field`, `index` (place among the values of the field, from 0) and `value` (float or
        text).  Fields are `x`, `y`, `width`, `height`, `value` (what a colour map shows),
        `size`, `linewidth` and `opacity` of the points or parts of an artist (as shares of the
        largest, where they differ), `marker` (number of the shape, in order of appearance,
        where they differ), `angle` of bars, `hatch` (0 is none, then in order of appearance,
        where they differ), `part` (which of several paths), `steps` (of a line), `text`,
        and of axes `title`, `xlabel`, `ylabel`, `xscale`, `yscale`.  Positions on an axis of
        dates are text as ``2017-12-10`` or ``2017-12-10T20:15:00``; on an axis of
        categories they are numbers, and `xticks` or `yticks` hold the names.

    See Also
    --------
    uncovered_artists : What a figure holds that this table does not.
    setup : Make figures print a digest of this table.

    Notes
    -----
    Vertices are those of the artists in data coordinates, before any drawing, so the
    table does not depend on the size of the figure or on the backend, but where a plot
    itself measures the page: labels set into contours.

    An entry looks like an artist if it has its colour and, among several of that colour, its
    kind (line, points or area) and its dashes, marker, hatch and opacity.  A colour that no
    legend names is taken for a matter of looks, as that of a lone bar or line is.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> fig, ax = plt.subplots()
    >>> _ = ax.plot([1, 2], [53, 40], label="open")
    >>> figure_data(fig).query("artist == 'line 0'")
      axes  artist label field  index value
    2    0  line 0  open     x      0   1.0
    3    0  line 0  open     x      1   2.0
    4    0  line 0  open     y      0  53.0
    5    0  line 0  open     y      1  40.0
    """
    # What is missing or infinite is no reason to warn: it is drawn as a gap.
    with np.errstate(all="ignore"):
        return as_table(
            [
                (axes, artist, _of_each(label, field, fields), field, values)
                for axes, artist, label, fields in _drawn(figure)
                for field, values in fields.items()
            ]
        )


def as_table(pieces: list) -> pd.DataFrame:
    """Put (axes, artist, label or labels, field, values) together as `figure_data` returns them."""
    sizes = [len(piece[4]) for piece in pieces]

    def column(number, each=False):
        parts = [np.empty(0, dtype="object")]
        for size, piece in zip(sizes, pieces, strict=True):
            part = piece[number]
            whole = isinstance(part, str) or not each
            parts.append(np.full(size, part, "object") if whole else np.asarray(part, "object"))
        return np.concatenate(parts)

    places = np.concatenate([np.empty(0, dtype="int64"), *map(np.arange, sizes)])
    return pd.DataFrame(
        {
            "axes": pd.Series(column(0), dtype="Int64"),
            "artist": pd.Series(column(1), dtype="str"),
            "label": pd.Series(column(2, each=True), dtype="str"),
            "field": pd.Series(column(3), dtype="str"),
            "index": places,
            "value": pd.Series(column(4, each=True), dtype="object"),
        }
    )


def uncovered_artists(figure: Figure) -> list[str]:
    """Name what a figure shows that `figure_data` can't read.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        Any figure.

    Returns
    -------
    list of str
        The classes of these artists, sorted, each once, and "colours of" a class where
        points or parts of one artist differ in colour and no legend names all of these
        colours; empty if the table holds all.

    See Also
    --------
    figure_data : What can be read.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> fig, ax = plt.subplots()
    >>> _ = ax.quiver([0], [0], [1], [1])
    >>> uncovered_artists(fig)
    ['Quiver']
    """
    names = set()
    for owner in [*figures_of(figure), *axes_of(figure)]:
        named = {look[1] for _, look in legend_entries(owner)}
        for artist in _shown(owner):
            name = type(artist).__name__
            colours = {look[1] for look in looks_of(artist)}
            if type(artist) not in _KINDS:
                names.add(name)
            elif len(colours) > 1 and not colours <= named:
                names.add(f"colours of {name}")
    return sorted(names)


def _drawn(figure: Figure) -> Iterator[tuple]:
    """Yield number of the axes, name, label and fields of each artist or group of them."""
    yield from _artists(pd.NA, figures_of(figure))
    for number, axes in enumerate(axes_of(figure)):
        yield number, "axes", "", _titles(axes)
        for name, axis in (("xticks", axes.xaxis), ("yticks", axes.yaxis)):
            yield number, name, "", _named_ticks(axis)
        yield from _artists(number, [axes])


def _shown(owner: FigureBase | Axes) -> list[Artist]:
    """Return what is drawn in a figure or axes, without frames, axes and titles."""
    furniture = (Axes, FigureBase, Spine, Axis)
    # The gradient of a colour bar and its edges repeat a scale, not data.
    key = (mcollections.QuadMesh, mcollections.LineCollection, mpatches.PathPatch)
    furniture += key if hasattr(owner, "_colorbar") else ()
    words = {id(text) for text in owner.texts if text.get_text()}
    return [
        artist
        for artist in owner.get_children()
        if artist.get_visible()
        and artist is not owner.patch
        and not isinstance(artist, furniture)
        and (id(artist) in words or not isinstance(artist, Text))
    ]


def _artists(number, owners) -> Iterator[tuple]:
    counts = Counter()
    for owner in owners:
        entries, own = legend_entries(owner), own_names(owner)
        groups = {}
        for artist in _shown(owner):
            kind = _KINDS.get(type(artist), (None,))[0]
            # Bars and words come by the hundred, and are one artist together.
            key = (kind, *_in_data(artist)) if kind in ("bars", "text") else artist
            groups.setdefault(key, []).append(artist)
        for artists in groups.values():
            kind, read = _KINDS.get(type(artists[0]), (None, None))
            if kind:
                fields = read(artists if kind in ("bars", "text") else artists[0])
                labels = np.concatenate([labels_of(artist, own, entries) for artist in artists])
                yield number, f"{kind} {counts[kind]}", labels, fields
                counts[kind] += 1


def _of_each(label, field, fields):
    """Return the label of each value of a field, or the one of all."""
    if isinstance(label, str) or len(set(label)) < 2:
        return label if isinstance(label, str) else "".join(label[:1])
    by_part = "part" in fields and field in ("x", "y", "part")
    items = fields["part"] if by_part else np.arange(len(fields[field]))
    # Colours come round again where there are more items.
    return label[items % len(label)]


def _titles(axes: Axes) -> dict:
    titles = [axes.get_title(loc) for loc in ("left", "center", "right")]
    names = {"title": " | ".join(filter(None, titles))}
    names |= {"xlabel": axes.get_xlabel(), "ylabel": axes.get_ylabel()}
    names |= {"xscale": axes.get_xscale(), "yscale": axes.get_yscale()}
    return {field: [name] for field, name in names.items() if name}


def _named_ticks(axis: Axis) -> dict:
    """Return ticks that were given names; those that matplotlib chooses are part of the look."""
    locator, formatter = axis.get_major_locator(), axis.get_major_formatter()
    if not isinstance(locator, FixedLocator | StrCategoryLocator) or not isinstance(
        formatter, FixedFormatter | FuncFormatter | StrCategoryFormatter
    ):
        return {}
    places = np.asarray(axis.get_majorticklocs(), dtype="float64")
    return {"place": places, "text": formatter.format_ticks(places)}


def _read_line(line: Line2D) -> dict:
    steps = line.get_drawstyle()
    fields = _places(line, line.get_xydata())
    return fields if steps == "default" else fields | {"steps": [steps]}


def _read_slope(line: AxLine) -> dict:
    points = [line.get_xy1(), line.get_xy2() or (np.nan, np.nan)]
    points = [(line.convert_xunits(x), line.convert_yunits(y)) for x, y in points]
    slope = line.get_slope()
    return _places(line, points) | {"slope": [np.nan if slope is None else float(slope)]}


def _read_bars(bars: list[mpatches.Rectangle]) -> dict:
    boxes = [bar.get_bbox() for bar in bars]
    fields = _places(bars[0], [box.p0 for box in boxes])
    fields["width"] = np.array([box.width for box in boxes])
    fields["height"] = np.array([box.height for box in boxes])
    angles = np.array([bar.get_angle() for bar in bars], dtype="float64")
    hatches = [bar.get_hatch() or "" for bar in bars]
    kinds = list(dict.fromkeys(["", *hatches]))
    fields |= {"angle": angles} if angles.any() else {}
    if len(set(hatches)) > 1:
        fields["hatch"] = np.array([float(kinds.index(hatch)) for hatch in hatches])
    return fields


def _read_patch(patch: mpatches.Patch) -> dict:
    return _read_paths(patch, [patch.get_patch_transform().transform_path(patch.get_path())])


def _read_points(points: mcollections.PathCollection) -> dict:
    fields = _places(points, points.get_offsets(), points.get_offset_transform())
    marks, shapes = pd.factorize(np.array(shapes_of(points.get_paths()), dtype="object"))
    if len(shapes) > 1:
        fields["marker"] = np.resize(marks, len(fields["x"])).astype("float64")
    return fields | _shares(points) | _mapped(points)


def _read_outlines(outlines: mcollections.Collection) -> dict:
    fields = _read_paths(outlines, outlines.get_paths()) | _shares(outlines) | _mapped(outlines)
    # Hexagons and other stamps: one path, drawn in many places.
    transform = outlines.get_offset_transform()
    if any(_in_data(outlines, transform)):
        places = _places(outlines, outlines.get_offsets(), transform)
        fields |= {f"offset {field}": values for field, values in places.items()}
    return fields


def _read_contours(contours) -> dict:
    return _read_outlines(contours) | {"level": np.asarray(contours.levels, dtype="float64")}


def _read_mesh(mesh: mcollections.QuadMesh) -> dict:
    corners = _floats(mesh.get_coordinates())
    across, up = corners[..., 0], corners[..., 1]
    if (across == across[0]).all() and (up == up[:, :1]).all():
        across, up = across[0], up[:, 0]
    fields = _places(mesh, np.c_[across.ravel(), np.full(across.size, np.nan)])
    fields["y"] = _places(mesh, np.c_[np.full(up.size, np.nan), up.ravel()])["y"]
    return fields | _shares(mesh) | _mapped(mesh)


def _read_image(image: AxesImage) -> dict:
    fields = {"extent": _floats(image.get_extent()), "shape": _floats(image.get_array().shape)}
    return fields | {"origin": [image.origin]} | _shares(image) | _mapped(image)


def _read_words(words: list[Text]) -> dict:
    places = [
        (word.convert_xunits(word.xy[0]), word.convert_yunits(word.xy[1]))
        if isinstance(word, Annotation)
        else word.get_unitless_position()
        for word in words
    ]
    # What is placed within the frame, not among the data, is only put where there is room.
    fields = zip(("x", "y"), _in_data(words[0]), strict=True)
    known = _places(words[0], places) if any(_in_data(words[0])) else {}
    fields = {field: known[field] for field, in_data in fields if in_data}
    return fields | {"text": [word.get_text() for word in words]}


def _read_legend(legend: Legend) -> dict:
    names = [text.get_text() for text in legend.get_texts()]
    return {"title": list(filter(None, [legend.get_title().get_text()])), "text": names}


def _read_paths(artist, paths: list[Path]) -> dict:
    vertices = [
        path.vertices if path.codes is None else path.vertices[path.codes != Path.CLOSEPOLY]
        for path in paths
    ]
    fields = _places(artist, np.concatenate([np.empty((0, 2)), *vertices]))
    if len(paths) > 1:
        fields["part"] = np.repeat(np.arange(len(paths)), [len(corners) for corners in vertices])
    return fields


def _mapped(artist) -> dict:
    values = artist.get_array()
    return {} if values is None else {"value": _floats(values).ravel()}


def _shares(artist) -> dict:
    """Return sizes, widths of lines and opacities as shares of the largest, where they differ."""
    read = {"size": "get_sizes", "linewidth": "get_linewidth", "opacity": "get_alpha"}
    fields = {}
    for field, getter in read.items():
        values = getattr(artist, getter, lambda: None)()
        values = _floats([] if values is None else values).ravel()
        if len(np.unique(values)) > 1:
            fields[field] = values / np.nanmax(np.abs(values))
    return fields


def _places(artist, xy, transform=None) -> dict:
    fields = dict(zip("xy", _floats(xy).reshape(-1, 2).T, strict=True))
    for field, in_data in zip("xy", _in_data(artist, transform), strict=True):
        axis = getattr(artist.axes, f"{field}axis", None)
        if in_data and isinstance(axis.get_converter(), _DATES):
            fields[field] = _as_dates(fields[field], getattr(axis, "freq", None))
    return fields


def _in_data(artist, transform=None) -> tuple[bool, bool]:
    """Say whether an artist's x and its y are in the units of its axes."""
    if artist.axes is None:
        return False, False
    if isinstance(artist, Annotation):
        given = artist.xycoords
        if not isinstance(given, Transform):
            x, y = given if isinstance(given, tuple) else (given, given)
            return x == "data", y == "data"
        transform = given
    if transform is None:
        is_patch = isinstance(artist, mpatches.Patch)
        transform = artist.get_data_transform() if is_patch else artist.get_transform()
    return tuple(transform.contains_branch_seperately(artist.axes.transData))


def _floats(values) -> np.ndarray:
    return np.ma.filled(np.ma.asarray(values, dtype="float64"), np.nan)


def _as_dates(days: np.ndarray, freq: str | None) -> list:
    known = np.isfinite(days) & (np.abs(days) < 1e7)
    days = np.where(known, days, 0)
    if freq is not None:
        # Pandas draws regular dates as the number of their week, month or other period.
        periods = pd.PeriodIndex.from_ordinals(days.astype("int64"), freq=freq)
        days = mdates.date2num(periods.to_timestamp())
    # To the second: the last bits of a float are not data.  The bit more keeps halves apart.
    seconds = np.floor(days * 86_400 + 0.5001).astype("m8[s]")
    moments = np.datetime64(mdates.get_epoch(), "s") + seconds
    texts = [text.removesuffix("T00:00:00") for text in np.datetime_as_string(moments)]
    return [text if ok else np.nan for text, ok in zip(texts, known, strict=True)]


_DATES = (mdates.DateConverter, mdates._SwitchableDateConverter)
# By exact class: what inherits from one of these may draw something else.
_KINDS = {
    Line2D: ("line", _read_line),
    AxLine: ("line", _read_slope),
    mpatches.Rectangle: ("bars", _read_bars),
    Text: ("text", _read_words),
    Annotation: ("text", _read_words),
    Legend: ("legend", _read_legend),
    AxesImage: ("image", _read_image),
    mcollections.PathCollection: ("points", _read_points),
    mcollections.QuadMesh: ("mesh", _read_mesh),
    QuadContourSet: ("contours", _read_contours),
    TriContourSet: ("contours", _read_contours),
}
for _name in (
    "Polygon",
    "PathPatch",
    "Wedge",
    "Ellipse",
    "Circle",
    "StepPatch",
    "FancyArrow",
    "RegularPolygon",
):
    _KINDS[getattr(mpatches, _name)] = ("patch", _read_patch)
for _name in ("LineCollection", "EventCollection"):
    _KINDS[getattr(mcollections, _name)] = ("lines", _read_outlines)
for _name in ("PolyCollection", "PolyQuadMesh", "FillBetweenPolyCollection", "PatchCollection"):
    _KINDS[getattr(mcollections, _name)] = ("area", _read_outlines)
