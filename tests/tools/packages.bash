# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# Shared by test-deb and test-rpm: versions of the packages that do not work, repositories, the machines.
# shellcheck disable=SC2154 # share and repository come from there
export GNUPGHOME=$share/gnupg

# Programs in the place of dcm-agentd, for the two.
# shellcheck disable=SC2034
readonly program_broken='#!/bin/sh
exit 1'
# shellcheck disable=SC2034
readonly program_schema='#!/bin/sh
/usr/bin/sqlite3 /var/lib/dcm-agent/requests.db "PRAGMA user_version = 999"
exit 1'

make_key() {
    mkdir -m 0700 "$GNUPGHOME"
    gpg --batch --quiet --passphrase '' --quick-generate-key test@example.org
}

make_repository() { # OUTPUT DIRECTORY...
    local output=$1 directory
    shift
    for directory; do
        "$repository/tools/package" repository --key test@example.org --packages "$directory" --output "$share/$output"
    done
}

run_tests() { # KIND TEST [BASH-CODE]
    # shellcheck disable=SC2016 # for the shell inside
    "$repository/tools/sandbox" --no-build --setenv DCM_PACKAGES="$1" --setenv DCM_VERSIONS="${versions-}" --share "$share" -- bash -euc '
        eval "$2"
        exec /usr/bin/python3 -m pytest -q -p no:cacheprovider --no-header --tb=short "$1"' bash "$repository/tests/tools/$2" "${3-}"
}
