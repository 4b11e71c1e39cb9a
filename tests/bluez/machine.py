"""A small virtual machine over this computer's own root: Debian's kernel, its BlueZ, this house and its environment."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

PACKAGES = "qemu-system-x86 bluez busybox-static cpio dbus kmod"
CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "mia-bluez"
BLUETOOTHD = Path("/usr/libexec/bluetooth/bluetoothd")
HERE = Path(__file__).parent
#: Needed before the host's root can be seen, in this order.
FIRST_MODULES = ("virtio_pci", "9pnet_virtio", "9p", "overlay", "virtio_console", "virtio_rng")
APPLETS = ("sh", "mount", "insmod", "mkdir", "switch_root", "poweroff")


class MissingError(Exception):
    """Something that the machine is made of is not on this computer."""


def check_needs() -> None:
    """Raise MissingError, naming the Debian packages, where a program is missing."""
    programs = ("qemu-system-x86_64", "btattach", "busybox", "cpio", "dbus-daemon", "modprobe", "depmod")
    path = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
    missing = [name for name in programs if shutil.which(name, path=path) is None]
    if not BLUETOOTHD.is_file():
        missing.append(str(BLUETOOTHD))
    if missing:
        raise MissingError(f"missing: {', '.join(missing)}; sudo apt install --no-install-recommends {PACKAGES}")


def find_kernel() -> Path:
    """Return the folder of an unpacked Debian kernel, fetched once with apt; it is not installed."""
    root = CACHE / "kernel"
    if not list(root.glob("boot/vmlinuz-*")):
        CACHE.mkdir(parents=True, exist_ok=True)
        try:
            _itself, *named = _run("apt-cache", "depends", "linux-image-amd64").split()
            package = next(word for word in named if word.startswith("linux-image-"))
            _run("apt-get", "download", package, cwd=CACHE)
            (archive,) = CACHE.glob(f"{package}_*.deb")
            _run("dpkg", "-x", str(archive), str(root))
        except (OSError, StopIteration, ValueError, subprocess.CalledProcessError) as error:
            raise MissingError(
                f"no kernel: {error}; on Debian: apt-get download $(apt-cache depends linux-image-amd64 | "
                f"sed -n 's/.*Depends: //p'), then dpkg -x it into {root}"
            ) from error
    return root


def version_of(kernel: Path) -> str:
    """Return the version of an unpacked kernel."""
    (image,) = kernel.glob("boot/vmlinuz-*")
    return image.name.removeprefix("vmlinuz-")


def make_initrd(kernel: Path, work: Path) -> Path:
    """Return the first root: busybox, a few modules, ``init.sh``."""
    version = version_of(kernel)
    if not (kernel / "lib" / "modules" / version / "modules.dep").is_file():
        _run("depmod", "-b", str(kernel), version)
    root = work / "initrd"
    for name in ("bin", "modules", "proc", "sys", "dev", "host", "memory", "root"):
        (root / name).mkdir(parents=True)
    shutil.copy(str(shutil.which("busybox")), root / "bin" / "busybox")
    for applet in APPLETS:
        (root / "bin" / applet).symlink_to("busybox")
    paths: dict[str, None] = {}
    for module in FIRST_MODULES:
        told = _run("modprobe", "-d", str(kernel), "-S", version, "--show-depends", module)
        paths |= dict.fromkeys(line.split()[1] for line in told.splitlines() if line.startswith("insmod"))
    for number, path in enumerate(paths):
        shutil.copy(path, root / "modules" / f"{number:02}-{Path(path).name}")
    shutil.copy(HERE / "init.sh", root / "init")
    (root / "init").chmod(0o755)
    archive = work / "initrd.gz"
    _run("sh", "-c", f"find . | cpio -o -H newc --quiet | gzip -1 > '{archive}'", cwd=root)
    return archive


def start(kernel: Path, work: Path, share: Path, hci_socket: Path) -> subprocess.Popen[bytes]:
    """Start the machine: ``share`` is seen by both, the controller is reached through ``hci_socket``."""
    version = version_of(kernel)
    # An emulated processor works everywhere; kvm is faster where this computer may lend out its own.
    accelerators = os.environ.get("MIA_BLUEZ_ACCEL", "tcg,thread=multi,tb-size=512").split()
    command = [
        "qemu-system-x86_64", "-M", "q35", *(x for a in accelerators for x in ("-accel", a)),
        "-cpu", "max,arch-capabilities=off", "-smp", "2", "-m", "2048",
        "-nodefaults", "-no-user-config", "-no-reboot", "-display", "none",
        "-kernel", str(kernel / "boot" / f"vmlinuz-{version}"), "-initrd", str(make_initrd(kernel, work)),
        "-append", "console=ttyS0 quiet loglevel=4 panic=-1 mitigations=off random.trust_cpu=on",
        "-serial", f"file:{work / 'console.log'}",
        "-device", "virtio-serial-pci",
        "-chardev", "stdio,id=terminal,signal=off", "-device", "virtconsole,chardev=terminal",
        "-chardev", f"socket,id=hci,path={hci_socket}", "-device", "virtconsole,chardev=hci",
        "-device", "virtio-rng-pci",
        "-fsdev", "local,id=host,path=/,security_model=none,readonly=on,multidevs=remap",
        "-device", "virtio-9p-pci,fsdev=host,mount_tag=host",
        "-fsdev", f"local,id=share,path={share},security_model=none",
        "-device", "virtio-9p-pci,fsdev=share,mount_tag=share",
    ]  # fmt: skip
    return subprocess.Popen(command, stdin=subprocess.DEVNULL)


def _run(*command: str, cwd: Path | None = None) -> str:
    env = {**os.environ, "PATH": f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"}
    return subprocess.run(command, cwd=cwd, env=env, check=True, capture_output=True, text=True).stdout
