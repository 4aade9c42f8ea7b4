import pytest

from redaction import SessionKey, warm_up


@pytest.fixture(scope="session", autouse=True)
def _warm():
    warm_up()


@pytest.fixture
def key():
    return SessionKey(b"0123456789abcdef0123456789abcdef")
