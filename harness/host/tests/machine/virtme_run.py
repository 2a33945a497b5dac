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


def start(*tests):
    say(
        {
            "event": "start",
            "protocol": 1,
            "kernel": "6.12.0",
            "machine": "x86_64",
            "cpus": 2,
            "tests": tests,
            "alone": [],
            "empty_objects": [],
        }
    )


def shut_down(reason):
    tell_qmp({"event": "SHUTDOWN", "data": {"guest": True, "reason": reason}})
    # the exit code of virtme-ng for good and bad runs, without udev in the guest
    sys.exit(255)


with open(sys.argv[sys.argv.index("--kimg") + 1]) as scene:
    exec(scene.read())
