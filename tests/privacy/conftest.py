import pytest


@pytest.fixture
def keys(tmp_path, monkeypatch):
    """A folder for the keys of studies, apart from their data."""
    folder = tmp_path / "keys"
    monkeypatch.setenv("VIEWING_KEY_FOLDER", str(folder))
    return folder
