# SPDX-License-Identifier: Apache-2.0
"""Makes a C table of .varlink files: descriptions.py OUTPUT FILE..."""
import json
import pathlib
import sys

with open(sys.argv[1], "w", encoding="utf-8") as out:
    out.write('#include "varlink/descriptions.h"\n\nconst VarlinkDescription varlink_descriptions[] = {\n')
    for path in map(pathlib.Path, sys.argv[2:]):
        lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
        out.write(f"    {{{json.dumps(path.stem)},\n")
        out.writelines(f"     {json.dumps(line)}\n" for line in lines)
        out.write("    },\n")
    out.write("};\nconst size_t varlink_n_descriptions = ELEMENTSOF(varlink_descriptions);\n")
