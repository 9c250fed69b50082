#!/bin/sh
# symbols.sh LIBRARY: fails when an object of the runtime needs a symbol beyond those allowed to it, or has state.
# What generated code calls needs memory functions alone; binding asks for REFORMER_CPU. Threads are two objects that a product may do without: the pool,
# and what calls start for themselves, by way of the pool or of OpenMP, which has one number per thread and asks whose
# process this is. A count of CPUs reads files of the system. Sanitizers bring their own, which says nothing.
set -u
lines=$(nm -A "$1") || exit 1
bad=$(echo "$lines" | awk '
    BEGIN {
        allowed["cpu.c"] = "getenv"
        allowed["pool.c"] = "pthread_[a-z_]+|sched_yield|sig[a-z]+set|getpid"
        allowed["openmp.c"] = "omp_[a-z_]+|GOMP_.*|__kmpc_.*|getpid|__tls_get_addr"
        allowed["cpus.c"] = "open(64)?|read|close|str[a-z]+|sched_getaffinity|__sched_cpucount|sysconf|__errno_location"
    }
    {
        split($1, place, ":")
        file = place[2]
        sub(/[.]o(bj)?$/, "", file)
        kind = $(NF - 1)
        name = $NF
    }
    name ~ /^(_?__|[.]|messages|process_with_workers$|[.]LC)/ && kind ~ /^[bBdDC]$/ { next }
    kind ~ /^[bBdDC]$/ { print file " has the writable data " name }
    kind != "U" { next }
    name ~ /^(reformer_.*|mem(cpy|set|move)|__(asan|ubsan|tsan|sanitizer)_.*|_GLOBAL_OFFSET_TABLE_|__stack_chk_fail)$/ { next }
    (file in allowed) && name ~ "^(" allowed[file] ")$" { next }
    { print file " needs " name }')
[ -z "$bad" ] || { echo "$bad"; exit 1; }
for object in pool.c '(threads|openmp).c' parallel.c cpus.c; do # what is allowed is about these
    echo "$lines" | grep -Eq ":$object[.]o" || { echo "no object $object in $1"; exit 1; }
done
