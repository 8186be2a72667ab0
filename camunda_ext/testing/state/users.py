"""
The users of an engine that requires credentials.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from typing import Any, Final

from camunda_ext.testing._errors import EngineError
from camunda_ext.testing.state.store import Row, Transaction

#: How long a user is locked after the first wrong password, in milliseconds. It is doubled after
#: each further one, up to `_LONGEST_LOCK`.
_FIRST_LOCK: Final = 3_000
_LONGEST_LOCK: Final = 60_000
_MOST_ATTEMPTS: Final = 10


#: The rounds of hashing: few, as each request has the password, but not one, as a test may use a
#: real password.
_ROUNDS: Final = 2_000


def _digest(password: str, salt: str) -> str:
    content = password.encode("utf-8", "surrogatepass")
    return salt + hashlib.pbkdf2_hmac("sha256", content, salt.encode("ascii"), _ROUNDS).hex()


def _is_of(password: str, digest: str) -> bool:
    return hmac.compare_digest(digest, _digest(password, digest[:_SALT]))


#: How many characters a salt has.
_SALT: Final = 32


def create(tx: Transaction, name: str, password: str, *, all_rights: bool) -> None:
    """
    Add a user, or replace the one of that name.
    """
    tx.run(
        "INSERT OR REPLACE INTO user (id, password, all_rights) VALUES (?, ?, ?)",
        name,
        _digest(password, secrets.token_hex(_SALT // 2)),
        all_rights,
    )


def forget_administrators(tx: Transaction) -> None:
    """
    Remove the users with all rights, which an earlier engine may have left in the same file.
    """
    tx.run("DELETE FROM user WHERE all_rights")


def delete(tx: Transaction, name: str) -> None:
    """
    Remove a user.
    """
    tx.run("DELETE FROM user WHERE id = ?", name)


def authenticate(tx: Transaction, authorization: str | None) -> Row | None:
    """
    The user of an ``Authorization`` header; ``None`` if the header is absent, or its user or
    password is wrong.

    After a wrong password the user is locked for a while, so that the right one is refused as well.
    """
    credentials = _basic(authorization)
    if credentials is None:
        return None
    name, password = credentials
    user = tx.row("SELECT * FROM user WHERE id = ?", name)
    if user is None or tx.now < user["locked_until"] or user["attempts"] >= _MOST_ATTEMPTS:
        return None
    if _is_of(password, user["password"]):
        if user["attempts"]:
            tx.run("UPDATE user SET attempts = 0, locked_until = 0 WHERE id = ?", name)
        return user
    locked = min(_FIRST_LOCK << user["attempts"], _LONGEST_LOCK)
    tx.run(
        "UPDATE user SET attempts = attempts + 1, locked_until = ? WHERE id = ?",
        tx.now + locked,
        name,
    )
    return None


def _basic(authorization: str | None) -> tuple[str, str] | None:
    scheme, _, encoded = (authorization or "").partition(" ")
    if scheme != "Basic":
        return None
    try:
        decoded = base64.b64decode(f"{encoded}==").decode()  # Padding is optional, as in Camunda.
    except ValueError:
        return None
    name, colon, password = decoded.partition(":")
    return (name, password) if colon else None


def missing_rights(user: str, task: Row) -> EngineError:
    """
    The error of a command on a task by a user without rights.
    """
    missing = [
        _right("UPDATE", "ProcessInstance", task["instance_id"]),
        _right("UPDATE_INSTANCE", "ProcessDefinition", task["definition_key"]),
    ]
    words = " or ".join(
        f"'{right['permissionName']}' permission on resource '{right['resourceId']}' of type "
        f"'{right['resourceName']}'"
        for right in missing
    )
    return EngineError(
        403,
        "AuthorizationException",
        f"The user with id '{user}' does not have one of the following permissions: {words}",
        0,
        userId=user,
        resourceName=None,
        resourceId=None,
        permissionName=None,
        missingAuthorizations=missing,
    )


def _right(permission: str, resource: str, resource_id: str) -> dict[str, Any]:
    return {"permissionName": permission, "resourceName": resource, "resourceId": resource_id}
