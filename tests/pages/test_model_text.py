"""What a model says is drawn as text: no link, no picture, no markup, wherever it stands."""

from __future__ import annotations

from agent import Answer, Option
from tests.pages.conftest import EVIL, Tab, Tabs, stored_turn

MARKUP = (
    *EVIL,
    "[click](https://evil.example/x)",
    "<a href='https://evil.example'>x</a>",
    "https://evil.example/auto",
    "# Big",
    "**bold** :material/check: $x^2$",
    "<img src=x onerror=alert(1)>",
    "```html\n<iframe src='//evil.example'>\n```",
)
SAID = " ".join(MARKUP)
_MARKDOWN = ("markdown", "caption", "header", "subheader", "title", "latex", "success", "error")


def shown(tabs: Tabs, answer: Answer) -> Tab:
    kept = tabs.company.conversation("ana")
    stored_turn(tabs.company, kept, answer)
    return tabs.of("ana").open("ask", c=kept)


def held(tab: Tab) -> None:
    """Nothing of it is read as Markdown or HTML."""
    html = tab.html()
    for raw in ("<img", "<a href='https://evil", "<script>", "<iframe"):
        assert raw not in html, raw
    for kind in _MARKDOWN:
        for element in tab.app.get(kind):
            assert "evil.example" not in str(element.proto), kind
            assert "127.0.0.1:9" not in str(element.proto), kind
    for button in tab.app.button:
        assert "](h" not in button.label
        assert "https://evil" not in button.label


def test_an_answer_of_markup_is_text(tabs: Tabs) -> None:
    tab = shown(tabs, Answer(status="answered", text=SAID, interpretation=SAID))
    assert "[click](https://evil.example/x)" in [t.value for t in tab.app.text][-1]
    held(tab)


def test_a_question_back_with_hostile_buttons_is_text(tabs: Tabs) -> None:
    options = tuple(Option(label=evil, question=evil) for evil in MARKUP)
    held(shown(tabs, Answer(status="asked_back", text=SAID, options=options)))


def test_a_refusal_in_the_models_words_is_text(tabs: Tabs) -> None:
    held(shown(tabs, Answer(status="refused", text=SAID, suggestions=MARKUP[:4])))


def test_names_from_a_moderation_service_are_text_and_a_flag_is_said(tabs: Tabs) -> None:
    answer = Answer(status="answered", text="ok", flags={"data": (EVIL[0], "override")})
    tab = shown(tabs, answer)
    assert "Flagged." in tab.text()
    assert "read like orders" in tab.text() or "reads like orders" in tab.text()
    held(tab)
