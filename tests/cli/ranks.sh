#!/bin/sh
# Processes that train together: the order of their sums, and that none outlives another. Without MPI, what is said of that.
. "$(dirname "$0")/lib.sh"
RANKS=${10:?ranks}
check alone 0 '' "$RANKS" sum
equal alone "$(cat .out)" 'rank 0 of 1'
if [ "${11}" != TRUE ]; then
    check 'no MPI' 1 'mpirun started 2 processes, and this reformerc was built without MPI' env PMI_SIZE=2 "$RANKS" sum
    finish
    exit $?
fi
command -v mpirun >/dev/null || { finish; exit $?; }
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
together() { n=$1; shift; timeout 300 mpirun --oversubscribe -n "$n" "$@"; }
for n in 2 3; do
    check "$n ranks" 0 '' together $n "$RANKS" sum
    equal "$n ranks" "$(sort .out | tr '\n' ' ')" "$(seq -f "rank %g of $n" 0 $((n - 1)) | tr '\n' ' ')"
done
for end in lost failed; do
    name="a $end rank"
    checks=$((checks + 1))
    before=$(date +%s)
    together 3 "$RANKS" $end >.out 2>.err </dev/null
    code=$?
    took=$(($(date +%s) - before))
    if [ $code -eq 0 ] || [ $code -eq 124 ]; then fail "exit $code"; fi
    [ $took -lt 50 ] || fail "the others ended after $took s"
    if grep -q 'went on' .out; then fail 'the others went on'; fi
done
finish
