"""Writes a file's bytes as a C++ array, for tests that carry their schema with them.

usage: embed.py FILE NAME HEADER
"""

import sys
from pathlib import Path


def main() -> int:
    source, name, header = Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3])
    content = source.read_bytes()
    rows = (content[i:i + 24] for i in range(0, len(content), 24))
    lines = "\n".join("    " + "".join(f"{byte}, " for byte in row).rstrip() for row in rows)
    header.write_text(f"// The bytes of {source.name}; generated.\n#pragma once\n\n"
                      f"alignas(8) inline constexpr unsigned char {name}[] = {{\n{lines}\n}};\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
