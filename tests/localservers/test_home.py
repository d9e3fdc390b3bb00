"""What a run keeps."""

import pytest

from localservers.home import Home


def test_a_secret_is_made_once_and_only_its_owner_reads_it(home):
    first = home.secret("django_secret_key")
    path = home.secrets / "django_secret_key"
    assert len(first) > 40
    assert home.secret("django_secret_key") == first
    assert path.stat().st_mode & 0o777 == 0o600
    assert home.secrets.stat().st_mode & 0o777 == 0o700


def test_two_homes_have_different_secrets(tmp_path):
    assert Home(tmp_path / "a").secret("x") != Home(tmp_path / "b").secret("x")


def test_a_lock_that_somebody_holds_is_refused_to_who_does_not_wait(home):
    with home.lock("x"), pytest.raises(BlockingIOError), home.lock("x", wait=False):
        pass


def test_a_lock_is_free_after_its_holder(home):
    with home.lock("x"):
        pass
    with home.lock("x", wait=False):
        assert (home.path / "x.lock").exists()


def test_the_home_is_absolute_wherever_the_caller_stands(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TOM_HOME", "relative")
    assert Home.from_environment().path == tmp_path / "relative"
