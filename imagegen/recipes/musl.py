"""musl for target programs: static, and without a single system call instruction (the overlay in musl/ replaces them)."""

import shutil
import subprocess
from pathlib import Path

from imagegen.cli.support.errors import CommandError
from imagegen.cli.support.process import run_logged, start

OVERLAY = Path(__file__).parent / "musl"
FLAGS = ["-O2", "-g1", "-ffunction-sections", "-fdata-sections", "-fPIE", "-fno-omit-frame-pointer",
         "-mno-omit-leaf-frame-pointer"]
# Assembly that enters Linux. The overlay has C for the first four; for the others musl's generic C is right.
REPLACED = ["src/thread/x86_64/__set_thread_area.s", "src/thread/x86_64/__unmapself.s", "src/thread/x86_64/clone.s",
            "src/thread/x86_64/syscall_cp.s", "src/process/x86_64/vfork.s", "src/signal/x86_64/restore.s"]


def build(source: Path, work: Path, prefix: Path, llvm: Path, jobs: int) -> None:
    """Builds in `work`, installs headers, libc.a and start-up objects into `prefix`. Errors: CommandError."""
    tree, objects = work / "source", work / "objects"
    shutil.copytree(source, tree)
    objects.mkdir()
    shutil.copy(OVERLAY / "arch/syscall_arch.h", tree / "arch/x86_64/syscall_arch.h")
    for name in REPLACED:
        (tree / name).unlink()
    for file in (OVERLAY / "thread").iterdir():
        shutil.copy(file, tree / "src/thread/x86_64" / file.name)
    environment = {
        "CC": f"{llvm}/bin/clang --target=x86_64-linux-musl", "AR": f"{llvm}/bin/llvm-ar", "RANLIB": f"{llvm}/bin/llvm-ranlib",
        "CFLAGS": " ".join([*FLAGS, f"-ffile-prefix-map={work}=musl"]),
        "LIBCC": f"{llvm}/lib/clang/19/lib/linux/libclang_rt.builtins-x86_64.a"}
    configure = [tree / "configure", f"--srcdir={tree}", "--target=x86_64", "--disable-shared", "--enable-static",
                 "--disable-wrapper", f"--prefix={prefix}"]
    run_logged(configure, "configuring musl", "setup-musl-configure", cwd=objects, environment=environment)
    run_logged(["make", f"-j{jobs}", "install"], "building musl", "setup-musl", cwd=objects, environment=environment,
               expected="about half a minute on two CPUs")
    _check_no_system_calls(prefix / "lib/libc.a", llvm)


def _check_no_system_calls(library: Path, llvm: Path) -> None:
    listing = start([llvm / "bin/llvm-objdump", "-d", "--no-show-raw-insn", library], stdout=subprocess.PIPE)
    entries = (b"\tsyscall", b"\tsysenter", b"\tint\t$0x80")
    found = [line for line in listing.stdout if line.rstrip().endswith(entries)]
    if listing.wait() != 0 or found:
        raise CommandError(f"{library.name} still holds {len(found)} system call instructions",
                           "add the file that holds them to the overlay in imagegen/recipes/musl")
