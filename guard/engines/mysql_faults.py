"""What an error of MySQL or MariaDB means, by its number. The server's words are never passed on.

https://mariadb.com/kb/en/mariadb-error-code-reference/,
https://dev.mysql.com/doc/mysql-errors/8.4/en/server-error-reference.html
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from typing import Literal

import pymysql

from guard.engines import faults
from guard.engines.child.faults import Fault, FaultCode
from guard.errors import GuardError, PasswordNeeded, SourceUnavailable

Code = FaultCode | Literal["login", "unreachable"]
"""`login` is a user, password or database the server does not take; `unreachable` a server that is
not there, or went away."""

_NUMBERS: Mapping[Code, str] = {
    "syntax": "1064 1065 1149 1582 1583 1584 1630 3685 3692",
    "no_such_name": "1051 1054 1091 1109 1128 1146 1176 1305 1327 1347 1449 1615 4161",
    "meaning": "1052 1055 1056 1057 1060 1066 1110 1111 1120 1121 1140 1210 1221 1222 1237 1241 "
    "1242 1247 1248 1250 1253 1267 1270 1271 1273 1302 1351 3027 3065 3593 4015 4016",
    "types": "1265 1292 1300 1366 1367 1411 1441 1525 1527 3037 3140 3141 3143 3144 3146 3150 4038 "
    "4078 4079",
    "arithmetic": "1264 1365 1690",
    "not_allowed": "1044 1095 1103 1132 1142 1143 1144 1145 1148 1223 1227 1290 1356 1370 1410 "
    "1419 1465 1568 1698 1766 1792 1836 1873 1959 3118 3530 3948 4166",
    "not_supported": "1178 1235 1282 1286 1293 1295 1314 1336 1422",
    "value_too_large": "1153 1162 1260 1301 3166 3635",
    "memory": "1037 1038 1041 1114 1436",
    "interrupted": "1028 1317 1969 3024",
    "busy": "1020 1040 1099 1203 1205 1213 1226 1412 1614 3572",
    "constraint": "1022 1048 1062 1169 1216 1217 1364 1406 1451 1452 1557 1586 1761 1762 3819 4025",
    "login": "1045 1049 1130 1251 1820 1862 3955",
    "unreachable": "1053 1077 1079 1080 1152 1158 1159 1160 1161 1184 1927 2002 2003 2005 "
    "2006 2012 2013 2014 2026 2055",
    "damaged": "1034 1035 1194 1195 1712 1877",
}
_CODES: Mapping[int, Code] = {
    int(number): code for code, numbers in _NUMBERS.items() for number in numbers.split()
}
_MEMORY = "max-session-mem-used"
"""MariaDB has no number of its own for a session past its memory: 1290 names the option."""


def number_of(error: pymysql.err.MySQLError) -> int:
    """Returns the error's number, 0 where it has none."""
    first = error.args[0] if error.args else 0
    return first if isinstance(first, int) else 0


def code_of(error: pymysql.err.MySQLError) -> Code:
    """Returns what the error means."""
    number = number_of(error)
    if number == 1290 and _MEMORY in str(error):
        return "memory"
    found = _CODES.get(number)
    if found is not None:
        return found
    lost = isinstance(error, pymysql.err.InterfaceError) or 2000 <= number < 3000
    return "unreachable" if lost else "engine"


def to_error(
    error: pymysql.err.MySQLError | Fault, source: str, *, password: bool = True
) -> GuardError:
    """Returns what to raise for an error. It names the source and nothing the source holds.

    `password` is false where the login came without one.
    """
    why = None if isinstance(error, Fault) else _distrust(error)
    if why is not None:
        return faults.distrusted(why, source)
    code = error.code if isinstance(error, Fault) else code_of(error)
    if code == "login":
        denied = not isinstance(error, Fault) and number_of(error) == _DENIED
        kind = PasswordNeeded if denied and not password else SourceUnavailable
        return kind(
            f"The server of {source} does not take the login, or does not know the database. Check "
            "the secret that holds its address, and the grants."
        )
    if code == "unreachable":
        return SourceUnavailable(
            f"The server of {source} cannot be reached, or ended the connection. Nothing was "
            "changed; try again in a moment."
        )
    return faults.to_error(code, source)


_DENIED = 1045
_NO_TLS = 2026
_WRONG_NAME = (62, 64)
"""OpenSSL's X509_V_ERR_HOSTNAME_MISMATCH and X509_V_ERR_IP_ADDRESS_MISMATCH."""


def _distrust(error: pymysql.err.MySQLError) -> faults.Distrust | None:
    cause = getattr(error, "original_exception", None)
    if isinstance(cause, ssl.SSLCertVerificationError):
        return "name" if cause.verify_code in _WRONG_NAME else "authority"
    return "plain" if number_of(error) == _NO_TLS else None
