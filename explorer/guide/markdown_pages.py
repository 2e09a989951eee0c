"""Turns the Markdown files of this folder into pages with sections, a search over them, and links between
them.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

FOLDER = Path(__file__).parent
# pages in the order in which they are listed; pages that are not named here follow
ORDER = tuple(
    "first-steps models own-task measuring criteria allocators recovery exports command-line teaching "
    "cluster benchmark".split()
)
FENCE = "```"
AROUND = 70  # characters of text that a hit shows on each side of the word
LINK = re.compile(r"\]\(([\w-]+)\.md(#[\w-]+)?\)")
MARKS = re.compile(r"[`|*[]|-{3,}")  # Markdown characters that an excerpt leaves out
COMMENT = re.compile(r"^<!--.*?-->\n", re.MULTILINE)


@dataclass(frozen=True)
class GuideSection:
    """A heading and the text up to the next one; the first section of a page has the page's title."""

    heading: str
    text: str


@dataclass(frozen=True)
class GuidePage:
    """One page: the name of its file, its title, and its sections in order."""

    name: str
    sections: tuple[GuideSection, ...]

    @property
    def title(self) -> str:
        return self.sections[0].heading


@dataclass(frozen=True)
class GuideHit:
    """A section that contains all words of a search, with the text around the first of them."""

    page: GuidePage
    section: GuideSection
    excerpt: str


@cache
def pages() -> Mapping[str, GuidePage]:
    """Return the pages by name, in the order of the guide."""
    place = {name: index for index, name in enumerate(ORDER)}
    files = sorted(FOLDER.glob("*.md"), key=lambda path: (place.get(path.stem, len(ORDER)), path.stem))
    return {path.stem: read_page(path.stem, path.read_text(encoding="utf-8")) for path in files}


def read_page(name: str, text: str) -> GuidePage:
    """Parse a page from its Markdown. Lines inside code blocks are not headings.

    >>> [section.heading for section in read_page("a", "# A\\nfirst\\n## B\\nsecond").sections]
    ['A', 'B']
    """
    return GuidePage(name, tuple(_sections(text)))


def _sections(text: str) -> Iterator[GuideSection]:
    heading, in_code = "", False
    lines: list[str] = []
    for line in text.splitlines():
        in_code ^= line.startswith(FENCE)
        if not in_code and re.match("##? ", line):
            if heading:
                yield GuideSection(heading, "\n".join(lines).strip())
            heading, lines = line.lstrip("# "), []
        else:
            lines.append(line)
    yield GuideSection(heading, "\n".join(lines).strip())


def shown(section: GuideSection) -> str:
    """Return the text of a section for the app, with links between files turned into links between pages.

    >>> shown(GuideSection("A", "see [Exports](exports.md#formats)"))
    'see [Exports](?page=exports#formats)'
    """
    return LINK.sub(r"](?page=\1\2)", COMMENT.sub("", section.text + "\n")).rstrip()


def anchor(heading: str) -> str:
    """Return the anchor of a heading, as links name it.

    >>> anchor("What is measured, and how")
    'what-is-measured-and-how'
    """
    return re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")


def search(words: str) -> tuple[GuideHit, ...]:
    """Return the sections that contain every word, in any case. Those with all words in their headings come
    first.

    A search without words has no hits.
    """
    wanted = words.lower().split()
    if not wanted:
        return ()
    hits = [
        GuideHit(page, section, _excerpt(section, wanted[0]))
        for page in pages().values()
        for section in page.sections
        if all(word in f"{section.heading}\n{section.text}".lower() for word in wanted)
    ]
    return tuple(
        sorted(hits, key=lambda hit: not all(word in hit.section.heading.lower() for word in wanted))
    )


def _excerpt(section: GuideSection, word: str) -> str:
    plain = MARKS.sub(" ", LINK.sub("", COMMENT.sub("", section.text)))
    text = " ".join(plain.split())
    at = max(text.lower().find(word), 0)
    start, end = max(at - AROUND, 0), at + len(word) + AROUND
    return f"{'…' if start else ''}{text[start:end].strip()}{'…' if end < len(text) else ''}"
