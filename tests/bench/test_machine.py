"""What a process tree costs: nobody in it is forgotten."""

from __future__ import annotations

import os
import threading

from bench.machine import tree


def test_a_process_stays_in_its_tree_while_its_threads_come_and_go():
    ended = threading.Event()

    def churn():
        while not ended.is_set():
            short = threading.Thread(target=str)
            short.start()
            short.join()

    threads = [threading.Thread(target=churn) for _ in range(3)]
    for each in threads:
        each.start()
    try:
        assert all(os.getpid() in tree(os.getpid()) for _ in range(500))
    finally:
        ended.set()
        for each in threads:
            each.join()
