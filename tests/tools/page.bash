# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2154 # its user sets them
# Runs blocks of commands of a page in throwaway machines. Its user sets repository, build, page (a path in the
# repository) and scratch, and has sourced tools/lib/machine.bash.
declare -A page_owner=() page_name=()

page_fail() {
    echo "${0##*/}: $*" >&2
    exit 1
}

page_end() {
    kill "${page_owner[@]}" 2>/dev/null || true
    wait || true
}

# The block of commands after the comment "test: WHERE", the NUMBERth of these.
page_block() { # WHERE NUMBER
    awk -v mark="<!-- test: $1 -->" -v number="$2" '
        $0 == mark { found++; next }
        found == number && /^```/ { if (inside) exit; inside = 1; next }
        found == number && inside
    ' "$repository/$page"
}

page_boot() { # MACHINE [OPTION...]: of tools/sandbox
    "$repository/tools/sandbox" --build "$build" --keep "${@:2}" </dev/null >"$scratch/$1.log" 2>&1 &
    page_owner[$1]=$!
}

page_is_kept() { # MACHINE
    grep -q 'keeping the machine' "$scratch/$1.log" || ! kill -0 "${page_owner[$1]}" 2>/dev/null
}

page_booted() { # MACHINE...: waits for them
    local machine
    for machine; do
        wait_until 300 page_is_kept "$machine" || page_fail "the $machine does not boot"
        page_name[$machine]=$(sed -n 's/.*--enter \(\S*\) .*/\1/p' "$scratch/$machine.log")
        [[ ${page_name[$machine]} ]] || page_fail "the $machine does not boot: $(<"$scratch/$machine.log")"
    done
}

page_on() { # MACHINE COMMAND...
    timeout 300 "$repository/tools/sandbox" --enter "${page_name[$1]}" -- "${@:2}"
}

# Runs a block as an administrator would type it: the first failure is the end.
page_run() { # MACHINE WHERE NUMBER
    local commands
    commands=$(page_block "$2" "$3")
    [[ $commands ]] || page_fail "$page has no block $3 for $2"
    echo "--- on the $1"
    page_on "$1" env --chdir=/root bash -euxc "$commands" </dev/null 2>&1 | tee "$scratch/output" ||
        page_fail "these commands of $page fail on the $1"
}

page_expect() { # TEXT
    grep -qF -- "$1" "$scratch/output" || page_fail "expected to see: $1"
}
