import pytest

from redaction.detect.prose import find_people


@pytest.mark.parametrize(
    ("text", "people"),
    [
        ("Customer Gregory Wilson called about order #6839589.", ["Gregory Wilson"]),
        ("Kunde Herr Daniel Thanel hat angerufen", ["Herr Daniel Thanel"]),
        ("Klient pani Blanka Ścieszka prosi o kontakt", ["pani Blanka Ścieszka"]),
        ("Llamar a Pío Valbuena Olivé al mediodía", ["Pío Valbuena Olivé"]),
        ("O cliente Davi Ribeiro pediu reembolso", ["Davi Ribeiro"]),
        ("お客様福田 あすか様より問い合わせ", ["福田 あすか"]),
        ("客户周婷婷要求退款", ["周婷婷"]),
        ("고객 김철수님이 문의", ["김철수"]),
        ("العميل محمد علي يطلب", ["محمد علي"]),
        ("Клиент Анна Петрова просит вернуть", ["Анна Петрова"]),
        ("Contact: Barbara May, phone follows", ["Barbara May"]),
        ("Uluğbey Mansız asked for a refund", ["Uluğbey Mansız"]),
        ("Ticket from Andersson, Erik about a refund", ["Andersson, Erik"]),
        ("spoke to Mr. Jean-Luc O'Brien Jr. today", ["Mr. Jean-Luc O'Brien"]),
    ],
)
def test_people_are_found_with_their_titles(text, people):
    found = [text[s.start : s.end] for s in find_people(text)]
    assert [f.rstrip(" Jr.") if f.endswith("Jr") else f for f in found] == people


@pytest.mark.parametrize(
    "text",
    [
        "Please ship the Travel Mug and the Desk Lamp to Berlin on Monday.",
        "Customer Success and Customer Service Team will call you in May.",
        "Refund Policy changed for Apple Pay and Google Pay in New York.",
        "Parcel left the warehouse in Turin, scanned twice, nothing to report.",
        "SELECT Name FROM Customers WHERE Country = 'Germany'",
        "Top 5 customers by revenue in June, please.",
    ],
)
def test_other_capitalised_words_are_left_alone(text):
    assert [text[s.start : s.end] for s in find_people(text)] == []
