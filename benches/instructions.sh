#!/usr/bin/env bash
# Counts the instructions of reading and rendering a page of a thousand instances, and of only passing over it.
set -euo pipefail
cd "$(dirname "$0")/.."
command -v valgrind >/dev/null || { echo "make instructions: valgrind is needed" >&2; exit 1; }
program=$(cargo bench --locked --bench instructions --no-run --message-format json 2>/dev/null |
    sed -n 's/.*"executable":"\([^"]*instructions[^"]*\)".*/\1/p')
for counted in counted_page counted_skip; do
    # Cache lines and branches are of the machine; instructions are of the program.
    total=$(valgrind --tool=callgrind --callgrind-out-file="target/callgrind.$counted" --toggle-collect="*$counted*" \
        "$program" 2>&1 | sed -n 's/.*Collected : \([0-9]*\).*/\1/p')
    echo "$counted $total"
done
