#!/bin/sh
# In the first root: the host's own root, read-only, under an overlay that forgets; beside it a folder to share.
mount -t proc none /proc
mount -t sysfs none /sys
mount -t devtmpfs none /dev
for module in /modules/*.ko; do insmod "$module"; done
mount -t 9p -o trans=virtio,version=9p2000.L,ro,cache=loose,msize=512000 host /host || poweroff -f
mount -t tmpfs none /memory
mkdir /memory/upper /memory/work
mount -t overlay -o lowerdir=/host,upperdir=/memory/upper,workdir=/memory/work overlay /root || poweroff -f
mkdir -p /root/mia-share
mount -t 9p -o trans=virtio,version=9p2000.L,rw,cache=none,msize=512000 share /root/mia-share || poweroff -f
mount --move /dev /root/dev
mount --move /proc /root/proc
mount --move /sys /root/sys
exec switch_root /root /bin/sh /mia-share/guest.sh
