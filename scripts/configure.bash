# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# Shared by the scripts runConfigurationManagement-TYPE, which dcm-configure(8) runs. Source it after common.bash.
umask 077
PATH=/usr/local/sbin:/usr/local/bin:$PATH

# what a script may write for the reply: a JSON object
# shellcheck disable=SC2034 # for scripts
readonly summary_file=${DCM_CONFIGURE_SUMMARY-}

# The argument, or nothing where the request did not have it.
given() { # ARGUMENT
    [[ $1 == NULL ]] || printf %s "$1"
}

# Puts the first program that is there in `found`.
find_program() { # PROGRAM...
    local name
    for name; do
        found=$(type -P "$name") || found=
        [[ ! $found ]] || return 0
    done
    return 1
}

# The same, where the program is missing installed by the package manager, if the policy allows that; whatever happens,
# `reason` says why it is not there. No script comes from the network: a package has a signature.
find_or_install() { # PACKAGE PROGRAM...
    local package=$1 reply
    shift
    reason=
    ! find_program "$@" || return 0
    if [[ $dry_run ]]; then
        reason="; a dry run installs nothing"
        return 1
    fi
    reply=$(printf '{"packages": ["%s"]}' "$package" | "${DCM_BASEDIR:-/usr/lib/dcm-agent}/dcm-package" install-tools) || true
    ! find_program "$@" || return 0
    reply=${reply##*\"error_message\":\"}
    # shellcheck disable=SC2034 # for scripts
    reason=" ($package was not installed: ${reply%%\"*})"
    return 1
}

# A file of the request takes its place in one step, with the owner of the directory.
put_in_place() { # SOURCE TARGET MODE
    local directory=${2%/*}
    install -d -m 0755 -- "$directory" &&
        install -m "$3" -- "$1" "$2.new" &&
        chown --reference="$directory" -- "$2.new" &&
        mv -T -- "$2.new" "$2"
}
