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

# Each line with the milliseconds since the story began and its speaker.
tell() {
    local line
    while IFS= read -r line; do
        printf '%7d ms  %-11s %s\n' $((($(now_us) - STORY_BEGAN) / 1000)) "$1" "$line"
    done
}

# story_follow SPEAKER FILE: tells every line that is added to the file from now on.
story_follow() {
    : >>"$2"
    tail -n 0 -F "$2" 2>/dev/null 9>&- > >(tell "$1" 9>&-) &
    STORY+=($!)
}

story_begin() {
    STORY_BEGAN=$(now_us)
    say "" "The purchase:"
}

story_stop() {
    local pid
    for pid in ${STORY[@]+"${STORY[@]}"}; do
        kill "$pid" 2>/dev/null || true
    done
}
