#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Acts as virtme-run, QEMU and the guest: executes the scene that a test passes as the image.

A scene is Python and uses the functions below.
"""

import json
import os
import re
import signal
import socket
import sys
import time


def connect(name):
    for argument in sys.argv:
        found = re.fullmatch(f"socket,id=bpf-streams-{name},path=(.*)", argument)
        if found:
            peer = socket.socket(socket.AF_UNIX)
            peer.connect(found[1])
            return peer
    sys.exit(f"no socket for {name} among {sys.argv}")


def boot():
    global channel, monitor
    channel, monitor = connect("channel"), connect("qmp")
    version = {"major": 7, "minor": 2, "micro": 22}
    tell_qmp({"QMP": {"version": {"qemu": version}}})


def tell_qmp(message):
    monitor.sendall(json.dumps(message).encode() + b"\r\n")


def console(text):
    os.write(2, text.encode())


def say(message):
    channel.sendall(json.dumps(message).encode() + b"\n")


def start(*tests, alone=()):
    say(
        {
            "event": "start",
            "protocol": 1,
            "kernel": "6.12.0",
            "machine": "x86_64",
            "cpus": 2,
            "tests": tests,
            "alone": alone,
            "empty_objects": [],
        }
    )


def tests():
    """Yields the tests that the host names, each between its begin and its report."""
    answers = channel.makefile()
    reported = 0
    while (answer := json.loads(answers.readline()))["answer"] == "run":
        test = answer["test"]
        say({"event": "test_start", "test": test})
        yield test
        ran = {"kind": "ran", "retval": 0}
        text = {"stdout": "", "stderr": "", "notes": [], "micros": 1}
        say({"event": "test", "test": test, "outcome": ran, **text})
        reported += 1
    assert answer == {"answer": "finish"}, answer
    say({"event": "end", "tests": reported})


def is_first():
    """Whether no other guest of this scene has asked."""
    try:
        os.mkdir(sys.argv[sys.argv.index("--kimg") + 1] + ".first")
        return True
    except FileExistsError:
        return False


def shut_down(reason):
    tell_qmp({"event": "SHUTDOWN", "data": {"guest": True, "reason": reason}})
    # the exit code of virtme-ng for good and bad runs, without udev in the guest
    sys.exit(255)


with open(sys.argv[sys.argv.index("--kimg") + 1]) as scene:
    exec(scene.read())
