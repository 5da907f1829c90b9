# story.sh - what the demo tells: its own steps with their times, and who said what to whom; sourced.
# shellcheck shell=bash

STEP='' STEP_OUTPUT=$(mktemp)
STORY=()

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

# tell SPEAKER: each line of the input with the milliseconds since the story began. A line may begin with its own
# time (unix milliseconds); else the time is now.
tell() {
    local line at
    while IFS= read -r line; do
        at=$(($(now_us) / 1000))
        if [[ $line =~ ^([0-9]{13})\ (.*)$ ]]; then
            at=${BASH_REMATCH[1]}
            line=${BASH_REMATCH[2]}
        fi
        printf '%7d ms  %-9s %s\n' $((at - STORY_BEGAN)) "$1" "$line"
    done
}

# story_follow SPEAKER FILE FILTER...: tells every line that is added to the file from now on, through a filter.
story_follow() {
    local speaker=$1 file=$2
    shift 2
    : >>"$file"
    tail -n 0 -F "$file" 2>/dev/null 9>&- > >("$@" 9>&- | tell "$speaker" 9>&-) &
    STORY+=($!)
}

# What a machine hears, says and does, from vendsim's JSON lines; bookkeeping fields are left out.
machine_lines() {
    jq -r --unbuffered --arg vm "$1" 'select(.vm == $vm) | "\(.t_ms) \(.what)" + (
        del(.t_ms, .vm, .what, .op, .id, .time, .now_ms, .generation, .ttl_ms, .event_epoch, .journal, .result)
        | to_entries | map("  \(.key) \(.value | tostring)") | add // "")'
}

story_begin() {
    STORY_BEGAN=$(($(now_us) / 1000))
    say "" "The purchase:"
}

story_stop() {
    local pid
    for pid in ${STORY[@]+"${STORY[@]}"}; do
        kill "$pid" 2>/dev/null || true
    done
}
