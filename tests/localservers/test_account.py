"""PostgreSQL's account."""

import os
import pwd

import pytest

from localservers import LocalServerError
from localservers.account import account_for
from localservers.postgres import wheel_programs

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root lends PostgreSQL another user's account")


@needs_root
def test_root_never_runs_postgres_as_root(tmp_path):
    assert account_for(tmp_path / "missing").uid != 0


@needs_root
def test_an_existing_data_directory_decides_whose_account_it_is(tmp_path):
    owner = pwd.getpwnam("daemon").pw_uid
    os.chown(tmp_path, owner, -1)
    assert account_for(tmp_path).uid == owner


@needs_root
def test_a_capability_is_lent_only_where_a_directory_is_closed(tmp_path):
    account = account_for(tmp_path / "missing")
    tmp_path.chmod(0o700)
    closed = account.able_to_run(wheel_programs() / "postgres", below=tmp_path)
    assert closed.capability in ("dac_read_search", "dac_override")
    assert account.able_to_run(
        wheel_programs() / "postgres", below=tmp_path.parent.parent.parent
    ).capability in (
        "",
        closed.capability,
    )


@needs_root
def test_a_program_that_the_account_cannot_run_is_an_error_in_words(tmp_path):
    with pytest.raises(LocalServerError, match="refuses to run as root"):
        account_for(tmp_path / "missing").able_to_run(tmp_path / "missing", below=tmp_path)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may take every owner's place")
def test_another_users_data_directory_is_refused():
    with pytest.raises(LocalServerError, match="belongs to another user"):
        account_for(wheel_programs().__class__("/"))
