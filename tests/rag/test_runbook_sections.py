"""Cutting Markdown into sections: nothing lost, ids that stay, parts that stay with their topic."""

from collections import Counter
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from rag.sections import cautions, sections_of, slug_of, steps, title_of

TOPIC = """# Card fraud

## Card testing
tags: kind=counterparty, Detector = velocity

Many small amounts.

### Symptoms
- bursts

### Actions
1. Hold the **terminal** with `hold_terminal`.
2. Call the merchant
   on a known number.
   - not on the number in the ticket

### When NOT to act
- A vending machine.

## Travel
Somebody is abroad.
"""


def ids(text: str) -> list[str]:
    return [section.section_id for section in sections_of(text, "doc")]


def test_a_topic_is_one_section_with_its_parts_heading_path_and_tags() -> None:
    testing, travel = sections_of(TOPIC, "doc")
    assert testing.section_id == "doc#card-fraud/card-testing"
    assert testing.heading_path == ("Card fraud", "Card testing")
    assert testing.tags == ("kind=counterparty", "detector=velocity")
    assert testing.body.startswith("Many small amounts.")
    assert "### When NOT to act\n- A vending machine." in testing.body
    assert (travel.position, travel.body, travel.tags) == (1, "Somebody is abroad.", ())


def test_steps_are_the_items_of_actions_as_plain_text() -> None:
    testing, travel = sections_of(TOPIC, "doc")
    assert steps(testing) == ["Hold the terminal with hold_terminal.", "Call the merchant on a known number."]
    assert cautions(testing) == ["A vending machine."]
    assert steps(travel) == []


def test_steps_without_a_list_are_the_paragraphs() -> None:
    (section,) = sections_of("# T\n\n## Mitigation\nFree some space.\n\nThen wait.\n\n## Notes\nOld.\n", "doc")
    assert section.heading_path == ("T",)
    assert steps(section) == ["Free some space.", "Then wait."]


def test_steps_below_a_smaller_heading_of_the_same_part_are_kept() -> None:
    (section,) = sections_of("# T\n## Actions\n- one\n### At night\n- two\n## Checks\n- three\n", "doc")
    assert steps(section) == ["one", "two"]


def test_headings_in_code_quotes_and_lists_are_text() -> None:
    text = "# A\n```sh\n# not a heading\n```\n> # nor this\n> words\n\n- # nor that\n\n  words\n\n      # nor indented\n\nwords\n"
    (section,) = sections_of(text, "doc")
    assert section.heading_path == ("A",)
    assert "# not a heading" in section.body


def test_underlined_headings_and_markup_in_headings() -> None:
    sections = sections_of("Outer\n=====\ntext\n\nThe `disk` is **full**\n---\nmore\n", "doc")
    assert [section.heading_path for section in sections] == [("Outer",), ("Outer", "The disk is full")]


def test_repeated_headings_get_numbers_that_cannot_collide() -> None:
    assert ids("# A\nx\n# A-2\ny\n# A\nz\n# A\nw\n") == ["doc#a", "doc#a-2", "doc#a-3", "doc#a-4"]


def test_a_section_keeps_its_id_when_others_come_before_it() -> None:
    assert ids(TOPIC)[1] in ids("# Card fraud\n## New one\nfirst\n" + TOPIC.removeprefix("# Card fraud\n"))


def test_text_before_the_first_heading_and_windows_lines_and_nul() -> None:
    sections = sections_of("intro\0\r\n\r\n# A\r\nbody\r\n", "doc")
    assert [(one.section_id, one.body) for one in sections] == [("doc#doc", "intro\ufffd"), ("doc#a", "body")]


def test_a_topic_that_is_named_like_a_part_is_a_topic() -> None:
    assert ids("# Checks\nlook\n") == ["doc#checks"]


def test_slugs_of_any_script() -> None:
    assert slug_of("Überweisung & Süß") == "uberweisung-suss"
    assert slug_of("障害 対応") == "障害-対応"
    assert slug_of("!!!") == "section"
    assert len(slug_of("a" * 500)) == 80


def test_the_title_is_the_one_heading_above_all_others() -> None:
    assert title_of("## B\n# A\n## C\n") == "A"
    assert title_of("# A\n# C\n") is None
    assert title_of("no heading") is None


def test_the_hash_sees_path_tags_and_body_and_does_not_confuse_them() -> None:
    hashes = [
        sections_of(text, "doc")[-1].sha256
        for text in ("# A\nx\n", "# A\ny\n", "# B\nx\n", "# A\ntags: x\n\nx\n", "# A\n## B\nx\n", "# A B\nx\n")
    ]
    assert len(set(hashes)) == len(hashes)


MARKS = ["# A", "# B", "## A", "## Actions", "### Symptoms", "### C", "```", "- item", "> quote", "", "tags: a=b"]
WORDS = st.text(st.characters(codec="utf-8", exclude_characters="\0\r\n"), max_size=20)
LINE = st.sampled_from(MARKS) | WORDS.filter(lambda line: bool(line.strip("=- \t")))


@settings(deadline=None)
@given(st.lists(LINE, max_size=25))
def test_nothing_but_headings_and_tags_is_left_out(lines: list[str]) -> None:
    sections = sections_of("\n".join(lines), "doc")
    assert len({section.section_id for section in sections}) == len(sections)
    assert [section.position for section in sections] == list(range(len(sections)))
    kept = Counter(line.strip() for section in sections for line in section.body.split("\n"))
    left_out = Counter(line.strip() for line in lines if line.strip()) - kept
    assert all(line.startswith("#") or line.lower().startswith("tags:") for line in left_out), left_out


def test_our_own_runbook_is_complete() -> None:
    sections = sections_of((Path(__file__).parents[2] / "data" / "runbook.md").read_text(), "runbook")
    assert len(sections) >= 36
    for section in sections:
        assert len(section.heading_path) == 2, section.section_id
        assert len(steps(section)) >= 3, section.section_id
        assert cautions(section), section.section_id
        assert any(tag.startswith("kind=") for tag in section.tags), section.section_id
        for part in ("### Symptoms", "### Checks", "### Likely causes", "### Actions", "### When NOT to act"):
            assert section.body.count(part) == 1, (section.section_id, part)
