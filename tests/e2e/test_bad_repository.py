"""Pushes of what cannot be built: the sentence says what is wrong with the repository, and nothing of the app changes."""

import os
import signal
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from tests.e2e import apps
from tests.e2e.harness import Mini, Repository
from tests.e2e.machine import processes
from tests.eventually import eventually

Make = Callable[[str], Repository]
LFS_POINTER = f"version https://git-lfs.github.com/spec/v1\noid sha256:{'0' * 64}\nsize 12345\n"


@pytest.fixture(scope="module")
def shop(mini: Mini, tmp_path_factory: pytest.TempPathFactory) -> Repository:
    """The app that is pushed to; each test commits what it wants on top of the first version."""
    return Repository(mini, tmp_path_factory.mktemp("repositories") / "shop").write(apps.web()).create()


@pytest.fixture
def clean(shop: Repository) -> Repository:
    """The same, with the work tree and the branch as they were at first."""
    first = shop.git("rev-list", "--max-parents=0", "main")
    shop.git("checkout", "-q", "-f", "main")
    shop.git("reset", "-q", "--hard", first)
    shop.git("clean", "-qfdx")
    return shop


# -- repositories ---------------------------------------------------------------------------------------------------
def test_a_folder_without_a_repository_is_refused(mini: Mini, tmp_path: Path) -> None:
    mini.run("push", cwd=tmp_path).refused(2, "in no git repository", "git init")
    assert "nothing-here" not in mini.ok("apps")


def test_a_repository_without_a_commit_is_refused(mini: Mini, repository: Make) -> None:
    repository("empty").try_push().refused(2, "no commit here yet")
    assert "empty" not in mini.ok("apps")


def test_a_reference_that_is_not_there_is_refused(mini: Mini, clean: Repository) -> None:
    with mini.unchanged("shop"):
        clean.try_push("no-such-branch").refused(2, "'no-such-branch' names no commit")
        clean.try_push("--", "--upload-pack=x").refused(2, "'--upload-pack=x' is no commit")


def test_a_dirty_work_tree_is_warned_about_and_the_commit_is_pushed(mini: Mini, clean: Repository) -> None:
    head = clean.write(apps.web("committed")).commit()
    clean.write(apps.web("dirty"))
    result = clean.try_push()
    assert result.code == 0, result
    assert (
        f"The work tree has changes that are not committed: {head[:7]} is pushed without them." in result.err
    )
    assert mini.get("shop").startswith("committed ")


@pytest.mark.parametrize(
    "reference",
    [
        pytest.param("HEAD", id="a detached HEAD"),
        pytest.param("topic/new", id="a branch"),
        pytest.param("v1.0", id="a tag"),
        pytest.param("annotated", id="an annotated tag"),
        pytest.param("{short}", id="a short hash"),
        pytest.param("{full}", id="a full hash"),
        pytest.param("main~1", id="an ancestor"),
    ],
)
def test_any_name_of_a_commit_is_pushed(
    mini: Mini, clean: Repository, reference: str, request: pytest.FixtureRequest
) -> None:
    mark = request.node.callspec.id.replace(" ", "-")
    head = clean.write(apps.web(mark)).commit()
    clean.git("branch", "-f", "topic/new", head)
    clean.git("tag", "-f", "v1.0", head)
    clean.git("tag", "-f", "-a", "-m", "x", "annotated", head)
    clean.git("checkout", "-q", "--detach", head)
    clean.git("branch", "-f", "main", head)
    if reference == "main~1":
        clean.git("checkout", "-q", "main")
        clean.write(apps.web("newer")).commit()
    clean.push(reference.format(short=head[:7], full=head))
    assert mini.get("shop").startswith(f"{mark} ")
    assert mini.json("releases", "-a", "shop")[0]["commit"] == head


def test_a_shallow_clone_is_pushed(mini: Mini, clean: Repository, tmp_path: Path) -> None:
    for mark in ("one", "two", "shallow"):
        head = clean.write(apps.web(mark)).commit(mark)
    clean.git("clone", "-q", "--depth=1", f"file://{clean.path}", str(tmp_path / "clone"))
    clone = Repository(mini, tmp_path / "clone")
    assert clone.git("rev-parse", "--is-shallow-repository") == "true"
    clone.push("-a", "shop")
    assert mini.get("shop").startswith("shallow ")
    assert mini.json("releases", "-a", "shop")[0]["commit"] == head


def test_submodules_are_refused_by_name(mini: Mini, clean: Repository) -> None:
    head = clean.git("rev-parse", "HEAD")
    clean.git("update-index", "--add", "--cacheinfo", f"160000,{head},vendor/library")
    clean.git("commit", "-q", "-m", "A submodule")
    with mini.unchanged("shop"):
        clean.try_push().refused(2, "The commit was not taken: vendor/library is a submodule")


def test_an_lfs_pointer_is_refused_by_name(mini: Mini, clean: Repository) -> None:
    clean.write({"data/model.bin": LFS_POINTER}).commit()
    with mini.unchanged("shop"):
        clean.try_push().refused(10, "data/model.bin is a Git LFS pointer")


@pytest.mark.only(
    "process", why="in an image a link leads to the container's own files, and to nobody else's"
)
def test_a_link_out_of_the_repository_is_refused_by_name(mini: Mini, clean: Repository) -> None:
    (clean.path / "passwords").symlink_to("/etc/passwd")
    clean.commit()
    with mini.unchanged("shop"):
        clean.try_push().refused(10, "passwords is a symbolic link", "outside the repository")


def test_a_push_to_a_name_that_is_taken_says_what_to_type(
    mini: Mini, shop: Repository, tmp_path: Path
) -> None:
    other = Repository(mini, tmp_path / "shop").write(apps.web("other"))
    other.commit()
    with mini.unchanged("shop"):
        other.try_push().refused(2, "The app shop exists already", "mini push -a shop", "mini create NAME")


# -- the Procfile ---------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("procfile", "sentence"),
    [
        pytest.param(
            "web python3 web.py\n",
            "Procfile line 1: 'web python3 web.py' is not `TYPE: COMMAND`",
            id="no colon",
        ),
        pytest.param("# fine\n\nweb:\n", "Procfile line 3", id="no command"),
        pytest.param(
            "web: a\nweb: b\n", "Procfile line 2: the type 'web' is already there", id="a duplicate"
        ),
        pytest.param(
            "\ufeffweb: python3 web.py\n", "Procfile line 1 begins with a byte order mark", id="a BOM"
        ),
        pytest.param("web: python3 web.py\n  worker: x\n", "Procfile line 2", id="an indented line"),
        pytest.param(
            "we?b: python3 web.py\n", "Procfile line 1: 'we?b' is no process type", id="odd characters"
        ),
        pytest.param("wéb: python3 web.py\n", "Procfile line 1: 'wéb' is no process type", id="an accent"),
        pytest.param(f"{'w' * 64}: python3 web.py\n", "is no process type", id="a long type"),
        pytest.param("_web: python3 web.py\n", "'_web' is no process type", id="a leading underscore"),
        pytest.param("# nothing\n", "The Procfile has no process type", id="comments alone"),
        pytest.param("", "The Procfile has no process type", id="an empty file"),
        pytest.param("web: \0\n", "Procfile line 1", id="a NUL"),
    ],
)
def test_a_bad_procfile_is_an_error_with_its_line(
    mini: Mini, clean: Repository, procfile: str, sentence: str
) -> None:
    clean.write({"Procfile": procfile}).commit()
    with mini.unchanged("shop"):
        clean.try_push().refused(10, sentence)


def test_a_commit_without_a_procfile_says_what_to_write(mini: Mini, clean: Repository) -> None:
    (clean.path / "Procfile").unlink()
    clean.commit()
    with mini.unchanged("shop"):
        clean.try_push().refused(10, "has no Procfile", "Add a file named Procfile", "web: ")


def test_a_symlinked_procfile_is_refused(mini: Mini, clean: Repository) -> None:
    (clean.path / "Procfile").rename(clean.path / "Procfile.real")
    (clean.path / "Procfile").symlink_to("Procfile.real")
    clean.commit()
    with mini.unchanged("shop"):
        clean.try_push().refused(10, "Procfile is a symbolic link")


# -- manifests ------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("files", "sentence"),
    [
        pytest.param({"app.json": "{"}, "app.json", id="app.json is no JSON"),
        pytest.param(
            {"app.json": '{"formation": {"cron": {"quantity": 1}}}'}, "formation.cron", id="unknown type"
        ),
        pytest.param(
            {"app.json": '{"formation": {"web": {"quantity": -1}}}'}, "quantity", id="a negative count"
        ),
        pytest.param({"package.json": "{"}, "package.json is no JSON", id="package.json is no JSON"),
        pytest.param(
            {"pyproject.toml": "["}, "pyproject.toml cannot be read", id="pyproject.toml is no TOML"
        ),
        pytest.param(
            {"requirements.txt": "-r more.txt\n"},
            "more.txt, which is not in the commit",
            id="no such include",
        ),
        pytest.param(
            {"requirements.txt": "a==1\na==2\n"}, "requirements.txt cannot be resolved", id="a conflict"
        ),
        pytest.param({"requirements.txt": "???\n"}, "requirements.txt cannot be", id="no requirement at all"),
    ],
)
def test_a_bad_manifest_is_named(
    mini: Mini, clean: Repository, files: Mapping[str, str], sentence: str
) -> None:
    clean.write(files).commit()
    with mini.unchanged("shop"):
        clean.try_push().refused(10, sentence)


def test_a_build_cancelled_by_ctrl_c_changes_nothing_and_leaves_nothing(
    mini: Mini, clean: Repository
) -> None:
    seconds = f"61.{os.getpid()}"
    clean.write(slow_to_install(seconds)).commit()
    artifacts = mini.artifacts()
    with mini.unchanged("shop"):
        push = mini.started("mini", "push", cwd=clean.path)
        eventually(lambda: processes("sleep", seconds), within=30)
        os.kill(push.pid, signal.SIGINT)
        _, err = push.communicate(timeout=30)
        assert push.returncode == 130, err
        assert "Cancelling" in err
        assert "Traceback" not in err
    assert not processes("sleep", seconds)
    assert mini.artifacts() == artifacts
    assert mini.api("/v1/apps/shop/builds?limit=1")[0]["state"] == "cancelled"


def slow_to_install(seconds: str) -> dict[str, str]:
    """A Python project that needs no registry, and a long time."""
    return {
        "requirements.txt": "-e .\n",
        "pyproject.toml": "[build-system]\nrequires = []\nbuild-backend = 'slow'\nbackend-path = ['.']\n"
        "[project]\nname = 'slow'\nversion = '1'\n",
        "slow.py": f"import subprocess\nsubprocess.run(['sleep', '{seconds}'])\n",
    }
