#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# recovery.sh DIRECTORY [PRIVATE_KEY [ARCHIVE]]: puts what a rescue archive has into a directory. Needs age and tar, and
# openssl for archives of the Python agent.
set -eu
umask 077

usage() {
    cat <<'END'
Usage: recovery.sh DIRECTORY [PRIVATE_KEY [ARCHIVE]]

Puts what dcm-agentctl scrub has removed and saved into DIRECTORY, which is made.
PRIVATE_KEY is the file of the private key, of age or SSH, that belongs to the
key by which the archive was encrypted. ARCHIVE is the rescue archive; without
it, what was unpacked of it lies beside this script. Archives of the Python
agent are opened, too; only these may be unencrypted, and need no key.

Exit status: 0 done, 1 failed, 2 wrong usage.
END
}

die() { # STATUS TEXT
    echo "recovery.sh: $2" >&2
    exit "$1"
}

need() {
    command -v "$1" >/dev/null || die 1 "there is no $1; install it"
}

# Each part of a pipe must have succeeded: a decryption that ends early would else pass for a short archive.
unpack() { # COMMAND...
    rm -f "$scratch/failed"
    {
        "$@" || : >"$scratch/failed"
    } | tar -xpf - -C "$destination" || : >"$scratch/untarred"
    [ ! -e "$scratch/failed" ] || die 1 "the archive cannot be decrypted; is this the right key, and the archive whole?"
    [ ! -e "$scratch/untarred" ] || die 1 "the archive cannot be unpacked"
}

member() { # NAME
    if [ -f "$archive" ]; then
        tar -xOf "$archive" "$1"
    else
        cat -- "$archive/$1"
    fi
}

has() { # NAME
    if [ -f "$archive" ]; then
        tar -tf "$archive" | grep -qx "\(\./\)\?$1"
    else
        [ -e "$archive/$1" ]
    fi
}

new() {
    need age
    [ "$key" ] || die 2 "the archive is encrypted; give the private key"
    if [ -f "$archive" ]; then
        tar -xOf "$archive" data.age
    else
        cat -- "$archive/data.age"
    fi | age --decrypt --identity "$key"
}

# AES-256-CBC; its password is encrypted by the owner's RSA key. OpenSSL took MD5 then.
former() {
    need openssl
    [ "$key" ] || die 2 "the archive is encrypted; give the private key"
    member key >"$scratch/key"
    openssl pkeyutl -decrypt -inkey "$key" -pkeyopt rsa_padding_mode:pkcs1 -in "$scratch/key" -out "$scratch/password" ||
        die 1 "the key does not open the archive"
    member data.enc >"$scratch/data"
    openssl enc -d -aes-256-cbc -md md5 -pass "file:$scratch/password" -in "$scratch/data" 2>"$scratch/words" |
        gzip -dc || {
        cat "$scratch/words" >&2
        return 1
    }
}

plain() {
    member data.enc | gzip -dc
}

case ${1-} in
-h | --help) usage && exit 0 ;;
-*) usage >&2 && exit 2 ;;
esac
if [ $# -lt 1 ] || [ $# -gt 3 ]; then
    usage >&2
    exit 2
fi
destination=$1 key=${2-} archive=${3:-$(dirname -- "$0")}
[ ! "$key" ] || [ -r "$key" ] || die 2 "$key cannot be read"
[ -e "$archive" ] || die 2 "there is no $archive"
need tar
mkdir -p -- "$destination"
scratch=$(mktemp -d)
trap 'rm -rf -- "$scratch"' EXIT
trap 'exit 1' HUP INT TERM
if has data.age; then
    unpack new
elif has data.enc && has key; then
    unpack former
elif has data.enc; then
    unpack plain
else
    die 1 "$archive has no data.age and no data.enc: it is no rescue archive"
fi
echo "What was saved is in $destination."
