#!/bin/sh
# The first process of the machine: Bluetooth over the second console, a camera, one recording, off.
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8
exec </dev/null >/dev/hvc0 2>&1
. /mia-share/settings
say() { echo "[machine, $(cut -d' ' -f1 /proc/uptime) s] $*"; }

mkdir -p /lib/modules
ln -sfn "$KERNEL/lib/modules/$(uname -r)" "/lib/modules/$(uname -r)"
for place in /run /tmp /var/lib/bluetooth /dev/shm; do mkdir -p $place; mount -t tmpfs none $place; done
mkdir -p /run/dbus /dev/pts
mount -t devpts none /dev/pts
ip link set lo up 2>/dev/null
modprobe hci_uart
modprobe vivid n_devs=1
dbus-daemon --system --fork --nopidfile
/usr/libexec/bluetooth/bluetoothd -n >/mia-share/bluetoothd.log 2>&1 &
btattach -B /dev/hvc1 -P h4 >/mia-share/btattach.log 2>&1 &
powered() {
    dbus-send --print-reply --system --dest=org.bluez /org/bluez/hci0 org.freedesktop.DBus.Properties.Get \
        string:org.bluez.Adapter1 string:Powered 2>/dev/null | grep -q 'boolean true'
}
tries=0
until powered || [ $tries -ge 300 ]; do sleep 0.2; tries=$((tries + 1)); done
say "BlueZ $(/usr/libexec/bluetooth/bluetoothd --version), kernel $(uname -r), adapter powered: $(powered && echo yes || echo no), cameras: $(ls /dev/video* 2>/dev/null | tr '\n' ' ')"

cd /tmp
export PYTHONPATH="$HOUSE"
"$PYTHON" -c "from acquire.cli import main; main()" run --headless --rig /mia-share/rig.toml \
    --protocol /mia-share/protocol.toml --out /tmp/captures --subject BZ1 --seed 1 --json \
    >/mia-share/result.json 2>/mia-share/recorder.log &
recorder=$!
until ls /tmp/captures/*/*/capture.db >/dev/null 2>&1 || ! kill -0 $recorder 2>/dev/null; do sleep 0.2; done
say "recording"
touch /mia-share/recording
until [ -e /mia-share/stop ] || ! kill -0 $recorder 2>/dev/null; do sleep 0.2; done
kill -TERM $recorder 2>/dev/null
wait $recorder
code=$?
say "the recorder ended with $code"
cp -r /tmp/captures /mia-share/ 2>/dev/null
dmesg >/mia-share/dmesg.log
echo $code >/mia-share/code
sync
echo o >/proc/sysrq-trigger
sleep 10
