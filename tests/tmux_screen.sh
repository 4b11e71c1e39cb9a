#!/bin/sh
# Drive the capture screen under tmux with real key presses on the virtual rig: start, record 20 s, mark, stop, leave;
# then see that the capture holds what was on the screen. Usage: tests/tmux_screen.sh [OUT]
set -eu
out=${1:-$(mktemp -d)}
name=mia-screen-$$
python=${PYTHON:-python}
screen() { tmux capture-pane -p -t "$name"; }
wait_for() { # words, seconds
    n=0
    until screen | grep -qF -- "$1"; do
        n=$((n + 1))
        if [ "$n" -gt "$(($2 * 5))" ]; then
            echo "never on the screen: $1" >&2
            screen >&2
            exit 1
        fi
        sleep 0.2
    done
}
trap 'tmux kill-session -t "$name" 2>/dev/null || true' EXIT

tmux new-session -d -s "$name" -x 80 -y 24 \
    "$python -c 'from acquire.cli import main; main()' --rig virtual --out '$out'; echo \"left with \$?\"; sleep 60"
wait_for "Setup" 60
tmux send-keys -t "$name" -l Maria
wait_for "Maria" 10
tmux send-keys -t "$name" C-r
wait_for "● REC" 90
sleep 10
tmux send-keys -t "$name" m
wait_for "Marker" 10
tmux send-keys -t "$name" -l "tape came loose"
tmux send-keys -t "$name" Enter
sleep 10
received=$(screen | grep -oE '[0-9]+/[0-9]+' | grep -E '^[0-9]{3,}/' | head -1)
screen
tmux send-keys -t "$name" C-x
wait_for "Stop the recording?" 10
tmux send-keys -t "$name" Enter
wait_for "saved sub-Maria/ses-" 60
wait_for "preview of the alignment" 120
screen
tmux send-keys -t "$name" C-q
wait_for "left with 0" 60
"$python" - "$out" "${received%/*}" <<'PYTHON'
import sys
from pathlib import Path

from dataset.capture.reader import Capture, find_captures

(folder,) = find_captures([Path(sys.argv[1])])
seen = int(sys.argv[2])
with Capture.open(folder) as capture:
    values = [len(capture.notifications(s.slot).payload) for s in capture.sensors]
    (marker,) = capture.events("marker")
    (began_ns,) = [t for t, _, what, _ in capture.log() if what == "recording"]
    span_s = max(int(capture.notifications(s.slot).arrival_ns[-1]) for s in capture.sensors) * 1e-9 - began_ns * 1e-9
    frames = len(capture.frames().arrival_ns)
    problems = [
        words
        for wrong, words in (
            (not capture.closed, "it is not closed"),
            (len(values) != 8 or min(values) < 0.95 * 10 * span_s, f"{values} values in {span_s:.1f} s"),
            (span_s < 20, f"{span_s:.1f} s are too few"),
            (max(values) < seen, f"{seen} values were on the screen, {values} are stored"),
            (marker.label != "tape came loose", f"the marker says {marker.label}"),
            (not 9 < (marker.t_ns - began_ns) * 1e-9 < 15, f"the marker is at {(marker.t_ns - began_ns) * 1e-9:.1f} s"),
            (frames < 20 * span_s, f"{frames} frames in {span_s:.1f} s"),
        )
        if wrong
    ]
if problems:
    sys.exit("the capture is not what was seen: " + "; ".join(problems))
print(f"ok: {span_s:.1f} s, values of each sensor {values}, {seen} seen, {frames} frames, marker '{marker.label}'")
PYTHON
