"""Street addresses, as blocks in a text and as whole values.

A city or a country alone is not an address here; a street with a number is.
"""

from __future__ import annotations

import re
from typing import Final

from redaction.detect.rule import Rule
from redaction.entities import LOCATION

# Kinds of streets in English: USPS Publication 28, appendix C1, and British ones.
_ENGLISH: Final = (
    "Alley|Annex|Arcade|Avenue|Ave|Bayou|Beach|Bend|Bluffs?|Bottom|Boulevard|Blvd|Branch|Bridge|Brooks?"
    "|Burgs?|Bypass|Camp|Canyon|Cape|Causeway|Centers?|Centres?|Circles?|Cir|Cliffs?|Close|Club|Common"
    "|Commons|Corners?|Course|Courts?|Ct|Coves?|Creek|Crescent|Cres|Crest|Crossing|Crossroads?|Curve|Dale"
    "|Dam|Divide|Drives?|Dr|Drove|Esplanade|Estates?|Expressway|Expy|Extensions?|Falls?|Ferry|Fields?"
    "|Flats?|Fords?|Forest|Forges?|Forks?|Fort|Freeway|Fwy|Gardens?|Gate|Gateway|Glens?|Grange|Greens?"
    "|Groves?|Harbors?|Haven|Heights|Highway|Hwy|Hills?|Hollow|Inlet|Islands?|Isle|Junctions?|Keys?"
    "|Knolls?|Lakes?|Land|Landing|Lane|Ln|Lights?|Loaf|Locks?|Lodge|Loop|Mall|Manors?|Meadows?|Mews|Mills?"
    "|Mission|Motorway|Mount|Mountains?|Neck|Orchard|Oval|Overpass|Parade|Parks?|Parkways?|Pkwy|Pass"
    "|Passage|Path|Pike|Pines?|Place|Pl|Plains?|Plaza|Points?|Ports?|Prairie|Quay|Radial|Ramp|Ranch"
    "|Rapids?|Rest|Ridges?|River|Rise|Roads?|Rd|Route|Row|Rue|Run|Shoals?|Shores?|Skyway|Springs?|Spurs?"
    "|Squares?|Sq|Stations?|Stravenue|Stream|Streets?|Str|St|Summit|Terrace|Ter|Throughway|Trace|Track"
    "|Trafficway|Trails?|Trailer|Tunnel|Turnpike|Underpass|Unions?|Valleys?|Vale|Via|Viaduct|Views?"
    "|Villages?|Ville|Vista|Walks?|Wall|Ways?|Wells?|Wharf|Wood|Wynd|Yard"
)
_NAME = r"[^\W\d_a-zà-öø-ÿ][\w'’.\-]{0,30}"
_NUMBER = r"[0-9]{1,6}(?:[A-Za-z])?(?:\s?[/\-]\s?[0-9]{1,5}[A-Za-z]?)?"
_UNIT = (
    r"(?:,?\s{1,2}(?:Apt|Apartment|Suite|Ste|Unit|Flat|Room|Rm|Floor|Fl|Bldg|Building|PO Box|Box|No"
    r"|#)"
    r"\.?\s?#?[A-Za-z0-9\-]{1,8})?"
)
# What follows a street: up to three short parts, then a code.
_PLACE_WORD = r"[^\W\d_][\w'’.\-]{0,24}"
_POSTCODE = r"[A-Z]{1,2}[0-9][A-Z0-9]?\s?[0-9][A-Z]{2}"
_US_TAIL = (
    rf"(?:(?:,|\n)\s?(?:{_PLACE_WORD}\s?){{1,4}}(?:,\s?|\s)[A-Z]{{2}}\s[0-9]{{5}}(?:-[0-9]{{4}})?)?"
)
_GB_TAIL = rf"(?:(?:,|\n)\s?(?:{_PLACE_WORD}\s?){{1,4}}(?:(?:,|\n)\s?|\s){_POSTCODE})?"
_CODE_TOWN = rf"(?:(?:,|\n)\s?[0-9]{{2,5}}[ \-]?[0-9]{{0,4}}\s(?:{_PLACE_WORD}\s?){{1,4}})?"

_KINDS_BEFORE: Final = (
    "rue|avenue|av\\.?|boulevard|bd|bld|place|pl\\.?|chemin|allée|allee|impasse|quai|route|cours|square"
    "|passage|faubourg|sentier|voie|ruelle|calle|c/|avenida|avda\\.?|paseo|plaza|plza\\.?|ronda|camino"
    "|carretera|travesía|pasaje|glorieta|vial|vía|rambla|alameda|cuesta|callejón|callejon|acceso|via"
    "|viale|piazza|piazzale|corso|vicolo|largo|contrada|strada|stretto|borgo|rotonda|incrocio|canale"
    "|salita|lungomare|rua|travessa|praça|praca|largo|alameda|estrada|rodovia|viaduto|quadra|sítio|vila"
    "|setor|jardim|lagoa|lago|morro|núcleo|parque|passarela|pátio|recanto|residencial|trecho|trevo|vale"
    "|vereda|viela|aeroporto|área|campo|chácara|colônia|condomínio|conjunto|distrito|esplanada|estação"
    "|favela|fazenda|feira|ladeira|loteamento|ul\\.?|ulica|al\\.?|aleja|aleje|pl\\.?|plac|os\\.?|osiedle"
    "|rondo|strada|str\\.?|bulevardul|aleea|calea|şoseaua|ulice|nám\\.?|náměstí|námestie|třída|trg"
    "|ул\\.?|улица|пр\\.?|проспект|пр-т|пер\\.?|переулок|бульвар|б-р|наб\\.?|набережная|шоссе|ш\\.?|пл\\.?"
    "|площадь|вул\\.?|вулиця|бул\\.?|οδός|λεωφόρος|πλατεία|jalan|jl\\.?|gang|gg\\.?|jln|lorong|đường|duong"
    "|phố|ถนน|ซอย|شارع|طريق|רחוב|שדרות|straat|laan|via|mahallesi|sokak|caddesi"
)
_COMPOUND_ENDS: Final = (
    "straße|strasse|str\\.|allee|gasse|weg|platz|ring|ufer|damm|steig|chaussee|promenade|graben|markt"
    "|straat|laan|weg|plein|kade|gracht|dijk|singel|steeg|hof|baan|dreef|pad|steenweg|lei|vest"
    "|gatan|gata|vägen|vagen|väg|gränd|torget|torg|stigen|backen|platsen|allén|leden|esplanaden"
    "|gade|gaden|vej|vejen|stræde|stien|allé|parken|vang|bakken|haven"
    "|gate|gaten|veien|vegen|vei|veg|stien|bakken|svingen|plassen"
    "|katu|tie|kuja|polku|puistikko|tori|ranta|kaari|rinne|penger"
    "|utca|tér|körút|köz|tere|útja|sétány|sor|sokağı|sokak|caddesi|cad\\.|sok\\.|bulvarı|mahallesi"
    "|gatvė|g\\.|iela|ielā|prospektas|tänav|tee|puiestee|maantee|ulica|cesta|ulice|третья"
)

_STREET_ENGLISH = (
    rf"{_NUMBER}\s{{1,2}}(?:[NSEWnsew]\.?\s|North\s|South\s|East\s|West\s)?(?:{_NAME}\s){{1,4}}"
    rf"(?:{_ENGLISH})\.?(?:\s[NSEW]\b)?{_UNIT}(?:{_US_TAIL}|{_GB_TAIL})"
)
_STUDIO = (
    r"(?:Flat|Studio|Unit|Suite|Apt\.?|Apartment)\s[0-9]{1,4}[A-Za-z]?(?:,|\n|\s)\s?"
    + _STREET_ENGLISH
)
_STREET_BRITISH = (
    rf"(?:Flat|Studio)\s[0-9]{{1,4}}[A-Za-z]?(?:,|\n)\s?(?:{_NAME}\s){{1,4}}(?:{_ENGLISH})"
    + _GB_TAIL
)
_STREET_ROMANCE = (
    rf"(?:{_NUMBER},?\s{{1,2}})?(?i:{_KINDS_BEFORE})\s(?:[\w'’.\-]{{1,30}}\s){{0,5}}[\w'’.\-]{{1,30}},?\s"
    rf"(?:n[.º°o]?\s?|nº\s?|nr\.?\s?|no\.?\s?|s/n|д\.?\s?)?{_NUMBER}{_CODE_TOWN}"
)
_STREET_FRENCH = (
    rf"{_NUMBER},?\s{{1,2}}(?:bis\s|ter\s)?(?i:rue|avenue|av\.|boulevard|bd|place|chemin|allée|impasse|quai"
    rf"|route|cours|square|passage)\s(?:de\s|du\s|des\s|de la\s|de l'|d'|la\s|le\s|les\s)?"
    rf"(?:[\w'’.\-]{{1,30}}\s?){{1,4}}{_CODE_TOWN}"
)
_STREET_COMPOUND = (
    rf"[A-ZÄÖÜÅÆØĀĒĪŪČŠŽÉ][\w'’.\-]{{1,40}}(?:\s[\w'’.\-]{{1,30}}){{0,3}}?(?:[\s\-]?(?i:{_COMPOUND_ENDS}))"
    rf"\s{_NUMBER}{_CODE_TOWN}"
)
_STREET_EAST_ASIAN = (
    r"[\u3040-\u30ff\u3400-\u9fff々ヶ]{2,20}[0-9０-９一二三四五六七八九十]{1,4}(?:丁目|番地|番|号|號)"
    r"(?:[0-9０-９\-－番地号丁目の]{0,14})[^\s、。,]{0,16}"
    r"|[\u3400-\u9fff]{2,24}(?:路|街|道|巷|弄)[0-9A-Za-z]{0,5}(?:号|號|座|栋|楼|室)[0-9A-Za-z号室楼座\-\s]{0,10}"
    r"|[가-힣]{1,12}(?:시|도|군|구)\s[가-힣0-9\s]{1,24}(?:로|길|동)\s?[0-9]{1,4}(?:-[0-9]{1,4})?"
)
_STREET_INDIAN = (
    r"(?:H\.?\s?No\.?|House No\.?|Plot No\.?|Door No\.?|Flat No\.?)\s?[0-9/\-A-Za-z]{1,8},?\s"
    r"(?:[A-Z][\w'.\-]{1,24}[\s,]{1,2}){1,6}(?:[\-\s]?[0-9]{6})?"
)


_MILITARY = (
    r"(?:(?:USS|USNS|USCGC|USNV|USAV)\s[A-Z][\w'.\-]{1,24}(?:\s[A-Z][\w'.\-]{1,24})?"
    r"|(?:PSC|CMR|Unit)\s[0-9]{1,5},?\s(?:Box|BOX)\s[0-9]{1,6}),?\s{1,2}(?:APO|FPO|DPO)\s(?:AA|AE|AP)"
    r"(?:\s[0-9]{5}(?:-[0-9]{4})?)?"
)


def _has_digit(value: str) -> bool:
    return any(c.isdigit() for c in value)


def _form(value: str) -> bool:
    """True when a value is built like an address: words, a small number, parts, another number."""
    numbers = _NUMBERS.findall(value)
    parts = [p for p in re.split(r"[,;\n]", value) if p.strip()]
    words = [w for w in re.findall(r"[^\W\d_]+", value) if len(w) > 2]
    letters = sum(map(len, words))
    small = sum(w[0].islower() for w in words)
    if small > len(words) / 2 and (small < len(words) or len(words) > _MOST_WORDS):
        return False  # a sentence: the words of an address are names
    return (
        len(parts) >= 2 and len(numbers) >= 2 and len(words) >= 2 and letters * 5 >= 2 * len(value)
    )


_MOST_WORDS: Final = 8
_NUMBERS: Final = re.compile(r"(?<![\d.:/])\d{1,7}(?![\d.:])")


def _rule(name: str, body: str, *, score: float = 0.75, quick: str | None = None) -> Rule:
    return Rule(
        name=name,
        entity=LOCATION,
        body=body,
        quick=quick,
        score=score,
        accept=_has_digit if name != "address_east_asian" else None,
        before=r"[A-Za-z0-9_#\-/.]",
        after=r"[A-Za-z0-9_]",
    )


RULES: Final = (
    _rule("address_flat", rf"{_STUDIO}|{_STREET_BRITISH}", score=0.85,
          quick=r"(?:Flat|Studio|Unit|Suite|Apt|Apartment)\.?\s[0-9]"),
    _rule("address_english", _STREET_ENGLISH,
          quick=rf"[0-9][A-Za-z]?\s{{1,2}}.{{1,80}}\s(?:{_ENGLISH})"),
    _rule("address_military", _MILITARY, score=0.9, quick=r"(?:APO|FPO|DPO)\s(?:AA|AE|AP)"),
    _rule("address_french", _STREET_FRENCH,
          quick=r"[0-9],?\s.{0,5}(?i:rue|avenue|av\.|boulevard|bd|place|chemin|all|impasse|quai|route|cours"
                r"|square|passage)\s"),
    _rule("address_kind_first", _STREET_ROMANCE, quick=rf"(?i:{_KINDS_BEFORE})\s.{{1,120}}[0-9]"),
    _rule("address_compound", _STREET_COMPOUND, quick=rf"(?i:{_COMPOUND_ENDS})\s[0-9]"),
    _rule("address_east_asian", _STREET_EAST_ASIAN,
          quick=r"[\x{3400}-\x{9fff}\x{ac00}-\x{d7a3}].{0,12}(?:[0-9０-９]|座|号)"),
    Rule(
        name="address_form",
        entity=LOCATION,
        body=r"[^@:=<>{}|\"$€£%\t]{12,160}",
        quick=r"[0-9\pN].*[,;\n].*[0-9\pN]",
        strength="weak",
        score=0.4,
        accept=_form,
        maximal=True,
        before="",
        after="",
    ),
    _rule("address_indian", _STREET_INDIAN, quick=r"\sNo\.?\s?[0-9]|H\.?\s?No"),
)  # fmt: skip
