"""Pages of the guide are read into sections and searched."""

from functools import cache

import pytest

from explorer.guide import markdown_pages
from explorer.guide.markdown_pages import GuideSection, pages, read_page, search, shown


def test_every_file_is_a_page_in_the_declared_order():
    assert tuple(pages()) == markdown_pages.ORDER
    assert {path.stem for path in markdown_pages.FOLDER.glob("*.md")} == set(pages())
    assert all(page.title and len(page.sections) > 1 for page in pages().values())


def test_the_sections_of_a_page_hold_all_of_its_text():
    for name, page in pages().items():
        text = (markdown_pages.FOLDER / f"{name}.md").read_text(encoding="utf-8")
        kept = "\n".join(f"{section.heading}\n{section.text}" for section in page.sections)
        assert kept.replace("#", "").split() == text.replace("#", "").split()


def test_a_line_of_code_is_no_heading():
    page = read_page("a", "# A\n```\n# not a heading\n```\n## B\nb")
    assert [section.heading for section in page.sections] == ["A", "B"]
    assert "# not a heading" in page.sections[0].text


def test_links_between_files_become_links_of_the_app_and_others_stay():
    text = "[a](exports.md) [b](models.md#data) [c](https://x.org/y.md) <!-- x -->"
    assert shown(GuideSection("", text)) == (
        "[a](?page=exports) [b](?page=models#data) [c](https://x.org/y.md) <!-- x -->"
    )
    assert not any(".md)" in shown(s) or "<!--" in shown(s) for p in pages().values() for s in p.sections)


@pytest.mark.parametrize(
    "words, page, heading",
    [
        ("safetensors ampere", None, None),
        ("who gains", "exports", "Who gains"),
        ("AMPERE", "exports", "Who gains"),
        ("nickname board", "teaching", "With a class"),
        ("csr", "measuring", "The numbers"),
    ],
)
def test_a_search_gives_the_sections_with_all_words(words, page, heading):
    first = next(iter(search(words)), None)
    assert (first and first.page.name, first and first.section.heading) == (page, heading)


def test_the_words_of_a_section_find_it():
    @cache
    def hits(word: str) -> set[tuple[str, str]]:
        return {(hit.page.name, hit.section.heading) for hit in search(word)}

    for page in pages().values():
        for section in page.sections:
            for word in set(f"{section.heading} {section.text}".split()):
                assert (page.name, section.heading) in hits(word)


@pytest.mark.parametrize("words", ["", "  ", "zebrafish", "[*(", "\\"])
def test_a_search_for_nothing_has_no_hits(words):
    assert search(words) == ()


def test_headings_come_first_and_an_excerpt_shows_the_word():
    hits = search("lesson")
    in_heading = ["lesson" in hit.section.heading.lower() for hit in hits]
    assert in_heading == sorted(in_heading, reverse=True) and any(in_heading) and not all(in_heading)
    assert all("lesson" in f"{hit.section.heading} {hit.excerpt}".lower() for hit in hits)
    assert all(len(hit.excerpt) < 200 for hit in hits)
