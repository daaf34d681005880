"""Whether the notices are those of what is in the binary: noticed.py LIST NOTICES

Each component of the list has its entry, with its licence and at least one text; there are no others; and each text that is
named is there. It says so in a sentence, or what is wrong.
"""

import json
import re
import sys
from pathlib import Path


def fault(listed: set[str], notices: str) -> str | None:
    entries, *texts = re.split(r"^={100}\n", notices, flags=re.MULTILINE)
    there = dict(re.findall(r"^(\S+ \d\S*)\n((?: {4}.+\n?)+)", entries, re.MULTILINE))
    if differing := listed ^ there.keys():
        return f"is in one of the two alone: {', '.join(sorted(differing))}"
    numbered = {match[1]: match[2] for match in (re.match(r"Text (\d+)\n(.*)", text, re.DOTALL) for text in texts) if match}
    for name, told in there.items():
        numbers = re.findall(r": text (\d+)$", told, re.MULTILINE)
        if not re.search(r"^ {4}Licence: \S", told, re.MULTILINE) or not numbers:
            return f"{name} has no licence or no text"
        if missing := [number for number in numbers if not numbered.get(number, "").strip()]:
            return f"{name} names texts that are not there: {', '.join(missing)}"
    return None


def main(bill: str, file: str) -> None:
    components = json.loads(Path(bill).read_text("utf-8"))["components"]
    listed = {f"{component['name']} {component['version']}" for component in components}
    if told := fault(listed, Path(file).read_text("utf-8")):
        print(told)
        sys.exit(1)
    print(f"all {len(listed)} components have their notices")


main(*sys.argv[1:])
