"""Numbers that name one person: social security, tax, health and identity numbers, and passports.

A number whose form alone is telling is strong. One that is a plain run of digits with a check
digit passes by chance once in ten and is weak: a column of them is not chance.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from redaction.detect import checks
from redaction.detect.rule import Rule, Strength
from redaction.entities import DRIVER_LICENSE, NATIONAL_ID, PASSPORT, US_SSN
from redaction.lists import phrases

_GAP = r"[ \-./]?"


def _digits(*groups: int) -> str:
    return _GAP.join(f"[0-9]{{{n}}}" for n in groups)


_ID_WORDS: Final = phrases("vocabulary", "id words")


def _rule(
    name: str,
    entity: str,
    body: str,
    accept: Callable[[str], bool] | None,
    strength: Strength = "weak",
    *,
    context: tuple[str, ...] = _ID_WORDS,
) -> Rule:
    return Rule(
        name=name,
        entity=entity,
        body=body,
        accept=accept,
        strength=strength,
        context=context,
        before=r"[A-Za-z0-9_.\-/+]",
        after=r"[.\-/]?[A-Za-z0-9_]",
    )


RULES: Final = (
    Rule(
        name="us_ssn",
        entity=US_SSN,
        body=r"[0-8][0-9]{2}-[0-9]{2}-[0-9]{4}",
        accept=checks.ssn_us,
        before=(r"[A-Za-z0-9_.]", r"[0-9][\-/]"),
        after=r"[\-/.]?[0-9]|[A-Za-z_]",
    ),
    _rule("us_ssn_spaced", US_SSN, r"[0-8][0-9]{2} [0-9]{2} [0-9]{4}", checks.ssn_us),
    _rule("us_itin", "US_ITIN", r"9[0-9]{2}-[0-9]{2}-[0-9]{4}", checks.itin_us, "strong"),
    _rule("uk_nino", "UK_NINO", r"[A-Za-z]{2} ?[0-9]{2} ?[0-9]{2} ?[0-9]{2} ?[A-Da-d]",
          checks.nino, "strong"),
    _rule("uk_nhs", "UK_NHS", _digits(3, 3, 4), checks.gb_nhs),
    _rule("es_nif", "ES_NIF", r"[0-9]{8}[ \-]?[A-Za-z]", checks.es_dni),
    _rule("es_nie", "ES_NIE", r"[XYZxyz][ \-]?[0-9]{7}[ \-]?[A-Za-z]", checks.es_nie, "strong"),
    _rule("it_fiscal_code", "IT_FISCAL_CODE",
          r"[A-Za-z]{6}[0-9LMNPQRSTUVlmnpqrstuv]{2}[A-Za-z][0-9LMNPQRSTUVlmnpqrstuv]{2}[A-Za-z]"
          r"[0-9LMNPQRSTUVlmnpqrstuv]{3}[A-Za-z]", checks.it_codice, "strong"),
    _rule("in_aadhaar", "IN_AADHAAR", _digits(4, 4, 4), checks.aadhaar),
    _rule("in_pan", "IN_PAN", r"[A-Za-z]{5}[0-9]{4}[A-Za-z]", checks.pan_in),
    _rule("au_tfn", "AU_TFN", _digits(3, 3, 3), checks.au_tfn),
    _rule("au_medicare", "AU_MEDICARE", r"[2-6][0-9]{3} ?[0-9]{5} ?[0-9](?: ?[0-9])?",
          checks.medicare_au),
    _rule("sg_nric", "SG_NRIC_FIN", r"[STFGMstfgm][0-9]{7}[A-Za-z]", checks.nric),
    _rule("fi_hetu", "FI_PERSONAL_IDENTITY_CODE",
          r"[0-3][0-9][01][0-9]{3}[-+A-FU-Y][0-9]{3}[0-9A-Ya-y]", checks.fi_hetu, "strong"),
    _rule("pl_pesel", "PL_PESEL", r"[0-9]{11}", checks.pl_pesel),
    _rule("kr_rrn", "KR_RRN", r"[0-9]{6}-[1-8][0-9]{6}", checks.rrn_kr, "strong"),
    _rule("kr_rrn_plain", "KR_RRN", r"[0-9]{6}[1-4][0-9]{6}", checks.kr_rrn),
    _rule("de_tax_id", "DE_TAX_ID", r"[1-9][0-9] ?[0-9]{3} ?[0-9]{3} ?[0-9]{3}", checks.de_idnr),
    _rule("nl_bsn", "NL_BSN", r"[0-9]{4}\.?[0-9]{2}\.?[0-9]{3}", checks.nl_bsn),
    _rule("br_cpf", "BR_CPF", r"[0-9]{3}\.[0-9]{3}\.[0-9]{3}-[0-9]{2}", checks.br_cpf, "strong"),
    _rule("br_cpf_plain", "BR_CPF", r"[0-9]{11}", checks.br_cpf),
    _rule("tr_id", "TR_NATIONAL_ID", r"[1-9][0-9]{10}", checks.tr_tc),
    _rule("ca_sin", "CA_SIN", _digits(3, 3, 3), checks.ca_sin),
    _rule("se_personnummer", "SE_PERSONNUMMER", r"(?:19|20)?[0-9]{6}[-+]?[0-9]{4}", checks.se_pnr),
    _rule("za_id", "ZA_ID_NUMBER", _digits(6, 4, 3), checks.za_idnr),
    _rule("fr_nir", "FR_NIR",
          r"[12] ?[0-9]{2} ?[0-9]{2} ?(?:[0-9]{2}|2[AB]) ?[0-9]{3} ?[0-9]{3} ?[0-9]{2}",
          checks.fr_nir, "strong"),
    _rule("be_nn", "BE_NATIONAL_NUMBER", r"[0-9]{2}\.?[0-9]{2}\.?[0-9]{2}-?[0-9]{3}\.?[0-9]{2}",
          checks.be_nn),
    _rule("cz_sk_rc", "CZ_BIRTH_NUMBER", r"[0-9]{6}/?[0-9]{4}", checks.cz_rc),
    _rule("dk_cpr", "DK_CPR", r"[0-3][0-9][01][0-9]{3}-[0-9]{4}", checks.dk_cpr),
    _rule("no_fnr", "NO_BIRTH_NUMBER", r"[0-9]{6} ?[0-9]{5}", checks.no_fnr),
    _rule("ro_cnp", "RO_CNP", r"[1-9][0-9]{12}", checks.ro_cnp),
    _rule("bg_egn", "BG_EGN", r"[0-9]{10}", checks.bg_egn),
    _rule("hr_oib", "HR_OIB", r"[0-9]{11}", checks.hr_oib),
    _rule("ee_lt_id", "EE_LT_ID", r"[1-8][0-9]{10}",
          lambda v: checks.ee_ik(v) or checks.lt_asmens(v)),
    _rule("gr_amka", "GR_AMKA", r"[0-9]{11}", checks.gr_amka),
    _rule("ie_pps", "IE_PPS", r"[0-9]{7}[A-Wa-w][ABWTXZabwtxz]?", checks.ie_pps),
    _rule("il_id", "IL_ID", r"[0-9]{9}", checks.il_idnr),
    _rule("is_kennitala", "IS_KENNITALA", r"[0-9]{6}-?[0-9]{4}", checks.is_kennitala),
    _rule("ch_ahv", "CH_AHV", r"756\.?[0-9]{4}\.?[0-9]{4}\.?[0-9]{2}", checks.ch_ssn, "strong"),
    _rule("cl_rut", "CL_RUT", r"[0-9]{1,2}\.[0-9]{3}\.[0-9]{3}-[0-9Kk]", checks.cl_rut, "strong"),
    _rule("cl_rut_plain", "CL_RUT", r"[0-9]{7,8}-[0-9Kk]", checks.cl_rut),
    _rule("cn_ric", "CN_ID", r"[1-9][0-9]{16}[0-9Xx]", checks.cn_ric, "strong"),
    _rule("jp_my_number", "JP_MY_NUMBER", _digits(4, 4, 4), checks.jp_in),
    _rule("mx_curp", "MX_CURP", r"[A-Z][AEIOUX][A-Z]{2}[0-9]{6}[HMX][A-Z]{5}[0-9A-Z][0-9]",
          checks.mx_curp, "strong"),
    _rule("pt_nif", "PT_NIF", r"[0-9]{3} ?[0-9]{3} ?[0-9]{3}", checks.pt_nif),
    _rule("ru_inn", "RU_INN", r"[0-9]{12}", checks.ru_inn),
    _rule("th_pin", "TH_TNIN", r"[1-8]-?[0-9]{4}-?[0-9]{5}-?[0-9]{2}-?[0-9]", checks.th_pin),
    _rule("tw_id", "TW_ID", r"[A-Z][1289][0-9]{8}", checks.twid),
    _rule("ua_rntrc", "UA_TAX_NUMBER", r"[0-9]{10}", checks.ua_rntrc),
    _rule("at_vnr", "AT_SOCIAL_SECURITY", r"[1-9][0-9]{3} ?[0-9]{6}", checks.at_vnr),
    _rule("hu_id", "HU_ID", r"[1-8] ?[0-9]{6} ?[0-9]{4}", checks.personal_id_hu),
    _rule("mx_nss", "MX_NSS", r"[0-9]{11}", checks.luhn),
    _rule("passport", PASSPORT, r"[A-Za-z]{0,3}[0-9]{6,9}", None,
          context=("passport", "passeport", "pasaporte", "passaporto", "passaporte", "reisepass",
                   "paszport", "паспорт", "旅券", "护照", "여권")),
    _rule("driver_license", DRIVER_LICENSE, r"[A-Za-z]{0,3}[0-9]{5,13}", None,
          context=("driver license", "driver's license", "drivers license", "driving licence",
                   "führerschein", "permis de conduire", "licencia de conducir", "patente", "dl")),
    _rule("id_number", NATIONAL_ID, r"[A-Za-z]{0,3}[ \-]?[0-9][0-9 \-./]{4,16}[0-9][A-Za-z]?", None,
          context=("ssn", "social security number", "national id", "identity number", "tax id",
                   "national insurance number", "personnummer", "pesel", "codice fiscale", "dni")),
)  # fmt: skip
