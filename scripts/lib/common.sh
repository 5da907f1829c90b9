# common.sh - what every script of this folder needs; sourced, never run.
# shellcheck shell=bash
set -euo pipefail
shopt -s inherit_errexit

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)
# What running things leave in the clone; tests put it elsewhere.
VAR=${VENDGATE_VAR:-$ROOT/var}

# Each argument is a line.
say() {
    printf '%s\n' "$@"
}

die() {
    printf '%s: %s\n' "$(basename "$0")" "$*" >&2
    exit 1
}

# Monotonic enough for durations that people read; microseconds.
now_us() {
    printf '%s' "${EPOCHREALTIME/[.,]/}"
}

# Runs a command as root: directly, or through sudo.
as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo "$@"
    else
        die "needs root: run it as root, install sudo, or run yourself as root: $*"
    fi
}

# A process is named by its id and its start time, so that a reused id is not taken for it.
process_name() {
    local pid=$1 stat
    stat=$(cat "/proc/$pid/stat" 2>/dev/null) || return 1
    stat=${stat##*) }
    # shellcheck disable=SC2086 # the fields are meant to be split
    set -- $stat
    printf '%s:%s' "$pid" "${20}"
}

# process_alive NAME: whether the process that process_name() once named still runs.
process_alive() {
    [ -n "$1" ] && [ "$(process_name "${1%%:*}" || true)" = "$1" ]
}
