# story.sh - what the demo tells: its own steps with their times, and who said what to whom; sourced.
# shellcheck shell=bash

STEP='' STEP_OUTPUT=$(mktemp)
STORY=() TELLER=

# step NAME COMMAND...: runs it quietly and tells how long it took. The command is not run in a condition, so that
# a failure anywhere in it ends the script; step_failed then shows what it printed.
step() {
    local began
    STEP=$1
    shift
    began=$(now_us)
    printf '%-20s' "$STEP"
    "$@" >"$STEP_OUTPUT" 2>&1
    printf '%7d ms\n' $((($(now_us) - began) / 1000))
    STEP=
}

# At exit: tells which step was not finished, if any.
step_failed() {
    if [ -n "$STEP" ]; then
        printf '\n'
        cat "$STEP_OUTPUT" >&2
        say "demo: $STEP failed" >&2
    fi
    rm -f "$STEP_OUTPUT"
}

# Input lines are "unix milliseconds, tab, who, tab, what". Those of different speakers that come within 0.1 s of each
# other are put into the order of their times. The count begins with the first call of the integrator.
tell() {
    local part status pending='' zero='' lines=()
    while true; do
        status=0
        IFS= read -r -t 0.1 part || status=$?
        pending+=$part # the pause may come in the middle of a line
        if [ $status -eq 0 ]; then
            lines+=("$pending")
            pending=
            continue
        fi
        if [ ${#lines[@]} -gt 0 ]; then
            while IFS=$'\t' read -r at who what; do
                [[ -z $zero && $what == 'POST /api/lock'* ]] && zero=$at
                printf '%s  %+7d ms  %-24s  %s\n' "$(time_of_day "$at")" $((at - ${zero:-$at})) "$who" "$what"
            done < <(printf '%s\n' "${lines[@]}" | sort -n -s -k1,1)
            lines=()
        fi
        [ $status -gt 128 ] || return 0 # not the pause of 0.1 s: the end
    done
}

time_of_day() {
    printf '%(%H:%M:%S)T.%03d' $(($1 / 1000)) $(($1 % 1000))
}

# What a machine hears, says and does, from vendsim's JSON lines. Its descriptions of itself are no part of a purchase.
machine_lines() {
    jq -r --unbuffered --arg vm "$1" '
        def fields(names): . as $all | names | map(select($all[.] != null) | "\(.)=\($all[.])") | join(" ");
        def line(who; what): "\(.t_ms)\t\(who)\t\(what)";
        ["selection", "withdrawn", "session_ended", "dispensed", "not_dispensed", "interrupted"] as $events
        | select(.vm == $vm)
        | if .what == "event sent" then
            select(.event | IN($events[]))
            | line("machine    -> gateway"; "\(.event) " + fields(["session", "request", "item", "label", "price", "code", "quantity"]))
          elif .what == "event acknowledged" then
            select(.event | IN($events[])) | line("gateway    -> machine"; "PUBACK: \(.event) is on disk")
          elif (.op | IN("lock", "approve", "keys", "deny", "unlock", "query")) then
            line("gateway    -> machine"; "\(.op) " + fields(["session", "request", "timeout_s", "item", "amount", "approval", "n"]))
          elif (.what | test("^(lock|approve|keys|deny|unlock|query) answered$")) then
            line("machine    -> gateway"; "\(.what | split(" ")[0]): \(.result) " + fields(["reason", "state"]))
          elif (.what | IN("motor runs", "goods fell")) then line("machine"; .what)
          else empty end'
}

# The sample integrator's lines begin with their time of day (UTC) and count for themselves.
integrator_lines() {
    local line midnight
    midnight=$(($(date -u -d "$(date -u +%F)" +%s) * 1000))
    while IFS= read -r line; do
        if [[ $line =~ ^([0-9]{2}):([0-9]{2}):([0-9]{2})\.([0-9]{3})\ +(\+[0-9]+\ ms)?\ *([^ ].{23})\ *(.*)$ ]]; then
            local seconds=$(((10#${BASH_REMATCH[1]} * 60 + 10#${BASH_REMATCH[2]}) * 60 + 10#${BASH_REMATCH[3]}))
            printf '%s\t%s\t%s\n' $((midnight + seconds * 1000 + 10#${BASH_REMATCH[4]})) \
                "${BASH_REMATCH[6]}" "${BASH_REMATCH[7]}"
        elif [ -n "$line" ]; then
            printf '%s\t%s\t%s\n' $(($(now_us) / 1000)) "integrator" "$line"
        fi
    done
}

# story_follow FILE FILTER...: tells every line that is added to the file from now on, through a filter.
story_follow() {
    local file=$1
    shift
    : >>"$file"
    tail -n 0 -F --pid $$ "$file" > >(exec 9>&- && "$@" >&8) 2>/dev/null 8>&- 9>&- &
    STORY+=($!)
}

# What is told also goes to $SANDBOX/story.
story_begin() {
    say "" "The purchase:"
    exec 8> >(exec 8>&- 9>&- && tell | tee "$SANDBOX/story")
    TELLER=$!
}

# story_told PATTERN: whether it was told already.
story_told() {
    grep -qE "$1" "$SANDBOX/story" 2>/dev/null
}

# Ends the followers; the teller then ends by itself.
story_stop() {
    local pid
    for pid in ${STORY[@]+"${STORY[@]}"}; do
        kill "$pid" 2>/dev/null || true
    done
    if [ -n "$TELLER" ]; then
        exec 8>&-
    fi
}
