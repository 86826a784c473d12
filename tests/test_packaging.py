"""Wheel, source distribution and extras hold what is needed, outside the repository, too."""

import ast
import importlib
import json
import os
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from functools import lru_cache
from importlib.metadata import packages_distributions, requires
from itertools import chain
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from packaging.requirements import Requirement

import wavemill
from tests.packaging import ROOT, setup_arguments
from wavemill.examples import example_files

PACKAGE = ROOT / "wavemill"
SPEECH = ROOT / "examples" / "speech"
MODULES = packages_distributions()


def normal(name: str) -> str:
    return name.lower().replace("_", "-")


def names(requirements: list[str]) -> set[str]:
    return {normal(Requirement(line).name) for line in requirements}


CORE = names(setup_arguments()["install_requires"])
EXTRAS = {extra: names(lines) for extra, lines in setup_arguments()["extras_require"].items()}


def sources() -> Iterator[tuple[Path, ast.Module]]:
    for path in sorted(PACKAGE.rglob("*.py")):
        yield path, ast.parse(path.read_text("utf-8"))


@lru_cache
def required() -> list[tuple[str, str, str]]:
    """List where `require` is called, the module, and the extra that its error names."""
    forwarding: dict[str, str] = {}
    found = [call for path, tree in sources() for call in _calls(path, tree, forwarding)]
    for path, tree in sources():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") in forwarding:
                (extra,) = (one.value for one in node.keywords if one.arg == "extra")
                name = forwarding[ast.unparse(node.func)]
                found.append((_where(path, node), name, _value(extra, vars(_module(path)))))
    return found


def _calls(
    path: Path, tree: ast.Module, forwarding: dict[str, str]
) -> Iterator[tuple[str, str, str]]:
    """Yield the calls of `require`; a function that is told the extra is noted with its module."""
    for scope in tree.body:
        for node in ast.walk(scope):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "require":
                module = _module(path)
                this = getattr(module, getattr(scope, "name", ""), None)
                names = {**vars(module), "self": this}
                for name in _modules(node.args[0], scope, names):
                    if ast.unparse(node.args[1]) == "extra":
                        forwarding[getattr(scope, "name", "")] = name
                    else:
                        yield _where(path, node), name, _value(node.args[1], names)


def _modules(node: ast.expr, scope: ast.stmt, names: dict[str, Any]) -> list[str]:
    """Evaluate the name of a module, or all that a loop gives it."""
    for loop in ast.walk(scope):
        if isinstance(loop, ast.For) and ast.unparse(loop.target) == ast.unparse(node):
            return list(names[ast.unparse(loop.iter)])
    return [_value(node, names)]


def _module(path: Path) -> ModuleType:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return importlib.import_module(".".join(parts).removesuffix(".__init__"))


def _value(node: ast.expr, names: dict[str, Any]) -> str:
    """Evaluate a constant, an f-string, or an attribute of the class."""
    return str(eval(compile(ast.Expression(node), "", "eval"), names))


def _where(path: Path, node: ast.Call) -> str:
    return f"{path.relative_to(ROOT)}:{node.lineno}"


def test_an_error_about_a_missing_package_names_an_extra_that_brings_it() -> None:
    found = required()
    assert len(found) > 20
    for where, module, extra in found:
        brought = {normal(name) for name in MODULES[module.split(".")[0]]}
        assert brought & EXTRAS[extra], (where, module, extra)


def test_what_is_imported_is_always_installed_or_asked_for_somewhere() -> None:
    beam = names([line for line in requires("apache-beam") or [] if "extra ==" not in line])
    asked = {module.split(".")[0] for _, module, _ in required()}
    for path, tree in sources():
        for name in _imported(tree):
            module = name.split(".")[0]
            if module in {*sys.stdlib_module_names, *asked, "wavemill"}:
                continue
            brought = {normal(one) for one in MODULES[module]}
            assert brought & (CORE | beam), f"{path.relative_to(ROOT)} imports {name}"


def _imported(tree: ast.Module) -> Iterator[str]:
    """Yield modules that are imported, not in a `try` nor for type checkers alone."""
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield str(node.module)
        is_guarded = isinstance(node, ast.Try) or (
            isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        )
        if not is_guarded:
            waiting += ast.iter_child_nodes(node)


def test_every_file_that_is_no_code_is_packed() -> None:
    patterns = setup_arguments()["package_data"]["wavemill"]
    packed = {path for pattern in patterns for path in PACKAGE.glob(pattern)}
    others = {
        path
        for path in PACKAGE.rglob("*")
        if path.is_file()
        and path.suffix != ".py"
        and path.name != "README.md"
        and path.parent.name != "__pycache__"
    }
    assert others == {path for path in packed if path.suffix != ".py"}


def test_all_that_is_asked_for_is_pinned_within_its_range() -> None:
    lines = (ROOT / "constraints.txt").read_text("utf-8").splitlines()
    pins = dict(line.split("==") for line in lines if "==" in line)
    versions = {normal(name): version for name, version in pins.items()}
    arguments = setup_arguments()
    for line in {*arguments["install_requires"], *chain(*arguments["extras_require"].values())}:
        asked = Requirement(line)
        assert asked.specifier.contains(versions[normal(asked.name)]), line


def test_the_examples_of_a_wheel_are_whole_small_and_those_of_the_repository() -> None:
    files = dict(example_files())
    assert sum(map(len, files.values())) < 1_200_000
    whole = (SPEECH / "manifest.jsonl").read_bytes().splitlines()
    rows = files.pop("manifest.jsonl").splitlines()
    assert 30 <= len(rows) < len(whole)
    assert set(rows) < set(whole)
    assert set(files) == {
        "LICENSE.txt", "ATTRIBUTION.md", *(json.loads(row)["audio_filepath"] for row in rows)
    }  # fmt: skip
    for path, data in files.items():
        assert data == (SPEECH / path).read_bytes()


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("built")
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(out), str(ROOT)]
    subprocess.run(command, check=True, capture_output=True)
    return out


@pytest.mark.slow
def test_a_wheel_and_a_source_distribution_hold_the_package_and_no_tests(built: Path) -> None:
    version = wavemill.__version__
    with zipfile.ZipFile(built / f"wavemill-{version}-py3-none-any.whl") as wheel:
        inside = wheel.namelist()
        metadata = wheel.read(f"wavemill-{version}.dist-info/METADATA").decode()
    folders = {name.split("/")[0] for name in inside}
    assert folders == {"wavemill", f"wavemill-{version}.dist-info"}
    assert {f"wavemill/speech/{path}" for path, _ in example_files()} < set(inside)
    assert sum(name.endswith("LICENSE.txt") for name in inside) == 2  # beside the sounds, too
    assert "License-Expression: Apache-2.0 AND CC-BY-SA-3.0" in metadata
    assert "\n# wavemill\n" in metadata
    with tarfile.open(built / f"wavemill-{version}.tar.gz") as sdist:
        sources = [name.partition("/")[2] for name in sdist.getnames()]
    assert not [name for name in sources if name.startswith(("tests", "benchmarks", "docs"))]
    assert {"setup.py", "constraints.txt", "LICENSE", "examples/speech/manifest.jsonl"} <= {
        *sources
    }


def without_python() -> dict[str, str]:
    """Return the environment's variables but those by which Python finds the repository."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}


@pytest.fixture
def fresh(built: Path, tmp_path: Path) -> Path:
    """An environment with the wheel, and what it needs from this one; wavemill is not."""
    home = tmp_path / "environment"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(home)], check=True)
    (wheel,) = built.glob("*.whl")
    python = home / "bin" / "python"
    command = [sys.executable, "-m", "pip", "--python", str(python), "install", "--no-index"]
    subprocess.run(
        [*command, "--no-deps", str(wheel)], check=True, capture_output=True, cwd=tmp_path,
        env=without_python(),
    )  # fmt: skip
    (site,) = (home / "lib").glob("python*/site-packages")
    # A folder that is named so is searched for modules; the .pth files in it are not read.
    (site / "others.pth").write_text(f"{Path(pytest.__file__).parents[1]}\n")
    return home


@pytest.mark.slow
def test_the_wheel_does_the_quick_start_in_an_empty_folder(fresh: Path, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    environment = without_python()
    environment["PATH"] = f"{fresh / 'bin'}{os.pathsep}{environment['PATH']}"

    def run(command: str) -> str:
        done = subprocess.run(
            ["bash", "-euc", command], cwd=empty, env=environment, capture_output=True, text=True,
            check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout

    where = run('python -c "import wavemill; print(wavemill.__file__)"')
    assert where.startswith(str(fresh))
    facts = json.loads(run("wavemill doctor --json"))
    assert facts["ok"]
    assert {row["name"] for row in facts["packages"]} >= {"torch", "lhotse", "faiss-cpu"}
    run("wavemill examples --out speech")
    run("wavemill prepare speech/manifest.jsonl --out prepared --tokenizer beats --tokenizer mvq")
    shown = json.loads(run("wavemill inspect prepared --json"))
    assert shown["samples"] >= 30
    assert set(shown["tokenizers"]) == {"beats", "mvq"}
    assert json.loads(run("wavemill lint prepared --json"))["ok"]
    # Files that are read at run time: prompts, a model of confusions, a page.
    run("cut -d'\"' -f 10 speech/manifest.jsonl > texts.txt")
    run("wavemill hypotheses texts.txt --from-text --out drawn --wer 0.2 --splits 0,0,1")
    run("wavemill score drawn --html errors.html")
    run("wavemill completion bash | bash")
    assert (empty / "errors.html").stat().st_size > 1000
