#!/usr/bin/env bash
# Compiles the corpus to PTX again: regenerate.sh [program.cu ...]
#
# Needs nvcc on the PATH, or NVCC set. Without a CUDA installation the wheels of PyPI will do:
#   python3 -m venv venv
#   venv/bin/pip install nvidia-cuda-nvcc nvidia-cuda-runtime nvidia-cuda-cccl nvidia-cuda-crt
#   NVCC=venv/lib/python3.*/site-packages/nvidia/cu13/bin/nvcc ./regenerate.sh
#
# Each program is compiled for an old target, for a newer one where that changes anything, for a new one, and without optimisation. A program can ask for
# other flags in lines that begin with `// flags: NAME FLAGS`.
set -euo pipefail
cd "$(dirname "$0")"
nvcc=$(command -v $(echo ${NVCC:-nvcc}))
include=$(dirname "$nvcc")/../include
version=$("$nvcc" --version | sed -n 's/.*, V//p')
compile() { # name of the program, name of the variant, flags
    local out="$1.$2.ptx"
    shift 2
    "$nvcc" -ptx "$@" -I"$include" -I"$include/cccl" -o out.tmp "$program.cu"
    # What a compiler writes about itself and where it found its files differs by machine. Debug sections are large and
    # nothing here reads them, so only the first program keeps them.
    {
        echo "// nvcc $version -ptx $*"
        sed -e 's|^\(\s*\.file\s*[0-9]* \)".*"|\1"program.cu"|' -e '/^\/\//d' out.tmp |
            if [ "$program" = reduce ]; then cat; else sed '/^\s*\.section/,/^\s*}/d'; fi | cat -s
    } >"$out"
    rm out.tmp
}
programs=("$@")
[ ${#programs[@]} -gt 0 ] || programs=(*.cu)
for program in "${programs[@]}"; do
    program=${program%.cu}
    rm -f "$program".*.ptx
    if grep -q '^// flags: ' "$program.cu"; then
        while read -r _ _ name flags; do
            # shellcheck disable=SC2086
            compile "$program" "$name" $flags
        done < <(grep '^// flags: ' "$program.cu")
    else
        compile "$program" sm_75 -arch=sm_75 -O3 --fmad=false
        compile "$program" sm_90 -arch=sm_90 -O3 --fmad=false
        # Mostly a newer target changes nothing.
        if cmp -s <(sed '/^\/\//d; /^\.target/d' "$program.sm_75.ptx") <(sed '/^\/\//d; /^\.target/d' "$program.sm_90.ptx"); then
            rm "$program.sm_90.ptx"
        fi
        compile "$program" sm_103 -arch=sm_103 -O3 --fmad=false
        compile "$program" debug -arch=sm_80 -G --fmad=false
    fi
done
