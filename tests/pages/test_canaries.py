"""Planted values, a real browser, a real server, a model that repeats all it hears: none leaks."""

from __future__ import annotations

import base64
import json
import re
import sqlite3
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import duckdb
import pytest
from playwright.sync_api import Browser, Page, WebSocket, expect
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets import Subprotocol
from websockets.sync.client import connect

from store import accounts, passwords
from tests.company import make_company
from tests.pages.haystack import disguises, files, found
from tests.pages.modelserver import Move, call, query, scripted
from tests.ui.server import Server, free_port, running

expect.set_options(timeout=30_000)
pytestmark = [pytest.mark.browser, pytest.mark.slow]

ROOT = Path(__file__).resolve().parents[2]
PASSWORD = "a-password-of-a-test"
NAME = "Vrbkjtovic"
EMAIL = "qzcanary.vrbkjt@mail.example"
CARD = "4556737586899855"
SECRET = "ghp_Qz7Rb4Kj2Tw9Xc5Vm8Ns3Dh6Gf1Lp0Yq2Za"
PROSE = "qzprose.vrbkjt@mail.example"
UNTAGGED = "qzuntagged.vrbkjt@mail.example"
KEY = "qzmapkey.vrbkjt@mail.example"
NEVER = (NAME, EMAIL, CARD, SECRET, PROSE, UNTAGGED, KEY)
"""Planted in the databases. Nobody here may see them, and no file may hold them."""
REVEALED = "qzrevealed.person@mail.example"
"""Shown once, to the one person who asked with a reason."""
TYPED = "qztyped.person@mail.example"
"""Typed by a person into a question: their own conversation keeps it, and nothing else."""

POLICY = """
version = 1
[agent]
unknown_price = "tokens_only"
[sources.shop]
engine = "sqlite"
environment = "production"
database = "shop.sqlite"
writes = true
free_text = ["tickets.body"]
[sources.shop.tags]
"customers.email" = "EMAIL_ADDRESS"
"customers.last_name" = "PERSON"
"cards.number" = "CREDIT_CARD"
[sources.lake]
engine = "duckdb"
environment = "staging"
database = "lake.duckdb"
[sources.lake.tags]
"people.attributes" = "EMAIL_ADDRESS"
"people.email" = "EMAIL_ADDRESS"
[roles.analysts]
members = ["ana", "rita", "adam", "eve"]
reveal = ["EMAIL_ADDRESS"]
[roles.analysts.sources.shop]
tables = ["customers", "tickets", "notes", "cards"]
lookup = ["customers.email"]
propose = ["customers", "tickets"]
[roles.analysts.sources.lake]
tables = ["people"]
"""

SHOP = f"""
CREATE TABLE customers(id INTEGER PRIMARY KEY, last_name TEXT, email TEXT, country TEXT);
INSERT INTO customers VALUES (1, '{NAME}', '{EMAIL}', 'Spain'), (2, 'Schmidt', '{REVEALED}',
  'Germany'), (3, '{NAME}', '{EMAIL.upper()}', 'Spain');
CREATE TABLE cards(id INTEGER PRIMARY KEY, number INTEGER, holder TEXT);
INSERT INTO cards VALUES (1, {CARD}, '{NAME} x');
CREATE TABLE tickets(id INTEGER PRIMARY KEY, body TEXT);
INSERT INTO tickets VALUES (1, 'My name is Maria {NAME}, write to {PROSE} please.'),
  (2, 'Here is my token {SECRET} and the card {CARD}, thank you.');
CREATE TABLE notes(id INTEGER PRIMARY KEY, plain TEXT, hexed TEXT, coded TEXT, turned TEXT,
  nested TEXT, token TEXT);
"""
LEAKS = (
    "SELECT * FROM customers",
    "SELECT id, plain, hexed, coded, turned, nested, token FROM notes",
    "SELECT hex(email), last_name || '-' || email, upper(email) FROM customers",
    "SELECT number, number + 0, CAST(number AS TEXT) FROM cards",
    "SELECT group_concat(last_name || email) AS everything FROM customers",
    "SELECT id, body, body || '', replace(body, '@', '#') FROM tickets",
    "SELECT json_group_object(email, id) FROM customers",
)
REFUSED = (
    "SELECT id FROM customers WHERE email LIKE 'qz%'",
    "SELECT email, count(*) FROM customers GROUP BY email",
    "SELECT json_extract(email, '$') FROM customers",
    f"SELEC '{TYPED}'",
    "SELECT * FROM salaries",
)
LAKE = (
    "SELECT * FROM people",
    "SELECT map([email], [1]) AS m, attributes FROM people",
    "PIVOT people ON email USING count(*)",
)


def _asks(sql: str) -> tuple[Move, ...]:
    return (query(sql),)


def _typed(question: str) -> tuple[Move, ...]:
    """Looks up what the prompt has in the place of the address that was typed."""
    token = re.search(r"e_\w+@example\.invalid", question)
    return (query(f"SELECT id FROM customers WHERE email = '{token[0] if token else '?'}'"),)


SCRIPT = {
    "everybody": lambda _: (
        query(LEAKS[0]),
        query(LEAKS[2]),
        call("describe_table", table="customers"),
        call("list_tables"),
    ),
    "tickets": lambda _: _asks(LEAKS[5]),
    "notes": lambda _: _asks(LEAKS[1]),
    "by country": lambda _: (
        query("SELECT country, count(*) AS n, max(email) AS who FROM customers GROUP BY country"),
        call("make_chart", kind="bar", x=0, y=1, title="Customers by country"),
    ),
    "steal": lambda _: _asks(REFUSED[0]),
    "orders of": _typed,
    "move": lambda _: (
        call(
            "propose_change",
            sql="UPDATE customers SET country = 'Chile' WHERE country = 'Spain'",
            reason="they moved",
        ),
    ),
}


@dataclass
class Heard:
    """One person's browser and everything that went through it."""

    name: str
    page: Page
    frames: list[tuple[str, bytes]] = field(default_factory=list)
    screens: list[tuple[str, bytes]] = field(default_factory=list)
    downloads: list[tuple[str, bytes]] = field(default_factory=list)

    def listen(self, socket: WebSocket) -> None:
        socket.on("framesent", lambda data: self._frame("sent", data))
        socket.on("framereceived", lambda data: self._frame("received", data))

    def _frame(self, way: str, data: str | bytes) -> None:
        raw = data.encode() if isinstance(data, str) else data
        self.frames.append((f"a frame {self.name} {way}", raw))

    def look(self) -> None:
        """Keeps what the page shows and what its document holds now."""
        shown = self.page.locator("body").inner_text() + self.page.content() + self.page.title()
        self.screens.append((f"the screen of {self.name}", shown.encode()))

    @property
    def session(self) -> str:
        """The id of the Streamlit session, as the server told it."""
        for name, data in reversed(self.frames):
            if name.endswith("received"):
                found = ForwardMsg.FromString(data).new_session.initialize.session_id
                if found:
                    return str(found)
        raise AssertionError("no session began")

    def everything(self) -> list[tuple[str, bytes]]:
        return [*self.frames, *self.screens, *self.downloads]

    def download(self, name: str | re.Pattern[str]) -> None:
        with self.page.expect_download() as loading:
            self.page.get_by_role("link", name=name).last.click()
        path = loading.value.path()
        self.downloads.extend((f"download {n}", d) for n, d in files(path.parent) if d)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A company whose databases are full of canaries, plain and disguised."""
    folder = tmp_path_factory.mktemp("canaries") / "home"
    folder.mkdir()
    disguised = (
        UNTAGGED,
        UNTAGGED.encode().hex(),
        base64.b64encode(UNTAGGED.encode()).decode(),
        UNTAGGED[::-1],
        json.dumps({"contact": {"mail": UNTAGGED, "card": CARD}}),
        SECRET,
    )
    with closing(sqlite3.connect(folder / "shop.sqlite")) as db:
        db.executescript(SHOP)
        db.execute("INSERT INTO notes VALUES (1, ?, ?, ?, ?, ?, ?)", disguised)
        db.commit()
    with closing(duckdb.connect(str(folder / "lake.duckdb"))) as lake:
        lake.execute("CREATE TABLE people(id INTEGER, email TEXT, attributes MAP(TEXT, TEXT))")
        lake.execute(f"INSERT INTO people VALUES (1, '{KEY}', MAP {{'{KEY}': 'x'}})")
    (folder / "policy.toml").write_text(POLICY, encoding="utf-8")
    company = make_company(folder)
    people = {"ana": ("Ana L", {"analyst"}), "rita": ("Rita J", {"reviewer"})}
    people |= {"adam": ("Adam K", {"admin"}), "eve": ("Eve M", {"analyst"})}
    hashed = passwords.hash_password(PASSWORD)
    for name, (display_name, roles) in people.items():
        with company.store.write() as conn:
            accounts.create(
                conn,
                name=name,
                display_name=display_name,
                roles=roles,
                password_hash=hashed,
                now=company.store.now(),
            )
    company.close()
    return folder


@dataclass
class Session:
    """What one session left behind everywhere."""

    people: dict[str, Heard]
    model: list[str]
    folder: Path
    log: bytes


@pytest.fixture(scope="module")
def session(browser: Browser, home: Path, tmp_path_factory: pytest.TempPathFactory) -> Session:
    """Three people at work, until the server has ended."""
    log = tmp_path_factory.mktemp("log") / "server.log"
    with pytest.MonkeyPatch.context() as patch, scripted(SCRIPT) as model:
        patch.setenv("GATEHOUSE_MODEL", model.setting)
        with running(ROOT, home, free_port(), log) as server:
            people = {n: _signed_in(browser, server, n) for n in ("ana", "rita", "adam", "eve")}
            _analyst(people["ana"], people["eve"], server)
            _eavesdropper(people["eve"], people["ana"], server)
            _reviewer(people["rita"], server)
            _admin(people["adam"], server)
            for heard in people.values():
                heard.look()
                heard.page.context.close()
        return Session(people=people, model=model.requests, folder=home, log=log.read_bytes())


def _signed_in(browser: Browser, server: Server, name: str) -> Heard:
    page = browser.new_context(viewport={"width": 1440, "height": 900}).new_page()
    heard = Heard(name=name, page=page)
    page.on("websocket", heard.listen)
    page.goto(server.url)
    page.locator("#name").fill(name)
    page.locator("#password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name="Ask your data")).to_be_visible()
    return heard


def _ask(heard: Heard, question: str, answered: str | re.Pattern[str]) -> None:
    box = heard.page.get_by_test_id("stChatInputTextArea")
    expect(box).to_be_enabled()
    before = heard.page.get_by_text(answered).count()
    box.fill(question)
    box.press("Enter")
    expect(heard.page.get_by_text(answered).nth(before)).to_be_visible()
    heard.look()


def _run(heard: Heard, sql: str) -> None:
    page = heard.page
    page.get_by_role("tab", name="SQL").click()
    run = page.get_by_role("button", name=re.compile("^Run Shortcut"))
    expect(run).to_be_enabled()
    box = page.get_by_role("textbox", name="One statement")
    box.fill(sql)
    box.press("Control+Enter")
    expect(page.get_by_test_id("stChatMessage").nth(-2)).to_contain_text(sql)
    expect(page.get_by_role("button", name="Stop")).to_have_count(0)
    expect(run).to_be_enabled()
    heard.look()


def _analyst(ana: Heard, eve: Heard, server: Server) -> None:
    page = ana.page
    page.get_by_test_id("stSelectbox").click()
    page.get_by_role("option", name="shop").click()
    for word in ("everybody", "by country", "tickets", "notes"):
        _ask(ana, f"Tell me about {word}", re.compile("^Here it is"))
    ana.download("Download CSV")
    _ask(ana, "Let us steal it", re.compile("^Not run"))
    _ask(ana, f"Please list the orders of {TYPED}", re.compile("^(Here it is|Not run)"))
    _ask(ana, "Please move them", re.compile("Waiting for review"))
    page.goto(server.url)
    page.get_by_test_id("stSelectbox").click()
    page.get_by_role("option", name="shop").click()
    for sql in (*LEAKS, *REFUSED):
        _run(ana, sql)
    _reveals(ana, eve, server)
    page.goto(server.url)
    page.get_by_test_id("stSelectbox").click()
    page.get_by_role("option", name="lake").click()
    for sql in LAKE:
        _run(ana, sql)


def _reveals(ana: Heard, eve: Heard, server: Server) -> None:
    page = ana.page
    page.goto(server.url)
    page.get_by_test_id("stSelectbox").click()
    page.get_by_role("option", name="shop").click()
    _run(ana, "SELECT id, email FROM customers WHERE id = 2")
    _reveal(ana)
    ana.look()
    page.get_by_role("button", name="Close").click()
    expect(page.get_by_text(REVEALED)).to_have_count(0)
    _reveal(ana)
    _takes_over(eve, ana, server)
    page.reload()
    _ask(ana, "Tell me about everybody", re.compile("^Here it is"))


def _reveal(ana: Heard) -> None:
    page = ana.page
    page.get_by_role("button", name="Reveal masked values").first.click()
    form = page.get_by_label("Reason", exact=True)
    form.fill("Call the customer back about ticket 4711")
    form.press("Enter")
    expect(page.get_by_text(REVEALED)).to_be_visible()


def _takes_over(eve: Heard, ana: Heard, server: Server) -> None:
    """Opens a websocket that presents ana's session, and asks for her conversation there."""
    cookies = "; ".join(f"{c['name']}={c['value']}" for c in eve.page.context.cookies())  # type: ignore[typeddict-item]
    conversation = ana.page.url.partition("?")[2]
    request = BackMsg()
    request.rerun_script.query_string = conversation
    with connect(
        server.socket_url,
        additional_headers={"Cookie": cookies},
        subprotocols=[Subprotocol(p) for p in ("streamlit", "none", ana.session)],
        max_size=None,
    ) as opened:
        opened.send(request.SerializeToString())
        for _ in range(200):
            try:
                data = opened.recv(timeout=5)
            except TimeoutError:
                break
            eve.frames.append(
                ("a frame eve took", data.encode() if isinstance(data, str) else data)
            )


def _eavesdropper(eve: Heard, ana: Heard, server: Server) -> None:
    """Tries the addresses of what is ana's."""
    page = eve.page
    for _, data in [s for s in ana.screens if b"/export/result/" in s[1]]:
        for turn in sorted(set(re.findall(rb"/export/result/(\w+)", data)))[:3]:
            answer = page.request.get(f"{server.url}/export/result/{turn.decode()}")
            assert answer.status == 404
            eve.downloads.append(("a download eve tried", answer.body()))
    page.goto(f"{server.url}/?{ana.page.url.partition('?')[2]}")
    expect(page.get_by_text("There is no such conversation.")).to_be_visible()
    eve.look()
    page.goto(f"{server.url}/approvals?change=1")
    expect(page.get_by_role("heading", name="My requests")).to_be_visible()
    eve.look()
    for path in ("change/1.csv", "change/1.jsonl", "audit/log.zip", "audit/events.csv"):
        answer = page.request.get(f"{server.url}/export/{path}")
        assert answer.status in (403, 404), path
        eve.downloads.append(("a download eve tried", answer.body()))


def _reviewer(rita: Heard, server: Server) -> None:
    page = rita.page
    page.goto(f"{server.url}/approvals")
    expect(page.get_by_text(re.compile("^#1 · asked by"))).to_be_visible()
    rita.look()
    expect(page.locator(".gh-diff tbody tr").first).to_be_visible()
    rita.look()
    page.get_by_role("tab", name="Conversation").click()
    rita.look()
    page.get_by_role("tab", name="Checks").click()
    rita.look()
    for suffix in ("csv", "jsonl"):
        answer = page.request.get(f"{server.url}/export/change/1.{suffix}")
        assert answer.status == 200
        rita.downloads.append((f"the diff as {suffix}", answer.body()))


def _admin(adam: Heard, server: Server) -> None:
    page = adam.page
    page.goto(f"{server.url}/audit")
    expect(page.get_by_role("heading", name="Audit log")).to_be_visible()
    expect(page.get_by_test_id("stDataFrame")).to_be_visible()
    adam.look()
    page.get_by_role("button", name="Export").click()
    adam.download(re.compile("the whole log"))
    page.goto(f"{server.url}/admin")
    expect(page.get_by_role("heading", name="Policy and sources")).to_be_visible()
    adam.look()


SOURCES = ("shop.sqlite", "lake.duckdb", "shop.sqlite-wal", "lake.duckdb.wal")
STATE = "state.sqlite"
IMAGES = f"{STATE}: change_requests"
"""Rows as they were and would be: an exact undo needs them. Nobody is shown them unredacted."""
OWN = (f"{STATE}: turns", f"{STATE}: steps")
"""What a person asked and what the agent made of it: shown to that person alone."""


def _kept(session: Session, *but: str) -> list[tuple[str, bytes]]:
    """Every file the console left, its output, and what the model was sent.

    `but` are tables of the state that may hold what is looked for. Its file is then looked at row
    by row only.
    """
    model = [("a request to the model", r.encode()) for r in session.model]
    kept = [*files(session.folder, SOURCES), ("the server's output", session.log), *model]
    return [
        (name, data)
        for name, data in kept
        if not (but and (name.startswith(but) or name in (STATE, f"{STATE}-wal")))
    ]


def _is_clean(hits: list[str]) -> None:
    assert not hits, "\n".join(sorted(set(hits)))


def test_promise_08_no_planted_value_is_seen_sent_or_kept(session: Session) -> None:
    places = [p for heard in session.people.values() for p in heard.everything()]
    assert len(session.model) > 15
    assert {name for name, _ in places} > {"the screen of rita", "a frame adam received"}
    assert any("download" in name for name, _ in places)
    _is_clean(found(NEVER, [*places, *_kept(session, IMAGES)]))


def test_promise_08_a_revealed_value_is_seen_once_by_one_person(session: Session) -> None:
    ana = session.people["ana"]
    seen = [name for name, data in ana.everything() if REVEALED.encode() in data]
    assert seen.count("the screen of ana") == 1
    assert "a frame ana received" in seen
    assert set(seen) == {"the screen of ana", "a frame ana received"}
    others = [p for n in ("rita", "adam", "eve") for p in session.people[n].everything()]
    assert any(name == "a frame eve took" for name, _ in others)
    _is_clean(found([REVEALED], [*others, *_kept(session)]))


def test_promise_08_what_a_person_types_stays_in_their_conversation(session: Session) -> None:
    others = [p for n in ("rita", "adam", "eve") for p in session.people[n].everything()]
    _is_clean(found([TYPED], [*others, *_kept(session, *OWN)]))
    assert any(TYPED.encode() in d for n, d in session.people["ana"].everything() if "screen" in n)


def test_the_search_finds_every_disguise() -> None:
    for canary in (*NEVER, TYPED):
        for name, form in disguises(canary).items():
            hits = found([canary], [("here", b"\0\x12" + form + b"\0")])
            assert f"{canary} ({name}) in here" in hits
    for before in ("", "x", "yy"):
        coded = base64.b64encode(f"{before}{EMAIL} and more".encode())
        assert found([EMAIL], [("here", coded)])
