"""What a SQLite statement may call and ask: everything else is denied by the authorizer.

Each list is positive, so a newer library cannot widen it. Left out, with the reason:
`load_extension` runs code; `readfile writefile edit` touch files; `fts3_tokenizer` takes a
pointer; `optimize rtreecheck` write or lock; `sqlite_log` writes a log; `fts5 rtreenode
rtreedepth` take raw internal bytes. `randomblob zeroblob` are kept small by the length limit.
"""

from __future__ import annotations


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


FUNCTIONS = (
    # Core scalars.
    _words(
        """
        abs char coalesce concat concat_ws format glob hex ifnull iif if instr last_insert_rowid
        length like likelihood likely lower ltrim max min nullif octet_length printf quote
        random randomblob replace round rtrim sign soundex sqlite_compileoption_get
        sqlite_compileoption_used sqlite_source_id sqlite_version substr substring
        total_changes changes trim typeof unhex unicode unistr unistr_quote unlikely upper match
        zeroblob
        """
    )
    # Dates.
    | _words(
        """
        current_date current_time current_timestamp date datetime julianday strftime time
        timediff unixepoch
        """
    )
    # Mathematics.
    | _words(
        """
        acos acosh asin asinh atan atan2 atanh ceil ceiling cos cosh degrees exp floor ln log
        log10 log2 mod pi pow power radians sin sinh sqrt tan tanh trunc
        """
    )
    # Aggregates and windows.
    | _words(
        """
        avg count group_concat median percentile percentile_cont percentile_disc string_agg sum
        total cume_dist dense_rank first_value lag last_value lead nth_value ntile percent_rank
        rank row_number
        """
    )
    # JSON.
    | _words(
        """
        -> ->> json json_array json_array_insert json_array_length json_error_position
        json_extract json_group_array json_group_object json_insert json_object json_patch
        json_pretty json_quote json_remove json_replace json_set json_type json_valid jsonb
        jsonb_array jsonb_array_insert jsonb_extract jsonb_group_array jsonb_group_object
        jsonb_insert jsonb_object jsonb_patch jsonb_remove jsonb_replace jsonb_set
        """
    )
    # Full-text search results.
    | _words(
        """
        bm25 highlight snippet matchinfo offsets
        """
    )
)

TABLE_FUNCTIONS = frozenset({"json_each", "json_tree", "generate_series"})

BARE_PRAGMAS = _words(
    """
    user_version schema_version encoding foreign_keys compile_options collation_list function_list
    data_version
    """
)
"""Allowed without an argument: they tell nothing of any table."""

TABLE_PRAGMAS = frozenset({"table_info", "table_xinfo", "index_list", "foreign_key_list"})
"""Allowed with a table of which every column may be read."""
