"""Who may PUT broker messages, and for which brokers."""

from typing import Any

from django.db import connection

# One statement instead of Django's three: a broker may PUT each message by itself.
RIGHTS = """
SELECT u.is_active AND (u.is_superuser OR EXISTS (
           SELECT FROM auth_permission p JOIN django_content_type t ON t.id = p.content_type_id
           WHERE t.app_label = 'accounts' AND p.codename = 'elasticc_broker'
             AND (p.id IN (SELECT permission_id FROM auth_user_user_permissions WHERE user_id = u.id)
                  OR p.id IN (SELECT permission_id FROM auth_group_permissions
                              JOIN auth_user_groups USING (group_id) WHERE user_id = u.id)))),
       ARRAY(SELECT brokername FROM accounts_brokeraccount WHERE user_id = u.id)
FROM auth_user u WHERE u.id = %s"""


def brokers_of(user: Any) -> set[str] | None:
    """The broker names that the account is bound to; None: it may use any.

    Raises
    ------
    PermissionError
        Where it may not PUT broker messages at all.
    """
    with connection.cursor() as cursor:
        cursor.execute(RIGHTS, (user.pk,))
        may, names = cursor.fetchone() or (False, [])
    if not may:
        raise PermissionError("403 Forbidden: this account may not PUT broker messages")
    return set(names) or None
