"""News: append-only rows of ids, one a batch, that reveal works off.

A queue that both sides update would lose ids or deadlock (``data_layer.md`` 4); here writers only append and
one reader at a time takes whole rows away.
"""


def take(table: str, ids: str) -> str:
    """Common table expression ``taken``: the oldest rows up to ``at_once`` ids, but at least one of them."""
    return f"""
WITH counted AS (
    SELECT news_id, sum(cardinality({ids})) OVER (ORDER BY news_id) - cardinality({ids}) AS before
    FROM (SELECT * FROM {table} ORDER BY news_id LIMIT %(at_once)s) oldest
), taken AS (
    DELETE FROM {table} USING counted
    WHERE {table}.news_id = counted.news_id AND before < %(at_once)s
    RETURNING {ids}
)"""


def append(query: str) -> str:
    """Statement that makes the source ids of a query news, in rows of ``at_once`` ids."""
    return f"""
INSERT INTO elasticc2_brokernews (diasource_ids)
SELECT array_agg(diasource_id ORDER BY diasource_id)
FROM (SELECT diasource_id, (row_number() OVER (ORDER BY diasource_id) - 1) / %(at_once)s AS piece
      FROM ({query}) heard) pieces
GROUP BY piece"""
