#!/bin/sh
# archive_command: keeps one finished WAL segment. $1: its path, $2: its name, $3: kilobytes that must stay free.
# Exit 0 tells the server that it may forget the segment; anything else makes it try again later.
# A segment appears under its name only when it is whole and on the disk, so a death anywhere leaves nothing half.
kept="$(dirname "$0")/wal"
[ -d "$kept" ] || exit 0 # no base backup has begun: there is nothing yet that WAL could be applied to
if [ -e "$kept/$2" ]; then
    exec cmp -s "$1" "$kept/$2" # the same again is fine (a death before the server noted it), another one never
fi
free=$(df -Pk "$1" | awk 'NR == 2 { print $4 }')
if [ "${free:-0}" -lt "$3" ]; then
    echo "$2" >>"$kept/given_up" # the server goes before its copy: held back, WAL would fill its disk and stop it
    exit 0
fi
cp --sparse=always "$1" "$kept/.$2.part" 2>/dev/null || cp "$1" "$kept/.$2.part" || exit 1
sync "$kept/.$2.part" && mv "$kept/.$2.part" "$kept/$2" && sync "$kept"
