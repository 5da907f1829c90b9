/* tool_callback_terms.h - what the SQL of vendctl's callback commands shares. Internal to store/.
 *
 * Laid out by hand: SQL is read by its own lines. */
#ifndef VENDGATE_STORE_TOOL_CALLBACK_TERMS_H
#define VENDGATE_STORE_TOOL_CALLBACK_TERMS_H

// clang-format off

/* "30m", "24h", "7d" before now, or a time that PostgreSQL reads. */
#define TOOL_TIME(n)                                                                               \
    "(CASE WHEN " n "::text ~ '^[0-9]+[mhd]$' THEN now() - " n "::text::interval ELSE " n "::text::timestamptz END)"

#define MADE_FROM_TO(since, until)                                                                 \
    " AND (" since "::text IS NULL OR c.created_at >= " TOOL_TIME(since) ")"                       \
    " AND (" until "::text IS NULL OR c.created_at < " TOOL_TIME(until) ")"

/* Attempts `a` of callback `c`: not older than it is and not of the future, which spares the other days' partitions. */
#define ATTEMPT_OF(c)                                                                              \
    "a.callback_id = " c ".callback_id AND a.started_at >= " c ".created_at - interval '1 day' AND a.started_at < now() + interval '1 day'"
/* What became of callback `c` last. */
#define LAST_FATE                                                                                  \
    "(SELECT a.fate FROM callback_attempt a WHERE " ATTEMPT_OF("c") " AND a.fate <> 'pending'"     \
    "    ORDER BY a.started_at DESC, a.number DESC LIMIT 1)"

/* Of row `q` of the queue and its endpoint `e`. */
#define QUEUE_STATE                                                                                \
    "CASE WHEN q.parked THEN 'parked' WHEN e.held_at IS NOT NULL THEN 'held' ELSE 'waiting' END"

// clang-format on

#endif
