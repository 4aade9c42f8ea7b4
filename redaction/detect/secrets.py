"""Things that open doors: keys, tokens, passwords. Nobody is ever shown one.

Prefixes are those the issuers document for their own tokens.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from typing import Final

from redaction.detect.rule import Rule
from redaction.entities import SECRET

_B64URL = r"[A-Za-z0-9_\-]"

_PREFIXED: Final = (
    r"(?:AKIA|ASIA|ABIA|ACCA|AROA|AIDA|AGPA|ANPA)[A-Z0-9]{16}",
    r"gh[pousr]_[A-Za-z0-9]{30,255}",
    r"github_pat_[A-Za-z0-9_]{22,255}",
    rf"gl(?:pat|ptt|dt|rt|cbt|soat|ft|imt|agent)-{_B64URL}{{16,255}}",
    r"xox[a-z]-[A-Za-z0-9\-]{10,250}",
    r"xapp-[0-9]-[A-Za-z0-9\-]{10,250}",
    r"(?:sk|rk)_(?:live|test)_[A-Za-z0-9]{10,250}",
    r"whsec_[A-Za-z0-9+/=]{16,250}",
    rf"sk-{_B64URL}{{20,250}}",
    rf"AIza{_B64URL}{{30,40}}",
    rf"ya29\.{_B64URL}{{20,250}}",
    rf"GOCSPX-{_B64URL}{{20,40}}",
    rf"SG\.{_B64URL}{{16,32}}\.{_B64URL}{{16,64}}",
    r"npm_[A-Za-z0-9]{30,50}",
    rf"pypi-{_B64URL}{{30,250}}",
    r"hf_[A-Za-z0-9]{30,50}",
    r"shp(?:at|ca|pa|ss)_[A-Fa-f0-9]{32}",
    r"do[opr]_v1_[a-f0-9]{64}",
    r"dapi[a-f0-9]{32}",
    rf"hv[sbr]\.{_B64URL}{{20,250}}",
    rf"[0-9]{{8,10}}:AA{_B64URL}{{33}}",
    r"AGE-SECRET-KEY-1[A-Z0-9]{58}",
    r"(?:SK|AC)[0-9a-f]{32}",
    r"key-[0-9a-f]{32}",
    r"[0-9a-f]{32}-us[0-9]{1,2}",
    r"EAA[A-Za-z0-9]{60,250}",
    r"lin_api_[A-Za-z0-9]{32,64}",
    r"glsa_[A-Za-z0-9]{32}_[A-Fa-f0-9]{8}",
    r"sbp_[a-f0-9]{40}",
    r"dckr_pat_[A-Za-z0-9_\-]{20,40}",
    r"pk_live_[A-Za-z0-9]{16,250}",
    r"ops_eyJ[A-Za-z0-9+/=_\-]{40,1000}",
)  # fmt: skip

_NAMED = (
    r"(?:pass(?:word|wd|phrase|code)?|pwd|passwort|kennwort|contrase(?:ñ|n)a|senha|has(?:ł|l)o"
    r"|mot de passe|parola|secret|api[ _\-]?key|access[ _\-]?key|private[ _\-]?key"
    r"|(?:access|auth|refresh|id|bearer|session|api)?[ _\-]?token|client[ _\-]?secret|credential"
    r"|AccountKey|SharedAccessKey|sig|signature|auth|jwt|session(?:id)?|sid|otp|pin)"
)


def _mixed(value: str) -> bool:
    """True when a word looks made up: letters and digits or signs, not just a word or a number."""
    letters = any(c.isalpha() for c in value)
    others = any(not c.isalpha() for c in value)
    return len(value) >= 6 and letters and others and not value.startswith(("<", "http"))


def entropy(value: str) -> float:
    """Returns the Shannon entropy of the characters of `value`, in bits a character."""
    counts = Counter(value)
    return -sum(n / len(value) * math.log2(n / len(value)) for n in counts.values())


def _random_40(value: str) -> bool:
    kinds = (str.isupper, str.islower, str.isdigit)
    return all(any(kind(c) for c in value) for kind in kinds) and entropy(value) > 4.2


def _mask_password(value: str) -> bool:
    return not re.fullmatch(r"[*x•.]+:?[*x•.]*", value)


def _shorter(counts: re.Match[str]) -> str:
    # Long counts make large automata; the start of a token is enough to look at a value.
    return f"{{{min(8, int(counts.group(1)))}}}"


RULES: Final = (
    Rule(
        name="token",
        entity=SECRET,
        body="|".join(_PREFIXED),
        quick="|".join(re.sub(r"\{([0-9]+)(,[0-9]+)?\}", _shorter, p) for p in _PREFIXED),
        score=1.0,
        before=r"[A-Za-z0-9]",
        after=r"[A-Za-z0-9]",
    ),
    Rule(
        name="jwt",
        entity=SECRET,
        body=rf"ey[JI]{_B64URL}{{8,4000}}\.{_B64URL}{{2,8000}}(?:\.{_B64URL}{{0,4000}}){{0,3}}",
        quick=r"ey[JI][A-Za-z0-9_\-]{8}",
        score=1.0,
        before=r"[A-Za-z0-9_\-]",
    ),
    Rule(
        name="private_key",
        entity=SECRET,
        body=(
            r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----[A-Za-z0-9+/=\s:,\-\\]{0,20000}"
        ),
        quick="-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY",
        score=1.0,
        before="",
        after="",
    ),
    Rule(
        name="password_hash",
        entity=SECRET,
        body=(
            r"\$2[abxy]?\$[0-9]{2}\$[./A-Za-z0-9]{40,53}"
            r"|\$argon2(?:id|i|d)\$[A-Za-z0-9$=,./+\-]{20,300}"
            r"|\$(?:1|5|6|y|7|apr1|scrypt)\$[A-Za-z0-9$=,./+\-]{20,300}"
            r"|(?:pbkdf2|scrypt)(?:_sha(?:1|256|512)|:sha(?:1|256|512))?[:$][A-Za-z0-9$:=,./+\-]{20,300}"
            r"|\{S?SHA(?:256|512)?\}[A-Za-z0-9+/=]{20,200}"
        ),
        quick=r"\$(?:2[abxy]?|argon2(?:id|i|d)|1|5|6|y|7|apr1|scrypt)\$|(?:pbkdf2|scrypt)[_:$]|\{S?SHA",
        score=1.0,
        before=r"[A-Za-z0-9]",
        after=r"[A-Za-z0-9]",
    ),
    Rule(
        name="url_credentials",
        entity=SECRET,
        body=r"[A-Za-z][A-Za-z0-9+.\-]{1,24}://(?P<pair>[^\s/:@?#]{0,128}:[^\s/@]{1,256})@",
        quick=r"://[^\s/:@?#]*:[^\s/@]+@",
        group="pair",
        accept=_mask_password,
        score=1.0,
        after="",
    ),
    Rule(
        name="url_parameter",
        entity=SECRET,
        body=(
            r"[?&;#](?i:[a-z_\-]{0,24}(?:token|secret|passw(?:or)?d|pwd|api_?key|apikey|signature|jwt"
            r"|session_?id|credential)|key|sig|auth|code|sid)=(?P<value>[^&\s#\"'<>;]{6,2000})"
        ),
        quick=r"[?&;#][A-Za-z_\-]{2,40}=[^&\s]{6}",
        group="value",
        before="",
        after="",
    ),
    Rule(
        name="authorization",
        entity=SECRET,
        body=r"(?i:bearer|basic|apikey|token) (?P<value>[A-Za-z0-9+/=_.\-]{16,4000})",
        quick=r"(?i:bearer|basic|apikey|token) [A-Za-z0-9+/=_.\-]{16}",
        group="value",
        accept=_mixed,
    ),
    Rule(
        name="assignment",
        entity=SECRET,
        body=(
            rf"(?i:{_NAMED})[\"']?\s{{0,3}}(?:[:=]|=>|(?i:is|ist|es|é|est):?)\s{{0,3}}[\"']?"
            r"(?P<value>[^\s\"'<>,;&]{6,500})"
        ),
        quick=r"(?i:pass|pwd|contrase|senha|has[lł]o|parola|secret|key|token|credential|sig|auth|jwt"
        r"|session|sid|otp|pin|kennwort)",
        group="value",
        accept=_mixed,
        before=r"[A-Za-z]",
        after="",
    ),
    Rule(
        name="random_40",
        entity=SECRET,
        body=r"[A-Za-z0-9/+]{40}",
        strength="weak",
        accept=_random_40,
        context=("secret", "key", "aws", "token", "password"),
        before=r"[A-Za-z0-9/+=_\-]",
        after=r"[A-Za-z0-9/+=_\-]",
    ),
)
