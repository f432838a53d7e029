"""A system that fails while a program runs: its clock, its descriptors, its disks (faulty_system.c, by LD_PRELOAD)."""

import mmap
import pathlib
import shutil
import struct
import subprocess

NUMBERS = ("seconds", "no_descriptor", "hanging", "broken", "stderr")
SOURCE = pathlib.Path(__file__).with_name("faulty_system.c")


class FaultySystem:
    """`set(seconds=86400)` and so on; all are 0 at first. For the release build: a sanitizer wants to be loaded first."""

    def __init__(self, folder):
        self.library, self.file = folder / "faulty_system.so", folder / "faulty_system"
        subprocess.run([shutil.which("cc"), "-O1", "-shared", "-fPIC", "-U_FORTIFY_SOURCE", "-D_GNU_SOURCE", "-o", self.library, SOURCE, "-ldl"],
                       check=True)
        self.file.write_bytes(bytes(4096))
        with open(self.file, "r+b") as file:
            self.shared = mmap.mmap(file.fileno(), 4096)

    def set(self, **numbers):
        for name, number in numbers.items():
            struct.pack_into("q", self.shared, 8 * NUMBERS.index(name), number)

    def environment(self, **more):
        return {"LD_PRELOAD": str(self.library), "FAULTY_SYSTEM": str(self.file), **more}
