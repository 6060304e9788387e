# shellcheck shell=sh
# For scripts that download Debian's packages, with `set -eu` and in a directory of their own. Nothing
# is installed.

# real NAME PREFIX: prints the package that NAME, an empty one, depends on and whose name begins with
# PREFIX.
real() {
    found=$(apt-cache depends "$1" 2> /dev/null | sed -n "s/.*Depends: \\($2[^ ]*\\)\$/\\1/p" | head -n 1)
    [ -n "$found" ] || { echo "${0##*/}: apt knows of no $1; try apt-get update" >&2; exit 1; }
    echo "$found"
}

# fetch WHAT PACKAGE...: says that WHAT is fetched, with a dot a second, until the packages are here. As
# root apt wants to drop to a user who cannot write here, and warns; that is fine.
fetch() {
    printf 'fetching %s ' "$1"
    shift
    apt-get -qq download "$@" > apt.log 2>&1 &
    loading=$!
    trap 'kill "$loading" 2> /dev/null; exit 1' INT TERM HUP
    while kill -0 "$loading" 2> /dev/null; do
        sleep 1
        printf .
    done
    trap - INT TERM HUP
    echo
    wait "$loading" && return
    cat apt.log >&2
    echo "${0##*/}: apt-get failed; \"404\" or \"Unable to locate\" means that its lists are old: try apt-get update" >&2
    exit 1
}
