#!/usr/bin/env python3
"""Checks that the folders keep their order; run without arguments on the repository, or with --self-test.

What it enforces:
- a folder includes only folders of lower rank, or itself; its link line in CMakeLists.txt names only such folders;
- cluster, cni, policy, service and analysis never reach sim/des, not even through another header;
- each third-party library is included in one folder only, and no library comes in unseen;
- the namespace is the folder's, includes start at the repository's root, and the libraries neither print nor read the
  clock or the environment;
- each folder with sources has a README.md of at most 40 lines.

It reads the text of the sources, without a preprocessor: an include inside `#if 0` counts.
"""

import re
import sys
import tempfile
from pathlib import Path

RANKS = {
    "sim/base": 0,
    "sim/random": 1,
    "sim/des": 2,
    "sim/stats": 2,
    "sim/config": 2,
    "sim/record": 3,
    "models/cluster": 4,
    "models/cni": 4,
    "models/policy": 5,
    "models/service": 5,
    "models/flows": 5,
    "models/topology": 5,
    "models/analysis": 6,
    "models/control": 6,
    "models/dataplane": 7,
    "models/transport": 8,
    "models/dns": 9,
    "models/workload": 10,
    "models/faults": 10,
    "app/scenario": 11,
    "app/report": 12,
    "app/cli": 13,
    "python/bindings": 13,
}

# What works without a clock.
CLOCKLESS = {"models/cluster", "models/cni", "models/policy", "models/service", "models/flows", "models/analysis"}

# Library → (what its includes look like, the folders that may). An empty tuple of folders allows every place: vocabulary
# types and mathematics, which have no one home.
THIRD_PARTY = {
    "libfyaml": (r"libfyaml\.h", ("sim/config",)),
    "simdjson": (r"simdjson\.h|simdjson/.*", ("sim/config",)),
    "zstd": (r"zstd\.h", ("sim/config",)),
    "zlib": (r"zlib\.h", ("sim/config", "sim/record")),  # record deflates chunks outside of the HDF5 lock
    "zstd": (r"zstd\.h", ("sim/config",)),
    "HDF5": (r"hdf5\.h|hdf5_hl\.h|H5\w*\.h", ("sim/record",)),
    "Random123": (r"Random123/.*", ("sim/random",)),
    "Boost.Graph": (r"boost/(graph|property_map|pending)/.*", ("models/topology",)),
    "Boost.Program_options": (r"boost/program_options.*", ("app/cli",)),
    "nlohmann-json": (r"nlohmann/.*", ("app/report",)),
    "spdlog": (r"spdlog/.*", ("app/cli",)),
    "pybind11": (r"pybind11/.*", ("python/bindings",)),
    "GoogleTest": (r"(gtest|gmock)/.*", ()),  # outside tests/ it is refused below
    "google-benchmark": (r"benchmark/.*", ()),  # outside bench/ it is refused below
    "fmt": (r"fmt/.*", ()),
    "Boost.Unordered": (r"boost/(unordered|container_hash|functional/hash).*", ()),
    "Boost.Math": (r"boost/math/.*", ()),
    "Eigen": (r"Eigen/.*", ()),
}
ONLY_IN_TESTS = {"GoogleTest": ("tests/", "bench/"), "google-benchmark": ("bench/",)}

# <vector>, <cstdint>: the C++ library. <sys/socket.h>: POSIX, in these folders or by these names.
STANDARD = re.compile(
    r"[a-z_0-9]+|(sys|arpa|netinet|net|linux)/[a-z_0-9]+\.h"
    r"|(unistd|netdb|fcntl|signal|spawn|poll|time|errno|glob|dirent|sched|pthread|termios|x86intrin|immintrin|cxxabi|execinfo)\.h"
)

# What a library must not do, and how it looks when it does.
FORBIDDEN = {
    "print": r"std::(cout|cerr|clog)\b|\b(printf|puts|fprintf)\s*\(|fmt::print\w*\s*\(",
    "end the program": r"(\bstd::|(?<![\w>])::)(exit|abort|quick_exit|_exit|_Exit|terminate)\s*\(",
    "read the environment": r"\bgetenv\s*\(",
    "read the clock": r"\b(system_clock|steady_clock|high_resolution_clock)::now|\b(clock_gettime|gettimeofday)\s*\(",
}
LIBRARIES = ("sim/", "models/")

README_LINES = 40
SOURCE_SUFFIXES = {".cpp", ".hpp", ".h", ".cc"}
# Comments and string literals in one pass, so that neither hides the start of the other.
TOKEN = re.compile(r'//[^\n]*|/\*.*?\*/|R"(\w*)\(.*?\)\1"|"(?:\\.|[^"\\\n])*"|(?<![0-9a-fA-F])\'(?:\\.|[^\'\\\n])*\'', re.S)
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*(<([^>]+)>|"([^"]+)")', re.M)
NAMESPACE = re.compile(r"^[ \t]*(?:inline\s+)?namespace\s+([A-Za-z_][\w:]*)\s*\{", re.M)
LINK_LINE = re.compile(r"^podwire_folder\((\S+)\s+LINK([^)]*)\)", re.M)


def folder_of(path):
    """The ranked folder that `path` (relative, with slashes) lies in, or None."""
    return next((folder for folder in RANKS if path.startswith(folder + "/")), None)


def without_comments(text):
    return TOKEN.sub(lambda m: "\n" * m.group().count("\n") if m.group().startswith("/") else m.group(), text)


def without_literals(text):
    return TOKEN.sub(lambda m: "\n" * m.group().count("\n"), text)


def line_of(text, offset):
    return text.count("\n", 0, offset) + 1


class Tree:
    """The sources below `root` and what is wrong with them."""

    def __init__(self, root):
        self.root = Path(root)
        self.violations = []
        self.includes = {}  # path → included repository paths
        self.sources = sorted(
            p.relative_to(self.root).as_posix()
            for top in ("sim", "models", "app", "python", "tests", "bench")
            for p in (self.root / top).rglob("*")
            if p.suffix in SOURCE_SUFFIXES and p.is_file()
        )

    def report(self, path, line, message):
        self.violations.append(f"{path}:{line}: {message}")

    def check(self):
        for path in self.sources:
            self.check_source(path)
        self.check_clockless()
        self.check_link_lines()
        self.check_readmes()
        return self.violations

    def check_source(self, path):
        text = without_comments((self.root / path).read_text(encoding="utf-8"))
        self.includes[path] = []
        for match in INCLUDE.finditer(text):
            line = line_of(text, match.start(1))
            if match.group(3):
                self.check_own_include(path, line, match.group(3))
            else:
                self.check_library_include(path, line, match.group(2))
        if path.startswith(("sim/", "models/", "app/")):
            if folder_of(path) is None:
                self.report(path, 1, "its folder has no rank: give it one in tests/layering/layering_test.py")
            else:
                self.check_namespace(path, text)
        if path.startswith(LIBRARIES):
            code = without_literals(text)
            for what, pattern in FORBIDDEN.items():
                for match in re.finditer(pattern, code):
                    self.report(path, line_of(code, match.start()), f"a library does not {what}: {match.group()}")

    def check_own_include(self, path, line, target):
        if target.startswith(".") or "/../" in target:
            self.report(path, line, f'"{target}": includes start at the repository\'s root')
            return
        if not target.startswith(("sim/", "models/", "app/", "python/", "tests/", "bench/")):
            self.report(path, line, f'"{target}" does not start at the repository\'s root (libraries go in <>)')
            return
        self.includes[path].append(target)
        own, other = folder_of(path), folder_of(target)
        if own is None or own == other:
            return
        if other is None:
            self.report(path, line, f'"{target}" lies in no ranked folder')
        elif RANKS[other] >= RANKS[own]:
            self.report(path, line, f"{own} (rank {RANKS[own]}) includes {other} (rank {RANKS[other]})")

    def check_library_include(self, path, line, target):
        for library, (pattern, folders) in THIRD_PARTY.items():
            if not re.fullmatch(pattern, target):
                continue
            allowed = ONLY_IN_TESTS.get(library)
            if allowed is None and path.startswith(("tests/", "bench/")):
                return  # an oracle or a check of a file may use the library that the engine wraps
            if allowed is None and folders:
                allowed = tuple(folder + "/" for folder in folders)
            if allowed and not path.startswith(allowed):
                self.report(path, line, f"<{target}>: {library} is included only in {', '.join(allowed)}")
            return
        if not STANDARD.fullmatch(target):
            self.report(path, line, f"<{target}>: no known library; name its one folder in tests/layering/layering_test.py")

    def check_namespace(self, path, text):
        folder = folder_of(path)
        own = "podwire" if folder == "sim/base" else "podwire::" + folder.split("/")[-1]
        opened = False
        for match in NAMESPACE.finditer(without_literals(text)):
            name = match.group(1)
            if name == own or name.startswith(own + "::"):
                opened = True
            elif name.split("::")[0] == "podwire":
                self.report(path, line_of(text, match.start(1)), f"namespace {name} in {folder}: it should be {own}")
        if not opened and not path.endswith("/main.cpp"):
            self.report(path, 1, f"nothing in namespace {own}")

    def check_clockless(self):
        for start in self.sources:
            if folder_of(start) not in CLOCKLESS:
                continue
            came_from, queue = {start: None}, [start]
            for path in queue:
                if folder_of(path) == "sim/des":
                    chain = []
                    while path is not None:
                        chain.insert(0, path)
                        path = came_from[path]
                    self.report(start, 1, f"{folder_of(start)} works without a clock, but: {' → '.join(chain)}")
                    break
                for target in self.includes.get(path, ()):
                    if target not in came_from:
                        came_from[target] = path
                        queue.append(target)

    def check_link_lines(self):
        listing = self.root / "CMakeLists.txt"
        text = listing.read_text(encoding="utf-8") if listing.exists() else ""
        by_name = {folder.split("/")[-1]: folder for folder in RANKS}
        for match in LINK_LINE.finditer(text):
            own, line = match.group(1), line_of(text, match.start())
            if own not in RANKS:
                self.report("CMakeLists.txt", line, f"{own} has no rank")
                continue
            for item in match.group(2).split():
                other = by_name.get(item)
                if other and RANKS[other] >= RANKS[own]:
                    self.report("CMakeLists.txt", line, f"{own} (rank {RANKS[own]}) links {other} (rank {RANKS[other]})")

    def check_readmes(self):
        folders = {path.rsplit("/", 1)[0] for path in self.sources if path.startswith(("sim/", "models/", "app/"))}
        folders |= {folder.split("/")[0] for folder in folders}
        for folder in sorted(folders):
            readme = self.root / folder / "README.md"
            if not readme.exists():
                self.report(folder + "/README.md", 1, "missing: each folder says what is in it")
                continue
            lines = len(readme.read_text(encoding="utf-8").splitlines())
            if lines > README_LINES:
                self.report(folder + "/README.md", lines, f"{lines} lines, at most {README_LINES}")


# ---- the test of the test ------------------------------------------------------------------------------------------

CLEAN = {
    "CMakeLists.txt": "podwire_folder(sim/base LINK fmt::fmt)\npodwire_folder(sim/des LINK base)\n",
    "sim/README.md": "The engine.\n",
    "sim/base/README.md": "Types.\n",
    "sim/base/time.hpp": "#pragma once\n#include <cstdint>\n#include <arpa/inet.h>\n#include <fmt/format.h>\nnamespace podwire {\n}\n",
    "sim/des/README.md": "The kernel.\n",
    "sim/des/simulator.hpp": '#pragma once\n#include "sim/base/time.hpp"\nnamespace podwire::des {\n}\n',
    "sim/config/README.md": "Reading.\n",
    "sim/config/document.hpp": "#pragma once\n#include <libfyaml.h>\nnamespace podwire::config::detail {\n}\n",
    "models/README.md": "Models.\n",
    "models/cluster/README.md": "Objects.\n",
    "models/cluster/cluster.hpp": '// std::cout << "is only a comment", as is #include "sim/des/simulator.hpp"\n'
    '#include "sim/config/document.hpp"\nnamespace podwire::cluster {\nauto a = "getenv(";\n}\n',
    "models/dataplane/README.md": "Packets.\n",
    "models/dataplane/network.hpp": '#include "models/cluster/cluster.hpp"\n#include "sim/des/simulator.hpp"\n'
    "namespace podwire::dataplane {\nnamespace {\n}\nvoid Connection::abort() {}\n}\ntemplate <> struct std::hash<int> {};\n",
    "app/README.md": "The program.\n",
    "app/cli/README.md": "Verbs.\n",
    "app/cli/main.cpp": '#include <boost/program_options.hpp>\nint main() { std::cout << "hello"; }\n',
    "tests/unit/des/a_test.cpp": '#include <gtest/gtest.h>\n#include <hdf5.h>\n#include "sim/des/simulator.hpp"\n',
    "bench/a_bench.cpp": "#include <benchmark/benchmark.h>\n",
}

# name → (file, its text or what is added to it, what the report must say)
VIOLATIONS = {
    "an include of a higher rank": ("sim/base/time.hpp", '#include "sim/des/simulator.hpp"\n', "sim/base (rank 0) includes sim/des (rank 2)"),
    "an include of a sibling of the same rank": ("sim/des/simulator.hpp", '#include "sim/config/document.hpp"\n', "includes sim/config (rank 2)"),
    "a clockless folder that includes des": ("models/cluster/cluster.hpp", '#include "sim/des/simulator.hpp"\n', "works without a clock"),
    "a clockless folder that reaches des through another": ("sim/config/document.hpp", '#include "sim/des/simulator.hpp"\n', "cluster.hpp → sim/config/document.hpp → sim/des/simulator.hpp"),
    "a library outside its folder": ("models/cluster/cluster.hpp", "#include <libfyaml.h>\n", "libfyaml is included only in sim/config/"),
    "Boost.Graph outside topology": ("models/dataplane/network.hpp", "#include <boost/graph/adjacency_list.hpp>\n", "only in models/topology/"),
    "Program_options outside cli": ("sim/config/document.hpp", "#include <boost/program_options.hpp>\n", "only in app/cli/"),
    "HDF5 outside record": ("app/cli/main.cpp", "#include <hdf5.h>\n", "only in sim/record/"),
    "GoogleTest in the engine": ("sim/des/simulator.hpp", "#include <gtest/gtest.h>\n", "GoogleTest is included only in tests/"),
    "an unknown library": ("sim/des/simulator.hpp", "#include <boost/spirit.hpp>\n", "no known library"),
    "a relative include": ("sim/des/simulator.hpp", '#include "../base/time.hpp"\n', "includes start at the repository's root"),
    "a relative include in a test": ("tests/unit/des/a_test.cpp", '#include "../../x.hpp"\n', "includes start at the repository's root"),
    "an include from the own folder": ("sim/des/simulator.hpp", '#include "timer.hpp"\n', "does not start at the repository's root"),
    "a namespace of another folder": ("sim/des/simulator.hpp", "namespace podwire::stats {\n}\n", "it should be podwire::des"),
    "the bare namespace outside base": ("sim/des/simulator.hpp", "namespace podwire {\n}\n", "it should be podwire::des"),
    "a file without a namespace": ("sim/des/new.cpp", "int x;\n", "nothing in namespace podwire::des"),
    "a folder without a rank": ("sim/extra/new.cpp", "namespace podwire::extra {\n}\n", "has no rank"),
    "a folder without a README": ("sim/stats/mean.hpp", "namespace podwire::stats {\n}\n", "sim/stats/README.md:1: missing"),
    "a long README": ("sim/des/README.md", "line\n" * 40, "41 lines, at most 40"),
    "a link line of a higher rank": ("CMakeLists.txt", "podwire_folder(sim/random LINK base des)\n", "sim/random (rank 1) links sim/des"),
    "a library that prints": ("sim/des/simulator.hpp", 'void f() { std::cerr << "x"; }\n', "a library does not print"),
    "a library that reads the environment": ("sim/des/simulator.hpp", 'auto h = std::getenv("HOME");\n', "does not read the environment"),
    "a library that reads the clock": ("sim/des/simulator.hpp", "auto t = std::chrono::steady_clock::now();\n", "does not read the clock"),
    "a library that exits": ("sim/des/simulator.hpp", "void g() { std::exit(1); }\n", "does not end the program"),
}


def violations_of(files):
    with tempfile.TemporaryDirectory() as folder:
        for name, text in files.items():
            path = Path(folder) / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        return Tree(folder).check()


def self_test():
    failures = [f"the clean tree: unexpected: {v}" for v in violations_of(CLEAN)]
    for name, (path, added, expected) in VIOLATIONS.items():
        found = violations_of({**CLEAN, path: CLEAN.get(path, "") + added})
        if not any(expected in violation for violation in found):
            failures.append(f"{name}: expected a report with '{expected}', got {found}")
    for failure in failures:
        print(failure)
    print(f"layering self-test: {len(VIOLATIONS) + 1} cases: {len(VIOLATIONS) + 1 - len(failures)} passed, {len(failures)} failed")
    return 1 if failures else 0


def main():
    if sys.argv[1:] == ["--self-test"]:
        return self_test()
    if sys.argv[1:]:
        print("usage: layering_test.py [--self-test]", file=sys.stderr)
        return 2
    tree = Tree(Path(__file__).resolve().parents[2])
    for violation in tree.check():
        print(violation)
    if not tree.sources:
        print("no sources found")
        return 1
    print(f"layering: {len(tree.sources)} sources, {len(tree.violations)} violations")
    return 1 if tree.violations else 0


if __name__ == "__main__":
    sys.exit(main())
