"""Which entry of a legend an artist goes by: the one that looks like it."""

import numpy as np
from matplotlib import collections as mcollections
from matplotlib import patches as mpatches
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba, to_rgba_array
from matplotlib.figure import Figure, FigureBase
from matplotlib.legend import Legend
from matplotlib.lines import Line2D
from matplotlib.markers import MarkerStyle
from matplotlib.path import Path

__all__ = [
    "axes_of",
    "figures_of",
    "labels_of",
    "legend_entries",
    "looks_of",
    "own_names",
    "shapes_of",
]


def figures_of(figure: FigureBase) -> list[FigureBase]:
    """Return a figure and, one after the other, the figures within it."""
    return [figure] + [inner for part in figure.subfigs for inner in figures_of(part)]


def axes_of(owner: Figure | Axes) -> list[Axes]:
    """Return the visible axes of a figure, each followed by those that are set into it."""
    inner = owner.child_axes if isinstance(owner, Axes) else owner.axes
    seen = [axes for axes in inner if isinstance(axes, Axes) and axes.get_visible()]
    return [one for axes in seen for one in (axes, *axes_of(axes))]


def own_names(owner) -> dict:
    """Return the name of the bars, error bars or stems that each artist belongs to."""
    return {
        id(artist): container.get_label()
        for container in getattr(owner, "containers", [])
        for artist in container.get_children()
    }


def labels_of(artist, own, entries) -> np.ndarray:
    """Return the names of an artist's items, in their turn."""
    given = str(artist.get_label() or "")
    given = str(own.get(id(artist), "_")) if given.startswith("_") else given
    given = "" if given.startswith("_") else given
    looks = looks_of(artist)
    names = {look: _named(look, given, entries) for look in set(looks)}
    return np.array([names[look] for look in looks], dtype="object")


def legend_entries(owner) -> list[tuple]:
    """Return name and look of each entry of the legends that speak of some axes."""
    if not isinstance(owner, Axes):
        return []
    root, place = owner.get_figure(root=True), owner.get_position().bounds
    here = [axes for axes in axes_of(root) if axes.get_position().bounds == place]
    # One panel often has the legend of all.
    legends = _legends([*figures_of(root), *here]) or _legends(axes_of(root))
    return [
        (text.get_text(), looks_of(handle)[0])
        for legend in legends
        for handle, text in zip(legend.legend_handles, legend.get_texts(), strict=False)
    ]


def looks_of(artist) -> list[tuple]:
    """Return kind, colour, and mark (dashes, shape, hatch, opacity) of each item."""
    kind, dashes, shapes, hatch, colours = "area", None, [None], None, []
    if isinstance(artist, Line2D):
        kind, dashes = "line", ""
        colour, edge = artist.get_markerfacecolor(), artist.get_markeredgecolor()
        colour = colour if to_rgba(colour)[3] else edge
        if artist.get_linestyle() not in ("None", "none", " ", ""):
            # Dashes of one's own are all called "--".
            colour, dashes = artist.get_color(), str(artist._unscaled_dash_pattern)
        colours = to_rgba_array(colour, artist.get_alpha())
        marker = MarkerStyle(artist.get_marker())
        shapes = shapes_of([marker.get_path().transformed(marker.get_transform())])
    elif isinstance(artist, mpatches.Patch):
        face, hatch = artist.get_facecolor(), artist.get_hatch()
        colours = to_rgba_array(face if face[3] > 0 else artist.get_edgecolor())
    elif isinstance(artist, mcollections.Collection):
        face, hatch = artist.get_facecolor(), artist.get_hatch()
        if artist.get_array() is None:
            colours = face if np.any(face[:, 3:]) else artist.get_edgecolor()
        if isinstance(artist, mcollections.LineCollection):
            kind, dashes = "line", str(artist.get_linestyle()[0])
        if isinstance(artist, mcollections.PathCollection):
            kind, shapes = "points", shapes_of(artist.get_paths())
    colours = _hues(colours) or [(None, None)]
    looks = []
    for item in range(max(len(colours), len(shapes))):
        colour, opacity = colours[item % len(colours)]
        looks.append((kind, colour, (dashes, shapes[item % len(shapes)], hatch, opacity)))
    return looks


def shapes_of(paths: list[Path]) -> list[bytes | None]:
    """Return what tells the shapes of points apart, one for each path."""
    each = {id(path): path for path in paths}
    known = {number: path.vertices.round(4).tobytes() for number, path in each.items()}
    return [known[id(path)] for path in paths] or [None]


def _named(look, given, entries) -> str:
    """Return the entry of the legend that looks like this, else the artist's own name."""
    kind, colour, mark = look
    same = [entry for entry in entries if entry[1][1] == colour]
    same = [entry for entry in same if entry[1][0] == kind] or same
    same = [entry for entry in same if _alike(entry[1][2], mark)] or same
    names = {name for name, _ in same}
    # Entries that only differ in size say nothing of an artist in their colour.
    return names.pop() if len(names) == 1 else given


def _legends(owners) -> list[Legend]:
    return [one for owner in owners for one in owner.get_children() if isinstance(one, Legend)]


def _alike(mark, other) -> bool:
    """Compare dashes, shapes, hatches and opacity, of which an artist may have none."""
    return all(None in pair or pair[0] == pair[1] for pair in zip(mark, other, strict=True))


def _hues(colours) -> list[tuple[int, float]]:
    rgba = np.reshape(colours, (-1, 4))
    rgb = np.round(rgba[:, :3] * 255).astype("int64") @ [65536, 256, 1]
    return list(zip(rgb.tolist(), np.round(rgba[:, 3], 3).tolist(), strict=True))
