"""libc++, libc++abi and libunwind 19 for target programs, in one libc++.a per variant; from file lists, without CMake."""

import shutil
from pathlib import Path

from imagegen.cli.support.process import run_logged

OVERLAY = Path(__file__).parent / "libcxx"
INCLUDE = Path(__file__).parent / "include"

# A program is built wholly with one variant: `core` for drivers and core servers. The library holds type information all the
# same, for the few of its classes that have virtual functions; programs without RTTI never look at it.
VARIANTS = {"core": {"exceptions": False}}

FLAGS = ["--target=x86_64-linux-musl", "-O2", "-g1", "-w", "-DNDEBUG", "-ffunction-sections", "-fdata-sections", "-fPIE",
         "-fno-omit-frame-pointer", "-mno-omit-leaf-frame-pointer", "-fvisibility=hidden",
         "-fvisibility-inlines-hidden", "-funwind-tables", "-D_LIBCPP_HAS_NO_PRAGMA_SYSTEM_HEADER"]

CXX = """algorithm any atomic barrier bind call_once charconv chrono condition_variable condition_variable_destructor
    error_category exception expected filesystem/directory_entry filesystem/directory_iterator
    filesystem/filesystem_clock filesystem/filesystem_error filesystem/operations filesystem/path fstream functional
    future hash ios ios.instantiations iostream legacy_pointer_safety locale memory memory_resource mutex
    mutex_destructor new_handler new_helpers optional ostream print random random_shuffle regex ryu/d2fixed ryu/d2s
    ryu/f2s shared_mutex stdexcept string strstream system_error thread typeinfo valarray variant vector
    verbose_abort""".split()
ABI = """abort_message cxa_aux_runtime cxa_default_handlers cxa_exception_storage cxa_guard cxa_handlers cxa_thread_atexit
    cxa_vector cxa_virtual fallback_malloc private_typeinfo stdlib_exception stdlib_new_delete stdlib_stdexcept
    stdlib_typeinfo""".split()
ABI_WITH_EXCEPTIONS = ["cxa_exception", "cxa_personality"]
ABI_WITHOUT_EXCEPTIONS = ["cxa_noexception"]
UNWIND = ["libunwind.cpp", "UnwindLevel1.c", "UnwindLevel1-gcc-ext.c", "UnwindRegistersRestore.S", "UnwindRegistersSave.S"]


def install_headers(source: Path, prefix: Path) -> None:
    """C++ headers with our configuration into include/c++/v1 of `prefix`, and the Linux header that they and KJ need."""
    headers = prefix / "include/c++/v1"
    shutil.copytree(source / "libcxx/include", headers, ignore=shutil.ignore_patterns("CMakeLists.txt", "*.in"))
    for name in ("cxxabi.h", "__cxxabi_config.h"):
        shutil.copy(source / "libcxxabi/include" / name, headers / name)
    for name in ("__config_site", "__assertion_handler"):
        shutil.copy(OVERLAY / name, headers / name)
    shutil.copytree(INCLUDE, prefix / "include", dirs_exist_ok=True)


def build(source: Path, work: Path, prefix: Path, llvm: Path, jobs: int, variant: str) -> None:
    """Builds one variant in `work` with the headers in `prefix`; leaves prefix/lib/VARIANT/libc++.a. Errors: CommandError."""
    exceptions = VARIANTS[variant]["exceptions"]
    library = prefix / "lib" / variant / "libc++.a"
    library.parent.mkdir(parents=True)
    (work / "build.ninja").write_text(_ninja(source, prefix, llvm, library, exceptions))
    run_logged(["ninja", f"-j{jobs}", "-C", work], f"building libc++ ({variant})", f"setup-libcxx-{variant}",
               expected="about 40 s on two CPUs", environment={"NINJA_STATUS": "[%f/%t] "})


def _ninja(source: Path, prefix: Path, llvm: Path, library: Path, exceptions: bool) -> str:
    mode = ["-fexceptions"] if exceptions else ["-fno-exceptions"]
    common = [*FLAGS, f"-ffile-prefix-map={source}=llvm", f"-ffile-prefix-map={prefix.parent}=work", "-nostdlibinc"]
    system = ["-isystem", prefix / "include"]
    cxx = [*common, "-nostdinc++", "-isystem", prefix / "include/c++/v1", *system, "-std=c++23", "-D_LIBCPP_BUILDING_LIBRARY",
           "-DLIBCXX_BUILDING_LIBCXXABI", f"-I{source}/libcxx/src"]
    unwind = ["-D_LIBUNWIND_IS_NATIVE_ONLY", f"-I{source}/libunwind/include"]
    flags = {
        "cxx": [*cxx, *mode, "-fsized-deallocation", "-D_LIBCPP_REMOVE_TRANSITIVE_INCLUDES"],
        "abi": [*cxx, *mode, "-fstrict-aliasing", "-D_LIBCXXABI_BUILDING_LIBRARY", "-DLIBCXXABI_SILENT_TERMINATE",
                f"-I{source}/libcxxabi/include", f"-I{source}/libunwind/include"],
        "unwind_cpp": [*common, "-nostdinc++", "-isystem", prefix / "include/c++/v1", *system, "-std=c++17", "-fno-exceptions",
                       "-fno-rtti", *unwind],
        "unwind_c": [*common, *system, "-std=c99", *unwind],
        "unwind_S": ["--target=x86_64-linux-musl", *unwind]}
    inputs = [("cxx", source / f"libcxx/src/{name}.cpp") for name in CXX]
    abi = ABI + (ABI_WITH_EXCEPTIONS if exceptions else ABI_WITHOUT_EXCEPTIONS)
    inputs += [("abi", source / f"libcxxabi/src/{name}.cpp") for name in abi]
    inputs += [(f"unwind_{name.rsplit('.', 1)[1]}", source / "libunwind/src" / name) for name in UNWIND]

    text = ["# written by imagegen/recipes/libcxx.py"]
    for rule, words in flags.items():
        compiler = "clang++" if rule in ("cxx", "abi", "unwind_cpp") else "clang"
        text += [f"rule {rule}", f"  command = {llvm}/bin/{compiler} {' '.join(str(word) for word in words)} -c $in -o $out",
                 "  description = $in"]
    text += ["rule archive", f"  command = {llvm}/bin/llvm-ar rcsD $out $in", "  description = $out"]
    objects = []
    for rule, file in inputs:
        objects.append(f"{rule}_{file.stem}.o" if rule != "cxx" else
                       f"cxx_{file.relative_to(source / 'libcxx/src').with_suffix('.o').as_posix().replace('/', '_')}")
        text.append(f"build {objects[-1]}: {rule} {_escaped(file)}")
    text.append(f"build {_escaped(library)}: archive {' '.join(objects)}")
    return "\n".join(text) + "\n"


def _escaped(path: Path) -> str:
    return str(path).replace("$", "$$").replace(" ", "$ ").replace(":", "$:")
