import os
from pathlib import Path

import pytest

# Before any test imports pyplot; and no test may reach the key of whoever runs it.
os.environ["MPLBACKEND"] = "agg"
SHARED = Path(__file__).parents[2] / "shared" / "data"


@pytest.fixture(autouse=True)
def key_file(tmp_path_factory, monkeypatch):
    path = tmp_path_factory.mktemp("key") / "pseudonyms.key"
    path.write_text("5a" * 32)
    path.chmod(0o600)
    monkeypatch.setenv("VIEWING_KEY_FILE", str(path))
    return path


@pytest.fixture(autouse=True)
def _closed_figures():
    yield
    import matplotlib.pyplot as plt

    plt.close("all")


@pytest.fixture
def brighttv():
    path = SHARED / "brighttv_sessions.csv"
    if not path.exists():
        pytest.skip("the real log is not here")
    return path
