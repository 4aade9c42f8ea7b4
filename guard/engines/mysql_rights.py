"""What a login of MySQL or MariaDB may do, as the server itself lists it."""

from __future__ import annotations

import re

from guard.engines.mysql_session import Session, quoted

_READS = frozenset({"SELECT", "SHOW VIEW", "USAGE"})
_PUBLIC_SINCE = (10, 11)


def excess(session: Session, role: str | None) -> frozenset[str]:
    """Returns the rights beyond reading that the login holds, or one of its roles."""
    return held(session, role) - _READS


def may_call(session: Session) -> bool:
    """True when the login may call somebody's stored functions."""
    return not held(session, None).isdisjoint({"EXECUTE", "ALL PRIVILEGES"})


def held(session: Session, role: str | None) -> frozenset[str]:
    """Returns the rights that the login holds on anything, or one of its roles.

    What PUBLIC holds everybody holds, and SHOW GRANTS for a login does not say it. Without a name
    it tells what the roles in use hold too.
    """
    asked = ["SHOW GRANTS" if role is None else f"SHOW GRANTS FOR {quoted(role)}"]
    if _has_public(session):
        asked.append("SHOW GRANTS FOR PUBLIC")
    lines = [line or "" for show in asked for (line,) in session.texts(show)]
    return frozenset(right for line in lines for right in _rights(line))


def _has_public(session: Session) -> bool:
    """MariaDB grants to everybody since 10.11: https://mariadb.com/kb/en/grant/#grant-to-public."""
    ((version,),) = session.texts("SELECT VERSION()")
    number = re.match(r"(\d+)\.(\d+)", version or "")
    return session.is_mariadb and (
        number is None or (int(number[1]), int(number[2])) >= _PUBLIC_SINCE
    )


def _rights(line: str) -> set[str]:
    """Returns the rights that one line of SHOW GRANTS gives; a role that is granted is none."""
    plain = re.sub(r"`(?:[^`]|``)*`|'(?:[^']|'')*'", "``", line)
    given = re.match(r"GRANT (.*?) ON ", plain)
    rights = (
        set()
        if given is None
        else {part.strip() for part in re.sub(r"\([^)]*\)", "", given[1]).split(",")}
    )
    if "WITH GRANT OPTION" in plain or "WITH ADMIN OPTION" in plain:
        rights.add("GRANT OPTION")
    return rights
