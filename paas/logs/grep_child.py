"""Searches lines for a regular expression, in a process of its own: `python -I -S grep_child.py PATTERN FLAGS SECONDS`.

Each line of stdin is a JSON list of texts; each line of stdout lists the indices of those that match. A search that
takes more processor time than allowed ends the process by SIGPROF. The standard library is all it imports.
"""

import json
import re
import signal
import sys


def main() -> None:
    """Answer until stdin ends."""
    pattern = re.compile(sys.argv[1], int(sys.argv[2]))
    for question in sys.stdin:
        texts = json.loads(question)
        signal.setitimer(signal.ITIMER_PROF, float(sys.argv[3]))
        found = [index for index, text in enumerate(texts) if pattern.search(text)]
        signal.setitimer(signal.ITIMER_PROF, 0)
        print(json.dumps(found), flush=True)


if __name__ == "__main__":
    main()
