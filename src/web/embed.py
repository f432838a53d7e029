"""
Runs when the program is built: page.css and page.js as a C header, with the hash by which the page allows its script.

    embed.py page.css page.js > page_files.h
"""

import base64
import hashlib
import pathlib
import sys


def main(style, script):
    print("/* Made by src/web/embed.py. */")
    for path in map(pathlib.Path, (style, script)):
        text = path.read_text(encoding="utf-8")
        print(f"static const char {path.name.replace('.', '_')}[] =")
        for line in text.splitlines():
            escaped = line.replace("\\", "\\\\").replace('"', '\\"').replace("?", "\\?")
            print(f'    "{escaped}\\n"')
        print("    ;")
    digest = base64.b64encode(hashlib.sha256(pathlib.Path(script).read_bytes()).digest()).decode()
    print(f'#define PAGE_SCRIPT_HASH "sha256-{digest}"')


main(*sys.argv[1:])
