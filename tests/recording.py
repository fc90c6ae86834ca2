"""Keep, from inside the kernels of a run of the series, each call that draws and each figure."""

import functools
import pickle
from itertools import count
from pathlib import Path

METHODS = ["axvline", "bar", "barh", "errorbar", "fill_between", "hlines", "imshow", "pcolormesh"]
METHODS += ["plot", "scatter", "step", "vlines", "hist"]


def record(folder, name):
    """Pickle into a folder what is about to be drawn, with the figure as it was, and what was.

    Only the outermost call counts: what a drawing function of the toolkit calls is its own.
    """
    import matplotlib.pyplot as plt
    import seaborn
    from matplotlib.axes import Axes

    import toolkit

    numbers, inside = count(1), []

    def keep(kind, what):
        file = Path(folder, f"{name}-{next(numbers):03}-{kind}.pkl")
        file.write_bytes(pickle.dumps(what))

    def kept(owner, function_name):
        function = getattr(owner, function_name)

        @functools.wraps(function)
        def call(*args, **kwargs):
            if not inside and plt.get_fignums():
                place = None if owner is Axes else owner.__name__
                keep(function_name, (place, function_name, args, kwargs, plt.gcf()))
            inside.append(function_name)
            try:
                return function(*args, **kwargs)
            finally:
                inside.pop()

        setattr(owner, function_name, call)

    for function_name in METHODS:
        kept(Axes, function_name)
    for owner in (seaborn, toolkit):
        for function_name in dir(owner):
            if function_name.endswith("plot") or function_name.startswith("plot_"):
                kept(owner, function_name)
    show = plt.show

    def show_and_keep(*args, **kwargs):
        for number in plt.get_fignums():
            keep("shown", plt.figure(number))
        return show(*args, **kwargs)

    plt.show = show_and_keep
