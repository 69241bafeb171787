#!/usr/bin/env bash
# Everything that wants a GPU, made for a machine that is lent for a quarter of an hour:
#
#   scripts/gpu_figures.sh measure OUTPUTS            # at most 9 minutes: tests, speeds, the judge
#   scripts/gpu_figures.sh train OUTPUTS [SECONDS]    # SECONDS (480) of training of gan=fer48_gpu
#
# FER2013 must be prepared in OUTPUTS/data/fer2013 (`ferbench prepare source=fer2013.zip outputs=OUTPUTS`).
# `train` takes the judge that `measure` trained, and goes on with its own run when called again.
# Logs, tables, JSON files, weights and pictures come to one folder, OUTPUTS/gpu, as they are written.
# Each part has a time limit; one that fails or is cut off does not stop the others.
#
# GAN=fer48_t4 trains another preset. TRY=1 walks the same way on toy faces with tiny networks, on any
# machine: does the script work?
set -uo pipefail
cd "$(dirname "$0")/.."
what=${1:?expected measure or train}
outputs=${2:?expected a folder for the outputs}
seconds=${3:-480}
export PYTHONPATH="src:third_party${PYTHONPATH:+:$PYTHONPATH}"
python=${PYTHON:-python3}
report=$outputs/gpu
mkdir -p "$report"
failed=()

data=real gan=${GAN:-fer48_gpu} epochs=25 repeat=2 kernels=() benched=(fer48 fer48_gpu) small=() listed=()
if [[ ${TRY:-} == 1 ]]; then
    data=toy gan=tiny epochs=1 repeat=0.2 kernels=(--compile-only) benched=(tiny) small=(model.width=8)
    listed=(--models cnn)
fi

part() { # part NAME LIMIT COMMAND ...: run it for at most LIMIT seconds, keep what it says, go on
    local name=$1 limit=$2 began=$SECONDS
    shift 2
    echo "== $name: $*"
    timeout --signal=INT --kill-after=20 "$limit" "$@" 2>&1 | tee "$report/$name.log" | tail -n 25
    local status=${PIPESTATUS[0]}
    [[ $status == 0 ]] || failed+=("$name")
    echo "== $name: status $status, $((SECONDS - began)) s"
}

bench_gan() { # bench_gan NAME OPTION ...
    part "$1" 100 "$python" scripts/bench_gan.py --gan "${benched[@]}" --augment bgc \
        --seconds "$repeat" --repeats 1 --json "$report/$1.json" "${@:2}"
}

measure() {
    part kernels 120 "$python" scripts/check_kernels.py "$report" "${kernels[@]}"
    part tests 120 "$python" -m pytest -q -n 4 -m gpu -p no:cacheprovider tests/stylegan2_ada tests/classifiers
    bench_gan gan_captured --no-compile
    bench_gan gan_eager --graphs false --no-compile
    bench_gan gan_compiled --compile
    part profile 60 "$python" scripts/profile_gan.py --gan "${benched[-1]}" --augment bgc --top 40
    part models 100 "$python" scripts/bench_models.py --seconds "$repeat" --repeats 1 \
        "${listed[@]}" --json "$report/models.json"
    judge 240
}

judge() { # judge LIMIT
    part judge "$1" "$python" -m ferbench classify model=cnn "data=$data" "train.epochs=$epochs" \
        logger=none "outputs=$outputs" "${small[@]}"
}

train() { # SIGINT saves the state, so that a second call goes on
    local began=$SECONDS
    [[ -n $(ls -d "$outputs"/classify/*/ 2>/dev/null) ]] || judge 150
    keep "$((seconds - (SECONDS - began) + 30))" &
    part train "$((seconds - (SECONDS - began)))" "$python" -m ferbench train-gan "gan=$gan" \
        "data=$data" total_kimg=25000 logger=none "outputs=$outputs"
    copy
}

keep() { # keep SECONDS: copy what is there every 30 seconds
    local end=$((SECONDS + $1))
    while ((SECONDS < end)) && sleep 30; do copy; done
}

copy() { # the best weights, the rows of all ticks, the newest picture
    local run
    run=$(ls -dt "$outputs"/train-gan/*/ | head -n 1)
    cp "$run"{best.safetensors,metrics.jsonl,samples.png} "$report" 2>/dev/null
}

[[ ${TRY:-} == 1 ]] && part prepare 60 "$python" -m ferbench prepare source=toy "outputs=$outputs"
case $what in
    measure | train) "$what" ;;
    *) echo "$what: expected measure or train" >&2 && exit 2 ;;
esac
kill %% 2>/dev/null
echo "failed or cut off: ${failed[*]:-nothing}"
[[ ${#failed[@]} == 0 || ${failed[*]} == train ]]
