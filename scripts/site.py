"""`make docs`: the pages of the folders and the docstrings of the modules as a static site, built with Sphinx.

    python -m softstream.scripts.site build/docs        # the site; its sources are in build/docs-src

The pages are written for the tree, where each is the README.md of its folder. Here they are copied to a tree of sources with
their links rewritten: a link to a page stays one, a link to a module leads to its docstrings, a link to another file offers
that file. Every warning of Sphinx is an error. The site needs no network when it is read.
"""

from __future__ import annotations

import inspect
import io
import os
import re
import shutil
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import softstream
from softstream.hw.errors import MissingTool
from softstream.scripts.generated_tables import ROOT, pages

__all__ = ["assemble", "build", "main", "restructured"]

_ROOMS = ("hw", "sim", "boards", "scripts")
_GROUPS = {
    "Using a head": ("hw/config", "hw/modes", "hw/options", "hw/plan", "hw/numbers"),
    "Running": (
        "scripts",
        "scripts/twin",
        "scripts/twin/experiments",
        "scripts/twin/mnist",
        "boards",
        "boards/measured",
        "boards/link",
        "sim",
    ),
    "Contributing": ("hw", "tests", "scripts/licences", "project/contributing", "project/changelog"),
}
"""Caption in the site's navigation → pages, by the names of `_document`."""
_LEFT_OUT = {".github/PULL_REQUEST_TEMPLATE.md"}
_LINK = re.compile(r"(!?)\[((?:[^\]`]|`[^`]*`)*)\]\(([^)\s]+)\)")
_STYLE = """\
/* Tables with many columns scroll; their code and figures stay whole. */
.table-wrapper table.docutils { font-size: 0.85em; margin-left: 0; }
.table-wrapper td code { white-space: nowrap; }
.table-wrapper td, .table-wrapper th { min-width: 3.5em; }
@media (min-width: 82em) { .content { width: 54em; } }
"""
_MOCKED = ["sklearn", "distributed", "torch"]
"""Packages that modules name and that the site is built without."""


def _document(page: str) -> str:
    """Path of a page on the site, without its ending: `hw/README.md` is `hw/index`, `hw/x.md` is `hw/x`, and
    `.github/X.md` is `project/x`."""
    folder, _, name = page.rpartition("/")
    if folder == ".github":
        return f"project/{name.removesuffix('.md').lower()}"
    stem = "index" if name == "README.md" else name.removesuffix(".md")
    return f"{folder}/{stem}" if folder else stem


def _module(path: Path) -> str | None:
    """The module that a file of the repository is, or the package that a folder is."""
    name = path.relative_to(ROOT).as_posix()
    file = path / "__init__.py" if path.is_dir() else path
    if name.split("/")[0] not in _ROOMS or file.suffix != ".py" or not file.is_file():
        return None
    return ".".join(["softstream", *name.removesuffix(".py").split("/")])


def _relative(target: str, page: str) -> str:
    """A path of the sources as a link from the document of a page."""
    return os.path.relpath(target, Path(_document(page)).parent).replace(os.sep, "/")


def _rewritten_links(page: str, text: str, source: Path) -> str:
    """The text of a page with its links for the site; copies the files that it links to."""
    documents = {path.resolve(): _document(path.relative_to(ROOT).as_posix()) for path in pages()}

    def rewritten(match: re.Match[str]) -> str:
        picture, text, target = match.groups()
        path, _, anchor = target.partition("#")
        if target.startswith("https://") or not path:
            return match.group()
        file = ((ROOT / page).parent / path).resolve()
        if file in documents and file.relative_to(ROOT).as_posix() not in _LEFT_OUT:
            text = "" if text.endswith(".md") else text  # Sphinx then writes the title of the page
            return f"[{text}]({_relative(documents[file] + '.md', page)}{'#' + anchor if anchor else ''})"
        module = None if picture else _module(file)
        if module is not None:
            return f"{{py:mod}}`{text.replace('`', '')} <{module}>`"
        if file.is_dir():
            return text
        name = file.relative_to(ROOT).as_posix()
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, source / name)
        return f"{picture}[{text}]({_relative(name, page)})"

    # Code blocks hold no links.
    parts = re.split(r"(^```.*?^```$)", text, flags=re.DOTALL | re.MULTILINE)
    return "".join(part if part.startswith("```") else _LINK.sub(rewritten, part) for part in parts)


def _packages() -> dict[str, list[str]]:
    """Package → its modules that have something to show, the package itself first."""
    packages: dict[str, list[str]] = {}
    for room in _ROOMS:
        for path in sorted((ROOT / room).rglob("*.py")):
            if path.parent == ROOT / "scripts" / "softstream":
                continue
            folder = _module(path.parent)
            module = _module(path)
            if folder is not None and module is not None:
                packages.setdefault(folder, [folder])
                if path.name != "__init__.py":
                    packages[folder].append(module)
    return packages


def _directive(name: str, argument: str, *options: str) -> str:
    lines = [f"```{{eval-rst}}\n.. {name}:: {argument}", *(f"   :{option}:" for option in options)]
    return "\n".join(lines) + "\n```\n"


def _summary(documented: object) -> str:
    """The first line of a docstring, as a cell of a table."""
    lines = (inspect.getdoc(documented) or "").splitlines()
    return lines[0].replace("|", "\\|") if lines else ""


def _public_rows() -> list[str]:
    rows = []
    for name in softstream.__all__:
        value = getattr(softstream, name)
        if name.startswith("__"):
            continue
        if inspect.isclass(value) or inspect.isroutine(value):
            rows.append(f"| {{py:obj}}`~{value.__module__}.{name}` | {_summary(value)} |")
        else:
            rows.append(f"| `{name}` | names and configurations of the presets |")
    return rows


def _api(source: Path) -> None:
    """Writes a page for each package, with the docstrings of its modules, and one for `import softstream`."""
    folder = source / "api"
    folder.mkdir()
    packages = _packages()
    public = "\n".join(_public_rows())
    summaries = "\n".join(
        f"| [{package.removeprefix('softstream.')}]({package}.md) | {_summary(import_module(package))} |"
        for package in packages
    )
    toctree = "\n".join(packages)
    (folder / "index.md").write_text(
        f"# Modules\n\n`import softstream` offers these names:\n\n| name | meaning |\n| --- | --- |\n{public}\n\n"
        f"Everything else is part of the implementation and may move between minor versions:\n\n"
        f"| package | content |\n| --- | --- |\n{summaries}\n\n"
        f"```{{toctree}}\n:hidden:\n\n{toctree}\n```\n",
        encoding="utf-8",
    )
    for package, modules in packages.items():
        first, *others = modules
        text = f"# {package.removeprefix('softstream.')}\n\n" + _directive("automodule", first)
        for module in others:
            text += f"\n## {module.rpartition('.')[2]}\n\n" + _directive("automodule", module, "members")
        (folder / f"{package}.md").write_text(text, encoding="utf-8")


def assemble(source: Path) -> None:
    """Writes the sources of the site to a folder, anew."""
    shutil.rmtree(source, ignore_errors=True)
    source.mkdir(parents=True)
    for path in pages():
        page = path.relative_to(ROOT).as_posix()
        if page in _LEFT_OUT:
            continue
        text = _rewritten_links(page, path.read_text(encoding="utf-8"), source)
        if page == "README.md":
            for caption, names in _GROUPS.items():
                entries = "\n".join(f"{name}/index" if (ROOT / name).is_dir() else name for name in names)
                text += f"\n```{{toctree}}\n:hidden:\n:caption: {caption}\n\n{entries}\n```\n"
            text += "\n```{toctree}\n:hidden:\n:caption: API\n\napi/index\n```\n"
        target = source / f"{_document(page)}.md"
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
    _api(source)
    (source / "_static").mkdir()
    (source / "_static" / "site.css").write_text(_STYLE, encoding="utf-8")


_KEPT = re.compile(r"(`[^`]+`|(?<!\w)\*[A-Z][\w ]*\.?\*(?!\w))")
"""Markup of docstrings that stays: `code` and *emphasis* of a term at the head of an item."""
_ITEM = re.compile(r"\s*(?:[*-]|\d+\.) ")


def _escaped(text: str) -> str:
    """Prose of a docstring with its code as reStructuredText and without other markup; code may run over lines."""

    def converted(part: str) -> str:
        if _KEPT.fullmatch(part):
            return f"`{part}`" if part.startswith("`") else part
        item = _ITEM.match(part)
        head = item.group() if item else ""
        escaped = re.sub(r"([*|_\\`])", r"\\\1", part[len(head) :])
        # Items of a list begin with a star that is markup.
        return head + re.sub(r"(\n\s*)\\\*(?= )", r"\1*", escaped)

    parts = _KEPT.split(text)
    result = converted(parts[0])
    for part in parts[1:]:
        # Code ends only before a space or a sign.
        result += ("\\ " if result.endswith("``") and part[:1].isalnum() else "") + converted(part)
    return result


def restructured(lines: list[str]) -> list[str]:
    """A docstring as reStructuredText: docstrings are plain text with `code`, lists, tables, and indented blocks to keep."""
    result: list[str] = []
    prose: list[str] = []
    literal = table = listed = False
    level = 0
    previous = ""

    def flush() -> None:
        if prose:
            result.extend(_escaped("\n".join(prose)).split("\n"))
            prose.clear()

    for line in lines:
        if line.startswith("===="):
            flush()
            table = True
        if table:
            # Escapes would move the columns of a table.
            table = bool(line.strip())
            result.append(line.replace("`", "'"))
        elif line.startswith("    ") and not literal and not previous.strip() and not listed:
            flush()
            result += ["::", "", line]
            literal = True
        elif literal and (line.startswith("    ") or not line.strip()):
            result.append(line)
        else:
            literal = False
            if _ITEM.match(line):
                indent = len(line) - len(line.lstrip())
                if previous.strip() and not (listed and indent == level):
                    prose.append("")
                listed, level = True, indent
            elif line.strip() and not line.startswith(" "):
                listed = listed and bool(previous.strip())
            prose.append(line)
        previous = line
    flush()
    return result


def _configuration() -> dict[str, Any]:
    return {
        "project": "softstream",
        "author": "the softstream authors",
        "copyright": "the softstream authors",
        "version": softstream.__version__,
        "release": softstream.__version__,
        "extensions": ["myst_parser", "sphinx.ext.autodoc"],
        "source_suffix": {".md": "markdown"},
        "myst_heading_anchors": 3,
        "autodoc_member_order": "bysource",
        "autodoc_default_options": {"no-value": True},
        "autodoc_mock_imports": _MOCKED,
        "autodoc_inherit_docstrings": False,  # those of Amaranth are in another markup
        "autodoc_typehints": "signature",
        "python_maximum_signature_line_length": 88,
        "add_module_names": False,
        "toc_object_entries": False,  # furo copies the whole navigation into each page; with every object it takes minutes
        "suppress_warnings": ["ref.python"],  # a type in a signature may name one of two classes called Link
        "html_theme": "furo",
        "html_static_path": ["_static"],
        "html_css_files": ["site.css"],
        "html_title": f"softstream {softstream.__version__}",
        "html_show_sphinx": False,
        "html_copy_source": False,
        "language": "en",
    }


def build(source: Path, target: Path) -> int:
    """Builds the site from its sources; returns Sphinx's exit status, which is not 0 after any warning.

    Raises `MissingTool` if Sphinx is not installed.
    """
    try:
        from sphinx.application import Sphinx
    except ImportError as error:
        raise MissingTool("sphinx: not installed, and the site needs it; make docs installs it") from error
    shutil.rmtree(target, ignore_errors=True)
    application = Sphinx(
        source, None, target, target.parent / "docs-doctrees", "html", _configuration(), warningiserror=True, status=None,
        freshenv=True,
    )  # fmt: skip
    application.connect("autodoc-process-docstring", _process_docstring)
    application.connect("autodoc-process-signature", _process_signature)
    application.build()
    return int(application.statuscode)


def _parses(lines: list[str]) -> bool:
    """Whether lines are reStructuredText without a warning."""
    from docutils import core, nodes

    settings = {"report_level": 2, "halt_level": 5, "warning_stream": io.StringIO()}
    tree = core.publish_doctree("\n".join(lines), settings_overrides=settings)
    return not any(True for _ in tree.findall(nodes.system_message))


def _process_docstring(_app: Any, _kind: str, _name: str, _object: Any, _options: Any, lines: list[str]) -> None:
    converted = restructured(lines)
    # A docstring is no markup: one whose shape the conversion does not know is shown as it stands.
    lines[:] = converted if _parses(converted) else ["::", "", *(f"    {line}" for line in lines), ""]


def _process_signature(
    _app: Any, kind: str, _name: str, documented: Any, _options: Any, signature: str | None, returned: str | None
) -> tuple[str | None, str | None]:
    """The parameters of a component's own `__init__`: the metaclass of Amaranth hides them."""
    if kind == "class" and signature and "src_loc_at" in signature:
        parameters = list(inspect.signature(documented.__init__).parameters.values())[1:]
        signature = str(inspect.Signature(parameters))
    return signature, returned


def main() -> int:
    """`python -m softstream.scripts.site TARGET`."""
    target = Path(sys.argv[1]).resolve()
    source = target.parent / f"{target.name}-src"
    assemble(source)
    return build(source, target)


if __name__ == "__main__":
    raise SystemExit(main())
