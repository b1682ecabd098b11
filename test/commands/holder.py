"""Holds listening sockets as systemd does, and starts a program with them; on SIGUSR1 once more, when it has ended.

    holder.py NAMES ENDPOINT[,ENDPOINT...] -- PROGRAM ARGUMENT...

Prints `started PID` each time.
"""

import fcntl
import os
import signal
import socket
import sys

names, endpoints = sys.argv[1:3]
program = sys.argv[sys.argv.index("--") + 1 :]
held = []
for endpoint in endpoints.split(","):
    if endpoint.startswith("/"):
        one = socket.socket(socket.AF_UNIX)
        one.bind(endpoint)
    else:
        host, port = endpoint.rsplit(":", 1)
        one = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        one.bind((host, int(port)))
    one.listen(4096)
    held.append(one)
# Out of the way of the descriptors that the program gets.
held = [fcntl.fcntl(one.fileno(), fcntl.F_DUPFD, 100) for one in held]


def start():
    pid = os.fork()
    if pid == 0:
        for place, one in enumerate(held):
            os.dup2(one, 3 + place)
        os.environ.update(LISTEN_FDS=str(len(held)), LISTEN_FDNAMES=names, LISTEN_PID=str(os.getpid()))
        os.closerange(3 + len(held), 256)
        os.execvp(program[0], program)
    print("started", pid, flush=True)
    return pid


child = start()


def again(*_):
    global child
    os.kill(child, signal.SIGTERM)
    os.waitpid(child, 0)
    child = start()


def end(*_):
    os.kill(child, signal.SIGTERM)
    os.waitpid(child, 0)
    sys.exit(0)


signal.signal(signal.SIGUSR1, again)
signal.signal(signal.SIGTERM, end)
while True:
    signal.pause()
