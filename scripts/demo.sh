#!/usr/bin/env bash
# Record the virtual rig for about a minute, synchronise it, train on the first pass and test on the second.
set -euo pipefail
cd "$(dirname "$0")/.."
bin=.venv/bin
out=${OUT:-demo/$(date -u +%Y%m%dT%H%M%S)}

echo "1/3  recording the virtual rig (eight Bluetooth sensors, camera, sound, LED box)"
$bin/mia-record run --headless --rig virtual --subject Demo --out "$out/captures"
echo "2/3  aligning the streams"
$bin/mia-sync run "$out/captures" --out "$out/sessions"
echo "3/3  training on the first pass of each exercise, testing on the second (virtual data)"
$bin/mia-train fit "$out/sessions" --split pass --out "$out/run"

echo
echo "capture  $(dirname "$(find "$out/captures" -name capture.db)")"
echo "session  $(find "$out/sessions" -name '*.h5')"
echo "report   $(find "$out/sessions" -name '*.html')"
echo "plots    $(find "$out/run" -name '*.png' | paste -sd' ')"
