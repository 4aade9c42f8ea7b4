"""The products: seven categories, six brands, names of brand and thing."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from random import Random

from demo.world import stream

BRANDS = ("Acme", "Bluebird", "Kasa", "Lumen", "Northpeak", "Orbit")

_THINGS: dict[str, tuple[tuple[str, int, int], ...]] = {
    "Beauty": (
        ("Face Cream", 12, 48),
        ("Shampoo", 6, 19),
        ("Perfume", 28, 95),
        ("Hair Dryer", 24, 89),
        ("Sunscreen", 9, 27),
        ("Hand Soap", 4, 12),
        ("Lip Balm", 3, 9),
        ("Electric Razor", 35, 129),
    ),
    "Books": (
        ("Cookbook", 14, 39),
        ("Travel Guide", 11, 26),
        ("Atlas", 22, 64),
        ("Crime Novel", 8, 17),
        ("Picture Book", 9, 21),
        ("Phrase Book", 6, 14),
        ("Gardening Handbook", 15, 34),
    ),
    "Electronics": (
        ("Headphones", 39, 249),
        ("Webcam", 29, 129),
        ("Keyboard", 25, 149),
        ("Monitor", 129, 549),
        ("Speaker", 35, 299),
        ("Tablet", 179, 649),
        ("Smartwatch", 99, 379),
        ("Power Bank", 19, 69),
        ("Router", 49, 189),
        ("Drone", 199, 799),
    ),
    "Home & Kitchen": (
        ("Kettle", 24, 79),
        ("Toaster", 22, 89),
        ("Blender", 34, 149),
        ("Frying Pan", 19, 84),
        ("Knife Set", 29, 159),
        ("Coffee Maker", 49, 289),
        ("Storage Box", 8, 29),
        ("Table Lamp", 21, 94),
        ("Vacuum Cleaner", 89, 429),
    ),
    "Office": (
        ("Desk", 129, 489),
        ("Office Chair", 99, 459),
        ("Notebook", 3, 14),
        ("Pen Set", 5, 38),
        ("Stapler", 6, 24),
        ("Paper Shredder", 44, 189),
        ("Whiteboard", 29, 149),
        ("Desk Organizer", 9, 35),
    ),
    "Sports": (
        ("Yoga Mat", 16, 64),
        ("Dumbbells", 19, 119),
        ("Running Shoes", 59, 169),
        ("Water Bottle", 8, 32),
        ("Backpack", 34, 139),
        ("Bicycle Helmet", 29, 119),
        ("Tent", 79, 399),
        ("Football", 14, 49),
        ("Tennis Racket", 39, 199),
    ),
    "Toys": (
        ("Puzzle", 9, 34),
        ("Building Blocks", 19, 99),
        ("Board Game", 17, 54),
        ("Doll", 14, 49),
        ("Toy Car", 6, 29),
        ("Kite", 11, 39),
        ("Plush Bear", 9, 36),
        ("Train Set", 39, 179),
    ),
}
CATEGORIES = tuple(_THINGS)
PRODUCTS = 130
_ALWAYS = (("Kasa", "Headphones"), ("Orbit", "Webcam"))
_NEVER_SOLD = 6


@dataclass(frozen=True, kw_only=True)
class Product:
    """One row of `products`, with what decides how it sells. Money is in cents."""

    id: int
    name: str
    sku: str
    category: str
    brand: str
    unit_price: int
    unit_cost: int
    stock_quantity: int
    discontinued: bool
    launched_on: dt.date
    popularity: float
    """How well it sells beside its neighbours; 0 for what was never sold."""
    last_sold_before: dt.date
    """The day from which a discontinued product is no longer offered."""


def products() -> tuple[Product, ...]:
    """Returns the 130 products, in order of launch."""
    random = stream("products")
    chosen = [
        (brand, thing, category, low, high)
        for category, things in _THINGS.items()
        for thing, low, high in things
        for brand in BRANDS
    ]
    wanted = [c for c in chosen if (c[0], c[1]) in _ALWAYS]
    others = random.sample([c for c in chosen if c not in wanted], PRODUCTS - len(wanted))
    launches = sorted(_launch(random) for _ in range(PRODUCTS))
    mixed = random.sample([*wanted, *others], PRODUCTS)
    quiet = {i for i in random.sample(range(PRODUCTS), _NEVER_SOLD) if mixed[i] not in wanted}
    return tuple(
        _product(i + 1, item, launch, i in quiet, random)
        for i, (item, launch) in enumerate(zip(mixed, launches, strict=True))
    )


def _launch(random: Random) -> dt.date:
    if random.random() < 0.62:
        return dt.date(2021, 9, 1) + dt.timedelta(days=random.randrange(820))
    return dt.date(2024, 1, 8) + dt.timedelta(days=random.randrange(790))


def _product(
    number: int,
    item: tuple[str, str, str, int, int],
    launch: dt.date,
    quiet: bool,
    random: Random,
) -> Product:
    brand, thing, category, low, high = item
    euros = round(low + (high - low) * random.betavariate(1.4, 2.2))
    price = euros * 100 - random.choice((1, 1, 5, 10, 50))
    discontinued = launch < dt.date(2024, 6, 1) and random.random() < 0.17
    ends = dt.date(2025, 1, 1) + dt.timedelta(days=random.randrange(420))
    return Product(
        id=number,
        name=f"{brand} {thing}",
        sku=f"{brand[:2].upper()}-{category[:3].upper()}-{1000 + number * 7}",
        category=category,
        brand=brand,
        unit_price=price,
        unit_cost=round(price * random.uniform(0.42, 0.74)),
        stock_quantity=_stock(discontinued, random),
        discontinued=discontinued,
        launched_on=launch,
        popularity=0.0 if quiet else random.lognormvariate(0, 0.62) * (60 / (euros + 25)) ** 0.42,
        last_sold_before=ends if discontinued else dt.date.max,
    )


def _stock(discontinued: bool, random: Random) -> int:
    if discontinued:
        return random.choice((0, 0, 0, 4, 11))
    if random.random() < 0.06:
        return 0
    return int(random.lognormvariate(4.4, 0.9)) + 1
