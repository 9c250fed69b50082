#!/bin/sh
# symbols.sh LIBRARY: fails when the runtime needs a symbol beyond those allowed.
# Workers need to notice a fork: one number per thread, and whose process this is. Binding asks for REFORMER_CPU.
# Sanitizers bring their own, which says nothing about the runtime.
set -eu
needed=$(nm -u "$1" | awk '$1 == "U" { print $2 }' | sort -u |
         grep -v -E '^(reformer_|mem(cpy|set|move)$|getpid$|getenv$|__tls_get_addr$|omp_|GOMP_|__kmpc_|__(asan|ubsan|tsan|sanitizer)_|_GLOBAL_OFFSET_TABLE_$|__stack_chk_fail$)' ||
         true)
globals=$(nm "$1" | awk '$2 ~ /^[bBdDC]$/ && $3 !~ /^(_?__|\.|messages|process_with_workers$|\.LC)/ { print $3 }')
if [ -n "$needed$globals" ]; then
    echo "the runtime uses: $needed"
    echo "the runtime's writable data: $globals"
    exit 1
fi
