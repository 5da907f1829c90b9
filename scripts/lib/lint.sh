# lint.sh - which files the gates look at; sourced by scripts/lint/* after common.sh.
# shellcheck shell=bash

cd "$ROOT" || exit
JOBS=$(nproc)

c_files() {
    find src examples tests bench -name '*.[ch]' | sort
}

c_sources() {
    find src examples tests/unit -name '*.c' | sort
}

# The compiler flags of the build, without what only gcc knows.
compile_flags() {
    make -s flags
}
