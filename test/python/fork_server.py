"""Run Python programs that need torch, each in a fork of this process, which has imported it.

    python fork_server.py

Importing torch takes seconds, and a fork milliseconds. Each line of the input is a program as JSON:
{"args": [...], "input": TEXT}, with the arguments that follow `python` on a command line, and for
each line one is printed: {"status": NUMBER, "stdout": TEXT, "stderr": TEXT}.
"""

import io
import json
import os
import runpy
import sys
import tempfile
import traceback

import numpy  # noqa: F401
import torch  # noqa: F401


def run(args: list[str]) -> int:
    """Run a program as `python ARGS` does, and return its exit status."""
    if args[0] == "-c":
        sys.argv, sys.path[0] = ["-c", *args[2:]], ""
    else:
        sys.argv, sys.path[0] = args, os.path.dirname(args[0])
    try:
        if args[0] == "-c":
            exec(compile(args[1], "<string>", "exec"), {"__name__": "__main__"})
        else:
            runpy.run_path(args[0], run_name="__main__")
        return 0
    except SystemExit as end:
        if end.code is None or isinstance(end.code, int):
            return end.code or 0
        print(end.code, file=sys.stderr)
        return 1
    except BaseException:
        traceback.print_exc()
        return 1


def answer(program: dict) -> dict:
    """Run a program in a fork, with files as its input and output."""
    with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as out, (
        tempfile.TemporaryFile()
    ) as errors:
        given.write(program["input"].encode())
        given.seek(0)
        child = os.fork()
        if child == 0:
            for number, file in enumerate((given, out, errors)):
                os.dup2(file.fileno(), number)
            # The parent's buffers hold some of the next programs.
            sys.stdin = io.TextIOWrapper(open(0, "rb", closefd=False), encoding="utf-8")
            status = run(program["args"])
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(status)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        texts = []
        for file in (out, errors):
            file.seek(0)
            texts.append(file.read().decode(errors="replace"))
        return {"status": status, "stdout": texts[0], "stderr": texts[1]}


for line in sys.stdin:
    # JSON's escapes keep the output independent of the locale.
    print(json.dumps(answer(json.loads(line))), flush=True)
