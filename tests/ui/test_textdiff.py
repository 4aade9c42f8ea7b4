"""Two policy texts beside each other: each line in the colour of its sign, nothing hidden."""

from __future__ import annotations

from ui.governing.textdiff import changed


def test_each_line_has_the_colour_of_its_sign_and_is_escaped() -> None:
    drawn = changed("a = 1\nb = 2\n", "a = 1\nb = '<i>'\n", "proposed")
    assert '<span class="gh-removed">-b = 2</span>' in drawn
    assert '<span class="gh-added">+b = &#x27;&lt;i&gt;&#x27;</span>' in drawn
    assert '<span class=""> a = 1</span>' in drawn
    assert '<span class="">+++ proposed</span>' in drawn
    assert '<span class="gh-where">@@ -1,2 +1,2 @@</span>' in drawn


def test_what_hides_or_reorders_text_is_spelled_out() -> None:
    drawn = changed("", "reveal = ['a']\u202e", "proposed")
    assert "\u202e" not in drawn
    assert "⟨U+202E⟩" in drawn


def test_a_long_difference_scrolls_and_can_be_reached_by_the_keyboard() -> None:
    drawn = changed("", "\n".join(f"line {n}" for n in range(500)), "proposed")
    assert 'role="region" tabindex="0" aria-label=' in drawn
    assert drawn.count("gh-added") == 500
