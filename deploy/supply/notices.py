"""Write the notices of what is in the binary, the same wherever they are made: notices.py TARGET FILE

Each crate with its licence and what its own package says of that, each text once. Rust's standard library has its
notices in the toolchain's documents; those of the musl in it, which has none there, are beside this script.
"""

import re
import sys
from html.parser import HTMLParser
from pathlib import Path

from linked import crates, rust, said, terms

NAME = re.compile(r"(^|[-_.])(un)?(licen[cs]es?|copying|copyrights?|notices?|patents)([-_.]|$)", re.IGNORECASE)
CODE = {".rs", ".c", ".h", ".py", ".sh"}


class Texts:
    """Texts, of which equal ones have one number."""

    def __init__(self) -> None:
        self.numbers: dict[str, int] = {}

    def number(self, text: str) -> int:
        """A text's; it is the same with other ends of lines, and without empty lines around it."""
        text = "\n".join(map(str.rstrip, text.splitlines())).strip("\n")
        return self.numbers.setdefault(text, len(self.numbers) + 1)


class Page(HTMLParser):
    """Rust's page of notices as plain text, where whole licences have become numbers."""

    def __init__(self, texts: Texts) -> None:
        super().__init__()
        self.texts = texts
        self.lines: list[str] = []
        # What of a licence was read, while it is.
        self.licence: str | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "pre":
            self.licence = ""
        elif tag in ("h1", "h2", "h3", "p", "div", "li", "summary"):
            self.lines.append("")

    def handle_endtag(self, tag: str) -> None:
        if tag == "pre":
            self.lines[-1] += f": text {self.texts.number(self.licence or '')}"
            self.licence = None

    def handle_data(self, data: str) -> None:
        if self.licence is not None:
            self.licence += data
        elif data.strip():
            before = self.lines.pop() if self.lines else ""
            self.lines.append(f"{before} {' '.join(data.split())}".strip())

    def plain(self) -> str:
        return "\n".join(filter(None, self.lines))


def own_texts(package: dict) -> dict[str, str]:
    """What a crate's package says of its licence, by the names of its files."""
    folder = Path(package["manifest_path"]).parent
    files = (file for file in sorted(folder.rglob("*")) if file.is_file() and file.suffix not in CODE)
    named = [file for file in files if any(map(NAME.search, file.relative_to(folder).parts))]
    if package["license_file"]:
        named.append(folder / package["license_file"])
    read = {file.relative_to(folder).as_posix(): file.read_bytes().decode(errors="backslashreplace") for file in named}
    return {name: text for name, text in read.items() if text.strip()}


def entry(name: str, version: str, licence: str, source: str | None, numbers: dict[str, int]) -> str:
    lines = [f"Licence: {licence}", *([f"Source: {source}"] if source else [])]
    lines += [f"{file}: text {number}" for file, number in numbers.items()]
    return "\n    ".join([f"{name} {version}", *lines])


def standard_library(texts: Texts) -> str:
    """What every Rust program has in it, and cargo does not list."""
    documents = Path(said("rustc", "--print", "sysroot").strip(), "share/doc/rust")
    file = documents / "COPYRIGHT-library.html"
    if not file.is_file():
        sys.exit(f"the notices of Rust's standard library are not at {file}: use a Rust that rustup installed.")
    page = Page(texts)
    page.feed(file.read_text("utf-8"))
    numbers = {file.stem: texts.number(page.plain())}
    # What that page names of the library itself, and what LLVM's unwinder is under.
    for licence in ("Apache-2.0", "MIT", "Unicode-3.0", "LLVM-exception"):
        numbers[licence] = texts.number((documents / f"licenses/{licence}.txt").read_text("utf-8"))
    numbers["COPYRIGHT of musl"] = texts.number(Path(__file__).with_name("musl-COPYRIGHT.txt").read_text("utf-8"))
    return entry("rust-std", rust(), "MIT OR Apache-2.0", "https://github.com/rust-lang/rust", numbers)


def main(target: str, file: str) -> None:
    texts = Texts()
    entries = []
    packages, resolve = crates(target)
    for package in sorted(packages, key=lambda package: (package["name"], package["version"])):
        name, version = package["name"], package["version"]
        if package["id"] == resolve["root"]:
            vigie = f"{name} {version}"
            continue
        own = own_texts(package)
        if not own:
            sys.exit(
                f"{name} {version} brings no text of its licence ({terms(package)}), which has to go with the binary:"
                " take a version that does, or have notices.py say it."
            )
        numbers = {name: texts.number(text) for name, text in own.items()}
        entries.append(entry(name, version, terms(package), package["repository"], numbers))
    entries.append(standard_library(texts))

    parts = [f"What others wrote of {vigie} for {target}, and what they ask to be said of it: {len(entries)} components."]
    parts += ["Where a text is named by its number, it follows below, once for all that have it.", *entries]
    parts += [f"{'=' * 100}\nText {number}\n\n{text}" for text, number in texts.numbers.items()]
    Path(file).parent.mkdir(parents=True, exist_ok=True)
    Path(file).write_text("\n\n".join(parts) + "\n", "utf-8")
    print(f"{file}: {len(entries)} components, {len(texts.numbers)} texts", file=sys.stderr)


main(*sys.argv[1:])
