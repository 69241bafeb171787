#!/usr/bin/env bash
# Every figure that wants a GPU, in the order of their worth, with one command:
#
#   scripts/gpu_figures.sh OUTPUTS [MINUTES]
#
# Do the kernels build and agree with plain PyTorch; the judge, and its time to 70 %; the speed of GAN
# training and of its operators; MINUTES (20) of training of gan=fer48, which a second call goes on
# with; a set, its fidelity and a classifier that learns from it; the speed of every classifier.
# FER2013 must be prepared in OUTPUTS/data/fer2013 (`ferbench prepare source=fer2013.zip outputs=OUTPUTS`).
# Logs, tables and JSON files come to OUTPUTS/gpu. A part that fails does not stop the others.
#
# TRY=1 walks the same way on toy faces with tiny networks, on any machine: does the script work?
set -uo pipefail
cd "$(dirname "$0")/.."
outputs=${1:?expected a folder for the outputs}
minutes=${2:-20}
export PYTHONPATH="src:third_party${PYTHONPATH:+:$PYTHONPATH}"
python=${PYTHON:-python3}
report=$outputs/gpu
mkdir -p "$report"
failed=()

data=real gan=fer48 epochs=25 images=28709 seconds=8
kernels=() benched=(fer32 fer48) small=() listed=()
if [[ ${TRY:-} == 1 ]]; then
    data=toy gan=tiny epochs=1 images=700 seconds=0.5
    kernels=(--compile-only) benched=(tiny) small=(model.width=8) listed=(--models cnn --repeats 1)
fi

part() { # part NAME COMMAND ...: run it, keep what it says, go on if it fails
    local name=$1 began=$SECONDS
    shift
    echo "== $name: $*"
    "$@" 2>&1 | tee "$report/$name.log" | tail -n 25
    local status=${PIPESTATUS[0]}
    [[ $status == 0 ]] || failed+=("$name")
    echo "== $name: status $status, $((SECONDS - began)) s"
}

ferbench() { "$python" -m ferbench "$@" "outputs=$outputs"; }

train() { # until the time is up; SIGINT saves the state
    timeout --signal=INT --kill-after=120 "${minutes}m" \
        "$python" -m ferbench train-gan "gan=$gan" "data=$data" total_kimg=25000 logger=none \
        "outputs=$outputs"
    [[ $? == 0 || $? == 124 || $? == 130 ]]
}

[[ ${TRY:-} == 1 ]] && part prepare ferbench prepare source=toy
part kernels "$python" scripts/check_kernels.py "$report/kernels" "${kernels[@]}"
part judge ferbench classify model=cnn "data=$data" "train.epochs=$epochs" logger=none "${small[@]}"
part bench_gan "$python" scripts/bench_gan.py --gan "${benched[@]}" --seconds "$seconds" \
    --repeats 3 --json "$report/bench_gan.json"
part bench_gan_ada "$python" scripts/bench_gan.py --gan "${benched[@]}" --augment bgc \
    --seconds "$seconds" --repeats 3 --json "$report/bench_gan_ada.json"
part bench_gan_compiled "$python" scripts/bench_gan.py --gan "${benched[@]}" --impl ref --compile \
    --seconds "$seconds" --repeats 3 --json "$report/bench_gan_compiled.json"
part profile_gan "$python" scripts/profile_gan.py --gan "${benched[0]}"
part train train
run=$(ls -dt "$outputs"/train-gan/*/ | head -n 1) # under way or complete
part synth ferbench synth "gan=$run" "n=$images" out_px=48 grid=true
part fidelity ferbench fidelity "data=$data"
part synthetic ferbench classify model=cnn data=synthetic "data.base=$data" "train.epochs=$epochs" \
    logger=none "${small[@]}"
part models "$python" scripts/bench_models.py --seconds "$seconds" "${listed[@]}" \
    --json "$report/bench_models.json"
part table ferbench table format=markdown
echo "failed: ${failed[*]:-nothing}"
[[ ${#failed[@]} == 0 ]]
