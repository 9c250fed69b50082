#!/bin/sh
# reformerc inside of other CMake projects, by reformerc_add_model(). consumer/ is such a project: two models, eight threads.
#   package.sh PART CMAKE BUILD SOURCE WORK CC LAUNCHER GENERATOR
# PART: installed   from an installed reformerc in a folder with a blank, moved after it was installed: builds and runs, what
#                   depends on what, a program built with the runtime's sources says the same, what is refused
#       cross       for aarch64, by the installed compiler and sources, under qemu
#       checked     eight threads under ThreadSanitizer, the runtime's sources included, and under valgrind
#       sources     add_subdirectory and FetchContent, from a folder with blanks, by the compiler that was built already
#       built       the same where all is built from the sources, for this machine and (host compiler) for aarch64
#       deb         the package that cpack makes: what it depends on, holds and leaves behind; a project builds with it
set -u
part=$1 cmake=$2 build=$3 source=$4 work=$5 cc=$6 launcher=$7
CMAKE_GENERATOR=$8
export CMAKE_GENERATOR
fails=0
fail() { echo "FAIL $*"; fails=$((fails + 1)); }
must() { "$@" >out 2>err || { fail "$*"; tail -n 30 out err; }; }
# CMake wraps messages where paths have them wrap.
says() { { cat out err; cat out err | tr -s ' \n' ' '; } | grep -Eq -e "$1" || { fail "nothing says '$1'"; tail -n 20 out err; }; }
says_not() { if cat out err | grep -Eq -e "$1"; then fail "something says '$1'"; tail -n 20 out err; fi; }

rm -rf "$work" && mkdir -p "$work/with a blank" && cd "$work" || exit 1
cp -r "$source/tests/package/consumer" consumer
prefix="$work/with a blank/moved"
# No build type and -O1: compilers are quick so, and what the function adds to Debug is not there.
configure() { # BUILD_FOLDER OPTION…
    folder=$1
    shift
    must "$cmake" -S consumer -B "$folder" -DCMAKE_BUILD_TYPE=None -DCMAKE_C_FLAGS=-O1 -DCONSUMER_TARGETS=native \
        -DCMAKE_C_COMPILER="$cc" -DCMAKE_C_COMPILER_LAUNCHER="$launcher" "$@"
}
would_do() { # what building FOLDER would do
    must "$cmake" --build "$1" -- -n
}
install() {
    must "$cmake" --install "$build" --prefix "$work/first"
    mv first "$prefix"
}
run() { # FOLDER
    must "$1/consumer"
    [ "$(wc -l <out)" -eq 43 ] || fail "$1 prints $(wc -l <out) numbers"
}

has_modules() { # PREFIX: all that were built
    for module in "$build"/lib*/reformerc/*.so; do
        [ ! -e "$module" ] || [ -s "$1/${module#"$build"/}" ] || fail "$1 lacks ${module#"$build"/}"
    done
}

installed() {
    install
    has_modules "$prefix"
    configure b -DCMAKE_PREFIX_PATH="$prefix"
    must "$cmake" --build b
    run b
    cp out want
    [ "$(sort -u want | wc -l)" -gt 40 ] || fail 'the numbers are no logits'

    # ---- links of the pages lead somewhere ----
    pages="$prefix/share/doc/reformerc"
    links=0
    for page in "$pages"/README.md "$pages"/docs/*.md; do
        for target in $(awk '/^```/ { code = !code; next } !code' "$page" | tr '\n' ' ' | grep -o '\](<*[^) ]*)' |
            sed 's/^](<*//; s/>*)$//; s/#.*//' | grep -v '^https*:'); do
            links=$((links + 1))
            [ -e "$(dirname "$page")/$target" ] || fail "$page: a link to $target"
        done
    done
    [ $links -gt 50 ] || fail "only $links links were found"

    # ---- what depends on what ----
    would_do b
    says_not 'Compiling|Building|Linking'
    touch consumer/first.yaml
    would_do b
    says 'Compiling first.yaml'
    says_not 'Compiling second.yaml'
    must "$cmake" --build b
    touch "$prefix/bin/reformerc"
    would_do b
    says 'Compiling first.yaml'
    says 'Compiling second.yaml'

    # ---- weights of a file; where they go; runtime from its sources, under flags of the project's own ----
    must "$prefix/bin/reformerc" pack consumer/first.yaml --weights random:1 -o consumer/w.safetensors
    printf '\2\0\0\0\0\0\0\0{}' >consumer/r.safetensors # no rotations but those that are drawn
    sed -i 's|WEIGHTS random:1|WEIGHTS w.safetensors WEIGHTS_DIRECTORY "models of mine" OPTIONS --rotations "${CMAKE_SOURCE_DIR}/r.safetensors"|' \
        consumer/CMakeLists.txt
    configure own -DCMAKE_PREFIX_PATH="$prefix" -DREFORMERC_RUNTIME_FROM_SOURCES=ON -DCMAKE_C_FLAGS='-O1 -ffast-math'
    must "$cmake" --build own
    run own
    cmp -s out want || fail 'with the runtime from its sources the program says something else'
    [ -s "own/models of mine/first.weights" ] || fail 'the weights are not where WEIGHTS_DIRECTORY says'
    [ ! -e own/reformerc/first/first.weights ] || fail 'the weights are in two places'
    touch consumer/w.safetensors
    would_do own
    says 'Compiling first.yaml'
    says_not 'Compiling second.yaml'
    must "$cmake" --build own
    touch consumer/r.safetensors # which the rule knows that reformerc wrote
    would_do own
    says 'Compiling first.yaml'
    says_not 'Compiling second.yaml'

    # ---- what is refused ----
    for row in 'SPEC missing.yaml|SPEC .*missing.yaml does not exist' 'WEIGHTS random|SPEC is missing' \
        'SPEC first.yaml WEIGHTS none.st|WEIGHTS .*none.st does not exist' 'SPEC first.yaml EMBED_WEIGHTS|needs WEIGHTS' \
        'SPEC first.yaml TARGET v3|unknown arguments: TARGET;v3' 'SPEC first.yaml WEIGHTS|no value: WEIGHTS' \
        'SPEC first.yaml|generated code is C'; do
        mkdir -p bad
        cp consumer/first.yaml bad
        language=C
        case $row in *'generated code is C') language=CXX ;; esac
        printf 'cmake_minimum_required(VERSION 3.25)\nproject(bad %s)\nfind_package(reformerc 0.1 CONFIG REQUIRED)\n%s\n' \
            $language "reformerc_add_model(m ${row%%|*})" >bad/CMakeLists.txt
        rm -rf bad/b
        if "$cmake" -S bad -B bad/b -DCMAKE_PREFIX_PATH="$prefix" -DCMAKE_C_COMPILER="$cc" >out 2>err; then
            fail "taken: ${row%%|*}"
        fi
        # messages are wrapped
        tr -s ' \n' ' ' <err | grep -Eq -e "${row##*|}" || { fail "not said: ${row##*|}"; cat err; }
    done
    # an error of the compiler's fails the build, and leaves nothing behind
    sed -i 's/num_buckets: 4/num_buckets: five/' consumer/first.yaml
    "$cmake" --build b >out 2>err && fail 'a wrong spec builds'
    says 'first.yaml:[0-9]+:[0-9]+: error'
}

checked() {
    install
    configure watched -DCMAKE_PREFIX_PATH="$prefix" -DREFORMERC_RUNTIME_FROM_SOURCES=ON \
        -DCMAKE_C_FLAGS='-O1 -g -fsanitize=thread'
    must "$cmake" --build watched
    must env TSAN_OPTIONS=exitcode=9 watched/consumer
    cp out want
    command -v valgrind >/dev/null || { echo 'no valgrind'; exit 77; }
    levels=x86-64,x86-64-v3 # the most that valgrind knows
    [ "$(uname -m)" = x86_64 ] || levels=native
    configure b -DCMAKE_PREFIX_PATH="$prefix" -DCONSUMER_TARGETS=$levels
    must "$cmake" --build b
    must valgrind -q --error-exitcode=9 --leak-check=full b/consumer
    near out want
}

# Numbers of another machine: the same but for the last digits.
near() {
    for file in "$1" "$2"; do while read -r x; do printf '%.9g\n' "$x"; done <"$file" >"$file.decimal"; done
    paste "$1.decimal" "$2.decimal" | awk '{ d = $1 - $2; if (d < 0) d = -d; if (d > 1e-4) bad = 1 } END { exit bad || NR == 0 }' ||
        fail "$1 and $2 are far apart"
}

arm() {
    cat >arm.cmake <<'END'
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_C_COMPILER aarch64-linux-gnu-gcc)
set(CMAKE_CROSSCOMPILING_EMULATOR qemu-aarch64 -L /usr/aarch64-linux-gnu)
END
    for program in aarch64-linux-gnu-gcc qemu-aarch64; do
        command -v $program >/dev/null || { echo "no $program"; exit 77; }
    done
}

cross() {
    arm
    install
    must "$cmake" -S consumer -B b -DCMAKE_TOOLCHAIN_FILE="$work/arm.cmake" -Dreformerc_DIR="$prefix/lib/cmake/reformerc" \
        -DCMAKE_BUILD_TYPE=None -DCMAKE_C_FLAGS=-O1
    must "$cmake" --build b
    must qemu-aarch64 -L /usr/aarch64-linux-gnu b/consumer
    cp out arm
    [ "$(wc -l <arm)" -eq 43 ] || fail "under qemu $(wc -l <arm) numbers"
    must "$prefix/bin/reformerc" help --format commands
    for model in first second; do
        grep -q 'NEON\|arm_neon\|aarch64' b/reformerc/$model/$model.c || fail "$model.c is for another machine"
    done
    configure here -DCMAKE_PREFIX_PATH="$prefix" -DCONSUMER_TARGETS="x86-64-v3"
    if [ "$(uname -m)" = x86_64 ] && grep -q avx2 /proc/cpuinfo; then
        must "$cmake" --build here
        run here
        cp out here.txt
        near arm here.txt
    fi
}

copy_sources() {
    tree="$work/with a blank/re former"
    mkdir -p "$tree"
    cp -r "$source/CMakeLists.txt" "$source/cmake" "$source/compiler" "$source/runtime" "$tree"
}

sources() {
    copy_sources
    configure b -DREFORMERC_SOURCE="$tree" -DREFORMERC_EXECUTABLE="$build/bin/reformerc"
    must "$cmake" --build b
    run b
    cp out want
    configure other -DREFORMERC_SOURCE="$tree" -DREFORMERC_WAY=add_subdirectory -DREFORMERC_EXECUTABLE="$build/bin/reformerc"
    must "$cmake" --build other --target first
    [ -s other/reformerc/first/first.weights ] || fail 'by add_subdirectory nothing is made'
    [ ! -e other/reformerc/bin/reformerc ] || fail 'the compiler was built, though there is one'

    # ---- without the runtime, the weights inside ----
    sed -i 's/^reformerc_add_model(\([a-z]*\)/& STANDALONE EMBED_WEIGHTS/' consumer/CMakeLists.txt
    cp "$source/tests/package/alone.c" consumer/main.c # the runtime's pools are not in these models
    configure alone -DREFORMERC_SOURCE="$tree" -DREFORMERC_EXECUTABLE="$build/bin/reformerc"
    must "$cmake" --build alone
    run alone
    cmp -s out want || fail 'a model without the runtime says something else'
    [ ! -e alone/_deps/reformerc-build/lib/libreformer_rt.a ] || fail 'the runtime is built for models that bring it'
    must alone/consumer weights
    cmp -s out alone/reformerc/first/first.weights || fail 'other weights are inside'
    must "$build/bin/reformerc" pack consumer/first.yaml --weights random:3 -o consumer/w.safetensors
    sed -i 's/WEIGHTS random:1/WEIGHTS w.safetensors/' consumer/CMakeLists.txt
    must "$cmake" --build alone # configures again
    must alone/consumer weights
    cmp -s out alone/reformerc/first/first.weights || fail 'the old weights are inside'

    printf '#!/bin/sh\necho reformerc 0.0.9\n' >old
    chmod +x old
    "$cmake" -S consumer -B old-b -DREFORMERC_SOURCE="$tree" -DREFORMERC_EXECUTABLE="$work/old" -DCMAKE_C_COMPILER="$cc" \
        >out 2>err && fail 'another version is taken'
    says "is version *'0.0.9'"
}

built() {
    copy_sources
    configure b -DREFORMERC_SOURCE="$tree" -DCMAKE_C_FLAGS=-O0
    must "$cmake" --build b
    run b
    cp out want
    touch "$tree/compiler/main.c" # the compiler itself
    must "$cmake" --build b
    says 'Compiling first.yaml'
    arm
    must "$cmake" -S consumer -B arm-b -DCMAKE_TOOLCHAIN_FILE="$work/arm.cmake" -DREFORMERC_SOURCE="$tree" \
        -DCMAKE_BUILD_TYPE=None -DCMAKE_C_FLAGS=-O1 -DCMAKE_C_COMPILER_LAUNCHER="$launcher" \
        -DREFORMERC_FOUND_EXECUTABLE=REFORMERC_FOUND_EXECUTABLE-NOTFOUND
    must "$cmake" --build arm-b
    must qemu-aarch64 -L /usr/aarch64-linux-gnu arm-b/consumer
    [ "$(wc -l <out)" -eq 43 ] || fail "under qemu $(wc -l <out) numbers"
    cp out arm
    near arm want
}

# Into a root of its own: dpkg's database there is empty, so nothing that the package depends on is installed.
in_root() { must dpkg --root="$work/root" --force-not-root --force-depends --force-script-chrootless --log=/dev/null "$@"; }

deb() {
    command -v dpkg-shlibdeps >/dev/null || { echo 'no dpkg-shlibdeps'; exit 77; }
    cd "$build" || exit 1
    SOURCE_DATE_EPOCH=1700000000 "$(dirname "$cmake")/cpack" -G DEB -B "$work/deb" >"$work/out" 2>"$work/err" ||
        { fail cpack; cat "$work/out" "$work/err"; }
    cd "$work" || exit 1
    package=$(ls deb/reformerc_*.deb)
    must dpkg-deb --info "$package"
    for library in libc6 libyaml-0-2 libjansson4; do says "^ Depends: (.*, )?$library([, ]|\$)"; done
    says_not 'Depends: .*(cmocka|-dev)'
    must dpkg-deb --field "$package" Version
    says "^$("$build/bin/reformerc" --version | cut -d' ' -f2)-1\$"
    if command -v lintian >/dev/null; then
        must lintian --fail-on error --allow-root "$package"
    fi

    mkdir -p root/var/lib/dpkg/updates root/var/lib/dpkg/info
    touch root/var/lib/dpkg/status root/var/lib/dpkg/available
    in_root --install "$package"
    for file in bin/reformerc include/reformer_rt.h include/reformerc.h lib/libreformer_rt.a lib/libreformerc.a lib/libreformerc.so \
        lib/cmake/reformerc/reformercConfig.cmake share/reformerc/runtime/forward.c share/man/man1/reformerc.1.gz \
        share/man/man1/reformerc-run.1.gz share/bash-completion/completions/reformerc \
        share/zsh/vendor-completions/_reformerc share/fish/vendor_completions.d/reformerc.fish \
        share/doc/reformerc/copyright share/doc/reformerc/changelog.gz share/doc/reformerc/docs/overview.svg \
        share/doc/reformerc/examples/product.c share/doc/reformerc/examples/cmake/CMakeLists.txt; do
        [ -s "root/usr/$file" ] || fail "the package lacks $file"
    done
    has_modules root/usr
    must root/usr/bin/reformerc --version
    configure b -DCMAKE_PREFIX_PATH="$work/root/usr"
    must "$cmake" --build b
    run b
    in_root --purge reformerc
    left=$(find root/usr root/etc -type f 2>/dev/null)
    [ -z "$left" ] || fail "left behind: $left"
}

$part
[ $fails -eq 0 ] && echo ok
exit $((fails > 0))
