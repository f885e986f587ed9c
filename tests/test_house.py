"""The house: import contracts, the kernel cache, and what the documents promise."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from v2x import jit
from v2x.errors import ConfigError

ROOT = Path(__file__).resolve().parent.parent


def test_imports_only_go_down_and_rooms_do_not_know_each_other():
    done = subprocess.run(
        [Path(sys.executable).parent / "lint-imports"], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout


def test_an_edited_source_file_gets_another_kernel_cache(tmp_path):
    copy = tmp_path / "v2x"
    shutil.copytree(ROOT / "v2x", copy, ignore=shutil.ignore_patterns("__pycache__"))
    rooms = ("", "fusion", "ingest")

    def after_an_edit_of(name: str) -> list[str]:
        before = {room: jit.cache_key(room, copy) for room in rooms}
        (copy / name).write_text((copy / name).read_text("utf-8") + "\n# edited\n")
        return [room for room in rooms if jit.cache_key(room, copy) != before[room]]

    assert after_an_edit_of("geodesy.py") == ["", "fusion", "ingest"]
    assert after_an_edit_of("fusion/motion.py") == ["fusion"]
    assert after_an_edit_of("sensors.py") == ["fusion", "ingest"]
    assert after_an_edit_of("picture.py") == []  # no kernel knows it
    assert after_an_edit_of("app/pipeline.py") == []


def test_kernels_are_kept_in_the_cache_of_their_room():
    from v2x.fusion.motion import predict
    from v2x.geodesy import undulation

    assert undulation
    assert Path(predict._cache._cache_path).is_relative_to(jit.cache_dir("fusion"))
    assert {jit.cache_dir(room) for room in ("", "fusion", "ingest")} <= set(jit.cache_dirs())


def test_a_kernel_cache_that_others_may_write_is_refused(tmp_path):
    home = tmp_path / "cache"
    environment = {**os.environ, "V2X_CACHE": str(home)}
    code = "from v2x import jit; print(jit.cache_dir())"
    made = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    folder = Path(made.stdout.strip())
    assert folder.parent == home
    assert folder.stat().st_mode & 0o777 == 0o700
    folder.chmod(0o770)
    refused = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True
    )
    assert refused.returncode != 0
    assert "mode 0700" in refused.stderr


def test_bounds_checks_have_a_cache_of_their_own(tmp_path):
    code = "import numpy as np\nfrom v2x.jit import cache_dir, kernel\nprint(cache_dir().name)\n"
    names = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "V2X_CACHE": str(tmp_path), "NUMBA_BOUNDSCHECK": flag},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for flag in ("0", "1")
    }
    assert len(names) == 2


def test_the_private_check_names_what_is_wrong(tmp_path):
    open_to_all = tmp_path / "open"
    open_to_all.mkdir()
    open_to_all.chmod(0o777)
    with pytest.raises(ConfigError, match="0777"):
        jit._private(open_to_all)


def commands() -> set[str]:
    """Every command and subcommand there is."""
    from typer.main import get_command

    from v2x.cli import app

    root = get_command(app)
    found = set()
    for name, command in root.commands.items():
        inner = getattr(command, "commands", None)
        found |= {f"{name} {sub}" for sub in inner} if inner else {name}
    return found


def test_every_command_is_in_the_readme_and_every_command_of_the_readme_exists():
    for page in ("README.md", "README.zh-CN.md"):
        text = (ROOT / page).read_text("utf-8")
        there = commands()
        missing = {c for c in there if not re.search(rf"(?:`|bin/)v2x {c}\b", text)}
        assert not missing, f"{page} does not name {sorted(missing)}"
        named = set(re.findall(r"(?:`|bin/)v2x ([a-z]+)\b", text))
        assert not (strange := named - {c.split()[0] for c in there}), f"{page}: {strange}"


@pytest.mark.parametrize(
    "page", ["README.md", "README.zh-CN.md", "docs/integrating.md", "docs/operating.md"]
)
def test_the_python_of_the_documents_runs(page, capsys):
    text = (ROOT / page).read_text("utf-8")
    for block in re.findall(r"```python\n(.*?)```", text, re.S):
        exec(compile(block, page, "exec"), {})
        assert capsys.readouterr().out


def test_the_example_configuration_is_good():
    from v2x.app import Pipeline
    from v2x.config import load_config

    pipeline = Pipeline(load_config(ROOT / "docs" / "example" / "site.toml", {}))
    assert len(pipeline.zones) == 1
    assert pipeline.airspace.plan_ids == ("P-DEMO-1",)


def test_every_wire_format_and_every_rule_is_in_the_readme():
    from v2x.alerts.rules import registry as rules
    from v2x.ingest.formats import registry as formats

    for page in ("README.md", "README.zh-CN.md"):
        text = (ROOT / page).read_text("utf-8")
        for name in [*formats(), *rules()]:
            assert f"`{name}`" in text, f"{page} does not name {name}"


def test_help_imports_nothing_heavy():
    code = (
        "import sys\nsys.argv = ['v2x', '--help']\n"
        "from v2x.cli import main\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "heavy = {'numpy', 'numba', 'kafka', 'shapely', 'pyproj', 'pydantic', 'mcap'}\n"
        "sys.exit(', '.join(sorted(heavy & set(sys.modules))) or 0)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_the_project_names_no_host_of_a_package_registry():
    hosts = ("pypi" + ".org", "pythonhosted" + ".org", "maven" + ".org", "npmjs" + ".org")
    kept = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split("\n")
    for name in kept:
        path = ROOT / name
        if path.suffix in (".py", ".md", ".toml", ".xml", ".json", ".cfg", "") and path.is_file():
            text = path.read_bytes().decode("utf-8", "replace")
            assert not any(host in text for host in hosts), name
